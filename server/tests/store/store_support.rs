use seatlock_protocol::{
    MachineId, SigningKey, Token, TokenKind, UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use seatlock_server::{
    desk::Desk,
    keys::{DataFolder, first_set, new_key, sign_set},
    rules::{Answer, Call, Caller, ClonePolicy, License, OwnerAct, Plan, Presented, ReleaseMode, Role},
    store::{
        Account, Actor, Answered, ApiToken, Made, NewApiToken, NewSeat, NewSession, NewUser, OwnerOrder,
        PasswordHash, People as _, Question, ServerInfo, SignedIn, Store, StoreError, StoredKeySet,
        TokenHashes, User,
        postgres::{PostgresAddress, PostgresStore},
        sqlite::SqliteStore,
    },
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::collections::BTreeMap;
use tempfile::TempDir;
use uuid::Uuid;

pub const PRODUCT: &str = "com.example.bridge";
pub const ISSUER: &str = "licenses.example.com";
pub const DAY: u64 = 86_400;
/// How many ask at once where a limit must hold.
pub const AT_ONCE: usize = 16;

/// A store that is tested, on a data folder as `init` leaves it: what the tests need beside the store's own methods.
/// Another back end runs the same tests by being another one of these.
pub trait Place: Sized {
    type Store: Store;

    async fn new() -> Self;

    fn store(&self) -> &Self::Store;

    fn folder(&self) -> &DataFolder;

    /// Statements in the part of SQL that every database understands.
    async fn run(&self, sql: &str);

    /// One number.
    async fn number(&self, sql: &str) -> i64;

    /// Every byte that a thief of the database has.
    async fn stolen(&self) -> Vec<u8>;

    /// The account and the license of a new server.
    async fn first(&self) -> (Account, License) {
        let license = self.store().licenses(None).await.unwrap().remove(0);
        (self.store().accounts().await.unwrap().remove(0), license)
    }

    fn pepper(&self) -> [u8; 32] {
        *self.folder().pepper().unwrap()
    }

    /// Lets time pass, by moving everything that happened into the past.
    async fn age(&self, seconds: u64) {
        for (table, columns) in [
            ("seat", &["since", "last_ping", "lease_until", "last_used_at"][..]),
            ("license", &["last_manual_release_at"]),
            ("session", &["created_at", "seen_at"]),
            ("attempt", &["since"]),
            ("api_token", &["created_at", "last_used_at"]),
            ("share", &["expires_at"]),
            ("remembered", &["created_at"]),
        ] {
            for column in columns {
                self.run(&format!("UPDATE {table} SET {column} = {column} - {seconds}")).await;
            }
        }
    }

    async fn rows(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}")).await
    }
}

/// SQLite.
pub struct Sqlite {
    /// Goes with this value.
    _place: TempDir,
    folder: DataFolder,
    store: SqliteStore,
}

impl Sqlite {
    pub async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.folder.database());
        SqliteConnection::connect_with(&options).await.unwrap()
    }
}

impl Place for Sqlite {
    type Store = SqliteStore;

    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(place.path().join("data"));
        folder.create().unwrap();
        folder.create_pepper().unwrap();
        let store = SqliteStore::open(&folder.database(), true).await.unwrap();
        set_up(&store, &folder).await;
        Self { _place: place, folder, store }
    }

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn folder(&self) -> &DataFolder {
        &self.folder
    }

    async fn run(&self, sql: &str) {
        let mut conn = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        number
    }

    async fn stolen(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for suffix in ["db", "db-wal"] {
            bytes.extend(std::fs::read(self.folder.database().with_extension(suffix)).unwrap_or_default());
        }
        assert!(!bytes.is_empty());
        bytes
    }
}

/// PostgreSQL.
pub struct Postgres {
    /// Goes with this value.
    _place: TempDir,
    folder: DataFolder,
    url: String,
    store: PostgresStore,
}

impl Postgres {
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}

impl Place for Postgres {
    type Store = PostgresStore;

    async fn new() -> Self {
        let url = xtask::postgres::Postgres::shared().unwrap().database().unwrap();
        let address = PostgresAddress::parse(&url).unwrap();
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(place.path().join("data")).with_postgres(Some(address.clone()));
        folder.create().unwrap();
        folder.create_pepper().unwrap();
        let store = PostgresStore::open(&address).await.unwrap();
        set_up(&store, &folder).await;
        Self { _place: place, folder, url, store }
    }

    fn store(&self) -> &PostgresStore {
        &self.store
    }

    fn folder(&self) -> &DataFolder {
        &self.folder
    }

    async fn run(&self, sql: &str) {
        let mut conn = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        number
    }

    async fn stolen(&self) -> Vec<u8> {
        let mut conn = self.connect().await;
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = 'public' AND data_type IN ('text', 'bytea')",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let mut bytes = Vec::new();
        for (table, column, kind) in columns {
            let read = if kind == "text" { format!("convert_to({column}, 'UTF8')") } else { column };
            let query = format!("SELECT coalesce({read}, '') FROM {table}");
            let values: Vec<Vec<u8>> =
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut conn).await.unwrap();
            bytes.extend(values.concat());
        }
        conn.close().await.unwrap();
        assert!(!bytes.is_empty());
        bytes
    }
}

async fn set_up<S: Store>(store: &S, folder: &DataFolder) {
    let (root, lease) = (SigningKey::from_seed(&[7; 32]).unwrap(), new_key().unwrap());
    folder.write_lease_key(&lease).unwrap();
    let set = first_set(ISSUER, lease.key.public(), store.ready().await.unwrap());
    let keys = StoredKeySet { seq: set.seq, jws: sign_set(&root, &set).unwrap() };
    let (issuer, root_key) = (ISSUER.to_owned(), root.public());
    let server = ServerInfo { issuer, root_key, documentation: None, support: None };
    let license = license(Uuid::new_v4(), 10);
    store.initialise(server, "Example".to_owned(), license, keys).await.unwrap();
}

/// Whether `bytes` have `secret` in them.
pub fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
}

pub fn license(account: Uuid, seats_max: u32) -> License {
    License {
        id: Uuid::new_v4(),
        account,
        plan: plan("pro"),
        entitlements: Vec::new(),
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
        clock: ClockPolicy { tol: 93_600, act: ClockAction::Freeze },
        terms: None,
        min_client: None,
        suspended_at: None,
        expires_at: None,
        last_manual_release_at: None,
    }
}

pub fn plan(name: &str) -> Plan {
    Plan { name: name.to_owned(), carries_seats: true, entitlements: Vec::new() }
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
pub async fn another_account<P: Place>(place: &P, name: &str, seats: u32) -> (Account, License) {
    let account = place.store().add_account(Uuid::new_v4(), name.to_owned(), Actor::Console).await.unwrap();
    let license = place.store().add_license(license(account.id, seats), Actor::Console).await.unwrap();
    (account, license)
}

/// What is kept of a password that nobody tries.
pub fn no_password() -> PasswordHash {
    PasswordHash("$argon2id$nobody".to_owned())
}

pub async fn user<P: Place>(place: &P, account: &Account, email: &str, role: Role) -> User {
    let (id, email) = (Uuid::new_v4(), email.to_owned());
    let new = NewUser { id, account: account.id, email, role, password: no_password() };
    place.store().add_user(new, Actor::Console).await.unwrap()
}

/// A user who stands before a desk.
pub async fn signed_in<P: Place>(place: &P, account: &Account, email: &str, role: Role) -> SignedIn {
    let user = user(place, account, email, role).await;
    SignedIn { user, account: account.clone(), api_token: None, session: None }
}

pub fn desk<'a, P: Place>(place: &'a P, pepper: &'a [u8; 32], who: &'a SignedIn) -> Desk<'a, P::Store> {
    Desk::new(place.store(), pepper, who)
}

/// A session of `user`, who has not changed his password: the hash of its secret, and its id.
pub async fn session<P: Place>(place: &P, user: &User) -> Result<([u8; 32], Uuid), StoreError> {
    session_by(place, user, no_password()).await
}

/// A session of `user`, whose password was found to be this one.
pub async fn session_by<P: Place>(
    place: &P,
    user: &User,
    password: PasswordHash,
) -> Result<([u8; 32], Uuid), StoreError> {
    let (hash, id) = (random_hash(), Uuid::new_v4());
    let (agent, address) = ("Test".to_owned(), "192.0.2.1".to_owned());
    let new = NewSession { hash, id, user: user.id, password, agent, address };
    place.store().sign_in(new, [0; 32]).await.map(|()| (hash, id))
}

pub async fn api_token<P: Place>(place: &P, user: &User) -> Result<([u8; 32], ApiToken), StoreError> {
    let hash = random_hash();
    let new =
        NewApiToken { id: Uuid::new_v4(), user: user.id, name: "farm".to_owned(), hash, remember: None };
    match place.store().add_api_token(new, Actor::Console).await? {
        Made::New(made) => Ok((hash, made)),
        Made::Before { .. } => panic!("nothing was to be remembered"),
    }
}

pub fn new_seat<P: Place>(place: &P, license: &License, email: &str, token: &Token) -> NewSeat {
    NewSeat {
        id: Uuid::new_v4(),
        license: Some(license.id),
        shared_with: email.to_owned(),
        token: TokenHashes::of(token, &place.pepper()),
        identity: None,
        remember: None,
        by: Actor::Console,
    }
}

pub async fn seat<P: Place>(place: &P, license: &License, email: &str) -> (Uuid, Token) {
    let token = token();
    let new = new_seat(place, license, email, &token);
    let id = new.id;
    assert_eq!(now(place.store().create_seat(new).await.unwrap()).answer, Answer::Done);
    (id, token)
}

/// What was carried out now.
pub fn now(made: Made<Answered>) -> Answered {
    match made {
        Made::New(answered) => answered,
        Made::Before { .. } => panic!("it was carried out before"),
    }
}

/// What the same request led to before.
pub fn earlier(made: Made<Answered>) -> Option<(Uuid, Vec<u8>)> {
    match made {
        Made::New(_) => None,
        Made::Before { subject, sealed } => Some((subject, sealed)),
    }
}

pub async fn act<P: Place>(place: &P, seat: Uuid, act: OwnerAct) -> Answer {
    let new_token = (act == OwnerAct::Refresh).then(|| TokenHashes::of(&token(), &place.pepper()));
    let by = Actor::User("ada@example.com".to_owned());
    let order = OwnerOrder { seat, act, new_token, shared_with: None, dry_run: false, remember: None, by };
    now(place.store().owner(order).await.unwrap()).answer
}

pub fn machine(name: &str) -> MachineId {
    MachineId::derive(PRODUCT, "linux", name)
}

/// A plug-in on a computer, with nothing to say of before.
pub fn caller(computer: &str) -> Caller {
    Caller {
        machine: machine(computer),
        token_revoked: false,
        product: PRODUCT.to_owned(),
        client: "1.0.0".to_owned(),
        terms: None,
        epoch: None,
        lost: None,
        launches: 0,
        last_offline: None,
        // Users of one computer are several installations: nobody looks like a copy.
        install_id: Uuid::new_v4(),
        install: None,
        renewal: Presented::Nothing,
        jitter: 0,
    }
}

/// A computer with the token of a seat.
pub async fn call<P: Place>(place: &P, call: Call, token: &Token, computer: &str) -> Answered {
    let caller = caller(computer);
    let question = Question { token: token.stored_hash(&place.pepper()), call, caller };
    place.store().call(question).await.unwrap()
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

pub fn seconds(time: UnixTime) -> u64 {
    time.seconds().unsigned_abs()
}

/// Waits for all of them, which run at the same time.
pub async fn at_once<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Runs functions, each of which takes the type of a place, as tests of each back end.
#[macro_export]
macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name::<$crate::store_support::Sqlite>().await;
                }
            )+
        }
        mod on_postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name::<$crate::store_support::Postgres>().await;
                }
            )+
        }
    };
}
