//! Whatever the network brings: the lease on disk stays as it is, byte for byte, unless a signed
//! answer says otherwise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::license::{Input, LeaseState, Reply, SignedObject};
use seatlock::net::{answer, retry_after};
use seatlock_fuzz::{HELD, LEASES, VERDICTS, apply, asked, licensed, reading, stored_lease};

const TYPES: [Option<&str>; 5] = [
    Some("application/json"),
    Some("application/problem+json"),
    Some("application/json; charset=utf-8"),
    Some("text/html"),
    None,
];

fuzz_target!(|data: (u16, u8, Option<&str>, u16, &[u8])| {
    let (status, kind, later, random, body) = data;
    let (before, now) = (licensed(), reading(5));
    let later = later.and_then(|text| retry_after(text, before.time(now).now));
    let reply = answer(status, TYPES[usize::from(kind) % TYPES.len()], later, body);
    let (after, effects) = apply(&before, Input::Answered { asked: &asked(), reply: &reply, random }, now);
    assert!(!effects.is_empty(), "an operation without an outcome");

    let signed = |texts: &[String], text: &str| texts.iter().any(|known| known == text);
    match (&reply, &after.license) {
        (_, LeaseState::Lease(lease)) if lease.jws == *HELD => {}
        (Reply::Signed(answer), LeaseState::Lease(lease)) => {
            assert_eq!(answer.object, SignedObject::Lease(lease.jws.clone()));
            assert!(signed(&LEASES, &lease.jws));
        }
        (Reply::Signed(answer), LeaseState::Dropped(verdict)) => {
            assert_eq!(answer.object, SignedObject::Verdict(verdict.jws.clone()));
            assert!(signed(&VERDICTS, &verdict.jws));
        }
        (reply, license) => panic!("{reply:?} led to {license:?}"),
    }
    if matches!(reply, Reply::Failed(_)) {
        assert_eq!(stored_lease(&after).as_ref(), Some(&*HELD));
        let day = before.time(now).now.plus(24 * 3600);
        assert!(after.pacing.not_before <= day, "a wait of more than a day");
    }
});
