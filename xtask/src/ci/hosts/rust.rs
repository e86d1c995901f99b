use anyhow::{Result, ensure};
use std::fs;
use std::process::Command;
use xtask::server::Running;
use xtask::{build, repository, run};

/// A plug-in in Rust, a package as a vendor's: it exports its own names only, and activates.
pub fn plugin() -> Result<String> {
    let server = Running::start()?;
    let seat = server.create_seat("rust@example.com")?;
    let example = repository().join("examples/rust");
    // The versions that everything else is tried with; cargo leaves out what it does not need.
    fs::copy(repository().join("Cargo.lock"), example.join("Cargo.lock"))?;
    let folder = build::target_folder().join("ci/rust");
    let mut cargo = build::cargo();
    cargo.arg("build").arg("--manifest-path").arg(example.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&folder);
    cargo.env("EXAMPLE_SERVER", server.url()).env("EXAMPLE_ROOT_KEY", server.root_key());
    run::output(&mut cargo)?;

    let library = folder.join("debug/libbridge.so");
    let listed = run::output(Command::new("nm").args(["-D", "--defined-only"]).arg(&library))?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().last());
    let (own, others): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("bridge_"));
    ensure!(own.len() == 3 && others.is_empty(), "it exports {own:?} and {others:?}");

    let state = tempfile::tempdir()?;
    // The second finds what the first has kept, and asks for no token.
    for token in [seat.token.as_str(), ""] {
        let mut host = Command::new(folder.join("debug/bridge"));
        host.env("SEATLOCK_STATE_DIR", state.path()).env_remove("SEATLOCK_MACHINE_ID");
        let (code, said) = run::status(host.env("NO_PROXY", "127.0.0.1"), Some(&format!("{token}\n")))?;
        ensure!(code == 0, "it ended with {code}\n{said}");
    }
    Ok(format!("exports {}, licensed twice", own.join(", ")))
}
