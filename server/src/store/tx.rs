//! Transactions that write.

use super::StoreError;
use super::db::{Conn, Transaction, sql};
use super::sql::clock::{clock_columns, clocks};
use super::sql::rows::unsigned;
use crate::crypto::seal::Hash;
use crate::domain::Clocks;
use seatlock_protocol::UnixTime;
use std::future::Future;

/// A transaction, with the clock that everything in it goes by.
pub struct Tx<'c> {
    inner: Transaction<'c>,
    /// The latest look at the clock: after the last lock that is had before anything is decided.
    pub(super) now: UnixTime,
    pub(super) clocks: Clocks,
    pub(super) seq: u64,
}

impl<'c> Tx<'c> {
    pub(super) async fn new(mut inner: Transaction<'c>) -> Result<Self, StoreError> {
        let query = concat!("SELECT ", clock_columns!(), ", coalesce(max(seq), 0) AS seq FROM key_set");
        let row = sql(query).fetch_one(inner.conn()).await?;
        let clocks = clocks(&row)?;
        Ok(Self { inner, now: clocks.present(), clocks, seq: unsigned(&row, "seq")? })
    }

    pub(super) fn conn(&mut self) -> Conn<'_> {
        self.inner.conn()
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await
    }

    /// Whether anything may be decided now.
    pub(super) fn believes_clock(&self) -> Result<(), StoreError> {
        self.clocks.judge().map_err(StoreError::Clock)
    }

    pub(super) fn pass_to(&mut self, now: UnixTime) {
        self.now = self.now.max(now);
    }

    /// Looks again what time it is, after waiting for a lock: somebody else may have written a
    /// later time meanwhile, or moved the mark. With SQLite nobody waits once the transaction has
    /// begun.
    pub(super) async fn look_at_clock(&mut self) -> Result<(), StoreError> {
        if let conn @ Conn::Postgres(_) = self.conn() {
            let query = concat!("SELECT ", clock_columns!());
            let row = sql(query).fetch_one(conn).await?;
            self.pass_to(clocks(&row)?.present());
        }
        Ok(())
    }

    /// Makes those wait who do something under the same name, until this transaction ends. With
    /// SQLite nobody else writes at all.
    pub(super) async fn alone(&mut self, name: &Hash) -> Result<(), StoreError> {
        if let conn @ Conn::Postgres(_) = self.conn() {
            // Two names with one number would only wait for each other without need.
            let number = name.first_chunk().copied().map_or(0, i64::from_le_bytes);
            sql("SELECT pg_advisory_xact_lock($1)").bind(number).execute(conn).await?;
        }
        self.look_at_clock().await
    }
}

/// Something that is written. It may be carried out more than once; only the last time counts.
pub trait Write: Send + Sync + 'static {
    type Output: Send + 'static;
    /// Whether it may be done by a clock that is not believed: nothing that it does depends on the
    /// time.
    const AT_ANY_TIME: bool = false;

    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}
