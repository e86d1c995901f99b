//! The C example, and a person who signs in with a real browser.

use super::{browser, files};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use xtask::oidc_provider::Provider;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::{Running, Setup};

/// Stands where a desktop has its own: notes what it was given of the host, whose child it is once
/// whoever started it has gone, and what it was asked to show.
const XDG_OPEN: &str = r#"#!/bin/sh
ls -l /proc/self/fd > "$WALK_OPENED.inherited"
parent() { cat "/proc/$(cut -d ' ' -f 4 /proc/$$/stat)/comm"; }
tries=0
while parent > "$WALK_OPENED.parent"; grep -q seatlock "$WALK_OPENED.parent" && [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
echo "$1" > "$WALK_OPENED"
exec sleep 60
"#;

/// Signs in at every place where a person can.
pub fn signs_in() -> Result<String> {
    let (folder, plugin, provider) = (browser::installed()?, Plugin::build()?, Provider::default().start()?);
    let server = Running::start_with(&Setup::default())?;
    let admit = ["--audience", provider.audience(), "--admit", "everybody"];
    server.administer(&[["issuer", "add", provider.url()].as_slice(), &admit].concat())?;
    let (state, tools) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (opener, opened) = (tools.path().join("xdg-open"), tools.path().join("opened"));
    fs::write(&opener, XDG_OPEN)?;
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH")?;

    let mut walk = Command::new("node");
    walk.arg("plugin-sign-in.mjs").current_dir(&folder);
    for (name, value) in plugin.command(&server, state.path()).get_envs() {
        match value {
            Some(value) => walk.env(name, value),
            None => walk.env_remove(name),
        };
    }
    walk.env("EXAMPLE_OIDC_ISSUER", provider.url()).env("EXAMPLE_CLIENT_ID", "plugin");
    walk.env("SEATLOCK_AUDIENCE", provider.audience()).env("SEATLOCK_MACHINE_ID", "desk-of-mira");
    walk.env("PATH", format!("{}:{path}", tools.path().display()));
    walk.env("WALK_PLUGIN", plugin.program()).env("WALK_OPENED", &opened);
    let (code, said) = run::status(&mut walk, None)?;
    ensure!(code == 0, "{said}");

    let parent = fs::read_to_string(opened.with_extension("parent"))?;
    ensure!(!parent.is_empty(), "nobody knows whose child the browser is");
    ensure!(!parent.contains("seatlock"), "the browser is a child of the host: {parent}");
    let inherited = fs::read_to_string(opened.with_extension("inherited"))?;
    // Whoever started this check may have left descriptors open, which everybody below inherits.
    let ours: Vec<_> =
        fs::read_dir("/proc/self/fd")?.flatten().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    let is_ours = |line: &str| ours.iter().any(|target| line.ends_with(&*target.to_string_lossy()));
    let given = inherited.lines().filter(|line| line.contains("socket:") || line.contains("pipe:"));
    let of_the_host: Vec<_> = given.filter(|line| !is_ours(line)).collect();
    ensure!(of_the_host.is_empty(), "it was given {of_the_host:?}");
    let kept = files(state.path())?
        .into_iter()
        .find(|path| path.ends_with("state.json"))
        .context("no sign-in is kept")?;
    let mode = fs::metadata(&kept)?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "the sign-in's file has mode {mode:o}");
    Ok(said.lines().last().context("it said nothing")?.to_owned())
}
