//! The pages of seat management in a real browser.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use xtask::plugin::Plugin;
use xtask::server::{Running, Setup};
use xtask::{npm, repository, run};

const OWNER: &str = "mira.halvorsen@nordlicht.example";
/// Who runs the server.
const ADMIN: &str = "licenses@nordlicht.example";

/// Walks through every page as an owner does, and looks at each with axe-core.
pub fn check() -> Result<String> {
    walk(None)
}

/// The same, and leaves a picture of every page in `screenshots`.
pub fn walk(screenshots: Option<&Path>) -> Result<String> {
    let folder = installed()?;
    let more = ["--account", "Nordlicht Studios"].map(str::to_owned).to_vec();
    let server = Running::start_with(&Setup { seats: 6, more, ..Setup::default() })?;
    let password = add(&server, OWNER, "owner")?;
    let admin_password = add(&server, ADMIN, "admin")?;
    let (plugin, state) = (Plugin::build()?, tempfile::tempdir()?);

    let mut walk = Command::new("node");
    walk.arg("walk.mjs").current_dir(&folder);
    for (name, value) in plugin.command(&server, state.path()).get_envs() {
        match value {
            Some(value) => walk.env(name, value),
            None => walk.env_remove(name),
        };
    }
    walk.env("WALK_SERVER", server.url()).env("WALK_EMAIL", OWNER).env("WALK_PASSWORD", &password);
    walk.env("WALK_ADMIN", ADMIN).env("WALK_ADMIN_PASSWORD", &admin_password);
    walk.env("WALK_PLUGIN", plugin.program());
    if let Some(screenshots) = screenshots {
        std::fs::create_dir_all(screenshots)?;
        walk.env("WALK_SCREENSHOTS", screenshots.canonicalize()?);
    }
    let (code, said) = run::status(&mut walk, None)?;
    ensure!(code == 0, "{said}");
    let log = server.log();
    ensure!(
        ![password, admin_password].iter().any(|secret| log.contains(secret)),
        "a password is in the server's log"
    );
    Ok(said.lines().last().context("it said nothing")?.to_owned())
}

/// Adds a user, and answers the password.
fn add(server: &Running, email: &str, role: &str) -> Result<String> {
    let added = server.administer(&["user", "add", email, "--role", role, "--json"])?;
    let added: serde_json::Value = serde_json::from_str(&added)?;
    let password = added.pointer("/password").and_then(serde_json::Value::as_str);
    Ok(password.context("no password")?.to_owned())
}

/// The walks, with their packages beside them.
pub(super) fn installed() -> Result<std::path::PathBuf> {
    npm::install(&repository().join("tests/browser"), "browser-walk")
}
