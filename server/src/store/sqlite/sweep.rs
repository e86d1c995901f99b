use super::clock::move_mark;
use super::persist::persist;
use super::rows::{license, license_columns, seat, seat_columns};
use super::writer::{Tx, Write};
use crate::rules::{Event, decide};
use crate::store::{Actor, StoreError};
use uuid::Uuid;

/// Seats that one sweep releases at most, so that it never holds up the plug-ins for long.
const SWEEP: i64 = 500;

/// The second look at what time has decided, for one license or all; the first is at the next event of the seat.
pub(super) struct Sweep(pub(super) Option<Uuid>);

impl Write for Sweep {
    type Output = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let released = sweep(tx, self.0).await?;
        move_mark(tx).await?;
        Ok(released)
    }
}

/// Releases seats of one license, or of all, whose time is over.
pub(super) async fn sweep(tx: &mut Tx<'_>, license_id: Option<Uuid>) -> Result<u64, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        seat_columns!(),
        ", ",
        license_columns!(),
        " FROM seat s JOIN license l ON l.id = s.license_id \
         WHERE s.counted = 1 AND (?1 IS NULL OR s.license_id = ?1) AND s.lease_until <= ?2 \
         AND (s.last_ping IS NULL OR s.last_ping + l.auto_release <= ?2) LIMIT ?3"
    ))
    .bind(license_id.map(|id| id.to_string()))
    .bind(tx.now.seconds())
    .bind(SWEEP)
    .fetch_all(tx.conn())
    .await?;
    for row in &rows {
        let (before, license) = (seat(row)?, license(row)?);
        let decision = decide(&license, Some(&before), &Event::Elapsed, tx.now);
        persist(tx, &license, &before, &decision, &Actor::System).await?;
    }
    Ok(rows.len() as u64)
}
