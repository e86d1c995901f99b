use super::sql::persist::{
    audit, change_counts, forget_outliving, keep_outliving, update_seats, upsert_installs,
};
use super::sql::rows::{install, license, parsed, seat};
use super::{Actor, SeatCommand, SeatOutcome, StoreError, db::DbRow, tx::Tx};
use crate::domain::{
    AuditEvent, CallerContext, Decision, Installation, License, LicenseDelta, Overlap, Seat, SeatAnswer,
    SeatAuditEntry, SeatEvent, SeatOperation, decide, token_unknown,
};
use seatlock_protocol::{Code, UnixTime};
use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};
use uuid::Uuid;

/// Everything that a batch of questions is about, as it is after those that were answered already:
/// plug-ins are answered one after the other, as if each had a transaction of its own.
pub(super) struct Batch {
    now: UnixTime,
    seq: u64,
    /// The seat of each question, and whether its token was revoked.
    subjects: HashMap<usize, (Uuid, bool)>,
    seats: HashMap<Uuid, Seat>,
    licenses: HashMap<Uuid, License>,
    installs: HashMap<(Uuid, Uuid), Installation>,
    /// When each installation of a seat's hold asked last.
    asked: HashMap<Uuid, HashMap<Uuid, UnixTime>>,
    changed_seats: HashSet<Uuid>,
    /// With whether they are new.
    changed_installs: BTreeMap<(Uuid, Uuid), bool>,
    counts: Vec<(Uuid, LicenseDelta)>,
    outliving: Vec<(Uuid, Overlap)>,
    audit: Vec<(Uuid, SeatAuditEntry)>,
}

impl Batch {
    pub(super) fn new(now: UnixTime, seq: u64) -> Self {
        Self {
            now,
            seq,
            subjects: HashMap::new(),
            seats: HashMap::new(),
            licenses: HashMap::new(),
            installs: HashMap::new(),
            asked: HashMap::new(),
            changed_seats: HashSet::new(),
            changed_installs: BTreeMap::new(),
            counts: Vec::new(),
            outliving: Vec::new(),
            audit: Vec::new(),
        }
    }

    /// What a question is about: a row with the columns of a seat and of an installation,
    /// `token_revoked` and `asked`.
    pub(super) fn add(&mut self, place: usize, row: &DbRow) -> Result<(), StoreError> {
        let seat = seat(row)?;
        self.subjects.insert(place, (seat.id, row.try_get("token_revoked")?));
        if let Some(install) = install(row)? {
            self.installs.insert((seat.id, install.id), install);
        }
        if let Some(text) = row.try_get::<Option<&str>>("asked")? {
            let read = |pair: &str| {
                let (id, at) = pair.split_once('=')?;
                Some((Uuid::parse_str(id).ok()?, UnixTime::new(at.parse().ok()?)?))
            };
            let asked = text.split(' ').map(read).collect::<Option<_>>();
            self.asked.insert(seat.id, asked.ok_or(StoreError::Unexpected("install"))?);
        }
        self.seats.insert(seat.id, seat);
        Ok(())
    }

    pub(super) fn add_license(&mut self, row: &DbRow) -> Result<(), StoreError> {
        if let Entry::Vacant(unknown) = self.licenses.entry(parsed(row, "license_id")?) {
            unknown.insert(license(row)?);
        }
        Ok(())
    }

    /// The licenses of the seats that were added.
    pub(super) fn license_ids(&self) -> HashSet<Uuid> {
        self.seats.values().map(|seat| seat.license).collect()
    }

    /// The license and what becomes of its seat; `None` when the token belongs to no seat.
    pub(super) fn decide(&self, place: usize, question: &SeatCommand) -> Option<(Uuid, Decision)> {
        let (id, token_revoked) = *self.subjects.get(&place)?;
        let seat = self.seats.get(&id)?;
        let license = self.licenses.get(&seat.license)?;
        let install = self.installs.get(&(id, question.caller.install_id)).cloned();
        let (others, is_one) = self.living(seat, license, question.caller.install_id);
        let caller = CallerContext { token_revoked, install, others, is_one, ..question.caller.clone() };
        let event = SeatEvent::Call(question.call, Box::new(caller));
        Some((license.id, decide(license, Some(seat), &event, self.now)))
    }

    /// How many other installations have a living lease of the seat's present hold, and whether
    /// this one has.
    fn living(&self, seat: &Seat, license: &License, own: Uuid) -> (u32, bool) {
        let (Some(held), Some(asked)) = (seat.holding(), self.asked.get(&seat.id)) else { return (0, false) };
        let lives = |at: UnixTime| at >= held.since && at.plus(license.offline_ttl) > self.now;
        let others = asked.iter().filter(|(id, at)| **id != own && lives(**at)).count();
        let is_one = asked.get(&own).is_some_and(|at| lives(*at));
        (u32::try_from(others).unwrap_or(u32::MAX), is_one)
    }

    pub(super) fn token_unknown(&self) -> SeatOutcome {
        let answer = SeatAnswer::Verdict(token_unknown());
        SeatOutcome { now: self.now, seq: self.seq, subject: None, answer }
    }

    /// Whether a decision changes nothing but the seat and an installation that is known.
    pub(super) fn is_plain(&self, place: usize, decision: &Decision) -> bool {
        let known = decision.install.as_ref().is_none_or(|install| {
            let subject = self.subjects.get(&place);
            subject.is_some_and(|(seat, _)| self.installs.contains_key(&(*seat, install.id)))
        });
        known && decision.license == LicenseDelta::default() && decision.audit.is_empty()
    }

    /// Makes the decision what later questions see. A seat is written with every change of its
    /// installations: its version tells others of both.
    pub(super) fn keep(&mut self, place: usize, decision: Decision) -> Result<SeatOutcome, StoreError> {
        let lost = || StoreError::Unexpected("seat");
        let (id, _) = *self.subjects.get(&place).ok_or_else(lost)?;
        let seat = self.seats.get_mut(&id).ok_or_else(lost)?;
        let license = self.licenses.get_mut(&seat.license).ok_or_else(lost)?;
        if decision.license != LicenseDelta::default() {
            self.counts.push((license.id, decision.license));
            license.apply(decision.license);
        }
        self.outliving.extend(decision.outliving.map(|left| (id, left)));
        self.audit.extend(decision.audit.into_iter().map(|entry| (id, entry)));
        let after = decision.seat.unwrap_or_else(|| seat.clone());
        if decision.install.is_some() || after != *seat {
            *seat = after;
            self.changed_seats.insert(id);
        }
        if let Some(install) = decision.install {
            let key = (id, install.id);
            self.asked.entry(id).or_default().insert(install.id, self.now);
            let new = self.installs.insert(key, install).is_none();
            *self.changed_installs.entry(key).or_default() |= new;
        }
        let subject = Some((seat.clone(), license.clone()));
        Ok(SeatOutcome { now: self.now, seq: self.seq, subject, answer: decision.answer })
    }

    pub(super) fn changed_seats(&self) -> Vec<&Seat> {
        self.changed_seats.iter().filter_map(|id| self.seats.get(id)).collect()
    }

    /// With their seats, and whether they are new.
    pub(super) fn changed_installs(&self) -> Vec<(Uuid, &Installation, bool)> {
        let changed = self.changed_installs.iter();
        changed.filter_map(|(key, new)| Some((key.0, self.installs.get(key)?, *new))).collect()
    }

    /// The seat of a question.
    pub(super) fn seat(&self, place: usize) -> Option<Uuid> {
        self.subjects.get(&place).map(|(seat, _)| *seat)
    }

    /// Writes what was kept, once. The audit trail comes last: a writer that adds to it holds up
    /// all others who want to.
    pub(super) async fn write(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for (license, change) in self.counts.drain(..) {
            change_counts(tx, license, change).await?;
        }
        update_seats(tx, &self.changed_seats()).await?;
        upsert_installs(tx, &self.changed_installs()).await?;
        self.changed_seats.clear();
        self.changed_installs.clear();
        for (seat, left) in self.outliving.drain(..) {
            keep_outliving(tx, seat, &left).await?;
        }
        for (id, entry) in std::mem::take(&mut self.audit) {
            if let (AuditEvent::Activated | AuditEvent::Rebound, Some(machine)) =
                (entry.event, &entry.machine)
            {
                forget_outliving(tx, id, machine).await?;
            }
            let seat = self.seats.get(&id).ok_or(StoreError::Unexpected("seat"))?;
            let license = self.licenses.get(&seat.license).ok_or(StoreError::Unexpected("license"))?;
            audit(tx, license.account, seat, &entry, &Actor::Plugin, None).await?;
        }
        Ok(())
    }
}

/// Whether another seat of the license may be over without anybody having noticed.
pub(super) fn is_full(call: SeatOperation, decision: &Decision) -> bool {
    let full =
        matches!(&decision.answer, SeatAnswer::Verdict(verdict) if verdict.code == Code::SeatLimitReached);
    full && call != SeatOperation::Status
}
