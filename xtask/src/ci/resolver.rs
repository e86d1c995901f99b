use anyhow::{Context, Result};
use std::process::Command;
use xtask::{build, c, repository, run};

/// A client closes in time, and its library is unloaded, while the system's resolver hangs.
pub fn hanging() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("resolver");
    let tests = repository().join("tests/c");
    c::compile(
        &[&tests.join("resolver.c")],
        &[&repository().join("include"), &tests],
        &program,
        &["-std=c11", "-ldl"],
    )?;
    let mut command = Command::new(program);
    command.arg(build::shared_library(false)?);
    let (code, said) = run::status(&mut command, None)?;
    anyhow::ensure!(code == 0, "ended with {code}\n{said}");
    Ok(said.lines().next().context("it said nothing")?.to_owned())
}
