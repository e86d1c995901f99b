//! A server whose clock is wrong decides and signs nothing, says so, and goes on by itself when it is right.

use crate::harness::{Plugin, Server, Site, faketime::FakeClock, stores::Place};
use seatlock_protocol::Code;
use xtask::postgres::{Postgres, Setting};

/// What a clock leads to: nothing, or words of the sentence about it.
type Told = Option<&'static str>;

const CALLS: [&str; 5] = ["activate", "ping", "release", "status", "offline"];

/// Refused, with the sentence where an operator looks for it; or answered.
async fn expect(server: &Server<'_>, plugin: &mut Plugin, clock: &str, told: Told) {
    let readiness = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    let (status, headers) = (readiness.status().as_u16(), readiness.headers().clone());
    let text = readiness.text().await.unwrap();
    let Some(words) = told else {
        assert_eq!((status, text.as_str()), (200, "ready\n"), "{clock}");
        let (_, lease) = server.lease("ping", plugin).await;
        assert_eq!(lease.epoch, 1, "{clock}: nobody lost the seat");
        return;
    };
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "5"), "{clock}: {text}");
    assert!(text.contains(words), "{clock}: {text}");
    for call in CALLS {
        let answer = server.call(call, plugin).await;
        let problem = answer.problem();
        assert_eq!(
            (answer.status, problem.code),
            (503, Code::Maintenance),
            "{clock}, {call}: {}",
            answer.body
        );
        assert_eq!(answer.headers["retry-after"], "5", "{clock}, {call}");
        assert!(problem.detail.starts_with("The server's clock is wrong"), "{}", problem.detail);
        assert!(problem.verdict.is_none(), "{clock}, {call}: nothing is signed");
    }
}

async fn events(place: &Place, event: &str) -> i64 {
    place.number(&format!("SELECT count(*) FROM audit WHERE event = '{event}'")).await
}

#[tokio::test]
async fn a_file_under_a_clock_that_wanders() {
    let clock = FakeClock::new();
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    clock.set("+0");
    site.clock = Some(clock);
    let turn = |site: &Site, offset: &str| site.clock.as_ref().unwrap().set(offset);
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
            turn(&site, offset);
            expect(&server, &mut plugin, offset, told).await;
        }
        server.stop();
    }
    // A server that starts under a wrong clock waits for the right one; its sweep releases nobody.
    for (offset, told) in [("+365d", ", 365 days after "), ("-365d", ", 365 days before ")] {
        turn(&site, offset);
        let server = site.serve();
        expect(&server, &mut plugin, offset, Some(told)).await;
        let made = site.cli(&["seat", "create", "--email", "bob@example.com"]);
        assert!(!made.ok && made.stderr.contains(told), "{offset}: {}", made.stderr);
        turn(&site, "+0");
        expect(&server, &mut plugin, "+0", None).await;
        server.stop();
    }
}

#[tokio::test]
async fn an_operator_says_that_the_clock_is_right() {
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    site.clock = Some(FakeClock::new());
    let server = site.serve();
    server.lease("activate", &mut plugin).await;
    // Off for a year, and then the clock that was accepted turns out to be wrong.
    for (offset, told) in [("+365d", "365 days after"), ("+0", "365 days before")] {
        site.clock.as_ref().unwrap().set(offset);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_computers_of_which_one_is_wrong() {
    let clock = FakeClock::new();
    let setting = Setting { environment: clock.environment(), ..Setting::default() };
    let postgres = Postgres::start_with(setting).unwrap();
    let url = postgres.database().unwrap();
    let place = Place::Postgres(url.clone());
    let mut site = Site::at(Some(url), &[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    let server = site.serve();
    server.lease("activate", &mut plugin).await;
    let database = "the clock of the database's computer shows ";
    for (offset, told) in [
        ("+365d", Some(database)),
        ("+365d", Some(", 365 days after ")),
        ("+0", None),
        ("-1d", Some(", 24 hours before ")),
        ("+0", None),
        // Too little for the mark alone: the other computer tells.
        ("+3h", Some("one of them is wrong by 3 hours")),
        ("-4m", None),
        ("+0", None),
        // The last one: a sweep may have moved the mark.
        ("+10m", None),
    ] {
        clock.set(offset);
        expect(&server, &mut plugin, offset, told).await;
    }
    assert_eq!(events(&place, "auto_released").await, 0);
    drop(server);
    // The database goes on as it was, so the server's own clock is the wrong one, and decides nothing.
    let own = FakeClock::new();
    own.set("+365d");
    site.clock = Some(own);
    let server = site.serve();
    expect(&server, &mut plugin, "own +365d", None).await;
}
