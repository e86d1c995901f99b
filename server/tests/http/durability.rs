//! What was acknowledged is kept, however the server ends.

use crate::harness::{Plugin, Server, Site, join_all, logged};
use sqlx::AssertSqlSafe;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use xtask::postgres::Postgres;

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
    tokio::time::timeout(Duration::from_secs(120), all).await.expect("the server answers or ends");
    (acknowledged.into_inner().unwrap(), broken.into_inner())
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

async fn ends_in_order(url: Option<String>) {
    let (site, tokens) = Site::with_tokens(url, SEATS).await;
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

async fn is_killed(url: Option<String>) {
    let (site, tokens) = Site::with_tokens(url, SEATS).await;
    let mut server = site.serve();
    let (acknowledged, broken) = activate_under_fire(&server, &tokens, SEATS / 4, "KILL").await;
    assert!(!server.child.wait().unwrap().success());
    assert!(acknowledged.len() >= SEATS / 4 && broken > 0, "it was killed under load");
    all_are_kept(&site, &acknowledged).await;
}

#[tokio::test]
async fn sigterm_under_load_answers_what_it_took_and_keeps_what_it_answered() {
    ends_in_order(None).await;
}

#[tokio::test]
async fn sigterm_under_load_on_postgres_answers_what_it_took_and_keeps_what_it_answered() {
    ends_in_order(Some(Postgres::shared().unwrap().database().unwrap())).await;
}

#[tokio::test]
async fn sigkill_under_load_keeps_every_acknowledged_activation() {
    is_killed(None).await;
}

#[tokio::test]
async fn sigkill_under_load_on_postgres_keeps_every_acknowledged_activation() {
    is_killed(Some(Postgres::shared().unwrap().database().unwrap())).await;
}

#[tokio::test]
async fn requests_in_flight_at_sigterm_are_answered() {
    let (site, tokens) = Site::with_tokens(None, SEATS).await;
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
    // They have to be there before the first one has waited for too long.
    let (site, tokens) = Site::with_tokens(None, SEATS / 4).await;
    let server = site.serve();
    // Not the first one, which waits in a batch of its own.
    let unlucky = site.cli(&["seat", "list"]).json()[tokens.len() / 2]["id"].as_str().unwrap().to_owned();
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
    assert_eq!((count(201), count(500)), (tokens.len() - 1, 1));
    assert_eq!(site.cli(&["license", "show"]).json()[0]["in_use"], tokens.len() - 1);
    logged(&site, "a batch failed", 1).await;
}
