use anyhow::{Context, Result};
use std::process::Command;
use xtask::{build, c, repository, run};

/// Rounds of load, open, use, close, unload.
const ROUNDS: &str = "20";

/// No invalid access and no definite leak in 20 lives of a client, beside the warm-up's.
pub fn lifecycle() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("lifecycle");
    let tests = repository().join("tests/c");
    let source = tests.join("lifecycle.c");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-g", "-pthread", "-ldl"]).collect();
    c::compile(&[&source], &[&repository().join("include"), &tests], &program, &flags)?;
    let mut command = Command::new("valgrind");
    command.args(["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
    command.args(["--show-leak-kinds=definite", "--num-callers=30"]);
    command.arg(&program).arg(build::shared_library(false)?).arg(ROUNDS);
    command.arg(folder.path().join("state")).arg("http://127.0.0.1:9");
    let (code, said) = run::status(&mut command, None)?;
    anyhow::ensure!(code == 0, "ended with {code}\n{said}");
    let summary = said.lines().find_map(|line| line.split_once("ERROR SUMMARY: "));
    Ok(summary.context("valgrind printed no summary")?.1.to_owned())
}
