//! A server whose pepper is another one, or lost.

use crate::ENGINE;
use crate::harness::{Plugin, Site};
use seatlock_protocol::{Act, Code};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// A pepper as its file has it.
const OTHER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn another_pepper_is_refused_before_anything_is_served() {
    let site = Site::on(ENGINE, &[]);
    let (_, token) = site.seat("ada@example.com");
    let pepper = site.data().join("pepper");
    let own = fs::read(&pepper).unwrap();
    fs::write(&pepper, OTHER).unwrap();
    for command in
        [&["serve", "--listen", "127.0.0.1:0"][..], &["seat", "create", "--email", "bob@example.com"]]
    {
        let done = site.cli(command);
        assert!(!done.ok && done.stderr.contains("the file \"pepper\""), "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("Copy it from a data folder of the same server"), "{}", done.stderr);
    }
    fs::write(&pepper, own).unwrap();
    // A database from before the check takes the first pepper that it sees.
    site.place().run("UPDATE server SET pepper_check = NULL").await;
    let server = site.serve();
    assert_eq!(server.call("activate", &Plugin::new(&token, "a")).await.status, 201);
    fs::write(&pepper, OTHER).unwrap();
    assert!(!site.cli(&["seat", "list"]).ok, "it was written down");
}

#[tokio::test]
async fn a_new_pepper_after_a_lost_one() {
    let site = Site::on(ENGINE, &["--seats", "2"]);
    let (seat, token) = site.seat("ada@example.com");
    site.cli(&["user", "add", "root@example.com", "--role", "admin"]).json();
    site.cli(&["user", "api-token", "root@example.com", "--name", "script"]).json();
    let pepper = site.data().join("pepper");
    let there = site.cli(&["new-pepper", "--yes"]);
    assert!(!there.ok && there.stderr.contains("nothing was changed"), "{}", there.stderr);

    fs::remove_file(&pepper).unwrap();
    let asks = site.cli(&["new-pepper"]);
    assert!(!asks.ok && asks.stderr.contains("--yes"), "{}", asks.stderr);
    let would = site.cli(&["new-pepper", "--dry-run"]).json();
    assert_eq!((&would["seats"], &would["api_tokens"]), (&1.into(), &1.into()), "{would}");
    assert!(!pepper.exists() && !site.cli(&["serve", "--listen", "127.0.0.1:0"]).ok);
    assert!(site.cli(&["new-pepper", "--yes"]).ok);
    assert_eq!(fs::metadata(&pepper).unwrap().permissions().mode() & 0o777, 0o600);

    let server = site.serve();
    let unknown = server.call("activate", &Plugin::new(&token, "a")).await.refusal();
    assert_eq!((unknown.code, unknown.act), (Code::TokenUnknown, Act::Keep));
    let new = site.cli(&["seat", "refresh", &seat]).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.call("activate", &Plugin::new(&new, "a")).await.status, 201);
    let trail = site.cli(&["audit"]).stdout;
    assert_eq!(trail.matches("pepper_replaced").count(), 1, "{trail}");
    assert!(site.cli(&["audit", "verify"]).ok);
}
