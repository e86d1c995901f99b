use super::db::Reader;
use super::postgres::PostgresStore;
use super::sql::clock::{GetClocks, TryToWrite};
use super::sqlite::SqliteStore;
use super::tx::Write;
use super::{Load, SeatCommand, SeatOutcome, StoreError};
use seatlock_protocol::UnixTime;
use std::{
    future::Future,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// Everything that the server keeps, in one of two databases. It counts how often it failed, and
/// how often so that it may take no changes any more.
pub struct Store {
    pub(super) database: Database,
    failures: AtomicU64,
    /// Failures that speak against writing.
    doubts: AtomicU64,
    /// How many of them were there when a change went through that was made to find out.
    dispelled: AtomicU64,
}

pub(super) enum Database {
    Sqlite(SqliteStore),
    /// A database that servers share.
    Postgres(PostgresStore),
}

impl From<SqliteStore> for Store {
    fn from(store: SqliteStore) -> Self {
        Self::of(Database::Sqlite(store))
    }
}

impl From<PostgresStore> for Store {
    fn from(store: PostgresStore) -> Self {
        Self::of(Database::Postgres(store))
    }
}

/// What a store can be asked to do: a value that says all of it. Each is one transaction.
pub trait Operation: Send + 'static {
    /// What is answered, once it is on disk for good.
    type Output: Send + 'static;

    /// Does it. Callers say `Store::run`, which also counts failures.
    fn carry_out(self, store: &Store) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

impl<W: Write> Operation for W {
    type Output = W::Output;

    async fn carry_out(self, store: &Store) -> Result<W::Output, StoreError> {
        match &store.database {
            Database::Sqlite(store) => store.write(self).await,
            Database::Postgres(store) => store.write(self).await,
        }
    }
}

/// A plug-in's call; many are answered together.
impl Operation for SeatCommand {
    type Output = SeatOutcome;

    async fn carry_out(self, store: &Store) -> Result<SeatOutcome, StoreError> {
        match &store.database {
            Database::Sqlite(store) => store.answer(self).await,
            Database::Postgres(store) => store.answer(self).await,
        }
    }
}

/// Releases seats whose time is over and answers how many, and notes that somebody is at work.
/// Safe to repeat and to run twice at once.
pub struct ReleaseExpired;

impl Operation for ReleaseExpired {
    type Output = u64;

    async fn carry_out(self, store: &Store) -> Result<u64, StoreError> {
        match &store.database {
            Database::Sqlite(store) => store.release_expired().await,
            Database::Postgres(store) => store.release_expired().await,
        }
    }
}

/// Writes a consistent copy to a new file while others go on writing.
pub struct Backup(pub PathBuf);

impl Operation for Backup {
    type Output = ();

    async fn carry_out(self, store: &Store) -> Result<(), StoreError> {
        match &store.database {
            Database::Sqlite(store) => store.copy_to(&self.0).await,
            Database::Postgres(_) => Err(StoreError::Elsewhere(
                "a PostgreSQL database is copied by pg_dump, or by seatlock-server export",
            )),
        }
    }
}

impl Store {
    fn of(database: Database) -> Self {
        let [failures, doubts, dispelled] = [(); 3].map(|()| AtomicU64::new(0));
        Self { database, failures, doubts, dispelled }
    }

    /// Carries an operation out.
    ///
    /// # Errors
    /// When the database fails, or the operation says so.
    pub async fn run<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        let outcome = operation.carry_out(self).await;
        if let Err(error) = &outcome {
            self.note(error);
        }
        outcome
    }

    fn note(&self, error: &StoreError) {
        let failed = matches!(error, StoreError::Database(_) | StoreError::Unexpected(_));
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.doubts.fetch_add(u64::from(error.speaks_against_writing()), Ordering::Relaxed);
    }

    /// A connection that reads.
    pub(super) async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(match &self.database {
            Database::Sqlite(store) => Reader::Sqlite(store.pool().acquire().await?),
            Database::Postgres(store) => Reader::Postgres(store.pool().acquire().await?),
        })
    }

    /// Whether anything can be written: reading can go on when nothing can be answered any more.
    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        match &self.database {
            Database::Sqlite(store) => store.is_open(),
            Database::Postgres(store) => store.is_open(),
        }
    }

    /// Whether the database answers and its clock can be believed; the clock.
    ///
    /// # Errors
    /// When it does not, or cannot.
    pub async fn ready(&self) -> Result<UnixTime, StoreError> {
        let clocks = self.run(GetClocks).await?;
        clocks.judge().map_err(StoreError::Clock)?;
        Ok(clocks.present())
    }

    /// Whether the database takes changes. Whoever looks whether the server works writes nothing as
    /// long as it does: its sweeps write each minute, and would have failed. After a failure a
    /// change must go through first.
    ///
    /// # Errors
    /// When it takes none.
    pub async fn writable(&self) -> Result<(), StoreError> {
        let doubts = self.doubts.load(Ordering::Relaxed);
        if doubts == self.dispelled.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.run(TryToWrite).await?;
        // What failed meanwhile is a doubt again.
        self.dispelled.fetch_max(doubts, Ordering::Relaxed);
        Ok(())
    }

    /// How it is doing. Waits for nothing.
    pub fn load(&self) -> Load {
        let waiting = match &self.database {
            Database::Sqlite(store) => store.waiting(),
            Database::Postgres(store) => store.waiting(),
        };
        Load { waiting, failures: self.failures.load(Ordering::Relaxed) }
    }

    /// Carries out what is waiting, then closes. Later operations answer [`StoreError::Closed`].
    pub async fn close(&self) {
        match &self.database {
            Database::Sqlite(store) => store.end().await,
            Database::Postgres(store) => store.end().await,
        }
    }
}
