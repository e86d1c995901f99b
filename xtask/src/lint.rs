use anyhow::{Result, bail};
use std::process::{Command, Stdio};
use xtask::{build, repository, run};

/// Everything that is checked without running anything.
pub fn run() -> Result<()> {
    step(build::cargo().args(["fmt", "--all", "--check"]))?;
    // A workspace of its own, which clippy would have to build once more.
    step(
        build::cargo()
            .args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
            .current_dir(repository()),
    )?;
    step(build::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step(build::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// The header's own test writes it, so that there is one way to make it.
pub fn header() -> Result<()> {
    step(
        build::cargo()
            .args(["test", "--package", "seatlock", "--test", "header"])
            .env("SEATLOCK_UPDATE", "1"),
    )
}

/// Runs a command that talks to the terminal by itself.
fn step(command: &mut Command) -> Result<()> {
    println!("$ {}", run::shown(command));
    let status = command.stdin(Stdio::null()).status()?;
    if !status.success() {
        bail!("`{}` ended with {status}", run::shown(command));
    }
    Ok(())
}
