use anyhow::{Result, ensure};
use std::process::Command;
use xtask::server::Running;
use xtask::{repository, run};

/// The license dialog against the table that every renderer reads, and a person who types and
/// clicks in it. Pictures of what it showed are kept.
pub fn dialog() -> Result<String> {
    let place = tempfile::tempdir()?;
    let built = place.path().join("built");
    super::cmake("tests/hosts/qt", &built, &[])?;

    let server = Running::start()?;
    let seat = server.create_seat("qt@example.com")?;
    let pictures = super::pictures()?;
    let mut clicks = Command::new(built.join("clicks"));
    clicks.arg(repository().join("panel/golden.json")).arg(&pictures);
    clicks.env("QT_QPA_PLATFORM", "offscreen");
    clicks.env("EXAMPLE_SERVER", server.url()).env("EXAMPLE_ROOT_KEY", server.root_key());
    clicks.env("SEATLOCK_STATE_DIR", place.path().join("state")).env_remove("SEATLOCK_MACHINE_ID");
    let (code, said) = run::status(&mut clicks, Some(&format!("{}\n", seat.token)))?;
    ensure!(code == 0, "it ended with {code}\n{said}");
    Ok(said.lines().last().unwrap_or_default().to_owned())
}
