//! What strangers who sign in all at once cost, and what they are told.

use crate::harness::{Server, Site, http_client, join_all};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Sign-ins at once: more than one network address may try, as many addresses do.
const FLOOD: usize = 300;
/// Most that a flood may cost, in KiB.
#[cfg(target_os = "linux")]
const COST: u64 = 100_000;
/// What may be left of it: pages, connections and threads, but no password's work.
#[cfg(target_os = "linux")]
const REST: u64 = 30_000;

const PROXIED: [&str; 2] = ["--trusted-proxy", "127.0.0.1/32"];

/// A line of `/proc/<pid>/status`, in KiB.
#[cfg(target_os = "linux")]
fn memory(server: &Server<'_>, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let value = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    value.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// A wrong sign-in, by an address that nobody else has.
fn stranger(http: &reqwest::Client, server: &Server<'_>, number: usize) -> RequestBuilder {
    let [.., high, low] = number.to_be_bytes();
    http.post(format!("{}/sign-in", server.url))
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", format!("10.9.{high}.{low}"))
        .body(format!("email=nobody{number}%40example.com&password=a+wrong+password"))
}

async fn flood(server: &Server<'_>, first: usize) -> Vec<Response> {
    let http = http_client();
    let asked = (first..first + FLOOD).map(|number| stranger(&http, server, number).send());
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_of_sign_ins_costs_little_memory_and_gives_it_back() {
    let site = Site::new(&[]);
    site.cli(&["user", "add", "ada@example.com"]).json();
    let server = site.serve_with(&PROXIED);
    flood(&server, 0).await;
    // What pages and connections leave is there by now; from here on it is about passwords.
    let before = memory(&server, "VmRSS");
    for round in 1..4 {
        flood(&server, round * FLOOD).await;
    }
    let peak = memory(&server, "VmHWM");
    let patience = Instant::now() + Duration::from_secs(20);
    let mut after = memory(&server, "VmRSS");
    while after > before + REST && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(50)).await;
        after = memory(&server, "VmRSS");
    }
    println!("{before} KiB before, {peak} at most, {after} afterwards");
    let idle = 40_000;
    assert!(before < idle + REST, "the first flood left {before} KiB");
    assert!(peak < idle + COST, "{peak} KiB");
    assert!(after < before + REST, "{after} KiB, {before} before");
}

/// Whoever has no turn is told so while the request still has time.
#[tokio::test]
async fn who_waits_too_long_for_a_turn_is_told_to_come_back() {
    let site = Site::new(&[]);
    site.cli(&["user", "add", "ada@example.com", "--role", "admin"]).json();
    let made = site.cli(&["user", "api-token", "ada@example.com", "--name", "script"]).json();
    let account = site.cli(&["account", "list"]).json()[0]["id"].clone();
    let server = site.serve_with(&[PROXIED[0], PROXIED[1], "--request-timeout", "4s"]);
    let http = http_client();
    let add = |number: usize| {
        http.post(format!("{}/admin/v1/users", server.url))
            .bearer_auth(made["token"].as_str().unwrap())
            .json(
                &json!({ "account": account, "email": format!("user{number}@example.com"), "role": "owner" }),
            )
            .send()
    };
    let strangers = async { flood(&server, 0).await };
    let others = async { join_all((0..FLOOD / 2).map(add)).await };
    let (strangers, others) = tokio::join!(strangers, others);

    let mut turned_away = 0;
    for response in strangers {
        let (status, wait) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
        let page = response.text().await.unwrap();
        if status == 403 {
            continue;
        }
        assert_eq!((status, wait.unwrap().to_str().unwrap()), (503, "5"), "{page}");
        assert!(page.contains("The server has more to do than it can at the moment."), "{page}");
        turned_away += 1;
    }
    for response in others {
        let response = response.unwrap();
        let (status, wait) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
        let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        if status == 201 {
            continue;
        }
        assert_eq!((status, wait.unwrap().to_str().unwrap()), (503, "5"), "{told}");
        assert_eq!(told["code"], "maintenance");
        assert!(told["detail"].as_str().unwrap().contains("more to do than it can"), "{told}");
        turned_away += 1;
    }
    assert!(turned_away > 0, "a second is not enough for all of them");
    assert!(site.said().contains("waited too long"), "the log tells why");
}

/// A hash goes on when whoever asked for it is gone. He must not leave his turn to another before
/// it ends.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn strangers_who_hang_up_cost_no_more_than_those_who_wait() {
    let site = Site::new(&[]);
    let server = site.serve_with(&PROXIED);
    let http = http_client();
    for round in 0..10 {
        let asked = (0..FLOOD / 10).map(|number| {
            let asked = stranger(&http, &server, round * FLOOD + number).send();
            tokio::time::timeout(Duration::from_millis(30), asked)
        });
        join_all(asked).await;
    }
    assert_eq!(flood(&server, 20 * FLOOD).await.len(), FLOOD);
    let peak = memory(&server, "VmHWM");
    assert!(peak < 40_000 + COST, "{peak} KiB");
}
