//! A computer, and a server that signs the same few texts every time: whatever verifies must be one
//! of these.

/// What the tests of the library sign.
#[path = "../../tests/library/license_support.rs"]
pub mod support;

use seatlock::license::{
    AirgapRequest, Effect, Input, LockState, Reading, Record, Rules, SentRequest, State, StatusInputs,
    Submission, step,
};
use seatlock::protocol::{
    Act, Code, MachineId, Nonce, SigningKey, Typ, UnixTime, api::SeatCall, claims::LeaseClaims, jws,
};
use std::sync::LazyLock;
use support::{BASE, DAY, key, key_set, lease, revoked};
use uuid::Uuid;

pub use support::{PRODUCT, TOKEN, at, binding, stored_lease};

/// The nonce of the request that is being answered.
pub const NONCE: Nonce = Nonce::new([7; 16]);

/// Signs leases and verdicts; pinned.
pub static LEASE_KEY: LazyLock<SigningKey> = LazyLock::new(|| key(support::PINNED));
/// Signs leases; in the key set.
pub static LISTED: LazyLock<SigningKey> = LazyLock::new(|| key(support::LISTED));

pub static RULES: LazyLock<Rules> = LazyLock::new(support::rules);

/// The lease that the computer holds.
pub static HELD: LazyLock<String> =
    LazyLock::new(|| jws::sign(Typ::Lease, &LEASE_KEY, &lease(|_| {})).unwrap());

/// Every lease that was ever signed.
pub static LEASES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let answer = |change: fn(&mut LeaseClaims)| {
        lease(|claims| {
            (claims.nonce, claims.iat, claims.exp) = (NONCE, at(BASE + DAY), at(BASE + 8 * DAY));
            change(claims);
        })
    };
    let by = |key: &SigningKey, claims: &LeaseClaims| jws::sign(Typ::Lease, key, claims).unwrap();
    vec![
        HELD.clone(),
        by(&LEASE_KEY, &answer(|_| {})),
        by(&LISTED, &answer(|claims| claims.epoch = 8)),
        by(&LEASE_KEY, &answer(|claims| claims.mid = MachineId::derive(PRODUCT, "linux", "other"))),
        by(&LEASE_KEY, &answer(|claims| claims.epoch = 6)),
    ]
});

/// Every verdict that was ever signed.
pub static VERDICTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let verdict = |code, act, nonce| {
        let claims =
            support::verdict(code, act, |claims| (claims.iat, claims.nonce) = (at(BASE + DAY), nonce));
        jws::sign(Typ::Verdict, &LEASE_KEY, &claims).unwrap()
    };
    vec![
        verdict(Code::SeatReleased, Act::Drop, NONCE),
        verdict(Code::TokenUnknown, Act::Keep, NONCE),
        verdict(Code::TokenRevoked, Act::Drop, Nonce::new([9; 16])),
    ]
});

/// Every key set that was ever signed by the root key.
pub static KEY_SETS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let set = |seq, revoked| {
        let claims = key_set(seq, support::LISTED, |claims| {
            claims.keys.extend(key_set(seq, support::PINNED, |_| {}).keys);
            claims.revoked = revoked;
        });
        jws::sign(Typ::KeySet, &key(support::ROOT), &claims).unwrap()
    };
    vec![set(1, vec![]), set(2, vec![revoked(support::PINNED, BASE + 2 * DAY)])]
});

/// A moment of the computer, an hour and a bit after the lease.
pub fn reading(minutes: u32) -> Reading {
    let since_boot = u64::from(minutes) * 60;
    Reading { wall: UnixTime::new(BASE + 3600 + i64::from(minutes) * 60), since_boot, boot: 7 }
}

/// A stored state of a computer that holds [`HELD`], and waits for the answer to a request by file.
pub fn licensed() -> State {
    let record = serde_json::json!({
        "install_id": Uuid::from_u128(1000),
        "clock": { "high_water": BASE, "signed": BASE },
        "seats": [{ "token": TOKEN, "install_id": Uuid::from_u128(1000), "at": BASE, "renewal": "A".repeat(54) }],
        "products": { PRODUCT: {
            "lease": HELD.as_str(), "requested": AirgapRequest { nonce: NONCE, token: TOKEN, sealed: None },
        } },
    });
    let record: Record = serde_json::from_value(record).unwrap();
    State::from_record(record, &RULES.trust, &binding())
}

pub fn asked() -> SentRequest {
    SentRequest { call: SeatCall::Ping, nonce: NONCE, token: TOKEN, submission: Submission::Nobody }
}

/// Applies an input, and checks what holds for every state whatever came before: who is not locked
/// holds a lease that was signed, for this computer, and it has not ended.
pub fn apply(state: &State, input: Input<'_>, reading: Reading) -> (State, Vec<Effect>) {
    let (after, effects) = step(state, input, reading, &RULES);
    let terms = StatusInputs::of(&after, &RULES, reading);
    let now = terms.now(reading.since_boot);
    let standing = terms.at(now);
    if standing.lock_state != LockState::Locked {
        let lease = stored_lease(&after).expect("a license has a lease");
        assert!(LEASES.contains(&lease), "licensed by {lease}");
        assert!(standing.valid_until.is_some_and(|end| now < end), "{standing:?}");
    }
    assert_eq!(StatusInputs::from_numbers(terms.to_numbers()), terms);
    (after, effects)
}
