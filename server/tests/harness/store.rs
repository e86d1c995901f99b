use super::{DAY, PRODUCT, database::Database, machine};
use seatlock_protocol::{
    MachineId, Token, TokenKind, UnixTime,
    claims::{ClockAction, ClockPolicy, EntitlementClaim},
};
use seatlock_server::crypto::password::PasswordHash;
use seatlock_server::domain::{
    CallerContext, ClonePolicy, Entitlements, License, Plan, PresentedRenewal, ReleaseMode, Role, SeatAction,
    SeatAnswer, SeatOperation, SuppliedIds, Verdict,
};
use seatlock_server::service::Service;
use seatlock_server::store::{
    Account, Actor, AddAccount, AddApiToken, AddLicense, AddUser, ApiToken, BeginSession, ChangeLicense,
    Created, NewApiToken, NewSeat, NewSession, NewUser, SeatActionRequest, SeatCommand, SeatOutcome,
    SignedIn, Store, StoreError, TokenHashes, User,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many ask at once where a limit must hold.
pub const AT_ONCE: usize = 16;
/// Columns of a row of the audit trail, all but its number and its hash.
pub const AUDIT_COLUMNS: &str =
    "at, actor, actor_name, api_token, event, account_id, license_id, seat_id, epoch, machine, detail";

/// Whether `bytes` have `secret` in them.
pub fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
}

pub fn license(account: Uuid, seats_max: u32) -> License {
    let limited = EntitlementClaim { value: Some(-25), until: UnixTime::new(4_102_444_801) };
    let data = serde_json::json!({ "rack": 7, "names": ["株", null, 0.5] });
    License {
        id: Uuid::new_v4(),
        account,
        licensee: String::new(),
        plan: plan("pro"),
        entitlements: [("export.max".to_owned(), limited)].into(),
        products: vec![PRODUCT.to_owned()],
        seats_max,
        in_use: 0,
        tokens: 0,
        offline_ttl: 7 * DAY,
        airgap_ttl: 90 * DAY,
        auto_release: 14 * DAY,
        renew: 6 * 3600,
        warn: 2 * DAY,
        release_window: DAY,
        release_mode: ReleaseMode::Immediate,
        relaunch_rebinds: true,
        clone_policy: ClonePolicy::Flag,
        supplied_ids: SuppliedIds::Flag,
        installs_max: 64,
        clock: ClockPolicy { tol: 93_600, act: ClockAction::Freeze },
        terms: None,
        min_plugin: None,
        updates_until: UnixTime::new(4_102_444_800),
        data: data.as_object().cloned(),
        suspended_at: None,
        expires_at: None,
        last_manual_release_at: None,
    }
}

/// Entitlements without value and end.
pub fn granted(names: &[&str]) -> Entitlements {
    names.iter().map(|name| ((*name).to_owned(), EntitlementClaim::default())).collect()
}

pub fn plan(name: &str) -> Plan {
    Plan { name: name.to_owned(), carries_seats: true, entitlements: Entitlements::new() }
}

pub fn token() -> Token {
    Token::generate(TokenKind::Integration, getrandom::fill).unwrap()
}

pub fn random_hash() -> [u8; 32] {
    let mut hash = [0; 32];
    getrandom::fill(&mut hash).unwrap();
    hash
}

/// An account with a license, beside the first one.
pub async fn another_account(db: &Database, name: &str, seats: u32) -> (Account, License) {
    let account = db
        .store()
        .run(AddAccount { id: Uuid::new_v4(), name: name.to_owned(), by: Actor::Console })
        .await
        .unwrap();
    let license = db.store().run(AddLicense(license(account.id, seats), Actor::Console)).await.unwrap();
    (account, license)
}

/// Changes how many seats the first license has.
pub async fn resize(db: &Database, seats_max: u32) {
    let (_, old) = db.first().await;
    let new = License { seats_max, ..old.clone() };
    db.store().run(ChangeLicense { old, new, by: Actor::Console }).await.unwrap();
}

/// What is kept of a password that nobody tries.
pub fn no_password() -> PasswordHash {
    PasswordHash("$argon2id$nobody".to_owned())
}

pub async fn user(db: &Database, account: &Account, email: &str, role: Role) -> User {
    let (id, email) = (Uuid::new_v4(), email.to_owned());
    let new = NewUser { id, account: account.id, email, role, password: no_password() };
    db.store().run(AddUser(new, Actor::Console)).await.unwrap()
}

/// A user who is signed in.
pub async fn signed_in(db: &Database, account: &Account, email: &str, role: Role) -> SignedIn {
    let user = user(db, account, email, role).await;
    SignedIn { user, account: account.clone(), api_token: None, session: None }
}

pub fn service<'a>(db: &'a Database, pepper: &'a [u8; 32], who: &'a SignedIn) -> Service<'a> {
    Service::new(db.store(), pepper, who)
}

/// A session of `user`, who has not changed his password: the hash of its secret, and its id.
pub async fn session(db: &Database, user: &User) -> Result<([u8; 32], Uuid), StoreError> {
    session_by(db, user, no_password()).await
}

/// A session of `user`, whose password was found to be this one.
pub async fn session_by(
    db: &Database,
    user: &User,
    password: PasswordHash,
) -> Result<([u8; 32], Uuid), StoreError> {
    let (hash, id) = (random_hash(), Uuid::new_v4());
    let (agent, address) = ("Test".to_owned(), "192.0.2.1".to_owned());
    let new = NewSession { hash, id, user: user.id, password, agent, address };
    db.store().run(BeginSession { session: new, forget: [0; 32] }).await.map(|()| (hash, id))
}

pub async fn api_token(db: &Database, user: &User) -> Result<([u8; 32], ApiToken), StoreError> {
    api_token_by(db.store(), user).await
}

/// By one of several servers.
pub async fn api_token_by(store: &Store, user: &User) -> Result<([u8; 32], ApiToken), StoreError> {
    let hash = random_hash();
    let new =
        NewApiToken { id: Uuid::new_v4(), user: user.id, name: "farm".to_owned(), hash, remember: None };
    match store.run(AddApiToken(new, Actor::Console)).await? {
        Created::New(made) => Ok((hash, made)),
        Created::Before { .. } => panic!("nothing was to be remembered"),
    }
}

pub fn new_seat(license: Uuid, email: &str, token: &Token, pepper: &[u8; 32]) -> NewSeat {
    NewSeat {
        id: Uuid::new_v4(),
        license: Some(license),
        shared_with: email.to_owned(),
        token: TokenHashes::of(token, pepper),
        identity: None,
        remember: None,
        by: Actor::Console,
    }
}

pub async fn seat(db: &Database, license: &License, email: &str) -> (Uuid, Token) {
    let token = token();
    let new = new_seat(license.id, email, &token, &db.pepper());
    let id = new.id;
    assert_eq!(now(db.store().run(new).await.unwrap()).answer, SeatAnswer::Done);
    (id, token)
}

/// So many seats of the first license.
pub async fn seats(db: &Database, count: usize) -> Vec<(Uuid, Token)> {
    let (_, license) = db.first().await;
    let mut seats = Vec::new();
    for _ in 0..count {
        seats.push(seat(db, &license, "user@example.com").await);
    }
    seats
}

/// What was carried out now.
pub fn now(made: Created<SeatOutcome>) -> SeatOutcome {
    match made {
        Created::New(answered) => answered,
        Created::Before { .. } => panic!("it was carried out before"),
    }
}

/// What the same request led to before.
pub fn earlier(made: Created<SeatOutcome>) -> Option<(Uuid, Vec<u8>)> {
    match made {
        Created::New(_) => None,
        Created::Before { subject, sealed } => Some((subject, sealed)),
    }
}

pub async fn act(db: &Database, seat: Uuid, act: SeatAction) -> SeatAnswer {
    now(db.store().run(order(db, seat, act)).await.unwrap()).answer
}

pub fn order(db: &Database, seat: Uuid, act: SeatAction) -> SeatActionRequest {
    let new_token = (act == SeatAction::Refresh).then(|| TokenHashes::of(&token(), &db.pepper()));
    let by = Actor::User("ada@example.com".to_owned());
    SeatActionRequest { seat, act, new_token, shared_with: None, dry_run: false, remember: None, by }
}

/// A plug-in on a computer, with nothing to say of before.
pub fn caller(computer: &str) -> CallerContext {
    CallerContext {
        machine: machine(computer),
        source: seatlock_protocol::MachineSource::Os,
        token_revoked: false,
        product: PRODUCT.to_owned(),
        plugin: seatlock_protocol::api::Plugin::default(),
        terms: None,
        epoch: None,
        gave_up: false,
        lost: None,
        launches: 0,
        last_offline: None,
        // Users of one computer are several installations: nobody looks like a copy.
        install_id: Uuid::new_v4(),
        install: None,
        others: 0,
        is_one: false,
        renewal: PresentedRenewal::Nothing,
        jitter: 0,
    }
}

/// A computer with the token of a seat.
pub async fn call(db: &Database, call: SeatOperation, token: &Token, computer: &str) -> SeatOutcome {
    let caller = caller(computer);
    let question = SeatCommand { token: token.stored_hash(&db.pepper()), call, caller };
    db.store().run(question).await.unwrap()
}

/// An installation on a computer, which shows the newest renewal secret that it has.
pub struct Install {
    token: [u8; 32],
    pub machine: MachineId,
    pub id: Uuid,
    renewal: PresentedRenewal,
}

impl Install {
    pub fn new(token: &Token, pepper: &[u8; 32], computer: &str) -> Self {
        let (token, machine) = (token.stored_hash(pepper), machine(computer));
        Self { token, machine, id: Uuid::new_v4(), renewal: PresentedRenewal::Nothing }
    }

    pub async fn call(&mut self, store: &Store, call: SeatOperation) -> Result<SeatAnswer, StoreError> {
        Ok(self.ask(store, call).await?.answer)
    }

    pub async fn ask(&mut self, store: &Store, call: SeatOperation) -> Result<SeatOutcome, StoreError> {
        let (install_id, renewal, machine) = (self.id, self.renewal, self.machine.clone());
        let caller = CallerContext { machine, launches: 1, install_id, renewal, ..caller("") };
        let answered = store.run(SeatCommand { token: self.token, call, caller }).await?;
        if let SeatAnswer::Lease { renewal, .. } = answered.answer {
            self.renewal = PresentedRenewal::Number(renewal);
        }
        Ok(answered)
    }
}

pub fn refused(answer: &SeatAnswer) -> Option<&Verdict> {
    match answer {
        SeatAnswer::Verdict(verdict) => Some(verdict),
        _ => None,
    }
}

/// How often each word came.
pub fn tally<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut count = BTreeMap::new();
    for one in all {
        *count.entry(one).or_default() += 1;
    }
    count
}

/// What became of something, as a word of a table.
pub fn word<T>(result: &Result<T, StoreError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(StoreError::Conflict) => "conflict",
        Err(StoreError::NotFound(_)) => "not found",
        Err(StoreError::Taken(_)) => "taken",
        Err(StoreError::ApiTokenLimit) => "limit",
        Err(StoreError::KeyReused) => "key reused",
        Err(StoreError::Closed) => "closed",
        Err(other) => panic!("{other}"),
    }
}

/// Numbers that look random, and are the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
