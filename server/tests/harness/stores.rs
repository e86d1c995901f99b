//! A store of each kind for tests of what both must do.

use super::{ISSUER, PRODUCT};
use seatlock_protocol::{MachineId, SigningKey, Token, TokenKind};
use seatlock_server::{
    keys::{first_set, new_key, sign_set},
    rules::{Answer, Call, Caller, License, Presented, Verdict},
    store::{
        Actor, Answered, AnyStore, Made, NewSeat, OwnerOrder, Question, ServerInfo, Store as _, StoreError,
        StoredKeySet, TokenHashes,
        postgres::{PostgresAddress, PostgresStore},
        sqlite::SqliteStore,
    },
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;
use xtask::postgres::Postgres;

pub const PEPPER: [u8; 32] = [9; 32];

/// Where a store is.
pub enum Place {
    Sqlite(TempDir),
    Postgres(String),
}

/// An empty store, or one that was set up with a license of some seats.
pub struct Fresh {
    pub store: AnyStore,
    pub place: Place,
    pub license: Uuid,
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Postgres::shared().unwrap().database().unwrap())
    }

    /// Another server on the same database.
    pub async fn open(&self) -> AnyStore {
        match self {
            Self::Sqlite(folder) => {
                let file = folder.path().join("seatlock.db");
                let new = !file.exists();
                SqliteStore::open(&file, new).await.unwrap().into()
            }
            Self::Postgres(url) => {
                PostgresStore::open(&PostgresAddress::parse(url).unwrap()).await.unwrap().into()
            }
        }
    }

    /// One number.
    pub async fn number(&self, query: &str) -> i64 {
        let query = AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.path().join("seatlock.db").display());
                let mut conn = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut conn).await.unwrap()
            }
            Self::Postgres(url) => {
                let mut conn = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut conn).await.unwrap()
            }
        }
    }

    pub async fn run(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        match self {
            Self::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.path().join("seatlock.db").display());
                let mut conn = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(statement).execute(&mut conn).await.unwrap();
            }
            Self::Postgres(url) => {
                let mut conn = PgConnection::connect(url).await.unwrap();
                sqlx::query(statement).execute(&mut conn).await.unwrap();
            }
        }
    }
}

impl Fresh {
    pub async fn sqlite(seats: u32) -> Self {
        Self::at(Place::sqlite(), seats).await
    }

    pub async fn postgres(seats: u32) -> Self {
        Self::at(Place::postgres(), seats).await
    }

    async fn at(place: Place, seats: u32) -> Self {
        let store = place.open().await;
        let (root, lease) = (SigningKey::from_seed(&[7; 32]).unwrap(), new_key().unwrap());
        let set = first_set(ISSUER, lease.key.public(), store.ready().await.unwrap());
        let keys = StoredKeySet { seq: set.seq, jws: sign_set(&root, &set).unwrap() };
        let server = ServerInfo {
            issuer: ISSUER.to_owned(),
            root_key: root.public(),
            documentation: None,
            support: None,
        };
        let license = license(seats);
        let id = license.id;
        store.initialise(server, "Example".to_owned(), license, keys).await.unwrap();
        Self { store, place, license: id }
    }

    pub async fn seat(&self) -> (Uuid, Token) {
        seat(&self.store, self.license).await
    }
}

pub fn license(seats_max: u32) -> License {
    License { seats_max, ..seatlock_server_license() }
}

fn seatlock_server_license() -> License {
    use seatlock_protocol::claims::{ClockAction, ClockPolicy};
    use seatlock_server::rules::{ClonePolicy, Plan, ReleaseMode};
    License {
        id: Uuid::new_v4(),
        account: Uuid::new_v4(),
        plan: Plan { name: "pro".to_owned(), carries_seats: true, entitlements: Vec::new() },
        entitlements: Vec::new(),
        products: vec![PRODUCT.to_owned()],
        seats_max: 1,
        in_use: 0,
        tokens: 0,
        offline_ttl: 604_800,
        airgap_ttl: 7_776_000,
        auto_release: 1_209_600,
        renew: 21_600,
        warn: 172_800,
        release_window: 86_400,
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

pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn token() -> Token {
    Token::generate(TokenKind::Integration, getrandom::fill).unwrap()
}

pub fn new_seat(license: Uuid, token: &Token) -> NewSeat {
    NewSeat {
        id: Uuid::new_v4(),
        license: Some(license),
        shared_with: "user@example.com".to_owned(),
        token: TokenHashes::of(token, &PEPPER),
        identity: None,
        remember: None,
        by: Actor::Console,
    }
}

pub async fn seat(store: &AnyStore, license: Uuid) -> (Uuid, Token) {
    let token = token();
    let new = new_seat(license, &token);
    let id = new.id;
    let Made::New(made) = store.create_seat(new).await.unwrap() else { panic!("made before") };
    assert_eq!(made.answer, Answer::Done);
    (id, token)
}

/// An installation on a computer.
pub struct Install {
    pub token: [u8; 32],
    pub machine: MachineId,
    pub id: Uuid,
    pub renewal: Presented,
}

impl Install {
    pub fn new(token: &Token, machine: &str) -> Self {
        let machine = MachineId::derive(PRODUCT, "linux", machine);
        Self { token: token.stored_hash(&PEPPER), machine, id: Uuid::new_v4(), renewal: Presented::Nothing }
    }

    pub async fn call(&mut self, store: &AnyStore, call: Call) -> Result<Answer, StoreError> {
        Ok(self.ask(store, call).await?.answer)
    }

    pub async fn ask(&mut self, store: &AnyStore, call: Call) -> Result<Answered, StoreError> {
        let caller = Caller {
            machine: self.machine.clone(),
            token_revoked: false,
            product: PRODUCT.to_owned(),
            client: "1.0.0".to_owned(),
            terms: None,
            epoch: None,
            gave_up: false,
            lost: None,
            launches: 1,
            last_offline: None,
            install_id: self.id,
            install: None,
            renewal: self.renewal,
            jitter: 0,
        };
        let answered = store.call(Question { token: self.token, call, caller }).await?;
        if let Answer::Lease { renewal, .. } = answered.answer {
            self.renewal = Presented::Number(renewal);
        }
        Ok(answered)
    }
}

pub fn refused(answer: &Answer) -> Option<&Verdict> {
    match answer {
        Answer::Verdict(verdict) => Some(verdict),
        _ => None,
    }
}

pub async fn owner(store: &AnyStore, order: OwnerOrder) -> Answer {
    match store.owner(order).await.unwrap() {
        Made::New(answered) => answered.answer,
        Made::Before { .. } => panic!("done before"),
    }
}

/// Runs functions that take a [`Fresh`] and the number of its seats, as tests on every kind of store.
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident($seats:literal)),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::harness::stores::Fresh::sqlite($seats).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::harness::stores::Fresh::postgres($seats).await).await;
            })+
        }
    };
}
