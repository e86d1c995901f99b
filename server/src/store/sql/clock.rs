use super::audit::{Entry, append};
use super::dialect::{DbRow, own_clock};
use super::rows::{moment, time};
use super::writer::{Tx, Write};
use crate::rules::{Clocks, timestamp};
use crate::store::{Actor, Hash, StoreError};
use seatlock_protocol::UnixTime;
use serde_json::json;
use uuid::Uuid;

/// Columns that [`clocks`] reads.
macro_rules! clock_columns {
    () => {
        "(SELECT mark FROM clock) AS mark"
    };
}

pub(super) use clock_columns;

/// What is known of time, by a row with `now` and the columns above.
pub(super) fn clocks(row: &DbRow) -> Result<Clocks, StoreError> {
    Ok(Clocks { now: moment(row, "now")?, mark: time(row, "mark")?, own: own_clock() })
}

/// Writes down that somebody was at work now. Only sweeps do, so that pings write nothing for it.
pub(super) async fn move_mark(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    match tx.clocks.next_mark() {
        // Of several servers the latest counts.
        Some(mark) => set_mark(tx, mark, "UPDATE clock SET mark = $1 WHERE mark IS NULL OR mark < $1").await,
        None => Ok(()),
    }
}

async fn set_mark(tx: &mut Tx<'_>, mark: UnixTime, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).bind(mark.seconds()).execute(tx.conn()).await?;
    Ok(())
}

/// Shows that the database takes changes, and leaves everything as it was.
pub(super) struct Trial;

impl Write for Trial {
    type Output = ();
    const AT_ANY_TIME: bool = true;

    /// A value that stays what it is would be no change to SQLite, which writes no page for it.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let nobody: Hash = [0; 32];
        let add = "INSERT INTO attempt (hash, count, since) VALUES ($1, 1, $2)";
        sqlx::query(add).bind(nobody.as_slice()).bind(tx.now.seconds()).execute(tx.conn()).await?;
        sqlx::query("DELETE FROM attempt WHERE hash = $1").bind(nobody.as_slice()).execute(tx.conn()).await?;
        Ok(())
    }
}

/// Somebody says that the clock is right as it is.
pub(super) struct AcceptClock(pub(super) Actor);

impl Write for AcceptClock {
    type Output = Clocks;
    const AT_ANY_TIME: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Clocks, StoreError> {
        let before = tx.clocks;
        tx.now = before.now;
        set_mark(tx, before.now, "UPDATE clock SET mark = $1").await?;
        let detail = Some(json!({ "now": timestamp(before.now), "mark": before.mark.map(timestamp) }));
        append(tx, &self.0, Entry { detail, ..Entry::new("clock_accepted", Uuid::nil()) }).await?;
        Ok(before)
    }
}

/// Compares the pepper of a data folder with the database's; the first one counts.
pub(super) struct KnowPepper(pub(super) Hash);

impl Write for KnowPepper {
    type Output = ();
    const AT_ANY_TIME: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let statement = "UPDATE server SET pepper_check = coalesce(pepper_check, $1) \
                         WHERE pepper_check IS NULL OR pepper_check = $1";
        let known = sqlx::query(statement).bind(self.0.as_slice()).execute(tx.conn()).await?;
        if known.rows_affected() == 1 { Ok(()) } else { Err(StoreError::OtherPepper) }
    }
}

/// Somebody says that the old pepper is lost.
pub(super) struct ReplacePepper(pub(super) Hash, pub(super) Actor);

impl Write for ReplacePepper {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self(check, by) = self;
        let statement = "UPDATE server SET pepper_check = $1";
        sqlx::query(statement).bind(check.as_slice()).execute(tx.conn()).await?;
        append(tx, by, Entry::new("pepper_replaced", Uuid::nil())).await
    }
}
