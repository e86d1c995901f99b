use crate::{
    Kind, PRODUCT,
    server::{Running, Taken, Usage, taken_by_family},
};
use anyhow::{Context as _, ensure};
use seatlock_protocol::{MachineId, Token, TokenKind};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::crypto::renewal::{Recipient, RenewalKey};
use seatlock_server::domain::License;
use seatlock_server::store::{
    Actor, AddLicense, ListLicenses, Store, TokenHashes, postgres::PostgresStore, sqlite::SqliteStore,
};
use seatlock_server::system::postgres_address::PostgresAddress;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};
use uuid::Uuid;
use xtask::postgres::Postgres;

/// Seats of a license: a large studio's.
const STUDIO: usize = 500;
/// Rows that are added with one statement.
const ROWS: usize = 2000;

/// One seat: everything about it follows from its number.
pub struct Seat {
    pub id: Uuid,
    pub token: Token,
    pub machine: MachineId,
    pub install: Uuid,
    /// Of a seat that is held.
    pub renewal: Option<String>,
}

/// All seats of a database: those that are held and pinged within the last six hours, and after
/// them some that were never used.
pub struct Seats {
    pub held: usize,
    pub unused: usize,
    pepper: [u8; 32],
    renewals: RenewalKey,
}

impl Seats {
    pub fn new(held: usize, unused: usize, pepper: &[u8; 32]) -> Self {
        Self { held, unused, pepper: *pepper, renewals: RenewalKey::new(pepper) }
    }

    fn all(&self) -> usize {
        self.held + self.unused
    }

    pub fn seat(&self, number: usize) -> Seat {
        let mut block = 0u8;
        let mut random = |bytes: &mut [u8]| {
            for chunk in bytes.chunks_mut(32) {
                block += 1;
                let digest =
                    Sha256::new().chain_update(number.to_le_bytes()).chain_update([block]).finalize();
                for (byte, random) in chunk.iter_mut().zip(digest) {
                    *byte = random;
                }
            }
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(token) = Token::generate(TokenKind::Integration, &mut random);
        let (mut id, mut install) = ([0; 16], [0; 16]);
        let (Ok(()), Ok(())) = (random(&mut id), random(&mut install));
        let install = uuid::Builder::from_random_bytes(install).into_uuid();
        let recipient = Recipient { token: token.hash(), install };
        Seat {
            id: uuid::Builder::from_random_bytes(id).into_uuid(),
            token,
            machine: MachineId::derive(PRODUCT, "linux", &number.to_string()),
            install,
            renewal: (number < self.held).then(|| self.renewals.secret(recipient, 1)),
        }
    }

    /// Rows as the statements of [`statements`] read them.
    fn rows(&self, from: usize, licenses: &[Uuid]) -> anyhow::Result<String> {
        let mut rows = Vec::with_capacity(ROWS);
        for number in from..self.all().min(from + ROWS) {
            let seat = self.seat(number);
            let hashes = TokenHashes::of(&seat.token, &self.pepper);
            let hashes = (hex(&hashes.stored), hex(hashes.public.as_bytes()));
            let license = licenses.get(number % licenses.len()).context("a license for every seat")?;
            rows.push((
                seat.id,
                license,
                format!("{}{number}@example.com", if number < self.held { "user" } else { "new" }),
                seat.machine,
                number,
                seat.install,
                hashes,
            ));
        }
        Ok(serde_json::to_string(&rows)?)
    }
}

/// How a database was filled.
pub struct Filled {
    pub time: Duration,
    pub bytes: u64,
    pub audit_rows: i64,
}

/// A database with a license of its own for every [`STUDIO`] seats.
pub struct Database {
    data: PathBuf,
    postgres: Option<(Postgres, String)>,
}

/// A connection to either.
pub enum Session {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub async fn new(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        let postgres = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let postgres = Postgres::start()?;
                let url = postgres.database()?;
                Some((postgres, url))
            }
        };
        let database = Self { data: folder.join("data"), postgres };
        let mut init = database.command();
        init.args(["init", "--issuer", "https://license.example.com", "--product", PRODUCT, "--seats", "1"]);
        ensure!(init.stdout(Stdio::null()).status()?.success(), "init failed");
        Ok(database)
    }

    pub fn name(&self) -> &'static str {
        if self.postgres.is_some() { "PostgreSQL" } else { "SQLite" }
    }

    pub fn postgres(&self) -> Option<(&Postgres, &str)> {
        self.postgres.as_ref().map(|(postgres, url)| (postgres, url.as_str()))
    }

    /// The server's program, for this database.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatlock-server"));
        command.arg("--data").arg(&self.data);
        if let Some((_, url)) = &self.postgres {
            command.args(["--database", url]);
        }
        command
    }

    pub fn folder(&self) -> DataFolder {
        DataFolder::new(self.data.clone())
    }

    async fn open(&self) -> anyhow::Result<Store> {
        Ok(match &self.postgres {
            None => SqliteStore::open(&self.folder().database(), false).await?,
            Some((_, url)) => PostgresStore::open(&PostgresAddress::parse(url)?).await?,
        })
    }

    pub async fn connect(&self) -> anyhow::Result<Session> {
        Ok(match &self.postgres {
            None => {
                let options =
                    SqliteConnectOptions::new().filename(self.folder().database()).foreign_keys(false);
                Session::Sqlite(options.pragma("cache_size", "-1000000").connect().await?)
            }
            Some((_, url)) => Session::Postgres(url.parse::<PgConnectOptions>()?.connect().await?),
        })
    }

    /// Puts the seats straight into the tables: made one by one, a million would take an hour.
    pub async fn fill(&self, seats: &Seats) -> anyhow::Result<Filled> {
        let began = Instant::now();
        let licenses = self.add_licenses(seats.all().div_ceil(STUDIO)).await?;
        let mut session = self.connect().await?;
        session.execute("BEGIN", None).await?;
        if self.postgres.is_some() {
            // Nothing refers to what is not there.
            session.execute("SET LOCAL session_replication_role = replica", None).await?;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let statements = statements(self.postgres.is_some(), now);
        for from in (0..seats.all()).step_by(ROWS) {
            let rows = seats.rows(from, &licenses)?;
            for statement in &statements {
                session.execute(statement, Some(&rows)).await?;
            }
        }
        session.execute(UNUSED, None).await?;
        session.execute(UNKNOWN, None).await?;
        let counts = "UPDATE license SET (tokens, in_use) = (SELECT count(*), count(*) FILTER (WHERE counted) FROM seat WHERE license_id = license.id)";
        session.execute(counts, None).await?;
        session.execute("COMMIT", None).await?;
        session
            .execute(
                if self.postgres.is_some() { "VACUUM ANALYZE" } else { "PRAGMA wal_checkpoint(TRUNCATE)" },
                None,
            )
            .await?;
        let size = match &self.postgres {
            None => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            Some(_) => "SELECT pg_database_size(current_database())",
        };
        let bytes = session.number(size).await?.unsigned_abs();
        let audit_rows = session.number(AUDIT_ROWS).await?;
        session.close().await?;
        Ok(Filled { time: began.elapsed(), bytes, audit_rows })
    }

    pub fn pepper(&self) -> anyhow::Result<[u8; 32]> {
        Ok(*self.folder().pepper()?)
    }

    /// What the server and the database took so far. SQLite works in the server.
    pub async fn usage(&self, server: &Running) -> anyhow::Result<Usage> {
        let database = match self.connect().await? {
            Session::Sqlite(_) => Taken::default(),
            mut session => {
                taken_by_family(u32::try_from(session.number("SELECT pg_backend_pid()::bigint").await?)?)?
            }
        };
        Ok(Usage { server: server.usage()?, database })
    }

    pub async fn audit_rows(&self) -> anyhow::Result<i64> {
        self.connect().await?.number(AUDIT_ROWS).await
    }

    async fn add_licenses(&self, number: usize) -> anyhow::Result<Vec<Uuid>> {
        let store = self.open().await?;
        let first = store.run(ListLicenses(None)).await?.pop().context("a license")?;
        let mut ids = Vec::with_capacity(number);
        for _ in 0..number {
            let license = License { id: Uuid::new_v4(), seats_max: STUDIO as u32, ..first.clone() };
            ids.push(store.run(AddLicense(license, Actor::Console)).await?.id);
        }
        store.close().await;
        Ok(ids)
    }
}

const UNUSED: &str = "UPDATE seat SET state = 'never_used', machine = NULL, machine_source = NULL, since = NULL, \
     last_ping = NULL, lease_until = NULL, counted = false, last_used_at = NULL WHERE shared_with LIKE 'new%'";
const UNKNOWN: &str = "DELETE FROM install WHERE seat_id IN (SELECT id FROM seat WHERE state = 'never_used')";
const AUDIT_ROWS: &str = "SELECT count(*) FROM audit";

/// Each takes the rows of [`Seats::rows`].
fn statements(postgres: bool, now: u64) -> [String; 3] {
    let seat = format!(
        "INSERT INTO seat (id, license_id, shared_with, machine, machine_source, epoch, state, since, last_ping, \
         lease_until, counted, last_used_at, launches, created_at) \
         SELECT n.value ->> 0, n.value ->> 1, n.value ->> 2, n.value ->> 3, 'os', 1, 'in_use', \
         {now} - 86400, {now} - CAST(n.value ->> 4 AS BIGINT) % 21600, {now} + 604800, true, {now} - 21600, 1, {now} - 86400"
    );
    let token = format!(
        "INSERT INTO token (hash, public_hash, seat_id, created_at) SELECT decode(n.value -> 6 ->> 0, 'hex'), \
         decode(n.value -> 6 ->> 1, 'hex'), n.value ->> 0, {now} - 86400"
    );
    let install = format!(
        "INSERT INTO install (seat_id, id, first_handed_out, newest_handed_out, retired_from, retired_at, asked_at, \
         round_newest, splits) SELECT n.value ->> 0, n.value ->> 5, 1, 1, 1, {now} - 21600, {now} - 21600, 1, 0"
    );
    [seat, token, install].map(|insert| {
        if postgres {
            format!("{insert} FROM json_array_elements($1::json) n")
        } else {
            format!("{} FROM json_each($1) n", insert.replace("decode(", "unhex(").replace(", 'hex')", ")"))
        }
    })
}

impl Session {
    /// How many rows it changed.
    pub async fn execute(&mut self, sql: &str, rows: Option<&str>) -> anyhow::Result<u64> {
        let sql = AssertSqlSafe(sql);
        Ok(match (self, rows) {
            (Self::Sqlite(conn), None) => sqlx::raw_sql(sql).execute(conn).await?.rows_affected(),
            (Self::Sqlite(conn), Some(rows)) => {
                sqlx::query(sql).bind(rows).execute(conn).await?.rows_affected()
            }
            (Self::Postgres(conn), None) => sqlx::raw_sql(sql).execute(conn).await?.rows_affected(),
            (Self::Postgres(conn), Some(rows)) => {
                sqlx::query(sql).bind(rows).execute(conn).await?.rows_affected()
            }
        })
    }

    pub async fn number(&mut self, sql: &'static str) -> anyhow::Result<i64> {
        Ok(match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await?,
        })
    }

    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(conn) => Ok(conn.close().await?),
            Self::Postgres(conn) => Ok(conn.close().await?),
        }
    }
}

/// What a plug-in that holds its seat was handed out last.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
