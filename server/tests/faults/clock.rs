//! A server whose clock is wrong decides and signs nothing, says so, and goes on by itself when it
//! is right.

use crate::harness::{
    Plugin, Site,
    fake_clock::{FakeClock, expect},
};
use seatlock_protocol::Code;
use std::fs;

#[tokio::test]
async fn a_file_under_a_clock_that_wanders() {
    let clock = FakeClock::new();
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    site.environment = clock.environment();
    {
        let server = site.serve();
        server.lease("activate", &mut plugin).await;
        for (offset, told) in [
            ("+0", None),
            ("-365d", Some("this computer's clock shows ")),
            ("-365d", Some(", 365 days before ")),
            ("+0", None),
            ("-4m", None),
            // The mark is up to a minute old.
            ("-10m", Some(" minutes before ")),
            ("+365d", Some(", 365 days after ")),
            ("+0", None),
        ] {
            clock.set(offset);
            expect(&server, &mut plugin, offset, told).await;
        }
        server.stop();
    }
    // A server that starts under a wrong clock waits for the right one; its sweep releases nobody.
    for (offset, told) in [("+365d", ", 365 days after "), ("-365d", ", 365 days before ")] {
        clock.set(offset);
        let server = site.serve();
        expect(&server, &mut plugin, offset, Some(told)).await;
        let made = site.cli(&["seat", "create", "--email", "bob@example.com"]);
        assert!(!made.ok && made.stderr.contains(told), "{offset}: {}", made.stderr);
        clock.set("+0");
        expect(&server, &mut plugin, "+0", None).await;
        server.stop();
    }
}

#[tokio::test]
async fn an_operator_says_that_the_clock_is_right() {
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    let clock = FakeClock::new();
    site.environment = clock.environment();
    let server = site.serve();
    server.lease("activate", &mut plugin).await;
    // Off for a year, and then the clock that was accepted turns out to be wrong.
    for (offset, told) in [("+365d", "365 days after"), ("+0", "365 days before")] {
        clock.set(offset);
        for args in [&["clock"][..], &["clock", "--accept", "--dry-run"]] {
            let shown = site.cli(args).json();
            assert!(shown["doubt"].as_str().unwrap().contains(told), "{shown}");
            assert_eq!(shown["accepted"], false);
        }
        expect(&server, &mut plugin, offset, Some(told)).await;
        assert_eq!(site.cli(&["clock", "--accept"]).json()["accepted"], true);
        assert_eq!(site.cli(&["clock"]).json()["doubt"], serde_json::Value::Null);
        let readiness = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
        assert_eq!(readiness.status(), 200, "{offset}");
    }
    assert_eq!(server.call("ping", &plugin).await.status, 200);
    let trail = site.cli(&["audit", "--last", "100"]).json();
    let accepted: Vec<_> =
        trail.as_array().unwrap().iter().filter(|row| row["event"] == "clock_accepted").collect();
    assert_eq!(accepted.len(), 2, "{trail}");
    assert_eq!(accepted[0]["actor"], "console");
    assert!(site.cli(&["audit", "verify"]).ok);
    let alone = site.cli(&["clock", "--dry-run"]);
    assert!(!alone.ok && alone.stderr.contains("--accept"), "{}", alone.stderr);
}

#[tokio::test]
async fn a_key_that_has_ended_signs_nothing_more() {
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let clock = FakeClock::new();
    site.environment = clock.environment();
    let server = site.serve();
    let plugin = Plugin::new(&token, "a");
    server.call("activate", &plugin).await.lease();
    let root = site.root_file();
    let kid = site.cli(&["keys", "rotate", "--root-key", &root]).json()["kid"].as_str().unwrap().to_owned();
    let new = site.data().join("lease-keys").join(format!("{kid}.json"));
    let away = site.scratch("away");
    fs::rename(&new, &away).unwrap();
    // It was read while the old key was good.
    assert_eq!(server.call("ping", &plugin).await.lease().ks, 2);
    clock.set("+6m");
    let answer = server.call("ping", &plugin).await;
    assert_eq!((answer.status, answer.problem().code), (503, Code::Maintenance), "{}", answer.body);
    fs::rename(&away, &new).unwrap();
    assert_eq!(server.call("ping", &plugin).await.status, 200);
}
