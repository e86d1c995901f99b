//! Programs of Python's packages.

use crate::{build, repository, run};
use anyhow::{Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A program of an environment in the target folder, which has the packages of this list. They are
/// installed once for each list; lists whose packages get along share an environment.
///
/// # Errors
/// Python is missing, or a package cannot be installed.
pub fn program(environment: &str, requirements: &str, program: &str) -> Result<PathBuf> {
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
    ensure!(program.exists(), "{} is missing: delete {} and try again", program.display(), venv.display());
    Ok(program)
}
