//! Also part of the fuzz targets. A computer and a server small enough to be turned by hand: the
//! server only signs what it is told to sign.

use seatlock::license::{
    Binding, Effect, Input, LockState, Outcome, Reading, Record, Reply, RequestError, Rules, SentRequest,
    Signed, SignedObject, Standing, State, StatusInputs, Submission, Trust, step,
};
use seatlock::protocol::{
    Act, Code, MachineId, Nonce, SigningKey, TokenHash, Typ, UnixTime, VERSION,
    api::SeatCall,
    claims::{
        ClockAction, ClockPolicy, Curve, EntitlementClaim, KeySetClaims, KeyType, LeaseClaims, LeaseKey,
        Licensee, RevokedKey, VerdictClaims,
    },
    jws,
};
use serde::Serialize;
use uuid::Uuid;

pub const BASE: i64 = 1_800_000_000;
pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub const ISSUER: &str = "https://license.example.com";
pub const PRODUCT: &str = "com.example.bridge";
pub const TOKEN: TokenHash = TokenHash::new([1; 16]);
pub const OTHER_TOKEN: TokenHash = TokenHash::new([2; 16]);
pub const SEAT: Uuid = Uuid::from_u128(1);
pub const OTHER_SEAT: Uuid = Uuid::from_u128(2);

/// A renewal secret of the form that servers make.
pub const RENEWAL: &str = "bmV4dCByZW5ld2FsIHNlY3JldCBvZiBmb3J0eSBieXRlcywgb2shIQ";

/// Seeds of the keys that the server and its enemies have.
pub const ROOT: u8 = 1;
pub const PINNED: u8 = 2;
pub const LISTED: u8 = 3;
pub const NEXT: u8 = 4;
pub const STRANGER: u8 = 9;

pub fn at(seconds: i64) -> UnixTime {
    UnixTime::new(seconds).unwrap()
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

pub fn machine(name: &str) -> MachineId {
    MachineId::derive(PRODUCT, "linux", name)
}

/// This computer, before any token was entered.
pub fn nobody() -> Binding {
    Binding { machine: machine("mine"), token: None }
}

pub fn rules() -> Rules {
    let trust = Trust {
        issuer: ISSUER.to_owned(),
        product: PRODUCT.to_owned(),
        root_keys: vec![key(ROOT).public()],
        lease_keys: vec![key(PINNED).public()],
    };
    Rules { trust, machine: machine("mine"), released: None }
}

pub fn binding() -> Binding {
    Binding { machine: machine("mine"), token: Some(TOKEN) }
}

/// The `n`th request of this machine.
pub fn asked(call: SeatCall, n: u8) -> SentRequest {
    SentRequest { call, nonce: Nonce::new([n; 16]), token: TOKEN, submission: Submission::Nobody }
}

/// A lease of a week for the first request, issued at `BASE`.
pub fn lease(change: impl FnOnce(&mut LeaseClaims)) -> LeaseClaims {
    let mut claims = LeaseClaims {
        iss: ISSUER.to_owned(),
        aud: PRODUCT.to_owned(),
        sub: SEAT,
        jti: Uuid::from_u128(100),
        iat: at(BASE),
        exp: at(BASE + 7 * DAY),
        ver: VERSION,
        epoch: 7,
        mid: machine("mine"),
        tkh: TOKEN,
        nonce: Nonce::new([1; 16]),
        plan: "pro".to_owned(),
        ent: [("cad".to_owned(), EntitlementClaim::default())].into(),
        lic: Licensee {
            account: "Studio".to_owned(),
            email: "ada@studio.example".to_owned(),
            ..Licensee::default()
        },
        data: None,
        renew: 6 * HOUR as u64,
        warn: 2 * DAY as u64,
        clk: ClockPolicy { tol: 26 * HOUR as u64, act: ClockAction::Lock },
        ks: 1,
        rnh: None,
    };
    change(&mut claims);
    claims
}

/// A verdict on the first request, issued at `BASE` for the seat as it is.
pub fn verdict(code: Code, act: Act, change: impl FnOnce(&mut VerdictClaims)) -> VerdictClaims {
    let mut claims = VerdictClaims {
        iss: ISSUER.to_owned(),
        aud: PRODUCT.to_owned(),
        iat: at(BASE),
        nonce: Nonce::new([1; 16]),
        mid: machine("mine"),
        tkh: TOKEN,
        ver: VERSION,
        code,
        act,
        sub: Some(SEAT),
        epoch: Some(7),
        avail: None,
        params: [("n".to_owned(), "3".to_owned())].into(),
        ks: 1,
    };
    change(&mut claims);
    claims
}

/// A key set that lists one key for 30 days around `BASE`.
pub fn key_set(seq: u64, seed: u8, change: impl FnOnce(&mut KeySetClaims)) -> KeySetClaims {
    let listed = LeaseKey {
        kid: key(seed).kid().to_owned(),
        kty: KeyType::OctetKeyPair,
        crv: Curve::Ed25519,
        x: key(seed).public(),
        nbf: at(BASE - 15 * DAY),
        exp: at(BASE + 15 * DAY),
    };
    let (iss, iat) = (ISSUER.to_owned(), at(BASE));
    let mut claims = KeySetClaims { iss, seq, iat, keys: vec![listed], revoked: vec![] };
    change(&mut claims);
    claims
}

pub fn revoked(seed: u8, since: i64) -> RevokedKey {
    RevokedKey { kid: key(seed).kid().to_owned(), since: at(since) }
}

pub fn signed<T: Serialize>(typ: Typ, seed: u8, claims: &T) -> String {
    jws::sign(typ, &key(seed), claims).unwrap()
}

pub fn lease_by(seed: u8, claims: &LeaseClaims) -> SignedObject {
    SignedObject::Lease(signed(Typ::Lease, seed, claims))
}

pub fn verdict_by(seed: u8, claims: &VerdictClaims) -> SignedObject {
    SignedObject::Verdict(signed(Typ::Verdict, seed, claims))
}

pub fn reply(object: SignedObject) -> Reply {
    reply_with(object, None)
}

pub fn reply_with(object: SignedObject, key_set: Option<String>) -> Reply {
    Reply::Signed(Signed { object, key_set, renewal: Some(RENEWAL.to_owned()), http_status: 200 })
}

pub fn failed(code: Code, retry_after: Option<u64>) -> Reply {
    Reply::Failed(RequestError { retry_after, ..RequestError::of(code) })
}

/// The stored text of the lease, byte for byte.
pub fn stored_lease(state: &State) -> Option<String> {
    let record = serde_json::to_value(state.to_record(PRODUCT)).unwrap();
    record["products"][PRODUCT].get("lease").map(|text| text.as_str().unwrap().to_owned())
}

/// What a disk does to a state.
pub fn reloaded(state: &State, rules: &Rules, binding: &Binding) -> State {
    let text = serde_json::to_vec(&state.to_record(&rules.trust.product)).unwrap();
    let record: Record = serde_json::from_slice(&text).unwrap();
    State::from_record(record, &rules.trust, binding)
}

/// A computer with a client on it. Its true time is `now`; its wall clock is off by `wall_error`.
#[derive(Clone)]
pub struct Computer {
    pub state: State,
    pub rules: Rules,
    pub now: i64,
    pub wall_error: i64,
    pub booted: i64,
    /// Whether this system tells one start of the computer from another, as Linux does.
    pub tells_boots: bool,
    /// Effects of the last step.
    pub effects: Vec<Effect>,
}

impl Computer {
    /// Switched on an hour before `BASE`, started for the first time at `BASE`.
    pub fn new() -> Self {
        let state = State::new(Uuid::from_u128(1000), &nobody());
        let mut new = Self {
            state,
            rules: rules(),
            now: BASE,
            wall_error: 0,
            booted: BASE - HOUR,
            tells_boots: true,
            effects: vec![],
        };
        new.apply(Input::Launched);
        new
    }

    /// A new computer that has accepted `claims`, signed by the pinned key.
    pub fn with(claims: &LeaseClaims) -> Self {
        let mut new = Self::new();
        let outcome = new.answered(SeatCall::Activate, &reply(lease_by(PINNED, claims)));
        assert_eq!(outcome.code, Code::Ok);
        new
    }

    pub fn licensed() -> Self {
        Self::with(&lease(|_| {}))
    }

    pub fn reading(&self) -> Reading {
        let since_boot = u64::try_from(self.now - self.booted).unwrap();
        Reading {
            wall: UnixTime::new(self.now + self.wall_error),
            since_boot,
            boot: if self.tells_boots { self.booted.unsigned_abs() } else { 0 },
        }
    }

    pub fn apply(&mut self, input: Input<'_>) {
        (self.state, self.effects) = step(&self.state, input, self.reading(), &self.rules);
    }

    /// The answer to the first request arrives.
    pub fn answered(&mut self, call: SeatCall, reply: &Reply) -> Outcome {
        self.apply(Input::Answered { asked: &asked(call, 1), reply, random: 0 });
        let mut reports = self.effects.iter().filter_map(|effect| match effect {
            Effect::Report(outcome) => Some(outcome.clone()),
            _ => None,
        });
        let outcome = reports.next().unwrap();
        assert_eq!(reports.next(), None, "one report for one answer");
        outcome
    }

    /// Time passes while the process runs.
    pub fn run(&mut self, seconds: i64) {
        for _ in 0..seconds / MINUTE {
            self.now += MINUTE;
            self.apply(Input::Ticked);
        }
        self.now += seconds % MINUTE;
    }

    /// The process ends, time passes, and it is started again from what was stored.
    pub fn restart_after(&mut self, seconds: i64) {
        self.now += seconds;
        self.state = reloaded(&self.state, &self.rules, &binding());
        self.apply(Input::Launched);
    }

    pub fn reboot_after(&mut self, seconds: i64) {
        self.booted = self.now + seconds - MINUTE;
        self.restart_after(seconds);
    }

    pub fn standing(&self) -> Standing {
        let reading = self.reading();
        let terms = StatusInputs::of(&self.state, &self.rules, reading);
        assert_eq!(
            StatusInputs::from_numbers(terms.to_numbers()),
            terms,
            "what other threads are handed is the same"
        );
        terms.at(terms.now(reading.since_boot))
    }

    pub fn lock(&self) -> (LockState, Code) {
        let Standing { lock_state, reason, .. } = self.standing();
        (lock_state, reason)
    }
}
