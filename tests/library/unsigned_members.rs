//! Nothing that is unsigned outlives its request: whatever stands between client and server may
//! change each of these members, and the next answer that is as the server made it finds the client
//! as it was.

use crate::license_support::*;
use proptest::prelude::*;
use seatlock::license::{AirgapRequest, HandedBack, Input, LeaseState, Reply, Signed, SignedObject};
use seatlock::protocol::{
    Act, Code, Nonce, RenewalHash, Typ, api::SeatCall, claims::LeaseClaims, is_renewal,
};

const NEXT: &str = "dGhlIHNlY3JldCBhZnRlciB0aGF0LCBmb3J0eSBieXRlcywhISEhIQ";
const FORGED: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ";

/// A lease that names its secret, as this project's server makes them.
fn named(renewal: &str, change: impl FnOnce(&mut LeaseClaims)) -> LeaseClaims {
    lease(|claims| {
        claims.rnh = Some(RenewalHash::of(renewal));
        change(claims);
    })
}

fn with_renewal(claims: &LeaseClaims, renewal: Option<&str>) -> Signed {
    let object = lease_by(PINNED, claims);
    Signed { object, key_set: None, renewal: renewal.map(str::to_owned), http_status: 200 }
}

fn holding() -> Computer {
    let mut computer = Computer::new();
    let reply = Reply::Signed(with_renewal(&named(RENEWAL, |_| {}), Some(RENEWAL)));
    assert_eq!(computer.answered(SeatCall::Activate, &reply).code, Code::Ok);
    computer.run(HOUR);
    computer
}

/// Secrets that are not the one that came with a lease, and whether they have its form.
const OTHERS: [(&str, Option<&str>, bool); 6] = [
    ("none", None, false),
    ("an empty one", Some(""), false),
    ("junk", Some("junk"), false),
    ("one character less", Some("dGhlIHNlY3JldCBhZnRlciB0aGF0LCBmb3J0eSBieXRlcywhISEhI"), false),
    ("one character changed", Some("eGhlIHNlY3JldCBhZnRlciB0aGF0LCBmb3J0eSBieXRlcywhISEhIQ"), true),
    ("another one", Some(FORGED), true),
];

#[test]
fn the_secret_of_a_lease_that_is_not_its_own_is_absent() {
    assert!([RENEWAL, NEXT, FORGED].into_iter().all(is_renewal));
    let long = "A".repeat(64_400);
    for (what, renewal, _) in OTHERS.into_iter().chain([("a long one", Some(long.as_str()), false)]) {
        let mut computer = holding();
        let later = named(NEXT, |claims| claims.iat = at(BASE + HOUR));
        let reply = Reply::Signed(with_renewal(&later, renewal));
        assert_eq!(
            computer.answered(SeatCall::Ping, &reply).code,
            Code::Ok,
            "{what}: the lease is as it was made"
        );
        assert_eq!(computer.state.seats.renewal(TOKEN), Some(RENEWAL), "{what}: the held one is still good");
        // Somebody who holds none has nothing to show with the next request.
        let mut new = Computer::new();
        let before = new.state.to_record(PRODUCT);
        assert_eq!(new.answered(SeatCall::Activate, &reply).code, Code::UnexpectedResponse, "{what}");
        assert_eq!(new.state.to_record(PRODUCT), before, "{what}: nothing was kept of it");
    }
    let mut computer = holding();
    let later = named(NEXT, |claims| claims.iat = at(BASE + HOUR));
    computer.answered(SeatCall::Ping, &Reply::Signed(with_renewal(&later, Some(NEXT))));
    assert_eq!(computer.state.seats.renewal(TOKEN), Some(NEXT));
}

/// Servers in other languages need not name it; then its form is all that can be looked at.
#[test]
fn a_lease_that_names_no_secret_takes_any_of_the_form() {
    for (what, renewal, has_the_form) in OTHERS {
        let mut computer = holding();
        let later = lease(|claims| claims.iat = at(BASE + HOUR));
        computer.answered(SeatCall::Ping, &Reply::Signed(with_renewal(&later, renewal)));
        let expected = if has_the_form { renewal } else { Some(RENEWAL) };
        assert_eq!(computer.state.seats.renewal(TOKEN), expected, "{what}");
    }
}

/// The secret of another token would be nobody's with this one.
#[test]
fn the_secret_of_another_token_does_not_stand_in() {
    let mut computer = holding();
    let mut asked = asked(SeatCall::Activate, 1);
    asked.token = OTHER_TOKEN;
    let theirs = named(NEXT, |claims| (claims.tkh, claims.sub) = (OTHER_TOKEN, OTHER_SEAT));
    let reply = Reply::Signed(with_renewal(&theirs, None));
    let held = computer.state.license.clone();
    computer.apply(Input::Answered { asked: &asked, reply: &reply, random: 0 });
    assert_eq!(computer.state.license, held);
}

#[test]
fn a_file_with_another_secret_is_not_taken() {
    let requested = AirgapRequest { nonce: Nonce::new([1; 16]), token: TOKEN, sealed: None };
    for (what, renewal, _) in OTHERS {
        let mut computer = Computer::new();
        computer.apply(Input::Requested(requested.clone()));
        let before = computer.state.to_record(PRODUCT);
        let signed = with_renewal(&named(NEXT, |_| {}), renewal);
        computer.apply(Input::Imported { signed: &signed, waiting: Some(true) });
        assert_eq!(computer.state.to_record(PRODUCT), before, "{what}: the seat could not be given back");
        let signed = with_renewal(&named(NEXT, |_| {}), Some(NEXT));
        computer.apply(Input::Imported { signed: &signed, waiting: Some(true) });
        assert!(matches!(computer.state.license, LeaseState::Lease(_)), "{what}: the file as it was made");
    }
}

/// What an earlier version, or an editor, left on the disk.
#[test]
fn a_stored_secret_of_another_form_is_not_shown() {
    let computer = holding();
    for odd in [serde_json::json!("junk"), serde_json::json!("A".repeat(64_400)), serde_json::Value::Null] {
        let mut record = serde_json::to_value(computer.state.to_record(PRODUCT)).unwrap();
        record["seats"][0]["renewal"] = odd.clone();
        let record = serde_json::from_value(record).unwrap();
        let state = seatlock::license::State::from_record(record, &computer.rules.trust, &binding());
        assert_eq!(state.seats.renewal(TOKEN), None, "{odd}");
        assert_eq!(state.license, computer.state.license);
    }
    let mut computer = computer;
    computer.apply(Input::HandedBack);
    let mut record = serde_json::to_value(computer.state.to_record(PRODUCT)).unwrap();
    record["products"][PRODUCT]["handed_back"]["renewal"] = "junk".into();
    let record = serde_json::from_value(record).unwrap();
    let state = seatlock::license::State::from_record(record, &computer.rules.trust, &binding());
    assert!(
        matches!(&state.license, LeaseState::HandedBack(given) if matches!(**given, HandedBack { renewal: None, .. }))
    );
}

/// Each unsigned part of an answer, as it may be on arrival.
fn spoiled() -> impl Strategy<Value = (Option<String>, Option<String>, u16)> {
    let key_set = signed(Typ::KeySet, ROOT, &key_set(3, LISTED, |_| {}));
    let foreign = signed(Typ::KeySet, STRANGER, &crate::license_support::key_set(9, STRANGER, |_| {}));
    let renewal = prop_oneof![
        Just(None),
        Just(Some(FORGED.to_owned())),
        "[A-Za-z0-9_-]{54}".prop_map(Some),
        ".{0,60}".prop_map(Some),
    ];
    let keys = prop_oneof![Just(None), Just(Some(key_set)), Just(Some(foreign)), ".{0,60}".prop_map(Some)];
    (renewal, keys, any::<u16>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn what_is_not_signed_locks_nobody_out(
        answers in prop::collection::vec((0..3usize, spoiled()), 1..8),
    ) {
        let mut computer = holding();
        // What the server has handed out, and what it takes: the newest, or what was shown last (section 9).
        let mut handed_out = vec![RENEWAL.to_owned()];
        for (n, (kind, (renewal, key_set, http_status))) in answers.into_iter().enumerate() {
            let issued = BASE + HOUR + i64::try_from(n).unwrap() * MINUTE;
            let secret = format!("{}{}", &NEXT[..52], ["AA", "BA", "CA", "DA", "EA", "FA", "GA", "HA"][n]);
            let object = match kind {
                0 => {
                    handed_out.push(secret.clone());
                    lease_by(PINNED, &named(&secret, |claims| claims.iat = at(issued)))
                }
                1 => verdict_by(PINNED, &verdict(Code::SeatLimitReached, Act::Keep, |claims| claims.iat = at(issued))),
                _ => SignedObject::Lease("not.a.lease".to_owned()),
            };
            computer.answered(SeatCall::Ping, &Reply::Signed(Signed { object, key_set, renewal, http_status }));
            prop_assert!(matches!(computer.state.license, LeaseState::Lease(_)));
            let shown = computer.state.seats.renewal(TOKEN).map(str::to_owned);
            prop_assert!(shown.is_some_and(|shown| handed_out.contains(&shown)), "the next request is one of a copy");
            computer.run(MINUTE);
        }
        let honest = named(NEXT, |claims| claims.iat = at(computer.now));
        let outcome = computer.answered(SeatCall::Ping, &Reply::Signed(with_renewal(&honest, Some(NEXT))));
        prop_assert_eq!(outcome.code, Code::Ok);
        prop_assert_eq!(computer.state.seats.renewal(TOKEN), Some(NEXT));
    }
}
