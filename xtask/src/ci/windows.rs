use super::need;
use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;
use xtask::{build, run};

/// The most used target of its kind that a compiler from Debian can serve.
const TARGET: &str = "x86_64-pc-windows-gnu";

/// Clippy for Windows: the branches that no other check here compiles.
pub fn clippy() -> Result<String> {
    need("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32")?;
    let library = run::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    ensure!(
        Path::new(library.trim()).is_dir(),
        "the standard library of {TARGET} is missing: run .ci/add-rust-target {TARGET}"
    );
    let mut command = build::cargo();
    command.args(["clippy", "--target", TARGET, "-p", "seatlock", "-p", "seatlock-protocol"]);
    run::output(command.args(["--", "-D", "warnings"]))?;
    Ok("no warnings".to_owned())
}
