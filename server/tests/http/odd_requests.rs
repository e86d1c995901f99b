//! Requests whose members were changed on the way: each is answered by a sentence, and the next
//! honest one as if nothing had been.

use crate::harness::{Plugin, Site};
use seatlock_protocol::Code;
use serde_json::{Value, json};

/// What stands for anything that can come in the place of a member.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("A".repeat(54)),
        json!("A".repeat(20_000)),
        json!("\u{0}\u{202e}\u{1b}[31m"),
        json!([]),
        json!([[[[]]]]),
        json!({}),
        json!({ "lease": "a.b.c", "epoch": 1 }),
    ]
}

#[tokio::test]
async fn an_odd_renewal_is_a_wrong_one_and_no_odd_request() {
    let site = Site::new(&["--seats", "2"]);
    let (_, token) = site.seat("ada@example.com");
    let server = site.serve_with(&["--token-limit", "0"]);
    let mut ada = Plugin::new(&token, "a");
    let first = server.call("activate", &ada).await;
    assert_eq!(first.status, 201);
    ada.renewal =
        Some(serde_json::from_str::<Value>(&first.body).unwrap()["renewal"].as_str().unwrap().to_owned());
    ada.epoch = Some(first.lease().epoch);
    for odd in odd_values() {
        let answer = server.call("ping", &ada.with(json!({ "renewal": odd.clone() }))).await;
        assert_eq!(answer.status, 200, "{odd:.60}: {}", answer.body);
    }
}

#[tokio::test]
async fn odd_members_leave_nothing_behind() {
    let site = Site::new(&["--seats", "2"]);
    let (_, token) = site.seat("ada@example.com");
    let server = site.serve_with(&["--token-limit", "0"]);
    let mut ada = Plugin::new(&token, "a");
    assert_eq!(server.call("activate", &ada).await.status, 201);
    // Not among them: machine, install_id and product, which say who asks. Whoever reads a token can
    // ask for anybody.
    let members =
        ["nonce", "intent", "have", "renewal", "ks", "client", "offline", "clock", "terms", "unknown"];
    for member in members {
        for odd in odd_values() {
            let answer = server.call("ping", &ada.with(json!({ member: odd.clone() }))).await;
            assert!(answer.status < 500, "{member} {odd:.60}: {} {}", answer.status, answer.body);
            assert!(!answer.body.contains(&token), "{member} {odd:.60}");
        }
        let honest = server.call("ping", &ada).await;
        assert_eq!(honest.status, 200, "after {member}: {}", honest.body);
        ada.epoch = Some(honest.lease().epoch);
    }
    let status = server.call("status", &ada).await.verdict();
    assert_eq!(status.code, Code::Ok);
}
