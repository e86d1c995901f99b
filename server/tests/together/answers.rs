//! What stands between client and server changes what nobody has signed, or has another call
//! answered; and what is asked is what would be done.

use crate::relay::relay;
use crate::support::{AGREED, Computer, end_of, standing};
use seatlock::{Code, Intent, LockState};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use xtask::server::{Running, Setup};

fn server(more: &[&str]) -> Running {
    let more = more.iter().map(|word| (*word).to_owned()).collect();
    Running::start_with(&Setup { more, ..Setup::default() }).unwrap()
}

/// As in the first answer that tells a client something else: one answer is changed, and no other.
#[test]
fn one_changed_answer_costs_one_request() {
    let long = "A".repeat(60_000);
    for odd in [Value::Null, "junk".into(), "A".repeat(54).into(), long.into(), 7.into()] {
        let server = server(&["--clone-policy", "enforce"]);
        let seat = server.create_seat("ada@example.com").unwrap();
        let (answers, spoilt) = (Arc::new(AtomicUsize::new(0)), odd.clone());
        let url = relay(&server, move |body| {
            let n = answers.fetch_add(1, Ordering::Relaxed);
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            if n == 1 {
                answer["renewal"] = spoilt.clone();
            }
            Some(serde_json::to_vec(&answer).unwrap())
        });
        let computer = Computer::new("spoilt");
        let options = computer.options_for(&url, server.issuer(), server.root_key());
        let client = seatlock::Client::open(&options).unwrap();
        assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
        for ping in 0..4 {
            let event = end_of(&client, client.ping(Intent::Launch));
            assert_eq!(event.code, Code::Ok, "{odd:.60}, ping {ping}: {}", event.message);
        }
        assert_eq!(standing(&client), (LockState::Unlocked, Code::Ok), "{odd:.60}");
        assert_eq!(end_of(&client, client.release()).code, Code::Ok, "{odd:.60}");
    }
}

#[test]
fn a_question_is_about_the_terms_that_the_host_shows() {
    let server = server(&["--terms", "2026-01"]);
    let seat = server.create_seat("ada@example.com").unwrap();
    let computer = Computer::new("asks-first");
    let client = computer.open(&server);
    let asked = end_of(&client, client.preflight(Some(&seat.token)));
    assert_eq!(asked.code, Code::Ok, "{}", asked.message);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let again = end_of(&client, client.preflight(None));
    assert_eq!(again.code, Code::Ok, "{}", again.message);
    let mut others = computer.options(&server);
    others.set_terms("2027-01").unwrap();
    drop(client);
    let client = seatlock::Client::open(&others).unwrap();
    assert_eq!(end_of(&client, client.preflight(None)).code, Code::TermsRequired, "those it does not know");
}
