use crate::domain::{SeatEvent, decide};
use crate::store::sql::clock::move_mark;
use crate::store::sql::persist::{audit, change_counts, update_seats};
use crate::store::sql::rows::{license, license_columns, parsed, seat, seat_columns};
use crate::store::{Actor, StoreError};
use crate::store::{
    db::sql,
    tx::{Tx, Write},
};
use uuid::Uuid;

/// Seats that one sweep releases at most, so that it never holds up the plug-ins for long.
const SWEEP: i64 = 500;

/// The second look at what time has decided, for one license or all; the first is at the next event
/// of the seat.
pub(super) struct ReleaseExpiredOf(pub(super) Option<Uuid>);

impl Write for ReleaseExpiredOf {
    type Output = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        // A seat that somebody has locked is being looked at already: by a plug-in, an owner, or another
        // server's sweep.
        let found = sql("SELECT s.id FROM seat s JOIN license l ON l.id = s.license_id \
             WHERE s.counted AND ($1::text IS NULL OR s.license_id = $1) AND s.lease_until <= $2 \
             AND (s.last_ping IS NULL OR s.last_ping + l.auto_release <= $2) \
             ORDER BY s.id LIMIT $3 FOR UPDATE OF s SKIP LOCKED")
        .bind(self.0.map(|id| id.to_string()))
        .bind(tx.now.seconds())
        .bind(SWEEP)
        .fetch_all(tx.conn())
        .await?;
        let seats = found.iter().map(|row| parsed(row, "id")).collect::<Result<Vec<String>, _>>()?;
        if seats.is_empty() {
            move_mark(tx).await?;
            return Ok(0);
        }
        sql("SELECT l.id FROM license l WHERE l.id IN (SELECT license_id FROM seat WHERE id = ANY($1)) \
             ORDER BY l.id FOR UPDATE OF l")
        .bind(seats.clone())
        .execute(tx.conn())
        .await?;
        tx.look_at_clock().await?;
        // With the locks nothing changes any more, and what changed before they were had is seen.
        let rows = sql(concat!(
            "SELECT ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM seat s JOIN license l ON l.id = s.license_id WHERE s.id = ANY($1) ORDER BY s.id"
        ))
        .bind(seats)
        .fetch_all(tx.conn())
        .await?;
        let mut decided = Vec::with_capacity(rows.len());
        for row in &rows {
            let (before, license) = (seat(row)?, license(row)?);
            let decision = decide(&license, Some(&before), &SeatEvent::Elapsed, tx.now);
            change_counts(tx, license.id, decision.license).await?;
            decided.push((license.account, before, decision));
        }
        let changed = decided
            .iter()
            .filter_map(|(_, before, decision)| decision.seat.as_ref().filter(|after| *after != before));
        update_seats(tx, &changed.collect::<Vec<_>>()).await?;
        for (account, before, decision) in &decided {
            for entry in &decision.audit {
                audit(tx, *account, before, entry, &Actor::System, None).await?;
            }
        }
        move_mark(tx).await?;
        Ok(rows.len() as u64)
    }
}
