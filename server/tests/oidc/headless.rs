//! Machines that sign in with an id and a secret of their environment.

use crate::support::Computer;
use std::process::Command;
use xtask::oidc_provider::Provider;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::Running;

const UNLOCKED: &str = "unlocked (ok)";

/// Runs a verb of the example and answers what it said, after its exit code was compared.
fn said(command: &mut Command, verb: &str, code: i32) -> String {
    let (ended, said) = run::status(command.arg(verb), None).unwrap();
    assert_eq!(ended, code, "{verb}: {said}");
    said
}

#[test]
fn a_client_secret_of_the_environment_signs_in_by_itself_and_is_never_written() {
    let plugin = Plugin::build().unwrap();
    let (server, provider) = (Running::start().unwrap(), Provider::default().start().unwrap());
    let add = ["issuer", "add", provider.url(), "--audience", provider.audience(), "--admit", "client=farm"];
    server.administer(&add).unwrap();
    let computer = Computer::new("client");
    let (issuer, audience) = (provider.url().to_owned(), provider.audience().to_owned());
    let node = |secret: &str| {
        let mut command = plugin.command(&server, computer.folder.path());
        command.env("SEATLOCK_MACHINE_ID", "render-node-1").env("SEATLOCK_OIDC_ISSUER", &issuer);
        command.env("SEATLOCK_CLIENT_ID", "farm").env("SEATLOCK_CLIENT_SECRET", secret);
        command.env("SEATLOCK_SCOPES", "seat:use").env("SEATLOCK_AUDIENCE", &audience);
        command
    };
    let wrong = said(&mut node("a-wrong-secret"), "ping", 3);
    assert!(wrong.contains("sign_in_refused") && !wrong.contains("a-wrong-secret"), "{wrong}");
    for _ in 0..2 {
        let shown = said(&mut node("farm-secret"), "ping", 0);
        assert!(shown.contains(UNLOCKED) && !shown.contains("farm-secret"), "{shown}");
    }
    let mut elsewhere = node("farm-secret");
    let refused = said(elsewhere.env("SEATLOCK_SCOPES", "audit:read"), "ping", 0);
    assert!(refused.contains("scope_missing") && refused.contains("seat:use"), "{refused}");
    drop(provider);
    let alone = said(&mut node("farm-secret"), "ping", 0);
    assert!(
        alone.contains("identity_provider_unavailable") && alone.contains("grace"),
        "an outage stops no render: {alone}"
    );
    for (path, bytes) in computer.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("farm-secret") && !text.contains("eyJhbGciOiJSUzI1NiI"), "{}", path.display());
    }
}
