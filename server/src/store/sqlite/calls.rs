use super::persist::{Actor, persist};
use super::rows::{install, license, license_columns, seat, seat_columns};
use super::writer::{Tx, Write};
use crate::rules::{Answer, Call, Caller, Event, License, Seat, decide, token_unknown};
use crate::store::{Answered, Question, StoreError};
use seatlock_protocol::Code;
use sqlx::Row as _;
use uuid::Uuid;

/// Seats that one sweep releases at most, so that it never holds up the plug-ins for long.
const SWEEP: i64 = 500;

impl Write for Question {
    type Output = Answered;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Answered, StoreError> {
        let first = answer(tx, self).await?;
        let refused =
            matches!(&first.answer, Answer::Verdict(verdict) if verdict.code == Code::SeatLimitReached);
        if let Some((seat, _)) = &first.subject
            && refused
            && self.call != Call::Status
            && sweep(tx, Some(seat.license)).await? > 0
        {
            // Another seat of the license was over, and nobody had noticed yet.
            return answer(tx, self).await;
        }
        Ok(first)
    }
}

async fn answer(tx: &mut Tx<'_>, question: &Question) -> Result<Answered, StoreError> {
    let Some((before, license, caller)) = load(tx, question).await? else {
        let answer = Answer::Verdict(token_unknown());
        return Ok(Answered { now: tx.now, seq: tx.seq, subject: None, answer });
    };
    let decision = decide(&license, Some(&before), &Event::Call(question.call, Box::new(caller)), tx.now);
    persist(tx, &before, &decision, Actor::Plugin).await?;
    let seat = decision.seat.unwrap_or(before);
    Ok(Answered { now: tx.now, seq: tx.seq, subject: Some((seat, license)), answer: decision.answer })
}

async fn load(tx: &mut Tx<'_>, question: &Question) -> Result<Option<(Seat, License, Caller)>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        seat_columns!(),
        ", ",
        license_columns!(),
        ", t.revoked_at, i.id AS install_id, i.current AS install_current, i.previous AS install_previous, \
         i.replaced_at AS install_replaced_at \
         FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
         LEFT JOIN install i ON i.seat_id = s.id AND i.id = ?2 WHERE t.hash = ?1"
    ))
    .bind(question.token.as_slice())
    .bind(question.caller.install_id.to_string())
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let token_revoked = row.try_get::<Option<i64>, _>("revoked_at")?.is_some();
    let caller = Caller { token_revoked, install: install(&row)?, ..question.caller.clone() };
    Ok(Some((seat(&row)?, license(&row)?, caller)))
}

pub(super) async fn license_of(tx: &mut Tx<'_>, id: Uuid) -> Result<License, StoreError> {
    let row = sqlx::query(concat!("SELECT ", license_columns!(), " FROM license l WHERE l.id = ?"))
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?;
    license(&row.ok_or_else(|| StoreError::NotFound(format!("license {id}")))?)
}

/// The second look at what time has decided; the first is at the next event of the seat.
pub(super) struct Sweep;

impl Write for Sweep {
    type Output = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        sweep(tx, None).await
    }
}

async fn sweep(tx: &mut Tx<'_>, license_id: Option<Uuid>) -> Result<u64, StoreError> {
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
        persist(tx, &before, &decision, Actor::System).await?;
    }
    Ok(rows.len() as u64)
}
