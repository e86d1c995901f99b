//! A PostgreSQL database that any number of servers share. What `store/sql` has is compiled for
//! this database here.

/// Where the database is.
mod address;
/// What plug-ins do to seats, many at a time.
mod calls;
/// In what this database speaks SQL otherwise than the other one.
mod dialect;
/// What time does to seats.
mod sweep;
/// Transactions, and what is tried again.
mod writer;

/// The audit trail.
#[path = "../sql/audit.rs"]
mod audit;
/// The two traits, for this back end.
#[path = "../sql/back_end.rs"]
mod back_end;
/// Signed statements of what the audit trail was.
#[path = "../sql/checkpoint.rs"]
mod checkpoint;
/// Whether the clock can be believed, and the pepper.
#[path = "../sql/clock.rs"]
mod clock;
/// Issuers whose access tokens are accepted.
#[path = "../sql/issuers.rs"]
mod issuers;
/// Licenses, key sets and the first contents of a database.
#[path = "../sql/licenses.rs"]
mod licenses;
/// Lists of seats, page by page.
#[path = "../sql/lists.rs"]
mod lists;
/// A look at a database that nobody changes by it.
#[path = "../sql/look.rs"]
mod look;
/// Answers to requests that may come again.
#[path = "../sql/memory.rs"]
mod memory;
/// What owners do to seats.
#[path = "../sql/orders.rs"]
mod orders;
/// Accounts, plans and users.
#[path = "../sql/people.rs"]
mod people;
/// Carries out a decision.
#[path = "../sql/persist.rs"]
mod persist;
/// The mark of a database that was put back from a backup.
#[path = "../sql/restored.rs"]
mod restored;
/// What is not kept for ever.
#[path = "../sql/retention.rs"]
mod retention;
/// Rows as values.
#[path = "../sql/rows.rs"]
mod rows;
/// One-time links.
#[path = "../sql/share.rs"]
mod share;
/// Attempts to sign in, sessions and API tokens.
#[path = "../sql/sign_in.rs"]
mod sign_in;
/// Everything in a database, out to a file and in again.
#[path = "../sql/transfer.rs"]
mod transfer;

pub use address::PostgresAddress;

use super::{Answered, Look, Question, StoreError};
use calls::{Asked, QUEUE, Worker};
use sqlx::{Connection as _, PgConnection, PgPool, migrate::Migrator, postgres::PgPoolOptions};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use sweep::Sweep;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use writer::{Write, transact};

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
    queue: Mutex<Option<mpsc::Sender<Asked>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Opens the database, bringing its structure up to date. Of several servers that start at once
    /// one does it, and the others wait.
    ///
    /// # Errors
    /// When the database does not answer, or comes from a newer version.
    pub async fn open(address: &PostgresAddress) -> Result<Self, StoreError> {
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
            tokio::spawn(Worker { options, pool, queue: queue.clone(), alone: alone.clone() }.run())
        });
        let workers = Mutex::new(workers.collect());
        Ok(Self { pool, queue: Mutex::new(Some(sender)), workers })
    }

    /// What a server would find in the database, which stays as it is.
    ///
    /// # Errors
    /// When it does not answer, was not set up, or comes from a newer version.
    pub async fn look(address: &PostgresAddress) -> Result<Look, StoreError> {
        let mut conn = PgConnection::connect_with(&address.session()).await?;
        look::look(&mut conn, &MIGRATIONS).await
    }

    fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn waiting(&self) -> usize {
        lock(&self.queue).as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    fn is_open(&self) -> Result<(), StoreError> {
        let open = lock(&self.queue).as_ref().is_some_and(|queue| !queue.is_closed());
        if open { Ok(()) } else { Err(StoreError::Closed) }
    }

    async fn answer(&self, question: Question) -> Result<Answered, StoreError> {
        let (reply, answered) = oneshot::channel();
        let queue = lock(&self.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(Asked { question, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(queue);
        answered.await.map_err(|_| StoreError::Closed)?
    }

    async fn write<W: Write>(&self, work: W) -> Result<W::Output, StoreError> {
        let pool = self.pool.clone();
        // Of a caller that hangs up no transaction is left half way.
        let done = tokio::spawn(async move { transact(&pool, &work).await });
        match done.await.map_err(|_| StoreError::Closed)? {
            Err(StoreError::Database(sqlx::Error::PoolClosed)) => Err(StoreError::Closed),
            done => done,
        }
    }

    async fn release_idle(&self) -> Result<u64, StoreError> {
        self.write(Sweep(None)).await
    }

    #[allow(clippy::unused_async, reason = "other databases are copied here")]
    async fn copy_to(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::Elsewhere("a PostgreSQL database is copied by pg_dump, or by seatlock-server export"))
    }

    async fn end(&self) {
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
