use anyhow::Result;
use std::process::Command;
use xtask::python::program;
use xtask::{repository, run};

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
