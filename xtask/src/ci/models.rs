use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use xtask::{build, run};

/// Where the models are, in a workspace of their own.
const FOLDER: &str = "tests/models";

/// The sequence lock of the status in every order of events.
pub fn loom() -> Result<String> {
    let mut cargo = build::cargo();
    cargo.arg("test").env("RUSTFLAGS", "--cfg loom");
    tested(&mut cargo, "loom")
}

/// The way in and out of C, read step by step.
pub fn miri() -> Result<String> {
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo", "miri", "test"]).current_dir(xtask::repository());
    // An outer cargo names its own programs.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(name);
    }
    cargo.env("MIRIFLAGS", "-Zmiri-strict-provenance -Zmiri-symbolic-alignment-check");
    tested(&mut cargo, "miri")
}

fn tested(cargo: &mut Command, name: &str) -> Result<String> {
    cargo.args(["--quiet", "--lib", "--manifest-path"]).arg(format!("{FOLDER}/Cargo.toml"));
    cargo.arg("--target-dir").arg(build::target_folder().join("models").join(name));
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    let said = run::output(cargo)?;
    let passed = said.lines().find_map(|line| line.strip_prefix("test result: ok. "));
    let passed = passed.and_then(|line| line.split_once(" passed")).context("no test ran")?.0;
    ensure!(passed != "0", "no test ran");
    Ok(format!("{passed} tests"))
}
