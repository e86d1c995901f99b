use super::rows::integer;
use super::writer::Tx;
use crate::rules::{Audit, Decision, Install, LicenseChange, Seat, SeatState};
use crate::store::StoreError;
use seatlock_protocol::UnixTime;
use uuid::Uuid;

/// Installations that are remembered per seat: a token's holder can invent any number of them.
const INSTALLS_PER_SEAT: i64 = 64;

/// Who caused a change, as the audit trail names it.
#[derive(Clone, Copy)]
pub(super) enum Actor {
    Owner,
    Plugin,
    System,
}

/// Carries out what the rules decided for a seat that exists already.
pub(super) async fn persist(
    tx: &mut Tx<'_>,
    before: &Seat,
    decision: &Decision,
    actor: Actor,
) -> Result<(), StoreError> {
    license(tx, before.license, decision.license).await?;
    if let Some(after) = decision.seat.as_ref().filter(|after| *after != before) {
        update_seat(tx, after).await?;
    }
    if let Some(install) = &decision.install {
        upsert_install(tx, before.id, install).await?;
    }
    for entry in &decision.audit {
        audit(tx, before, entry, actor).await?;
    }
    Ok(())
}

/// Each limit is part of the update itself, so that it holds whatever was read before.
pub(super) async fn license(tx: &mut Tx<'_>, id: Uuid, change: LicenseChange) -> Result<(), StoreError> {
    let statements = [
        (change.in_use > 0, "UPDATE license SET in_use = in_use + 1 WHERE id = ?1 AND in_use < seats_max"),
        (change.in_use < 0, "UPDATE license SET in_use = in_use - 1 WHERE id = ?1 AND in_use > 0"),
        (change.tokens > 0, "UPDATE license SET tokens = tokens + 1 WHERE id = ?1 AND tokens < seats_max"),
        (change.tokens < 0, "UPDATE license SET tokens = tokens - 1 WHERE id = ?1 AND tokens > 0"),
        (
            change.manual_release.is_some(),
            "UPDATE license SET last_manual_release_at = ?2 WHERE id = ?1 \
             AND (last_manual_release_at IS NULL OR last_manual_release_at + release_window <= ?2)",
        ),
    ];
    for (_, statement) in statements.into_iter().filter(|(wanted, _)| *wanted) {
        let done =
            sqlx::query(statement).bind(id.to_string()).bind(tx.now.seconds()).execute(tx.conn()).await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

async fn update_seat(tx: &mut Tx<'_>, seat: &Seat) -> Result<(), StoreError> {
    let held = Held::of(&seat.state);
    let updated = sqlx::query(
        "UPDATE seat SET epoch = ?2, state = ?3, machine = ?4, since = ?5, last_ping = ?6, lease_until = ?7, \
         counted = ?8, last_used_at = ?9, launches = ?10, terms = ?11, clone_suspected_at = ?12 WHERE id = ?1",
    )
    .bind(seat.id.to_string())
    .bind(integer(seat.epoch))
    .bind(held.state)
    .bind(held.machine)
    .bind(held.since.map(UnixTime::seconds))
    .bind(held.last_ping.map(UnixTime::seconds))
    .bind(held.lease_until.map(UnixTime::seconds))
    .bind(seat.counts())
    .bind(seat.last_used_at.map(UnixTime::seconds))
    .bind(integer(seat.launches))
    .bind(&seat.terms)
    .bind(seat.clone_suspected_at.map(UnixTime::seconds))
    .execute(tx.conn())
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// A state as the columns that it is stored in.
struct Held<'a> {
    state: &'static str,
    machine: Option<&'a str>,
    since: Option<UnixTime>,
    last_ping: Option<UnixTime>,
    lease_until: Option<UnixTime>,
}

impl<'a> Held<'a> {
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

async fn upsert_install(tx: &mut Tx<'_>, seat: Uuid, install: &Install) -> Result<(), StoreError> {
    let (previous, replaced_at) = install.previous.as_ref().map(|(hash, at)| (hash.as_slice(), *at)).unzip();
    sqlx::query(
        "INSERT INTO install (seat_id, id, current, previous, replaced_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET current = ?3, previous = ?4, replaced_at = ?5",
    )
    .bind(seat.to_string())
    .bind(install.id.to_string())
    .bind(install.current.as_slice())
    .bind(previous)
    .bind(replaced_at.map(UnixTime::seconds))
    .execute(tx.conn())
    .await?;
    if install.previous.is_none() {
        sqlx::query(
            "DELETE FROM install WHERE seat_id = ?1 AND id <> ?2 AND id NOT IN \
             (SELECT id FROM install WHERE seat_id = ?1 ORDER BY replaced_at DESC LIMIT ?3)",
        )
        .bind(seat.to_string())
        .bind(install.id.to_string())
        .bind(INSTALLS_PER_SEAT)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

pub(super) async fn audit(
    tx: &mut Tx<'_>,
    seat: &Seat,
    entry: &Audit,
    actor: Actor,
) -> Result<(), StoreError> {
    let actor = match actor {
        Actor::Owner => "owner",
        Actor::Plugin => "plugin",
        Actor::System => "system",
    };
    sqlx::query(
        "INSERT INTO audit (at, actor, event, license_id, seat_id, epoch, machine) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(tx.now.seconds())
    .bind(actor)
    .bind(entry.event.name())
    .bind(seat.license.to_string())
    .bind(seat.id.to_string())
    .bind(integer(entry.epoch))
    .bind(entry.machine.as_ref().map(|machine| machine.as_str()))
    .execute(tx.conn())
    .await?;
    Ok(())
}
