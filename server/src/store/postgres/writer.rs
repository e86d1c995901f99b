use super::clock::{clock_columns, clocks};
use super::dialect::now;
use crate::rules::Clocks;
use crate::store::{Hash, StoreError};
use seatlock_protocol::UnixTime;
use sqlx::{Acquire as _, PgConnection, PgPool, Postgres, Row as _, Transaction};
use std::{future::Future, time::Duration};

/// How often something is tried that failed for a reason that passes: together about three seconds,
/// in which a database restarts.
const TRIES: u32 = 7;

/// A transaction, with the clock that everything in it goes by.
pub(super) struct Tx<'c> {
    inner: Transaction<'c, Postgres>,
    /// The latest look at the clock: after the last lock that is had before anything is decided.
    pub(super) now: UnixTime,
    pub(super) clocks: Clocks,
    pub(super) seq: u64,
}

impl Tx<'_> {
    pub(super) fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    pub(super) fn pass_to(&mut self, now: UnixTime) {
        self.now = self.now.max(now);
    }

    /// Looks again what time it is, after waiting for a lock: somebody else may have written a
    /// later time meanwhile, or moved the mark.
    pub(super) async fn look_at_clock(&mut self) -> Result<(), StoreError> {
        let query = concat!("SELECT ", now!(), " AS now, ", clock_columns!());
        let row = sqlx::query(query).fetch_one(self.conn()).await?;
        self.pass_to(clocks(&row)?.present());
        Ok(())
    }

    /// Makes those wait who do something under the same name, until this transaction ends.
    pub(super) async fn alone(&mut self, name: &Hash) -> Result<(), StoreError> {
        // Two names with one number would only wait for each other without need.
        let number = name.first_chunk().copied().map_or(0, i64::from_le_bytes);
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(number).execute(self.conn()).await?;
        self.look_at_clock().await
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

/// Carries something out in a transaction of its own. What fails before its end for a reason that
/// passes is tried again.
pub(super) async fn transact<W: Write>(pool: &PgPool, work: &W) -> Result<W::Output, StoreError> {
    let mut patience = Patience::default();
    loop {
        match attempt(pool, work).await {
            Ok(ended) => return ended,
            Err(error) => patience.again(error).await?,
        }
    }
}

/// The outer error is one before the end, when nothing was changed for certain.
async fn attempt<W: Write>(pool: &PgPool, work: &W) -> Result<Result<W::Output, StoreError>, StoreError> {
    let mut conn = pool.acquire().await?;
    let mut inner = conn.begin().await?;
    let query = concat!(
        "SELECT ",
        now!(),
        " AS now, ",
        clock_columns!(),
        ", coalesce(max(seq), 0) AS seq FROM key_set"
    );
    let row = sqlx::query(query).fetch_one(&mut *inner).await?;
    let clocks = clocks(&row)?;
    if !W::AT_ANY_TIME {
        clocks.judge().map_err(StoreError::Clock)?;
    }
    let seq = u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or(0);
    let mut tx = Tx { inner, now: clocks.present(), clocks, seq };
    let output = work.run(&mut tx).await?;
    Ok(tx.inner.commit().await.map(|()| output).map_err(StoreError::from))
}

/// Waits between tries, a little longer each time.
#[derive(Default)]
pub(super) struct Patience(u32);

impl Patience {
    /// Answers the error when it does not pass, or when it was tried often enough.
    pub(super) async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 >= TRIES || !error.passes_soon() {
            return Err(error);
        }
        tracing::debug!(%error, "tried again");
        tokio::time::sleep(Duration::from_millis(25 << self.0)).await;
        Ok(())
    }
}
