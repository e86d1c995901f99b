use crate::domain::{SeatEvent, decide};
use crate::store::sql::clock::move_mark;
use crate::store::sql::persist::persist;
use crate::store::sql::rows::{license, license_columns, seat, seat_columns};
use crate::store::{Actor, StoreError};
use crate::store::{
    db::sql,
    tx::{Tx, Write},
};
use sqlx::SqlitePool;
use uuid::Uuid;

/// Seats that one sweep releases at most, so that it never holds up the plug-ins for long.
const SWEEP: i64 = 500;

/// What time has decided about seats `s` of licenses `l`. `?1` is the time, `?2` how many, `?3`
/// which.
macro_rules! due {
    ($columns:expr, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM seat s JOIN license l ON l.id = s.license_id WHERE ",
            $which,
            " AND s.counted AND s.lease_until <= ?1 \
             AND (s.last_ping IS NULL OR s.last_ping + l.auto_release <= ?1) LIMIT ?2"
        )
    };
}

macro_rules! seat_and_license {
    () => {
        concat!(seat_columns!(), ", ", license_columns!())
    };
}

/// The second look at what time has decided, for the seats of these ids; the first is at the next
/// event of the seat.
pub(super) struct ReleaseExpiredSeats(Vec<String>);

impl ReleaseExpiredSeats {
    /// Finds them. To look through all seats takes a while, in which nobody is kept waiting.
    pub(super) async fn find(readers: &SqlitePool) -> Result<Self, StoreError> {
        let now: i64 = sqlx::query_scalar("SELECT unixepoch()").fetch_one(readers).await?;
        let query = sqlx::query_scalar(due!("s.id", "true")).bind(now).bind(SWEEP);
        Ok(Self(query.fetch_all(readers).await?))
    }
}

impl Write for ReleaseExpiredSeats {
    type Output = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let seats = serde_json::to_string(&self.0).map_err(|_| StoreError::Unexpected("seat"))?;
        let due = due!(seat_and_license!(), "s.id IN (SELECT value FROM json_each(?3))");
        let released = release(tx, due, seats).await?;
        move_mark(tx).await?;
        Ok(released)
    }
}

/// Releases seats of one license whose time is over.
pub(super) async fn release_expired(tx: &mut Tx<'_>, license: Uuid) -> Result<u64, StoreError> {
    release(tx, due!(seat_and_license!(), "s.license_id = ?3"), license.to_string()).await
}

async fn release(tx: &mut Tx<'_>, due: &'static str, which: String) -> Result<u64, StoreError> {
    let query = sql(due).bind(tx.now.seconds()).bind(SWEEP).bind(which);
    let rows = query.fetch_all(tx.conn()).await?;
    for row in &rows {
        let (before, license) = (seat(row)?, license(row)?);
        let decision = decide(&license, Some(&before), &SeatEvent::Elapsed, tx.now);
        persist(tx, &license, &before, &decision, &Actor::System, None).await?;
    }
    Ok(rows.len() as u64)
}
