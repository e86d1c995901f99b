use anyhow::Result;
use xtask::{build, run};

/// The most used target of its kind that a compiler from Debian can serve.
pub const TARGET: &str = "x86_64-pc-windows-gnu";

/// Clippy for Windows: the branches that no other check here compiles.
pub fn clippy() -> Result<String> {
    let mut command = build::cargo();
    command.args(["clippy", "--target", TARGET, "-p", "seatlock", "-p", "seatlock-protocol"]);
    run::output(command.args(["--", "-D", "warnings"]))?;
    Ok("no warnings".to_owned())
}
