use super::audit::{NewAuditEntry, append};
use super::rows::integer;
use super::rows::source_name;
use crate::domain::{
    AuditEvent, Decision, INSTALLS_MAX, Installation, License, LicenseDelta, Overlap, Seat, SeatAuditEntry,
    SeatState,
};
use crate::store::db::{sql, sql_of};
use crate::store::tx::Tx;
use crate::store::{Actor, StoreError, postgres, sqlite};
use seatlock_protocol::{MachineId, MachineSource, UnixTime};
use serde_json::{Value, json};
use uuid::Uuid;

/// Carries out what the rules decided for one seat that exists, at the owner's wish or because time
/// has passed. `detail` goes into the audit trail with it.
pub(in crate::store) async fn persist(
    tx: &mut Tx<'_>,
    license: &License,
    before: &Seat,
    decision: &Decision,
    by: &Actor,
    detail: Option<Value>,
) -> Result<(), StoreError> {
    change_counts(tx, license.id, decision.license).await?;
    if let Some(after) = decision.seat.as_ref().filter(|after| *after != before) {
        update_seats(tx, &[after]).await?;
    }
    if let Some(left) = &decision.outliving {
        keep_outliving(tx, before.id, left).await?;
    }
    for entry in &decision.audit {
        audit(tx, license.account, before, entry, by, detail.clone()).await?;
    }
    Ok(())
}

/// Each limit is part of the update itself, so that it holds whatever was read before.
pub(in crate::store) async fn change_counts(
    tx: &mut Tx<'_>,
    id: Uuid,
    change: LicenseDelta,
) -> Result<(), StoreError> {
    let statements = [
        (change.in_use > 0, "UPDATE license SET in_use = in_use + 1 WHERE id = $1 AND in_use < seats_max"),
        (change.in_use < 0, "UPDATE license SET in_use = in_use - 1 WHERE id = $1 AND in_use > 0"),
        (change.tokens > 0, "UPDATE license SET tokens = tokens + 1 WHERE id = $1 AND tokens < seats_max"),
        (change.tokens < 0, "UPDATE license SET tokens = tokens - 1 WHERE id = $1 AND tokens > 0"),
        (
            change.manual_release.is_some(),
            "UPDATE license SET last_manual_release_at = $2 WHERE id = $1 \
             AND (last_manual_release_at IS NULL OR last_manual_release_at + release_window <= $2)",
        ),
    ];
    for (_, statement) in statements.into_iter().filter(|(wanted, _)| *wanted) {
        let done = sql(statement).bind(id.to_string()).bind(tx.now.seconds()).execute(tx.conn()).await?;
        if done != 1 {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

/// Writes seats that exist, all with one statement.
pub(in crate::store) async fn update_seats(tx: &mut Tx<'_>, seats: &[&Seat]) -> Result<(), StoreError> {
    if seats.is_empty() {
        return Ok(());
    }
    let rows = seats_as_json(seats.iter().map(|seat| (*seat, None)))?;
    let updated = sql_of(sqlite::statements::UPDATE_SEATS, postgres::statements::UPDATE_SEATS)
        .bind(rows)
        .execute(tx.conn())
        .await?;
    if updated == seats.len() as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Seats as the statements read them, each with the version that it must still have.
pub(in crate::store) fn seats_as_json<'a>(
    seats: impl Iterator<Item = (&'a Seat, Option<&'a str>)>,
) -> Result<String, StoreError> {
    let rows: Vec<_> = seats
        .map(|(seat, version)| {
            let held = HoldColumns::of(&seat.state);
            let source = seat.source().map(source_name);
            let place = (held.state, held.machine, held.since, held.last_ping, held.lease_until, source);
            let rest = (seat.last_used_at, integer(seat.launches), &seat.terms, seat.clone_suspected_at);
            (seat.id, integer(seat.epoch), seat.counts(), place, rest, seat.last_offline_at, version)
        })
        .collect();
    serde_json::to_string(&rows).map_err(|_| StoreError::Unexpected("seat"))
}

/// A state as the columns that it is stored in.
struct HoldColumns<'a> {
    state: &'static str,
    machine: Option<&'a str>,
    since: Option<UnixTime>,
    last_ping: Option<UnixTime>,
    lease_until: Option<UnixTime>,
}

impl<'a> HoldColumns<'a> {
    fn of(state: &'a SeatState) -> Self {
        let nobody = |state| Self { state, machine: None, since: None, last_ping: None, lease_until: None };
        match state {
            SeatState::NeverUsed => nobody("never_used"),
            SeatState::Released(None) => nobody("released"),
            SeatState::Closed => nobody("closed"),
            SeatState::InUse(holding) => Self {
                state: "in_use",
                machine: Some(holding.machine.as_str()),
                since: Some(holding.since),
                last_ping: Some(holding.last_ping),
                lease_until: Some(holding.lease_until),
            },
            SeatState::Released(Some(overlap)) => Self {
                state: "released",
                machine: Some(overlap.machine.as_str()),
                since: Some(overlap.since),
                last_ping: None,
                lease_until: Some(overlap.until),
            },
        }
    }
}

/// Writes installations with their seats, all with one statement. The mark says which are new.
pub(in crate::store) async fn upsert_installs(
    tx: &mut Tx<'_>,
    installs: &[(Uuid, &Installation, bool)],
) -> Result<(), StoreError> {
    if installs.is_empty() {
        return Ok(());
    }
    let rows = installs_as_json(installs.iter().map(|(seat, install, _)| (*seat, *install)))?;
    sql_of(sqlite::statements::UPSERT_INSTALLS, postgres::statements::UPSERT_INSTALLS)
        .bind(rows)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
    for (seat, install, _) in installs.iter().filter(|(_, _, new)| *new) {
        forget_oldest(tx, *seat, install.id).await?;
    }
    Ok(())
}

/// Installations as the statements read them.
pub(in crate::store) fn installs_as_json<'a>(
    installs: impl Iterator<Item = (Uuid, &'a Installation)>,
) -> Result<String, StoreError> {
    let rows: Vec<_> = installs
        .map(|(seat, install)| {
            let Installation { id, presented, handed_out, retired_from, retired_at, .. } = install;
            let round = (install.round_first, install.round_newest, install.splits);
            (seat, id, presented, (handed_out.start(), handed_out.end()), retired_from, retired_at, round)
        })
        .collect();
    serde_json::to_string(&rows).map_err(|_| StoreError::Unexpected("install"))
}

async fn forget_oldest(tx: &mut Tx<'_>, seat: Uuid, newest: Uuid) -> Result<(), StoreError> {
    sql("DELETE FROM install WHERE seat_id = $1 AND id <> $2 AND id NOT IN \
         (SELECT id FROM install WHERE seat_id = $1 ORDER BY asked_at DESC LIMIT $3)")
    .bind(seat.to_string())
    .bind(newest.to_string())
    .bind(i64::from(INSTALLS_MAX))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Remembers a lease that may live on where the seat is held no more.
pub(in crate::store) async fn keep_outliving(
    tx: &mut Tx<'_>,
    seat: Uuid,
    left: &Overlap,
) -> Result<(), StoreError> {
    sql("INSERT INTO outliving (seat_id, machine, until) VALUES ($1, $2, $3) \
         ON CONFLICT (seat_id, machine) DO UPDATE SET until = excluded.until")
    .bind(seat.to_string())
    .bind(left.machine.as_str())
    .bind(left.until.seconds())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A machine that holds the seat again has no lease beside its hold.
pub(in crate::store) async fn forget_outliving(
    tx: &mut Tx<'_>,
    seat: Uuid,
    machine: &MachineId,
) -> Result<(), StoreError> {
    sql("DELETE FROM outliving WHERE seat_id = $1 AND machine = $2")
        .bind(seat.to_string())
        .bind(machine.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes down what happened to a seat.
pub(in crate::store) async fn audit(
    tx: &mut Tx<'_>,
    account: Uuid,
    seat: &Seat,
    entry: &SeatAuditEntry,
    by: &Actor,
    detail: Option<Value>,
) -> Result<(), StoreError> {
    let mut detail = detail;
    if entry.supplied {
        detail = Some(json!({ "machine_source": source_name(MachineSource::Supplied) }));
    }
    if let Some(installs) = entry.installs {
        detail = Some(json!({ "installations": installs }));
    }
    // Whoever comes next only finds what time has done.
    let by = if entry.event == AuditEvent::AutoReleased { &Actor::System } else { by };
    let entry = NewAuditEntry {
        license: Some(seat.license),
        seat: Some(seat.id),
        epoch: Some(entry.epoch),
        machine: entry.machine.as_ref(),
        detail,
        ..NewAuditEntry::new(entry.event.name(), account)
    };
    append(tx, by, entry).await
}
