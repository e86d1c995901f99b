use super::tools;
use anyhow::Result;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use xtask::{build, repository, run};

/// Runs protocol/tests/cross_check.py.
pub fn cross_check() -> Result<String> {
    let python = program("python", "protocol/tests/requirements.txt", "python")?;
    let mut check = Command::new(python);
    // It builds an example of the protocol crate, with the same cargo and target folder.
    check.arg(repository().join("protocol/tests/cross_check.py")).current_dir(repository());
    let (code, said) = run::status(&mut check, None)?;
    anyhow::ensure!(code == 0, "{said}");
    let last = said.lines().rev().find(|line| line.starts_with("Ran ")).unwrap_or("no count was printed");
    anyhow::ensure!(last.starts_with("Ran ") && !last.starts_with("Ran 0 "), "{last}\n{said}");
    Ok(last.to_owned())
}

/// A program of an environment in the target folder, which has the packages of this list. They are
/// installed once for each list; lists whose packages get along share an environment.
pub(super) fn program(environment: &str, requirements: &str, program: &str) -> Result<PathBuf> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let venv = build::target_folder().join(environment);
    let python = venv.join("bin/python");
    if !python.exists() {
        run::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    }
    let list = repository().join(requirements);
    let (listed, marker) = (fs::read(&list)?, venv.join(requirements.replace('/', "-")));
    if !fs::read(&marker).is_ok_and(|installed| installed == listed) {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run::output(install.arg(&list))?;
        fs::write(marker, listed)?;
    }
    let program = venv.join("bin").join(program);
    Ok(tools::installed(&program)?.to_owned())
}
