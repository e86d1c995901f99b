use super::{ISSUER, PATIENCE, store::license};
use seatlock_protocol::SigningKey;
use seatlock_server::crypto::keys::{DataFolder, first_set, new_key, sign_set};
use seatlock_server::domain::License;
use seatlock_server::store::{
    Account, Initialise, ListAccounts, ListLicenses, ServerInfo, Store, StoreError, StoredKeySet,
    postgres::PostgresStore, sqlite::SqliteStore,
};
use seatlock_server::system::postgres_address::PostgresAddress;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

/// What keeps a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The URL of a new, empty database, unless it is to be a file.
    pub fn url(self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(xtask::postgres::Postgres::shared().unwrap().database().unwrap()),
        }
    }
}

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    /// Of a database that nobody has opened yet.
    pub fn new(engine: Engine, folder: &Path) -> Self {
        engine.url().map_or_else(|| Self::Sqlite(folder.join("seatlock.db")), Self::Postgres)
    }

    /// As one more server of it.
    pub async fn open(&self) -> Result<Store, StoreError> {
        Ok(match self {
            Self::Sqlite(file) => SqliteStore::open(file, !file.exists()).await?,
            Self::Postgres(url) => PostgresStore::open(&PostgresAddress::parse(url).unwrap()).await?,
        })
    }

    pub async fn sqlite(&self) -> SqliteConnection {
        let Self::Sqlite(file) = self else { panic!("{self:?} is no file") };
        // Stores under test write meanwhile, and on a busy machine for long.
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    pub async fn postgres(&self) -> PgConnection {
        let Self::Postgres(url) = self else { panic!("{self:?} is a file") };
        PgConnection::connect(url).await.unwrap()
    }

    /// Statements in the part of SQL that every database understands.
    pub async fn run(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(_) => drop(sql.execute(&mut self.sqlite().await).await.unwrap()),
            Self::Postgres(_) => drop(sql.execute(&mut self.postgres().await).await.unwrap()),
        }
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(_) => sqlx::query_scalar(sql).fetch_one(&mut self.sqlite().await).await.unwrap(),
            Self::Postgres(_) => sqlx::query_scalar(sql).fetch_one(&mut self.postgres().await).await.unwrap(),
        }
    }
}

/// A database with its store, and a data folder as `init` leaves it.
pub struct Database {
    pub place: Place,
    store: Store,
    data: DataFolder,
    /// Goes with this value.
    _folder: TempDir,
}

impl Database {
    pub async fn new(engine: Engine) -> Self {
        Self::with_seats(engine, 10).await
    }

    /// With a first license of so many seats.
    pub async fn with_seats(engine: Engine, seats: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let data = DataFolder::new(path.clone());
        data.create().unwrap();
        data.create_pepper().unwrap();
        let place = Place::new(engine, &path);
        let data = match &place {
            Place::Sqlite(_) => data,
            Place::Postgres(url) => data.with_postgres(Some(PostgresAddress::parse(url).unwrap())),
        };
        let store = place.open().await.unwrap();
        let (root, lease) = (SigningKey::from_seed(&[7; 32]).unwrap(), new_key().unwrap());
        data.write_lease_key(&lease).unwrap();
        let set = first_set(ISSUER, lease.key.public(), store.ready().await.unwrap());
        let keys = StoredKeySet { seq: set.seq, jws: sign_set(&root, &set).unwrap() };
        let (issuer, root_key) = (ISSUER.to_owned(), root.public());
        let server = ServerInfo { issuer, root_key, documentation: None, support: None };
        let license = license(Uuid::new_v4(), seats);
        store.run(Initialise { server, account: "Example".to_owned(), license, keys }).await.unwrap();
        Self { place, store, data, _folder: folder }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store of another server.
    pub async fn another_store(&self) -> Store {
        self.place.open().await.unwrap()
    }

    pub fn folder(&self) -> &DataFolder {
        &self.data
    }

    pub fn pepper(&self) -> [u8; 32] {
        *self.data.pepper().unwrap()
    }

    /// The account and the license of a new server.
    pub async fn first(&self) -> (Account, License) {
        let license = self.store.run(ListLicenses(None)).await.unwrap().remove(0);
        (self.store.run(ListAccounts).await.unwrap().remove(0), license)
    }

    pub async fn run(&self, sql: &str) {
        self.place.run(sql).await;
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.place.number(sql).await
    }

    pub async fn rows(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}")).await
    }

    /// Lets time pass, by moving everything that happened into the past.
    pub async fn age(&self, seconds: u64) {
        for (table, columns) in [
            ("seat", &["since", "last_ping", "lease_until", "last_used_at"][..]),
            ("license", &["last_manual_release_at"]),
            ("session", &["created_at", "seen_at"]),
            ("attempt", &["since"]),
            ("api_token", &["created_at", "last_used_at"]),
            ("share", &["expires_at"]),
            ("remembered", &["created_at"]),
            ("install", &["asked_at", "retired_at"]),
            ("outliving", &["until"]),
        ] {
            let older: Vec<_> =
                columns.iter().map(|column| format!("{column} = {column} - {seconds}")).collect();
            self.run(&format!("UPDATE {table} SET {}", older.join(", "))).await;
        }
    }

    /// Every byte that a thief of the database has.
    pub async fn stolen(&self) -> Vec<u8> {
        let bytes = match &self.place {
            Place::Sqlite(file) => {
                let files = [file.clone(), file.with_extension("db-wal")];
                files.into_iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).collect()
            }
            Place::Postgres(_) => every_text(&mut self.place.postgres().await).await,
        };
        assert!(!bytes.is_empty());
        bytes
    }
}

/// Whatever can be text in a PostgreSQL database.
async fn every_text(conn: &mut PgConnection) -> Vec<u8> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND data_type IN ('text', 'bytea')",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut bytes = Vec::new();
    for (table, column, kind) in columns {
        let read = if kind == "text" { format!("convert_to({column}, 'UTF8')") } else { column };
        let query = format!("SELECT coalesce({read}, '') FROM {table}");
        let values: Vec<Vec<u8>> =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut *conn).await.unwrap();
        bytes.extend(values.concat());
    }
    bytes
}
