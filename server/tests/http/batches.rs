//! Requests that wait for the database together.

use crate::ENGINE;
use crate::harness::{PATIENCE, Plugin, Site, join_all, logged};
use rustix::process::Signal;
use sqlx::AssertSqlSafe;
use std::time::Duration;

const SEATS: usize = 100;
const CONNECTIONS: usize = 16;

#[tokio::test]
async fn requests_in_flight_at_sigterm_are_answered() {
    let (site, tokens) = Site::with_tokens(ENGINE, CONNECTIONS).await;
    let mut server = site.serve();
    // Nobody can write, so every request is taken and none is answered.
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let plugins: Vec<_> = tokens.iter().map(|token| Plugin::new(token, "a")).collect();
    let calls = join_all(plugins.iter().map(|plugin| server.try_call("activate", plugin)));
    let stop = async {
        logged(&site, "asked", CONNECTIONS).await;
        server.signal(Signal::TERM);
        logged(&site, "stopping", 1).await;
        sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, stop);
    for answer in answers {
        assert_eq!(answer.unwrap().status, 201);
    }
    assert!(server.ended().success());
    let server = site.serve();
    for plugin in &plugins {
        assert_eq!(server.call("activate", plugin).await.status, 200, "it has the seat already");
    }
}

#[tokio::test]
async fn requests_that_fail_do_not_fail_those_of_their_batch() {
    // They have to be there before the first one has waited for too long.
    let (site, tokens) = Site::with_tokens(ENGINE, SEATS).await;
    let server = site.serve();
    // More than one: the first request waits in a batch of its own, and that may be one of them.
    let seats = site.cli(&["seat", "list"]).json();
    let unlucky =
        [1, 2, 3].map(|quarter| seats[tokens.len() * quarter / 4]["id"].to_string().replace('"', "'"));
    let mut database = site.database().await;
    let trigger = format!(
        "CREATE TRIGGER unlucky BEFORE UPDATE ON seat WHEN NEW.id IN ({}) \
         BEGIN SELECT RAISE(ABORT, 'broken'); END",
        unlucky.join(", ")
    );
    sqlx::query(AssertSqlSafe(trigger)).execute(&mut database).await.unwrap();
    // All of them wait for this lock and end up in one or two batches.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let plugins: Vec<_> = tokens.iter().map(|token| Plugin::new(token, "a")).collect();
    let calls = join_all(plugins.iter().map(|plugin| server.call("activate", plugin)));
    let unlock = async {
        logged(&site, "asked", tokens.len()).await;
        sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, unlock);
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(500)), (tokens.len() - unlucky.len(), unlucky.len()));
    assert_eq!(site.cli(&["license", "show"]).json()[0]["in_use"], tokens.len() - unlucky.len());
    logged(&site, "a batch failed", 1).await;
}

/// Whoever hears nothing in time does not know, and asks again.
#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_is_carried_out_all_the_same() {
    let (site, tokens) = Site::with_tokens(ENGINE, 1).await;
    let server = site.serve_with(&["--request-timeout", "1s"]);
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let plugin = Plugin::new(&tokens[0], "a");
    assert_eq!(server.call("activate", &plugin).await.status, 503);
    sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    let taken = async {
        while site.place().number("SELECT count(*) FROM seat WHERE state = 'in_use'").await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("it waited for the lock");
    let again = server.call("activate", &plugin).await;
    assert_eq!((again.status, again.lease().epoch), (200, 1));
}
