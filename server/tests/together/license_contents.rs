//! What a vendor has licensed reaches the plug-in: entitlements, names, ends and data, and which
//! versions are included.

use crate::support::{AGREED, AGREED_FOR_NOW, Computer, end_of, standing};
use seatlock::protocol::UnixTime;
use seatlock::{Client, Code, CredentialDetails, CredentialKind, Entitlement, Intent, LockState};
use serde_json::{Value, json};
use std::time::Duration;
use xtask::server::{Running, Setup};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);
const DAY: i64 = 24 * 3600;

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::new(seconds).unwrap()
}

/// As commands take it.
fn text(seconds: i64) -> String {
    seatlock_server::domain::timestamp(at(seconds))
}

fn change(server: &Running, more: &[&str]) {
    let licenses = server.administer(&["license", "show", "--json"]).unwrap();
    let licenses: Value = serde_json::from_str(&licenses).unwrap();
    let id = licenses[0]["id"].as_str().unwrap();
    server.administer(&[&["license", "change", id], more].concat()).unwrap();
}

/// A plug-in of this version, released then, on a computer.
fn plug_in(computer: &Computer, server: &Running, version: &str, released: i64) -> Client {
    let mut options = computer.options(server);
    options.set_plugin(version, Some(at(released))).unwrap();
    Client::open(&options).unwrap()
}

#[test]
fn what_was_licensed_is_known_without_a_network_until_it_ends() {
    let (trial, ends) = (now() + 2 * DAY, now() + 90 * DAY);
    let more = ["--entitlement", "export.max=25", "--entitlement", &format!("trial@{}", text(trial))];
    let own = r#"{"rack":7,"names":["株"]}"#;
    let more =
        [&more[..], &["--vendor-data", own, "--expires", &text(ends), "--updates-until", &text(trial)]];
    let more = more.concat().into_iter().map(str::to_owned).collect();
    let mut server = Running::start_with(&Setup { more, ..Setup::default() }).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!((client.license().unwrap(), client.credential().unwrap()), (None, None));
    assert_eq!(client.entitlement("export.max").unwrap(), Entitlement::default());
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED_FOR_NOW)).code, Code::Ok);
    let kind = CredentialKind::Token;
    let held = |remembered| Some(CredentialDetails { kind, remembered, provisioned: false, subject: None });
    assert_eq!(client.credential().unwrap(), held(false));
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(client.credential().unwrap(), held(true));
    drop(client);

    server.kill().unwrap();
    let client = computer.open(&server);
    let license = client.license().unwrap().unwrap();
    assert_eq!((license.account.as_str(), license.email.as_str()), (server.issuer(), "artist@example.com"));
    assert_eq!((license.ends, license.updates_until), (Some(at(ends)), Some(at(trial))));
    assert_eq!((license.terms.as_deref(), client.credential().unwrap()), (Some("2026-01"), held(true)));
    let data: Value = serde_json::from_str(license.data.as_deref().unwrap()).unwrap();
    assert_eq!(data, serde_json::from_str::<Value>(own).unwrap());
    let known = |included, value, until| Entitlement { included, value, until };
    assert_eq!(client.entitlement("export.max").unwrap(), known(true, Some(25), None));
    assert_eq!(client.entitlement("trial").unwrap(), known(true, None, Some(at(trial))));
    assert_eq!(client.entitlement("cad").unwrap(), Entitlement::default());

    computer.time.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(client.entitlement("trial").unwrap(), known(false, None, Some(at(trial))));
    assert!(client.entitlement("export.max").unwrap().included);
    computer.time.advance(Duration::from_secs(5 * 24 * 3600));
    assert_eq!(standing(&client), (LockState::Locked, Code::LeaseExpired));
    assert_eq!(client.entitlement("export.max").unwrap(), Entitlement::default());
    let license = client.license().unwrap().unwrap();
    assert_eq!((license.data, license.email.as_str()), (None, "artist@example.com"));
    assert_eq!(client.credential().unwrap(), held(true));
    assert_eq!(end_of(&client, client.forget()).code, Code::Ok);
    assert_eq!((client.license().unwrap(), client.credential().unwrap()), (None, None));
}

#[test]
fn a_newer_plug_in_is_refused_while_the_older_one_works_on() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let end = now() - 10 * DAY;
    change(&server, &["--updates-until", &text(end)]);
    let newer = plug_in(&computer, &server, "3.0", end + 1);
    let refused = end_of(&newer, newer.activate(&seat.token, AGREED));
    assert_eq!(refused.code, Code::UpdateNotIncluded);
    assert!(refused.message.contains(&text(end)[..10]), "{}", refused.message);
    assert!(computer.stored_lease().is_none());

    let older = plug_in(&computer, &server, "2.9", end);
    assert_eq!(end_of(&older, older.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(standing(&older), UNLOCKED);
    drop(newer);
    let newer = plug_in(&computer, &server, "3.0", end + 1);
    assert_eq!(standing(&newer), (LockState::Locked, Code::UpdateNotIncluded), "at once, by the lease alone");
    let told = newer.text(seatlock::Text::Status).unwrap().unwrap();
    assert!(told.contains(&text(end)[..10]), "{told}");
    assert_eq!(end_of(&newer, newer.ping(Intent::Launch)).code, Code::UpdateNotIncluded);
    assert_eq!(end_of(&newer, newer.preflight(None)).code, Code::UpdateNotIncluded);
    assert_eq!(end_of(&older, older.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&older), UNLOCKED);

    change(&server, &["--updates-until", "never"]);
    assert_eq!(end_of(&newer, newer.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&newer), UNLOCKED);
    change(&server, &["--updates-until", &text(end)]);
    assert_eq!(end_of(&newer, newer.ping(Intent::Launch)).code, Code::UpdateNotIncluded);
    assert_eq!(end_of(&newer, newer.release()).code, Code::Ok, "a seat can always be given back");
}

#[test]
fn the_plug_ins_own_version_is_what_has_to_be_new_enough() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    change(&server, &["--min-plugin", "2.10"]);
    for (version, code) in [
        (None, Code::PluginTooOld),
        (Some("2.9.9"), Code::PluginTooOld),
        (Some("2.10"), Code::Ok),
        (Some("2.10.0-beta"), Code::Ok),
        (Some("11"), Code::Ok),
    ] {
        let computer = Computer::new("one");
        let client = match version {
            Some(version) => plug_in(&computer, &server, version, 0),
            None => computer.open(&server),
        };
        assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, code, "{version:?}");
    }
}

#[test]
fn a_lease_holds_as_much_as_a_license_may_say() {
    let name = |at: usize| format!("{}{at:02}", "n".repeat(40));
    let named: Vec<String> = (0..20).map(|at| format!("--entitlement={}", name(at))).collect();
    let own = json!({ "a": "x".repeat(2040) }).to_string();
    let more = [named, vec!["--vendor-data".to_owned(), own.clone()]].concat();
    let server = Running::start_with(&Setup { more, ..Setup::default() }).unwrap();
    let plan = (20..40).map(|at| format!("--entitlement={}", name(at))).collect::<Vec<_>>();
    let plan: Vec<&str> = plan.iter().map(String::as_str).collect();
    server.administer(&[&["plan", "set", "pro"], &plan[..]].concat()).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let (computer, longest) = (Computer::new("one"), "t".repeat(255));
    let mut options = computer.options(&server);
    options.set_terms(&longest).unwrap();
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let license = client.license().unwrap().unwrap();
    assert_eq!((license.data, license.terms), (Some(own), Some(longest)));
    assert!((0..40).all(|at| client.entitlement(&name(at)).unwrap().included));
}
