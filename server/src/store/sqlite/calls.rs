use super::persist::{audit, change_counts, update_seats, upsert_installs};
use super::rows::{install, install_columns, license, license_columns, seat, seat_columns, unsigned};
use super::sweep::sweep;
use super::writer::Tx;
use crate::rules::{Answer, Call, Caller, Decision, Event, Install, License, Seat, decide, token_unknown};
use crate::store::{Actor, Answered, Question, StoreError};
use seatlock_protocol::Code;
use sqlx::Row as _;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Answers plug-ins one after the other, as if each had a transaction of its own, but reads what
/// they need with two statements and writes what they change with two: each statement is a journey
/// to SQLite's thread and back.
pub(super) async fn answer_all(
    tx: &mut Tx<'_>,
    questions: &[&Question],
) -> Result<Vec<Answered>, StoreError> {
    let mut answers = Vec::with_capacity(questions.len());
    let mut swept = HashSet::new();
    while let Some(rest) = questions.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        let mut desk = Desk::load(tx, rest).await?;
        for (place, question) in rest.iter().enumerate() {
            let Some((license, decision)) = desk.decide(tx, place, question) else {
                let answer = Answer::Verdict(token_unknown());
                answers.push(Answered { now: tx.now, seq: tx.seq, subject: None, answer });
                continue;
            };
            if question.call != Call::Status && limit_reached(&decision) && swept.insert(license) {
                // Another seat of the license may be over without anybody having noticed. What is on the desk
                // is outdated by the sweep, so this question is the first of a new round.
                desk.write(tx).await?;
                desk = Desk::default();
                sweep(tx, license).await?;
                break;
            }
            answers.push(desk.keep(tx, place, decision).await?);
        }
        desk.write(tx).await?;
    }
    Ok(answers)
}

fn limit_reached(decision: &Decision) -> bool {
    matches!(&decision.answer, Answer::Verdict(verdict) if verdict.code == Code::SeatLimitReached)
}

/// Everything that a batch of questions is about, as it is after those that were answered already.
#[derive(Default)]
struct Desk {
    /// The seat of each question, and whether its token was revoked.
    subjects: HashMap<usize, (Uuid, bool)>,
    seats: HashMap<Uuid, Seat>,
    licenses: HashMap<Uuid, License>,
    installs: HashMap<(Uuid, Uuid), Install>,
    changed_seats: HashSet<Uuid>,
    changed_installs: BTreeMap<(Uuid, Uuid), bool>,
}

impl Desk {
    async fn load(tx: &mut Tx<'_>, questions: &[&Question]) -> Result<Self, StoreError> {
        let wanted: Vec<_> = questions
            .iter()
            .map(|question| (hex(&question.token), question.caller.install_id.to_string()))
            .collect();
        let wanted = serde_json::to_string(&wanted).map_err(|_| StoreError::Unexpected("question"))?;
        let rows = sqlx::query(concat!(
            "SELECT q.key AS place, t.revoked_at IS NOT NULL AS token_revoked, ",
            seat_columns!(),
            ", ",
            install_columns!(),
            " FROM json_each(?) q CROSS JOIN token t ON t.hash = unhex(q.value ->> 0) \
             CROSS JOIN seat s ON s.id = t.seat_id \
             LEFT JOIN install i ON i.seat_id = s.id AND i.id = q.value ->> 1"
        ))
        .bind(wanted)
        .fetch_all(tx.conn())
        .await?;
        let mut desk = Self::default();
        for row in &rows {
            let place = usize::try_from(unsigned(row, "place")?).unwrap_or(usize::MAX);
            let seat = seat(row)?;
            desk.subjects.insert(place, (seat.id, row.try_get("token_revoked")?));
            if let Some(install) = install(row)? {
                desk.installs.insert((seat.id, install.id), install);
            }
            desk.seats.insert(seat.id, seat);
        }
        desk.load_licenses(tx).await?;
        Ok(desk)
    }

    async fn load_licenses(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let ids: HashSet<Uuid> = self.seats.values().map(|seat| seat.license).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| StoreError::Unexpected("license"))?;
        let rows = sqlx::query(concat!(
            "SELECT ",
            license_columns!(),
            " FROM json_each(?) q CROSS JOIN license l ON l.id = q.value"
        ))
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
        for row in &rows {
            let license = license(row)?;
            self.licenses.insert(license.id, license);
        }
        Ok(())
    }

    /// `None` when the token belongs to no seat.
    fn decide(&self, tx: &Tx<'_>, place: usize, question: &Question) -> Option<(Uuid, Decision)> {
        let (id, token_revoked) = *self.subjects.get(&place)?;
        let seat = self.seats.get(&id)?;
        let license = self.licenses.get(&seat.license)?;
        let install = self.installs.get(&(id, question.caller.install_id)).cloned();
        let caller = Caller { token_revoked, install, ..question.caller.clone() };
        let event = Event::Call(question.call, Box::new(caller));
        Some((license.id, decide(license, Some(seat), &event, tx.now)))
    }

    /// Makes the decision what later questions see. Counts and audit rows, which are rare, are
    /// written at once.
    async fn keep(
        &mut self,
        tx: &mut Tx<'_>,
        place: usize,
        decision: Decision,
    ) -> Result<Answered, StoreError> {
        let lost = || StoreError::Unexpected("seat");
        let (id, _) = self.subjects.get(&place).ok_or_else(lost)?;
        let seat = self.seats.get_mut(id).ok_or_else(lost)?;
        let license = self.licenses.get_mut(&seat.license).ok_or_else(lost)?;
        change_counts(tx, license.id, decision.license).await?;
        license.apply(decision.license);
        for entry in &decision.audit {
            audit(tx, license.account, seat, entry, &Actor::Plugin).await?;
        }
        if let Some(install) = decision.install {
            let key = (*id, install.id);
            let new = self.installs.insert(key, install).is_none();
            *self.changed_installs.entry(key).or_default() |= new;
        }
        if let Some(after) = decision.seat.filter(|after| after != seat) {
            *seat = after;
            self.changed_seats.insert(*id);
        }
        let subject = Some((seat.clone(), license.clone()));
        Ok(Answered { now: tx.now, seq: tx.seq, subject, answer: decision.answer })
    }

    async fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let seats: Vec<&Seat> = self.changed_seats.iter().filter_map(|id| self.seats.get(id)).collect();
        update_seats(tx, &seats).await?;
        let changed = self.changed_installs.iter();
        let installs: Vec<(Uuid, &Install, bool)> =
            changed.filter_map(|(key, new)| Some((key.0, self.installs.get(key)?, *new))).collect();
        upsert_installs(tx, &installs).await
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // Not by format!, which would be a sixth of what a ping costs while an installation asks often.
    text.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    text
}
