use super::audit::{NewAuditEntry, append};
use super::rows::{moment, time};
use crate::crypto::seal::Hash;
use crate::domain::{Clocks, timestamp};
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, StoreError};
use crate::system::clock::system_time;
use seatlock_protocol::UnixTime;
use serde_json::json;
use uuid::Uuid;

/// Columns that [`clocks`] reads.
macro_rules! clock_columns {
    () => {
        "unixepoch() AS now, (SELECT mark FROM clock) AS mark"
    };
}

pub(in crate::store) use clock_columns;

/// What is known of time, by a row with the columns above.
pub(in crate::store) fn clocks(row: &DbRow) -> Result<Clocks, StoreError> {
    // That of this computer, where it is another than the database's.
    let own = matches!(row, DbRow::Postgres(_)).then(system_time);
    Ok(Clocks { now: moment(row, "now")?, mark: time(row, "mark")?, own })
}

/// Writes down that somebody was at work now. Only sweeps do, so that pings write nothing for it.
pub(in crate::store) async fn move_mark(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    match tx.clocks.next_mark() {
        // Of several servers the latest counts.
        Some(mark) => set_mark(tx, mark, "UPDATE clock SET mark = $1 WHERE mark IS NULL OR mark < $1").await,
        None => Ok(()),
    }
}

async fn set_mark(tx: &mut Tx<'_>, mark: UnixTime, statement: &'static str) -> Result<(), StoreError> {
    sql(statement).bind(mark.seconds()).execute(tx.conn()).await?;
    Ok(())
}

/// What is known of time, whether it can be believed or not.
pub struct GetClocks;

impl Operation for GetClocks {
    type Output = Clocks;

    async fn carry_out(self, store: &Store) -> Result<Clocks, StoreError> {
        store.is_open()?;
        let query = concat!("SELECT (SELECT count(*) FROM server) AS servers, ", clock_columns!());
        clocks(&sql(query).fetch_one(store.reader().await?.conn()).await?)
    }
}

/// Shows that the database takes changes, and leaves everything as it was.
pub struct TryToWrite;

impl Write for TryToWrite {
    type Output = ();
    const AT_ANY_TIME: bool = true;

    /// A value that stays what it is would be no change to SQLite, which writes no page for it.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let nobody: Hash = [0; 32];
        let add = "INSERT INTO attempt (hash, count, since) VALUES ($1, 1, $2)";
        sql(add).bind(nobody.as_slice()).bind(tx.now.seconds()).execute(tx.conn()).await?;
        sql("DELETE FROM attempt WHERE hash = $1").bind(nobody.as_slice()).execute(tx.conn()).await?;
        Ok(())
    }
}

/// Believes the clock as it is now. Answers what was known before.
pub struct AcceptClock(pub Actor);

impl Write for AcceptClock {
    type Output = Clocks;
    const AT_ANY_TIME: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Clocks, StoreError> {
        let before = tx.clocks;
        tx.now = before.now;
        set_mark(tx, before.now, "UPDATE clock SET mark = $1").await?;
        let detail = Some(json!({ "now": timestamp(before.now), "mark": before.mark.map(timestamp) }));
        append(tx, &self.0, NewAuditEntry { detail, ..NewAuditEntry::new("clock_accepted", Uuid::nil()) })
            .await?;
        Ok(before)
    }
}

/// Compares a value that only the right pepper gives with the one that came first.
pub struct KnowPepper(pub Hash);

impl Write for KnowPepper {
    type Output = ();
    const AT_ANY_TIME: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let statement = "UPDATE server SET pepper_check = coalesce(pepper_check, $1) \
                         WHERE pepper_check IS NULL OR pepper_check = $1";
        let known = sql(statement).bind(self.0.as_slice()).execute(tx.conn()).await?;
        if known == 1 { Ok(()) } else { Err(StoreError::OtherPepper) }
    }
}

/// Takes another value in its place. Whatever was kept under the old pepper is of no use any more.
pub struct ReplacePepper(pub Hash, pub Actor);

impl Write for ReplacePepper {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self(check, by) = self;
        let statement = "UPDATE server SET pepper_check = $1";
        sql(statement).bind(check.as_slice()).execute(tx.conn()).await?;
        append(tx, by, NewAuditEntry::new("pepper_replaced", Uuid::nil())).await
    }
}
