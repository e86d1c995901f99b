use super::calls::answer_all;
use super::clock::{clock_columns, clocks};
use super::dialect::now;
use super::journal::Journal;
use crate::cause::of_database;
use crate::rules::Clocks;
use crate::store::{Answered, Hash, Question, StoreError};
use seatlock_protocol::UnixTime;
use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteConnectOptions};
use std::{future::Future, pin::Pin};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait; more are turned away instead of growing old in a queue.
pub(super) const QUEUE: usize = 4096;
/// Requests in one transaction: many share one wait for the disk, few share one mishap.
pub(super) const BATCH: usize = 256;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A transaction that holds the write lock, with the clock that everything in it goes by.
pub(super) struct Tx<'c> {
    inner: Transaction<'c, Sqlite>,
    pub(super) now: UnixTime,
    pub(super) clocks: Clocks,
    pub(super) seq: u64,
}

impl Tx<'_> {
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// Whether anything may be decided now.
    pub(super) fn believes_clock(&self) -> Result<(), StoreError> {
        self.clocks.judge().map_err(StoreError::Clock)
    }

    /// Looks again what time it is, after waiting for a lock. Here nobody waits once the
    /// transaction has begun.
    #[allow(clippy::unused_async, reason = "other databases are asked here")]
    pub(super) async fn look_at_clock(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes those wait who do something under the same name. Here nobody else writes at all.
    #[allow(clippy::unused_async, reason = "other databases wait here")]
    pub(super) async fn alone(&mut self, _name: &Hash) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Something that is written. It may be carried out more than once; only the last time counts.
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;
    /// Whether it may be done by a clock that is not believed: nothing that it does depends on the
    /// time.
    const AT_ANY_TIME: bool = false;

    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// A [`Write`] with somebody who waits for it.
pub(super) struct Waiting<W, T> {
    work: W,
    output: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Waiting<W, T> {
    pub(super) fn new(work: W, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { work, output: None, reply }
    }

    fn end(self, failed: Option<StoreError>) {
        let result = match failed {
            Some(error) => Err(error),
            None => self.output.ok_or(StoreError::Closed),
        };
        // A client that hung up has no receiver any more; what it asked for is done all the same.
        let _ = self.reply.send(result);
    }
}

/// Something that waits to be written.
pub(super) enum Job {
    /// A plug-in's call. Those of one batch are answered together.
    Call(Box<Waiting<Question, Answered>>),
    /// Anything else.
    Order(Box<dyn Order>),
}

/// A [`Write`] of any type.
pub(super) trait Order: Send {
    /// Carries it out and keeps its result.
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> Boxed<'a, Result<(), StoreError>>;
    /// Hands over the result, now that it is on disk, or why there is none.
    fn end(self: Box<Self>, failed: Option<StoreError>);
}

impl<W: Write> Order for Waiting<W, W::Output> {
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if !W::AT_ANY_TIME {
                tx.believes_clock()?;
            }
            self.output = Some(self.work.run(tx).await?);
            Ok(())
        })
    }

    fn end(self: Box<Self>, failed: Option<StoreError>) {
        (*self).end(failed);
    }
}

impl Job {
    fn end(self, failed: Option<StoreError>) {
        match self {
            Self::Call(waiting) => waiting.end(failed),
            Self::Order(order) => order.end(failed),
        }
    }
}

/// The one connection that writes.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// `None` after a failure: what state the old connection was in is not worth finding out.
    conn: Option<SqliteConnection>,
    journal: Journal,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, conn: SqliteConnection, journal: Journal) -> Self {
        Self { options, conn: Some(conn), journal }
    }

    /// Writes whatever is waiting in one transaction after the other, until the queue is closed and
    /// empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            match self.together(&mut batch).await {
                Ok(()) => batch.drain(..).for_each(|job| job.end(None)),
                Err(error) => self.one_by_one(&mut batch, error).await,
            }
        }
        if let Some(conn) = self.conn
            && let Err(error) = conn.close().await
        {
            tracing::error!(reason = of_database(&error), "the database did not close cleanly");
        }
        self.journal.end().await;
    }

    async fn together(&mut self, batch: &mut [Job]) -> Result<(), StoreError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        let written = transact(&mut conn, batch).await;
        if written.is_ok() {
            self.conn = Some(conn);
            self.journal.grew(batch.len());
        }
        written
    }

    async fn one_by_one(&mut self, batch: &mut Vec<Job>, error: StoreError) {
        if batch.len() == 1
            && let Some(job) = batch.pop()
        {
            return job.end(Some(error));
        }
        tracing::warn!(%error, requests = batch.len(), "a batch failed; its requests are tried one by one");
        for mut job in batch.drain(..) {
            match self.together(std::slice::from_mut(&mut job)).await {
                Ok(()) => job.end(None),
                Err(error) => job.end(Some(error)),
            }
        }
    }
}

async fn transact(conn: &mut SqliteConnection, batch: &mut [Job]) -> Result<(), StoreError> {
    let mut tx = begin(conn).await?;
    let mut calls = Vec::with_capacity(batch.len());
    for job in batch {
        match job {
            Job::Call(waiting) => calls.push(waiting),
            Job::Order(order) => order.attempt(&mut tx).await?,
        }
    }
    if !calls.is_empty() {
        tx.believes_clock()?;
    }
    let questions: Vec<&Question> = calls.iter().map(|waiting| &waiting.work).collect();
    let answers = answer_all(&mut tx, &questions).await?;
    for (waiting, answer) in calls.into_iter().zip(answers) {
        waiting.output = Some(answer);
    }
    Ok(tx.inner.commit().await?)
}

async fn begin(conn: &mut SqliteConnection) -> Result<Tx<'_>, StoreError> {
    // A transaction that starts as a reader and turns writer fails when another process wrote in
    // between.
    let mut inner = conn.begin_with("BEGIN IMMEDIATE").await?;
    let query =
        concat!("SELECT ", now!(), " AS now, ", clock_columns!(), ", (SELECT max(seq) FROM key_set) AS seq");
    let row = sqlx::query(query).fetch_one(&mut *inner).await?;
    let clocks = clocks(&row)?;
    let seq = u64::try_from(row.try_get::<Option<i64>, _>("seq")?.unwrap_or(0)).unwrap_or(0);
    Ok(Tx { inner, now: clocks.present(), clocks, seq })
}
