//! A PostgreSQL database that any number of servers share.

/// What plug-ins do to seats, many at a time.
mod calls;
/// What time does to seats.
mod release_expired;
/// Statements that SQLite has others for.
pub(super) mod statements;
/// Transactions, and what is tried again.
mod writer;

use crate::system::postgres_address::PostgresAddress;

use super::{
    Inspection, SeatCommand, SeatOutcome, Store, StoreError, db::Conn, sql::inspect::inspect, tx::Write,
};
use calls::{CallWorker, QUEUE, QueuedCall};
use release_expired::ReleaseExpiredOf;
use sqlx::{Connection as _, PgConnection, PgPool, migrate::Migrator, postgres::PgPoolOptions};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use writer::transact;

/// Connections that answer what is plain, many requests at a time.
const WORKERS: usize = 2;
/// Connections for everything else.
const CONNECTIONS: u32 = 10;
/// How many of them plug-ins may have, so that people are not kept waiting.
const ALONE: usize = 6;
/// How long somebody waits for a connection at most.
const ACQUIRE: Duration = Duration::from_secs(5);
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The store of servers that share one database.
pub struct PostgresStore {
    pool: PgPool,
    queue: Mutex<Option<mpsc::Sender<QueuedCall>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Opens the database, bringing its structure up to date. Of several servers that start at once
    /// one does it, and the others wait.
    ///
    /// # Errors
    /// When the database does not answer, or comes from a newer version.
    pub async fn open(address: &PostgresAddress) -> Result<Store, StoreError> {
        let mut conn = PgConnection::connect_with(&address.patient()).await?;
        let migrated = MIGRATIONS.run(&mut conn).await;
        conn.close().await?;
        migrated.map_err(StoreError::of_migration)?;
        let options = address.session();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.clone())
            .await?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let (queue, alone) = (Arc::new(tokio::sync::Mutex::new(queue)), Arc::new(Semaphore::new(ALONE)));
        let workers = (0..WORKERS).map(|_| {
            let (options, pool) = (options.clone(), pool.clone());
            tokio::spawn(CallWorker { options, pool, queue: queue.clone(), alone: alone.clone() }.run())
        });
        let workers = Mutex::new(workers.collect());
        Ok(Self { pool, queue: Mutex::new(Some(sender)), workers }.into())
    }

    /// What a server would find in the database, which stays as it is.
    ///
    /// # Errors
    /// When it does not answer, was not set up, or comes from a newer version.
    pub async fn inspect(address: &PostgresAddress) -> Result<Inspection, StoreError> {
        let mut conn = PgConnection::connect_with(&address.session()).await?;
        inspect(Conn::Postgres(&mut conn), &MIGRATIONS).await
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.queue).as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        let open = lock(&self.queue).as_ref().is_some_and(|queue| !queue.is_closed());
        if open { Ok(()) } else { Err(StoreError::Closed) }
    }

    pub(super) async fn answer(&self, question: SeatCommand) -> Result<SeatOutcome, StoreError> {
        let (reply, answered) = oneshot::channel();
        let queue = lock(&self.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(QueuedCall { question, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(queue);
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn write<W: Write>(&self, work: W) -> Result<W::Output, StoreError> {
        let pool = self.pool.clone();
        // Of a caller that hangs up no transaction is left half way.
        let done = tokio::spawn(async move { transact(&pool, &work).await });
        match done.await.map_err(|_| StoreError::Closed)? {
            Err(StoreError::Database(sqlx::Error::PoolClosed)) => Err(StoreError::Closed),
            done => done,
        }
    }

    pub(super) async fn release_expired(&self) -> Result<u64, StoreError> {
        self.write(ReleaseExpiredOf(None)).await
    }

    pub(super) async fn end(&self) {
        lock(&self.queue).take();
        let workers = std::mem::take(&mut *lock(&self.workers));
        for worker in workers {
            if worker.await.is_err() {
                tracing::error!("one who answers plug-ins ended badly");
            }
        }
        self.pool.close().await;
    }
}

/// What these locks guard is whole at any time, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
