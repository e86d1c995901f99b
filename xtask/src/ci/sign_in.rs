//! Signing in with a real OpenID provider.

use super::browser;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use xtask::oidc_provider::Provider;
use xtask::run;
use xtask::server::{Running, Setup};

/// Who signs in on the page.
const PERSON: &str = "mira.halvorsen@nordlicht.example";

/// A machine takes a seat and reads the admin API; a person comes in by the page.
pub fn real() -> Result<String> {
    let folder = browser::installed()?;
    let setup = Setup { seats: 2, ..Setup::default() };
    let server = Running::start_with(&setup)?;
    let redirect = Some(format!("{}/sign-in/back", server.url()));
    let provider = Provider { redirect, ..Provider::default() }.start()?;
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), "seat-page-secret")?;
    let secret = secret.path().to_str().context("the temporary folder is not UTF-8")?;
    server.administer(&[
        "issuer",
        "add",
        provider.url(),
        "--name",
        "Example login",
        "--audience",
        provider.audience(),
        "--admit",
        "client=farm,role=owner",
        "--admit",
        "domain=nordlicht.example,role=owner",
        "--client-id",
        "seat-page",
        "--client-secret-file",
        secret,
    ])?;
    let mut walk = Command::new("node");
    walk.arg("sign-in.mjs").current_dir(&folder);
    walk.env("WALK_SERVER", server.url()).env("WALK_PROVIDER", provider.url());
    walk.env("WALK_PERSON", PERSON).env("WALK_PRODUCT", &setup.product);
    let (code, said) = run::status(&mut walk, None)?;
    ensure!(code == 0, "{said}");
    ensure!(!server.log().contains("seat-page-secret"), "the client secret is in the server's log");
    Ok(said.lines().last().context("it said nothing")?.to_owned())
}
