//! What was acknowledged is kept, however the server ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that stops has failed"
)]

/// Starts the program and calls it as a plug-in does.
mod support;

use seatlock_protocol::{Token, TokenKind};
use seatlock_server::{
    keys::DataFolder,
    store::{Actor, NewSeat, Store as _, TokenHashes, sqlite::SqliteStore},
};
use sqlx::AssertSqlSafe;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{Plugin, Server, Site, join_all, logged};
use uuid::Uuid;

const SEATS: usize = 400;
const CONNECTIONS: usize = 16;

/// Activates every seat over several connections until the server ends, with a signal sent when `after` of them are
/// acknowledged. Answers the plug-ins whose activation was acknowledged, and how many requests broke off.
async fn activate_under_fire(
    server: &Server<'_>,
    tokens: &[String],
    after: usize,
    signal: &str,
) -> (Vec<(Plugin, u64)>, usize) {
    let (next, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let acknowledged = Mutex::new(Vec::new());
    let worker = async || {
        while let Some(token) = tokens.get(next.fetch_add(1, Ordering::SeqCst)) {
            let plugin = Plugin::new(token, "a");
            match server.try_call("activate", &plugin).await {
                Ok(answer) if answer.status == 201 => {
                    let count = {
                        let mut done = acknowledged.lock().unwrap();
                        done.push((plugin, answer.lease().epoch));
                        done.len()
                    };
                    if count == after {
                        server.signal(signal);
                    }
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                Err(error) => {
                    broken.fetch_add(1, Ordering::SeqCst);
                    // A kept connection that is closed while it is idle can look like a broken one, but no
                    // request that the server began may be left without its answer.
                    assert!(signal == "KILL" || !error.is_body(), "an answer broke off: {error:?}");
                }
            }
        }
    };
    let all = join_all((0..CONNECTIONS).map(|_| worker()).collect());
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("the server answers or ends");
    (acknowledged.into_inner().unwrap(), broken.into_inner())
}

/// Seats straight into the store: hundreds of processes would take longer than what is tested.
async fn site_with_tokens() -> (Site, Vec<String>) {
    let site = Site::new(&["--seats", &SEATS.to_string()]);
    let folder = DataFolder::new(site.data());
    let store = SqliteStore::open(&folder.database(), false).await.unwrap();
    let pepper = folder.pepper().unwrap();
    let tokens: Vec<Token> =
        (0..SEATS).map(|_| Token::generate(TokenKind::Integration, getrandom::fill).unwrap()).collect();
    let made = join_all(
        tokens
            .iter()
            .map(|token| {
                let (id, shared_with) = (Uuid::new_v4(), "user@example.com".to_owned());
                store.create_seat(NewSeat {
                    id,
                    license: None,
                    shared_with,
                    token: TokenHashes::of(token, &pepper),
                    identity: None,
                    remember: None,
                    by: Actor::Console,
                })
            })
            .collect(),
    );
    assert!(made.await.iter().all(Result::is_ok));
    store.close().await;
    (site, tokens.iter().map(|token| token.expose_secret().to_owned()).collect())
}

/// Every acknowledged activation is still there: a renewal, which never binds, is granted in the same epoch.
async fn all_are_kept(site: &Site, acknowledged: &[(Plugin, u64)]) {
    let server = site.serve();
    for (plugin, epoch) in acknowledged {
        let renewal = plugin.with(serde_json::json!({ "intent": "renew" }));
        let answer = server.call("ping", &renewal).await;
        assert_eq!((answer.status, answer.lease().epoch), (200, *epoch), "{}", answer.body);
    }
    let in_use = site.cli(&["license", "show"]).json()[0]["in_use"].as_u64().unwrap();
    let seats = site.cli(&["seat", "list"]).json();
    let held = seats.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").count();
    assert_eq!(in_use, held as u64);
    assert!(held >= acknowledged.len());
}

#[tokio::test]
async fn sigterm_under_load_answers_what_it_took_and_keeps_what_it_answered() {
    let (site, tokens) = site_with_tokens().await;
    let mut server = site.serve();
    let (acknowledged, broken) = activate_under_fire(&server, &tokens, SEATS / 4, "TERM").await;
    assert!(server.child.wait().unwrap().success(), "an orderly end");
    assert!(acknowledged.len() >= SEATS / 4 && broken > 0, "it ended under load: {}", acknowledged.len());
    // Whatever the database has was acknowledged: nothing was taken and left without an answer.
    let seats = site.cli(&["seat", "list"]).json();
    let held = seats.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").count();
    assert_eq!(held, acknowledged.len());
    all_are_kept(&site, &acknowledged).await;
}

#[tokio::test]
async fn sigkill_under_load_keeps_every_acknowledged_activation() {
    let (site, tokens) = site_with_tokens().await;
    let mut server = site.serve();
    let (acknowledged, broken) = activate_under_fire(&server, &tokens, SEATS / 4, "KILL").await;
    assert!(!server.child.wait().unwrap().success());
    assert!(acknowledged.len() >= SEATS / 4 && broken > 0, "it was killed under load");
    all_are_kept(&site, &acknowledged).await;
}

#[tokio::test]
async fn requests_in_flight_at_sigterm_are_answered() {
    let (site, tokens) = site_with_tokens().await;
    let mut server = site.serve();
    // Nobody can write, so every request is taken and none is answered.
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let plugins: Vec<_> = tokens.iter().take(CONNECTIONS).map(|token| Plugin::new(token, "a")).collect();
    let calls = join_all(plugins.iter().map(|plugin| server.try_call("activate", plugin)).collect());
    let stop = async {
        logged(&site, "asked", CONNECTIONS).await;
        server.signal("TERM");
        logged(&site, "stopping", 1).await;
        sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, stop);
    for answer in answers {
        assert_eq!(answer.unwrap().status, 201);
    }
    assert!(server.child.wait().unwrap().success());
    let server = site.serve();
    for plugin in &plugins {
        assert_eq!(server.call("activate", plugin).await.status, 200, "it has the seat already");
    }
}

#[tokio::test]
async fn one_request_that_fails_does_not_fail_those_of_its_batch() {
    let (site, tokens) = site_with_tokens().await;
    let server = site.serve();
    // Not the first one, which waits in a batch of its own.
    let unlucky = site.cli(&["seat", "list"]).json()[SEATS / 2]["id"].as_str().unwrap().to_owned();
    let mut database = site.database().await;
    let trigger = format!(
        "CREATE TRIGGER unlucky BEFORE UPDATE ON seat WHEN NEW.id = '{unlucky}' \
         BEGIN SELECT RAISE(ABORT, 'broken'); END"
    );
    sqlx::query(AssertSqlSafe(trigger)).execute(&mut database).await.unwrap();
    // All of them wait for this lock and end up in one or two batches.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let plugins: Vec<_> = tokens.iter().map(|token| Plugin::new(token, "a")).collect();
    let calls = join_all(plugins.iter().map(|plugin| server.call("activate", plugin)).collect());
    let unlock = async {
        logged(&site, "asked", tokens.len()).await;
        sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, unlock);
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(500)), (SEATS - 1, 1));
    assert_eq!(site.cli(&["license", "show"]).json()[0]["in_use"], SEATS - 1);
    logged(&site, "a batch failed", 1).await;
}
