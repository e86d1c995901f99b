//! Leases and verdicts: nothing verifies but what was signed, byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::protocol::{Typ, claims::LeaseClaims, claims::VerdictClaims, jws};
use seatlock_fuzz::{LEASE_KEY, LEASES, LISTED, VERDICTS};

fuzz_target!(|text: &str| {
    let trusted =
        |kid: &str| [&*LEASE_KEY, &*LISTED].into_iter().find(|key| key.kid() == kid).map(|key| key.public());
    if jws::verify::<LeaseClaims>(text, Typ::Lease, trusted).is_ok() {
        assert!(LEASES.iter().any(|lease| lease == text), "a forged lease: {text}");
    }
    if jws::verify::<VerdictClaims>(text, Typ::Verdict, trusted).is_ok() {
        assert!(VERDICTS.iter().any(|verdict| verdict == text), "a forged verdict: {text}");
    }
});
