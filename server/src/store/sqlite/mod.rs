//! One database file, one writer, group commit.

/// What plug-ins do to seats, many at a time.
mod calls;
/// The journal, and its way into the file.
mod journal;
/// What time does to seats.
mod release_expired;
/// Statements that PostgreSQL has others for.
pub(super) mod statements;
/// Group commit: one connection writes, in batches.
mod writer;

use super::{
    Inspection, SeatCommand, SeatOutcome, Store, StoreError, db::Conn, sql::inspect::inspect, tx::Write,
};
use crate::system::cause::of_database;
use crate::system::files;
use journal::{Checkpointer, MOST_PAGES};
use release_expired::ReleaseExpiredSeats;
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use writer::{BATCH, QUEUE, QueuedWrite, WriteJob, Writer};

/// Long enough for another process's largest batch, short enough to be told that something hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: u32 = 2;
/// The writer's page cache, in the words of SQLite: 16 MiB. A batch is about seats that lie
/// anywhere.
const CACHE: &str = "-16384";
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The store of small and middle-sized servers: one SQLite file.
pub struct SqliteStore {
    options: Box<SqliteConnectOptions>,
    readers: SqlitePool,
    queue: Mutex<Option<mpsc::Sender<WriteJob>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the database file, bringing its structure up to date. `create` makes a new one,
    /// readable by its owner only.
    ///
    /// # Errors
    /// When the file is missing, is no database, or comes from a newer version. Then none was made.
    pub async fn open(file: &Path, create: bool) -> Result<Store, StoreError> {
        if !create {
            return Ok(Self::opened(file).await?.into());
        }
        for ending in ["-wal", "-journal"] {
            let journal = beside(file, ending);
            if fs::metadata(&journal).is_ok_and(|found| found.len() > 0) {
                return Err(StoreError::LostJournal(journal));
            }
        }
        files::create(file)?;
        let opened = Self::opened(file).await;
        if opened.is_err() {
            Self::remove(file)?;
        }
        Ok(opened?.into())
    }

    /// Takes a database away that nobody has open, and what belongs to it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(file: &Path) -> Result<(), StoreError> {
        let companions = ["-wal", "-shm", "-journal"].map(|ending| beside(file, ending));
        for path in companions.iter().map(PathBuf::as_path).chain([file]) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    async fn opened(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writing = options
            .clone()
            .pragma("wal_autocheckpoint", MOST_PAGES)
            .pragma("cache_size", CACHE)
            .row_buffer_size(BATCH);
        let mut conn = SqliteConnection::connect_with(&writing).await?;
        MIGRATIONS.run(&mut conn).await.map_err(StoreError::of_migration)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().read_only(true))
            .await?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let journal = Checkpointer::open(&writing).await?;
        let writer = tokio::spawn(Writer::new(writing, conn, journal).run(queue));
        Ok(Self {
            options: Box::new(options),
            readers,
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// What a server would find in the database file, which stays as it is.
    ///
    /// # Errors
    /// When it is missing, is no database, was not set up, or comes from a newer version.
    pub async fn inspect(file: &Path) -> Result<Inspection, StoreError> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        inspect(Conn::Sqlite(&mut conn), &MIGRATIONS).await
    }

    /// Whether a server or a command has the database open. Afterwards it is one file without a
    /// journal beside it.
    pub async fn is_open_elsewhere(file: &Path) -> bool {
        let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Delete);
        let opened = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_millis(500))).await;
        match opened {
            Ok(connection) => connection.close().await.is_err(),
            // A damaged database is nobody's.
            Err(error) => error.to_string().contains("locked"),
        }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.queue).as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        let ended = lock(&self.writer).as_ref().is_none_or(JoinHandle::is_finished);
        if ended { Err(StoreError::Closed) } else { Ok(()) }
    }

    pub(super) async fn answer(&self, question: SeatCommand) -> Result<SeatOutcome, StoreError> {
        self.wait(|reply| WriteJob::Call(Box::new(QueuedWrite::new(question, reply)))).await
    }

    pub(super) async fn release_expired(&self) -> Result<u64, StoreError> {
        let expired = ReleaseExpiredSeats::find(&self.readers).await?;
        self.write(expired).await
    }

    pub(super) async fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        // Made here, empty, so that nothing is overwritten and nobody else can read it.
        let file = files::create_own(to)?;
        let name = to.to_str().ok_or(StoreError::Unexpected("the name of the backup file"))?;
        let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&self.readers).await;
        if let Err(error) = copied {
            fs::remove_file(to)?;
            return Err(error.into());
        }
        file.sync_all()?;
        Ok(())
    }

    pub(super) async fn end(&self) {
        lock(&self.queue).take();
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer
            && writer.await.is_err()
        {
            tracing::error!("the writer ended badly");
        }
        self.readers.close().await;
        // Only a connection that may write can be the last one: it brings everything into the file, and
        // takes the journal away. Who moves or copies the file of a server that was stopped must
        // have all of it.
        let closed = async { SqliteConnection::connect_with(&self.options).await?.close().await };
        if let Err(error) = closed.await {
            tracing::warn!(
                reason = of_database(&error),
                "the journal was not brought into the database's file"
            );
        }
    }

    pub(super) async fn write<W: Write>(&self, work: W) -> Result<W::Output, StoreError> {
        self.wait(|reply| WriteJob::Order(Box::new(QueuedWrite::new(work, reply)))).await
    }

    async fn wait<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> WriteJob,
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

/// The file of a database's name with this ending.
#[must_use]
pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What these locks guard is whole at any time, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::lists;
    use crate::store::{SeatCursor, SeatQuery};
    use seatlock_protocol::UnixTime;
    use sqlx::Row as _;
    use uuid::Uuid;

    /// However many seats there are, a page of a list is read from its place on, and nothing is
    /// sorted.
    #[tokio::test]
    async fn a_page_of_a_list_reads_its_own_rows_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("seatlock.db"), true).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        let Conn::Sqlite(conn) = reader.conn() else { panic!("it is a file") };
        let after = Some(SeatCursor { created_at: UnixTime::MIN, id: Uuid::nil() });
        for (license, index) in [(None, "seat_newest"), (Some(Uuid::nil()), "seat_listed")] {
            let statement =
                lists::statement(&SeatQuery { license, after, limit: 50, ..SeatQuery::default() });
            let plan = format!("EXPLAIN QUERY PLAN {}", statement.text());
            let steps = sqlx::query(sqlx::AssertSqlSafe(plan)).fetch_all(&mut *conn).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            assert!(steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(index)), "{steps:?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
        }
        drop(reader);
        store.close().await;
    }
}
