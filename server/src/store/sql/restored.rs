use super::audit::{NewAuditEntry, append};
use super::persist::update_seats;
use super::rows::{license, license_columns, moment, seat, seat_columns, unsigned};
use super::transfer::ROWS;
use crate::domain::{License, Restored, SeatState, renewed};
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, Recovery, StoreError};
use seatlock_protocol::UnixTime;
use serde_json::json;
use uuid::Uuid;

/// Marks a database that was put back from a backup, before a server uses it. Every hold is taken
/// as renewed at this moment, for its machine may have been. What the backup knows better than it
/// should is forgotten: the renewal secrets of all installations, the next of which counts as new,
/// and every session, one-time link and remembered answer.
pub struct MarkRestored;

impl Write for MarkRestored {
    type Output = Recovery;
    // The backup may be old.
    const AT_ANY_TIME: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Recovery, StoreError> {
        let query = concat!("SELECT ", license_columns!(), " FROM license l ORDER BY l.id");
        let rows = sql(query).fetch_all(tx.conn()).await?;
        let licenses = rows.iter().map(license).collect::<Result<Vec<License>, _>>()?;
        let before = sql("SELECT known_until, at, until FROM restored").fetch_optional(tx.conn()).await?;
        let before = before.as_ref().map(mark).transpose()?;
        let known_until = known_until(tx).await?;
        let restored = Restored::new(known_until, tx.now, &licenses, before);
        renew_holds(tx).await?;
        for statement in
            ["DELETE FROM install", "DELETE FROM session", "DELETE FROM share", "DELETE FROM remembered"]
        {
            sql(statement).execute(tx.conn()).await?;
        }
        sql(
            "INSERT INTO restored (one, known_until, at, until) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO UPDATE \
             SET known_until = excluded.known_until, at = excluded.at, until = excluded.until",
        )
        .bind(restored.known_until.seconds())
        .bind(restored.at.seconds())
        .bind(restored.until.seconds())
        .execute(tx.conn())
        .await?;
        // It is about every account, so it is written into the trail of none.
        let detail = Some(json!({ "known_until": restored.known_until, "until": restored.until }));
        append(tx, &Actor::Console, NewAuditEntry { detail, ..NewAuditEntry::new("restored", Uuid::nil()) })
            .await?;
        Ok(Recovery { restored, recovered: 0, now: tx.now })
    }
}

/// The newest moment that the database knows of.
async fn known_until(tx: &mut Tx<'_>) -> Result<UnixTime, StoreError> {
    let row = sql("SELECT max(known.at) AS known_until FROM (SELECT initialised_at AS at FROM server \
         UNION ALL SELECT max(at) FROM audit UNION ALL SELECT max(last_ping) FROM seat \
         UNION ALL SELECT max(asked_at) FROM install) known")
    .fetch_one(tx.conn())
    .await?;
    moment(&row, "known_until")
}

async fn renew_holds(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let query = concat!(
        "SELECT ",
        seat_columns!(),
        ", ",
        license_columns!(),
        " FROM seat s JOIN license l ON l.id = s.license_id WHERE s.state = 'in_use'"
    );
    let rows = sql(query).fetch_all(tx.conn()).await?;
    let mut seats = Vec::with_capacity(rows.len());
    for row in &rows {
        let (mut seat, license) = (seat(row)?, license(row)?);
        if let SeatState::InUse(holding) = seat.state {
            seat.state = SeatState::InUse(renewed(&license, holding, tx.now));
            seats.push(seat);
        }
    }
    for some in seats.chunks(ROWS) {
        update_seats(tx, &some.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// The mark of a database that was restored from a backup, and what was learned since; `None` when
/// it never was.
pub struct GetRecovery;

impl Operation for GetRecovery {
    type Output = Option<Recovery>;

    async fn carry_out(self, store: &Store) -> Result<Option<Recovery>, StoreError> {
        let row = sql("SELECT known_until, at, until, unixepoch() AS now, \
             (SELECT count(*) FROM audit WHERE event = 'recovered' AND audit.at >= restored.at) AS recovered \
             FROM restored")
        .fetch_optional(store.reader().await?.conn())
        .await?;
        row.as_ref()
            .map(|row| {
                let (restored, now) = (mark(row)?, moment(row, "now")?);
                Ok(Recovery { restored, recovered: unsigned(row, "recovered")?, now })
            })
            .transpose()
    }
}

fn mark(row: &DbRow) -> Result<Restored, StoreError> {
    Ok(Restored {
        known_until: moment(row, "known_until")?,
        at: moment(row, "at")?,
        until: moment(row, "until")?,
    })
}
