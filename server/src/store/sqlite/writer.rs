use super::calls::answer_all;
use super::journal::Checkpointer;
use crate::store::{
    SeatCommand, SeatOutcome, StoreError,
    db::Transaction,
    tx::{Tx, Write},
};
use crate::system::cause::of_database;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{future::Future, pin::Pin};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait; more are turned away instead of growing old in a queue.
pub(super) const QUEUE: usize = 4096;
/// Requests in one transaction: many share one wait for the disk, few share one mishap.
pub(super) const BATCH: usize = 256;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Write`] with somebody who waits for it.
pub(super) struct QueuedWrite<W, T> {
    work: W,
    output: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> QueuedWrite<W, T> {
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
pub(super) enum WriteJob {
    /// A plug-in's call. Those of one batch are answered together.
    Call(Box<QueuedWrite<SeatCommand, SeatOutcome>>),
    Order(Box<dyn BoxedWrite>),
}

/// A [`Write`] of any type.
pub(super) trait BoxedWrite: Send {
    /// Carries it out and keeps its result.
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> Boxed<'a, Result<(), StoreError>>;
    /// Hands over the result, now that it is on disk, or why there is none.
    fn end(self: Box<Self>, failed: Option<StoreError>);
}

impl<W: Write> BoxedWrite for QueuedWrite<W, W::Output> {
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

impl WriteJob {
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
    journal: Checkpointer,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, conn: SqliteConnection, journal: Checkpointer) -> Self {
        Self { options, conn: Some(conn), journal }
    }

    /// Writes whatever is waiting in one transaction after the other, until the queue is closed and
    /// empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<WriteJob>) {
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

    async fn together(&mut self, batch: &mut [WriteJob]) -> Result<(), StoreError> {
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

    async fn one_by_one(&mut self, batch: &mut Vec<WriteJob>, error: StoreError) {
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

async fn transact(conn: &mut SqliteConnection, batch: &mut [WriteJob]) -> Result<(), StoreError> {
    // A transaction that starts as a reader and turns writer fails when another process wrote in
    // between.
    let mut tx = Tx::new(Transaction::Sqlite(conn.begin_with("BEGIN IMMEDIATE").await?)).await?;
    let mut calls = Vec::with_capacity(batch.len());
    for job in batch {
        match job {
            WriteJob::Call(waiting) => calls.push(waiting),
            WriteJob::Order(order) => order.attempt(&mut tx).await?,
        }
    }
    if !calls.is_empty() {
        tx.believes_clock()?;
    }
    let questions: Vec<&SeatCommand> = calls.iter().map(|waiting| &waiting.work).collect();
    let answers = answer_all(&mut tx, &questions).await?;
    for (waiting, answer) in calls.into_iter().zip(answers) {
        waiting.output = Some(answer);
    }
    tx.commit().await
}
