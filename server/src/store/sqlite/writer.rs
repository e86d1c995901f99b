use super::rows::time;
use crate::store::StoreError;
use seatlock_protocol::UnixTime;
use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteConnectOptions};
use std::{future::Future, pin::Pin};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait; more are turned away instead of growing old in a queue.
pub(super) const QUEUE: usize = 4096;
/// Requests in one transaction: many share one wait for the disk, few share one mishap.
const BATCH: usize = 256;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A transaction that holds the write lock, with the clock that everything in it goes by.
pub(super) struct Tx<'c> {
    inner: Transaction<'c, Sqlite>,
    pub(super) now: UnixTime,
    pub(super) seq: u64,
}

impl Tx<'_> {
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
}

/// Something that is written. It may be carried out more than once; only the last time counts.
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;

    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// A [`Write`] of any type with somebody who waits for it.
pub(super) trait Job: Send {
    /// Carries it out and keeps its result.
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> Boxed<'a, Result<(), StoreError>>;
    /// Hands the result over, now that it is on disk.
    fn committed(self: Box<Self>);
    /// Hands over why there is none.
    fn failed(self: Box<Self>, error: StoreError);
}

struct Waiting<W: Write> {
    work: W,
    output: Option<W::Output>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

/// `work` as a job whose result goes to `reply`.
pub(super) fn job<W: Write>(work: W, reply: oneshot::Sender<Result<W::Output, StoreError>>) -> Box<dyn Job> {
    Box::new(Waiting { work, output: None, reply })
}

impl<W: Write> Job for Waiting<W> {
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.output = Some(self.work.run(tx).await?);
            Ok(())
        })
    }

    fn committed(self: Box<Self>) {
        // A client that hung up has no receiver any more; what it asked for is done all the same.
        let _ = self.reply.send(self.output.ok_or(StoreError::Closed));
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// The one connection that writes.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// `None` after a failure: what state the old connection was in is not worth finding out.
    conn: Option<SqliteConnection>,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, conn: SqliteConnection) -> Self {
        Self { options, conn: Some(conn) }
    }

    /// Writes whatever is waiting in one transaction after the other, until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            match self.together(&mut batch).await {
                Ok(()) => batch.drain(..).for_each(Job::committed),
                Err(error) => self.one_by_one(&mut batch, error).await,
            }
        }
        if let Some(conn) = self.conn
            && let Err(error) = conn.close().await
        {
            tracing::error!(%error, "the database did not close cleanly");
        }
    }

    async fn together(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        let written = transact(&mut conn, batch).await;
        if written.is_ok() {
            self.conn = Some(conn);
        }
        written
    }

    async fn one_by_one(&mut self, batch: &mut Vec<Box<dyn Job>>, error: StoreError) {
        if batch.len() == 1
            && let Some(job) = batch.pop()
        {
            return job.failed(error);
        }
        tracing::warn!(%error, requests = batch.len(), "a batch failed; its requests are tried one by one");
        for mut job in batch.drain(..) {
            match self.together(std::slice::from_mut(&mut job)).await {
                Ok(()) => job.committed(),
                Err(error) => job.failed(error),
            }
        }
    }
}

async fn transact(conn: &mut SqliteConnection, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let mut tx = begin(conn).await?;
    for job in batch {
        job.attempt(&mut tx).await?;
    }
    Ok(tx.inner.commit().await?)
}

async fn begin(conn: &mut SqliteConnection) -> Result<Tx<'_>, StoreError> {
    // A transaction that starts as a reader and turns writer fails when another process wrote in between.
    let mut inner = conn.begin_with("BEGIN IMMEDIATE").await?;
    let row = sqlx::query("SELECT unixepoch() AS now, (SELECT max(seq) FROM key_set) AS seq")
        .fetch_one(&mut *inner)
        .await?;
    let now = time(&row, "now")?.ok_or(StoreError::Unexpected("now"))?;
    let seq = u64::try_from(row.try_get::<Option<i64>, _>("seq")?.unwrap_or(0)).unwrap_or(0);
    Ok(Tx { inner, now, seq })
}
