/// What plug-ins do to seats, many at a time.
mod calls;
/// Licenses, key sets and the first contents of a database.
mod licenses;
/// What owners do to seats.
mod orders;
/// Carries out a decision.
mod persist;
/// Rows as values.
mod rows;
/// What time does to seats.
mod sweep;
/// Group commit: one connection writes, in batches.
mod writer;

use super::{Answered, AuditRow, NewSeat, OwnerOrder, Question, ServerInfo, Store, StoreError, StoredKeySet};
use crate::rules::{License, Seat};
use rows::{license_columns, seat_columns};
use seatlock_protocol::{PublicKey, TokenHash, UnixTime};
use sqlx::{
    Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;
use writer::{Job, QUEUE, Waiting, Write, Writer};

/// Long enough for another process's largest batch, short enough to be told that something hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: u32 = 2;

/// The store of small and middle-sized servers: one SQLite file.
pub struct SqliteStore {
    readers: SqlitePool,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the database file, bringing its structure up to date. `create` makes a new one, readable by its owner only.
    ///
    /// # Errors
    /// When the file is missing, is no database, or comes from a newer version.
    pub async fn open(file: &Path, create: bool) -> Result<Self, StoreError> {
        if create {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        sqlx::migrate!().run(&mut conn).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().read_only(true))
            .await?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(Writer::new(options, conn).run(queue));
        Ok(Self { readers, queue: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }

    /// Whether a server or a command has the database open. Afterwards it is one file without a journal beside it.
    pub async fn is_open_elsewhere(file: &Path) -> bool {
        let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Delete);
        let opened = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_millis(500))).await;
        match opened {
            Ok(connection) => connection.close().await.is_err(),
            // A damaged database is nobody's.
            Err(error) => error.to_string().contains("locked"),
        }
    }

    async fn write<W: Write>(&self, work: W) -> Result<W::Output, StoreError> {
        self.wait(|reply| Job::Order(Box::new(Waiting::new(work, reply)))).await
    }

    async fn wait<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let queue = lock(&self.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(job(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(queue);
        result.await.map_err(|_| StoreError::Closed)?
    }
}

/// What these locks guard is whole at any time, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Store for SqliteStore {
    async fn call(&self, question: Question) -> Result<Answered, StoreError> {
        self.wait(|reply| Job::Call(Box::new(Waiting::new(question, reply)))).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.write(sweep::Sweep).await
    }

    async fn ready(&self) -> Result<UnixTime, StoreError> {
        // Reading goes on without a writer, but nothing could be answered.
        if lock(&self.writer).as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(StoreError::Closed);
        }
        let row = sqlx::query("SELECT unixepoch() AS now, (SELECT count(*) FROM server) AS servers")
            .fetch_one(&self.readers)
            .await?;
        rows::time(&row, "now")?.ok_or(StoreError::Unexpected("now"))
    }

    async fn server(&self) -> Result<ServerInfo, StoreError> {
        let row = sqlx::query("SELECT issuer, root_key, documentation, support FROM server")
            .fetch_optional(&self.readers)
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(ServerInfo {
            issuer: row.try_get("issuer")?,
            root_key: PublicKey::from_jwk_x(row.try_get("root_key")?)
                .map_err(|_| StoreError::Unexpected("server.root_key"))?,
            documentation: row.try_get("documentation")?,
            support: row.try_get("support")?,
        })
    }

    async fn initialise(
        &self,
        server: ServerInfo,
        license: License,
        keys: StoredKeySet,
    ) -> Result<(), StoreError> {
        self.write(licenses::Initialise(server, license, keys)).await
    }

    async fn key_set(&self) -> Result<StoredKeySet, StoreError> {
        let row = sqlx::query("SELECT seq, jws FROM key_set ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(StoredKeySet { seq: rows::unsigned(&row, "seq")?, jws: row.try_get("jws")? })
    }

    async fn publish(&self, keys: StoredKeySet) -> Result<(), StoreError> {
        self.write(licenses::Publish(keys)).await
    }

    async fn add_license(&self, license: License) -> Result<(), StoreError> {
        self.write(licenses::AddLicense(license)).await
    }

    async fn change_license(&self, license: License) -> Result<(), StoreError> {
        self.write(licenses::ChangeLicense(license)).await
    }

    async fn licenses(&self) -> Result<Vec<License>, StoreError> {
        let query = concat!("SELECT ", license_columns!(), " FROM license l ORDER BY l.created_at, l.rowid");
        sqlx::query(query).fetch_all(&self.readers).await?.iter().map(rows::license).collect()
    }

    async fn create_seat(&self, seat: NewSeat) -> Result<Answered, StoreError> {
        self.write(seat).await
    }

    async fn owner(&self, order: OwnerOrder) -> Result<Answered, StoreError> {
        self.write(order).await
    }

    async fn seats(&self, license: Option<Uuid>) -> Result<Vec<Seat>, StoreError> {
        let query = concat!(
            "SELECT ",
            seat_columns!(),
            " FROM seat s WHERE ?1 IS NULL OR s.license_id = ?1 ORDER BY s.created_at, s.rowid"
        );
        let license = license.map(|id| id.to_string());
        sqlx::query(query).bind(license).fetch_all(&self.readers).await?.iter().map(rows::seat).collect()
    }

    async fn seat_of(&self, token: TokenHash) -> Result<Option<([u8; 32], Seat, License)>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT t.hash, ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
             WHERE t.public_hash = ?"
        ))
        .bind(token.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hash: Vec<u8> = row.try_get("hash")?;
        let hash = hash.try_into().map_err(|_| StoreError::Unexpected("token.hash"))?;
        Ok(Some((hash, rows::seat(&row)?, rows::license(&row)?)))
    }

    async fn audit(&self, seat: Option<Uuid>, last: u32) -> Result<Vec<AuditRow>, StoreError> {
        let query = "SELECT * FROM (SELECT * FROM audit WHERE ?1 IS NULL OR seat_id = ?1 ORDER BY id DESC LIMIT ?2) \
                     ORDER BY id";
        let query = sqlx::query(query).bind(seat.map(|id| id.to_string())).bind(last);
        query.fetch_all(&self.readers).await?.iter().map(rows::audit).collect()
    }

    async fn forget_installs(&self) -> Result<(), StoreError> {
        self.write(licenses::ForgetInstalls).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        // Made here, empty, so that nothing is overwritten and nobody else can read it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let name = to.to_str().ok_or(StoreError::Unexpected("the name of the backup file"))?;
        let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&self.readers).await;
        if let Err(error) = copied {
            std::fs::remove_file(to)?;
            return Err(error.into());
        }
        file.sync_all()?;
        Ok(())
    }

    async fn close(&self) {
        lock(&self.queue).take();
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
        self.readers.close().await;
    }
}
