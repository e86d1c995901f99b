use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use xtask::python::program;
use xtask::wheel::{self, ENVIRONMENT, REQUIREMENTS};
use xtask::{build, repository, run};

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

/// The package in an environment of its own, by its wheel, against a real server.
pub fn package() -> Result<String> {
    let (python, _) = installed()?;
    let mut tests = Command::new(python);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    let folder = repository().join("bindings/python/tests");
    tests.arg(&folder).arg("--ignore").arg(folder.join("blender"));
    passed(&mut tests)
}

/// The example for Blender: as an extension in Blender's own Python module, and in Debian's
/// Blender, where it is clicked and typed into, and where it ends at any moment.
pub fn blender() -> Result<String> {
    let (python, wheel) = installed()?;
    let list = "bindings/python/tests/blender/requirements.txt";
    program(ENVIRONMENT, list, "python")?;
    let mut tests = Command::new(python);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).env("SEATLOCK_WHEEL", wheel);
    passed(tests.arg(repository().join("bindings/python/tests/blender")))
}

fn passed(tests: &mut Command) -> Result<String> {
    let said = run::output(tests.env("SEATLOCK_SERVER_PROGRAM", build::server()?))?;
    Ok(said.lines().last().context("pytest said nothing")?.trim_matches(['=', ' ']).to_owned())
}

/// Packs the wheel and installs it, once; answers Python's program, and the wheel.
fn installed() -> Result<(PathBuf, PathBuf)> {
    static INSTALLED: Mutex<Option<(PathBuf, PathBuf)>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(done) = &*installed {
        return Ok(done.clone());
    }
    let folder = build::target_folder().join("python-wheel");
    let wheel = wheel::for_tests(&build::shared_library(false)?, &folder)?;
    let python = program(ENVIRONMENT, REQUIREMENTS, "python")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    run::output(install.args(["--no-index", "--force-reinstall"]).arg(&wheel))?;
    Ok(installed.insert((python, wheel)).clone())
}

/// Types and style of the package and of what is built on it.
pub fn types() -> Result<String> {
    let root = repository();
    let settings = root.join("bindings/python/pyproject.toml");
    for verb in [&["check"][..], &["format", "--check"]] {
        let ruff = || -> Result<Command> {
            let mut ruff = Command::new(program(ENVIRONMENT, REQUIREMENTS, "ruff")?);
            ruff.args(verb).arg("--no-cache").current_dir(&root);
            Ok(ruff)
        };
        run::output(ruff()?.arg("bindings/python"))?;
        run::output(ruff()?.arg("--config").arg(&settings).arg("examples/blender"))?;
    }
    let mut mypy = Command::new(program(ENVIRONMENT, REQUIREMENTS, "mypy")?);
    mypy.arg("--config-file").arg(&settings).args(["--cache-dir", "/dev/null", "--package", "seatlock"]);
    let said = run::output(mypy.current_dir(root.join("bindings/python/src")))?;
    Ok(said.lines().last().context("mypy said nothing")?.to_owned())
}
