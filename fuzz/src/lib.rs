//! A computer, and a server that signs the same few texts every time: whatever verifies must be one
//! of these.

use seatlock::license::{
    Binding, Effect, Input, LockState, Reading, Record, Requested, Rules, SentRequest, State, StatusInputs,
    Submission, Trust, step,
};
use seatlock::protocol::{
    Act, Code, MachineId, Nonce, SigningKey, TokenHash, Typ, UnixTime, VERSION,
    api::SeatCall,
    claims::{
        ClockAction, ClockPolicy, Curve, Entitlement, KeySetClaims, KeyType, LeaseClaims, LeaseKey, Licensee,
        RevokedKey, VerdictClaims,
    },
    jws,
};
use std::sync::LazyLock;
use uuid::Uuid;

/// The product whose license it is.
pub const PRODUCT: &str = "com.example.bridge";
const ISSUER: &str = "https://license.example.com";
const BASE: i64 = 1_800_000_000;
const DAY: i64 = 24 * 3600;

/// The nonce of the request that is being answered.
pub const NONCE: Nonce = Nonce::new([7; 16]);
/// The token in use.
pub const TOKEN: TokenHash = TokenHash::new([1; 16]);

pub fn at(seconds: i64) -> UnixTime {
    UnixTime::new(seconds).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// Signs key sets.
pub static ROOT: LazyLock<SigningKey> = LazyLock::new(|| key(1));
/// Signs leases and verdicts; pinned.
pub static LEASE_KEY: LazyLock<SigningKey> = LazyLock::new(|| key(2));
/// Signs leases; in the key set.
pub static LISTED: LazyLock<SigningKey> = LazyLock::new(|| key(3));

pub static RULES: LazyLock<Rules> = LazyLock::new(|| Rules {
    trust: Trust {
        issuer: ISSUER.to_owned(),
        product: PRODUCT.to_owned(),
        root_keys: vec![ROOT.public()],
        lease_keys: vec![LEASE_KEY.public()],
    },
    machine: MachineId::derive(PRODUCT, "linux", "mine"),
    released: None,
});

pub fn binding() -> Binding {
    Binding { machine: RULES.machine.clone(), token: Some(TOKEN) }
}

fn lease(change: impl FnOnce(&mut LeaseClaims)) -> LeaseClaims {
    let mut claims = LeaseClaims {
        iss: ISSUER.to_owned(),
        aud: PRODUCT.to_owned(),
        sub: Uuid::from_u128(1),
        jti: Uuid::from_u128(100),
        iat: at(BASE),
        exp: at(BASE + 7 * DAY),
        ver: VERSION,
        epoch: 7,
        mid: RULES.machine.clone(),
        tkh: TOKEN,
        nonce: Nonce::new([1; 16]),
        plan: "pro".to_owned(),
        ent: [("cad".to_owned(), Entitlement::default())].into(),
        lic: Licensee {
            account: "Studio".to_owned(),
            email: "ada@studio.example".to_owned(),
            ..Licensee::default()
        },
        data: None,
        renew: 21_600,
        warn: 172_800,
        clk: ClockPolicy { tol: 26 * 3600, act: ClockAction::Lock },
        ks: 1,
        rnh: None,
    };
    change(&mut claims);
    claims
}

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
    let verdict = |code, act, nonce| VerdictClaims {
        iss: ISSUER.to_owned(),
        aud: PRODUCT.to_owned(),
        iat: at(BASE + DAY),
        nonce,
        mid: RULES.machine.clone(),
        tkh: TOKEN,
        ver: VERSION,
        code,
        act,
        sub: Some(Uuid::from_u128(1)),
        epoch: Some(7),
        avail: None,
        params: [("n".to_owned(), "3".to_owned())].into(),
        ks: 1,
    };
    let stale = Nonce::new([9; 16]);
    [
        verdict(Code::SeatReleased, Act::Drop, NONCE),
        verdict(Code::TokenUnknown, Act::Keep, NONCE),
        verdict(Code::TokenRevoked, Act::Drop, stale),
    ]
    .iter()
    .map(|claims| jws::sign(Typ::Verdict, &LEASE_KEY, claims).unwrap())
    .collect()
});

/// Every key set that was ever signed by the root key.
pub static KEY_SETS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let listed = |key: &SigningKey| LeaseKey {
        kid: key.kid().to_owned(),
        kty: KeyType::OctetKeyPair,
        crv: Curve::Ed25519,
        x: key.public(),
        nbf: at(BASE - 15 * DAY),
        exp: at(BASE + 15 * DAY),
    };
    let set = |seq, revoked| KeySetClaims {
        iss: ISSUER.to_owned(),
        seq,
        iat: at(BASE),
        keys: vec![listed(&LISTED), listed(&LEASE_KEY)],
        revoked,
    };
    let revoked = RevokedKey { kid: LEASE_KEY.kid().to_owned(), since: at(BASE + 2 * DAY) };
    [set(1, vec![]), set(2, vec![revoked])]
        .iter()
        .map(|set| jws::sign(Typ::KeySet, &ROOT, set).unwrap())
        .collect()
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

pub fn stored_lease(state: &State) -> Option<String> {
    let record = serde_json::to_value(state.to_record(PRODUCT)).unwrap();
    record["products"][PRODUCT].get("lease").and_then(|text| text.as_str().map(str::to_owned))
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
