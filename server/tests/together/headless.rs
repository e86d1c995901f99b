//! Machines at which nobody pastes a token: the environment, and the account files.

use crate::support::Computer;
use std::fs;
use std::path::Path;
use std::process::Command;
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

fn body(token: &str) -> &str {
    token.get(4..34).unwrap()
}

fn assert_nothing_of(token: &str, computer: &Computer) {
    for (path, bytes) in computer.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(body(token)), "{} has the token", path.display());
    }
}

#[test]
fn a_token_of_the_environment_activates_by_itself_and_is_never_written() {
    let plugin = Plugin::build().unwrap();
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("farm@example.com").unwrap();
    let computer = Computer::new("node");
    let node = || {
        let mut command = plugin.command(&server, computer.folder.path());
        command.env("SEATLOCK_MACHINE_ID", "render-node-1").env("SEATLOCK_TOKEN", &seat.token);
        command
    };
    assert!(said(&mut node(), "status", 3).contains("locked (lease_expired)"), "connect once");
    assert!(said(&mut node(), "ping", 0).contains(UNLOCKED));
    assert!(said(&mut node(), "ping", 0).contains(UNLOCKED), "the second start only pings");
    assert_nothing_of(&seat.token, &computer);
    assert!(computer.stored_lease().is_some());

    let off = {
        let mut command = node();
        said(command.env("SEATLOCK_OFFLINE", "1"), "ping", 0)
    };
    assert!(off.contains("network_disallowed") && off.contains(UNLOCKED), "{off}");
    let mut other_server = node();
    other_server.env("SEATLOCK_SERVER", "http://127.0.0.1:1");
    assert!(said(&mut other_server, "ping", 0).contains("unreachable"), "SEATLOCK_SERVER comes first");
    server.kill().unwrap();
    let mut node_alone = plugin.command(&server, computer.folder.path());
    node_alone.env("SEATLOCK_MACHINE_ID", "render-node-1").env("SEATLOCK_TOKEN", &seat.token);
    assert!(said(&mut node_alone, "status", 0).contains("grace"), "a blip of the server stops no render");
}

#[test]
fn a_provisioned_token_leaves_the_remembered_one_alone() {
    let plugin = Plugin::build().unwrap();
    let server = Running::start().unwrap();
    let (own, farm) =
        (server.create_seat("ada@example.com").unwrap(), server.create_seat("farm@example.com").unwrap());
    let computer = Computer::new("workstation");
    let at = |token: Option<&str>| {
        let mut command = plugin.command(&server, computer.folder.path());
        command.env("SEATLOCK_MACHINE_ID", "workstation-7");
        command.envs(token.map(|token| ("SEATLOCK_TOKEN", token)));
        command
    };
    let mut activate = at(None);
    run::status(activate.args(["activate", "-"]), Some(&own.token)).unwrap();
    let before = computer.files();
    let shown = said(&mut at(Some(&farm.token)), "ping", 0);
    assert!(shown.contains(UNLOCKED) && shown.contains(&farm.id), "{shown}");
    assert_eq!(computer.files(), before, "byte for byte");
    assert!(said(&mut at(None), "ping", 0).contains(&own.id));
}

#[test]
fn account_files_stand_in_for_a_person() {
    let plugin = Plugin::build().unwrap();
    let server = Running::start().unwrap();
    let seat = server.create_seat("farm@example.com").unwrap();
    let accounts = tempfile::tempdir().unwrap();
    let start = |state: &Path| {
        let mut command = plugin.command(&server, state);
        command.env_remove("EXAMPLE_SERVER").env("EXAMPLE_ACCOUNT_FOLDER", accounts.path());
        command.env("SEATLOCK_MACHINE_ID", "render-node-1");
        command
    };
    let account = serde_json::json!({ "host": server.url(), "token": seat.token }).to_string();
    fs::write(accounts.path().join("rpd_account.json"), &account).unwrap();
    let computer = Computer::new("with-account");
    assert!(said(&mut start(computer.folder.path()), "ping", 0).contains(UNLOCKED));
    assert_nothing_of(&seat.token, &computer);

    let cut = account.get(..account.len() - 3).unwrap();
    fs::write(accounts.path().join("rpd_account.json"), cut).unwrap();
    let refused = said(&mut start(computer.folder.path()), "ping", 1);
    assert!(
        refused.contains("rpd_account.json: it is not JSON") && !refused.contains(body(&seat.token)),
        "{refused}"
    );
    let mut wrong = start(computer.folder.path());
    let api = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
    let refused = said(wrong.env("SEATLOCK_TOKEN", api), "ping", 1);
    assert!(
        refused.contains("SEATLOCK_TOKEN: This is an API token") && !refused.contains(body(api)),
        "{refused}"
    );
}
