use super::debian;
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use xtask::{build, repository, run};

/// Runs protocol/tests/cross_check.py in an environment of its own.
pub fn cross_check() -> Result<String> {
    let tests = repository().join("protocol/tests");
    let venv = build::target_folder().join("cross-check-venv");
    install(&venv, &tests.join("requirements.txt"))?;
    let mut check = Command::new(venv.join("bin/python"));
    // It builds an example of the protocol crate, with the same cargo and target folder.
    check.arg(tests.join("cross_check.py")).current_dir(repository());
    let (code, said) = run::status(&mut check, None)?;
    anyhow::ensure!(code == 0, "{said}");
    let last = said.lines().rev().find(|line| line.starts_with("Ran ")).unwrap_or("no count was printed");
    anyhow::ensure!(last.starts_with("Ran ") && !last.starts_with("Ran 0 "), "{last}\n{said}");
    Ok(last.to_owned())
}

/// Makes a virtual environment at `venv`, unless it is there, and installs a list of packages.
pub(super) fn install(venv: &Path, requirements: &Path) -> Result<()> {
    let python = venv.join("bin/python");
    if !python.exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(venv);
        run::tool(&mut make, &debian("python3-venv"))?;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    run::output(install.arg(requirements)).map(drop)
}
