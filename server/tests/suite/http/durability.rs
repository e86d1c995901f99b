//! What was acknowledged is kept, however the server ends.

use crate::ENGINE;
use crate::harness::{PATIENCE, Plugin, Server, Site, join_all};
use rustix::process::Signal;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

const SEATS: usize = 400;
const CONNECTIONS: usize = 16;

/// Activates every seat over several connections until the server ends, with a signal sent when
/// `after` of them are acknowledged. Answers the plug-ins whose activation was acknowledged, and
/// how many requests broke off.
async fn activate_under_fire(
    server: &Server<'_>,
    tokens: &[String],
    after: usize,
    signal: Signal,
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
                    assert!(signal == Signal::KILL || !error.is_body(), "an answer broke off: {error:?}");
                }
            }
        }
    };
    let all = join_all((0..CONNECTIONS).map(|_| worker()));
    tokio::time::timeout(PATIENCE, all).await.expect("the server answers or ends");
    (acknowledged.into_inner().unwrap(), broken.into_inner())
}

/// Every acknowledged activation is still there: a renewal, which never binds, is granted in the
/// same epoch.
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
    let (site, tokens) = Site::with_tokens(ENGINE, SEATS).await;
    let mut server = site.serve();
    let (acknowledged, broken) = activate_under_fire(&server, &tokens, SEATS / 4, Signal::TERM).await;
    assert!(server.ended().success(), "an orderly end");
    assert!(acknowledged.len() >= SEATS / 4 && broken > 0, "it ended under load: {}", acknowledged.len());
    // Whatever the database has was acknowledged: nothing was taken and left without an answer.
    let seats = site.cli(&["seat", "list"]).json();
    let held = seats.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").count();
    assert_eq!(held, acknowledged.len());
    all_are_kept(&site, &acknowledged).await;
}

#[tokio::test]
async fn sigkill_under_load_keeps_every_acknowledged_activation() {
    let (site, tokens) = Site::with_tokens(ENGINE, SEATS).await;
    let mut server = site.serve();
    let (acknowledged, broken) = activate_under_fire(&server, &tokens, SEATS / 4, Signal::KILL).await;
    assert!(!server.ended().success());
    assert!(acknowledged.len() >= SEATS / 4 && broken > 0, "it was killed under load");
    all_are_kept(&site, &acknowledged).await;
}
