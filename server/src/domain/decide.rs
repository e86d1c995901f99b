use super::gate::{gate, terms_accepted};
use super::{
    AuditEvent, CallerContext, ClonePolicy, Decision, Holding, Installation, License, LicenseDelta, Overlap,
    PresentedRenewal, ReleaseMode, RenewalJudgement, Seat, SeatAction, SeatAnswer, SeatAuditEntry, SeatEvent,
    SeatOperation, SeatState, Verdict, date, exactly, judge, terms,
};
use seatlock_protocol::{Act, Code, MachineId, MachineSource, UnixTime};

/// The highest epoch that a caller is believed to know. Half of what every JSON library can carry,
/// so that nobody can use a seat's epochs up.
const HIGHEST_CLAIM: u64 = 1 << 52;
/// Launches of one report that are believed: a launch in every three seconds of a month without the
/// server. Whoever says more wants to make the count of a seat useless, which cannot be taken back.
const LAUNCHES_MAX: u64 = 1_000_000;
/// How often a suspected clone is written down again.
const CLONE_REMINDER: u64 = 24 * 3600;

/// Applies `event` to `seat`, which belongs to `license`. `seat` is `None` only when one is to be
/// created.
#[must_use]
pub fn decide(license: &License, seat: Option<&Seat>, event: &SeatEvent, now: UnixTime) -> Decision {
    let Some(seat) = seat else { return create(license, event, now) };
    let mut draft = Draft::new(license, seat.clone(), now);
    draft.let_time_pass();
    draft.known = draft.seat.epoch;
    let answer = match event {
        SeatEvent::Create { .. } => SeatAnswer::Unchanged,
        SeatEvent::Elapsed => SeatAnswer::Done,
        SeatEvent::Owner(act) => draft.owner(*act),
        SeatEvent::Call(SeatOperation::Status, caller) => {
            let verdict = draft.preview(caller);
            // A question changes nothing, not even what time has already decided.
            return Decision::unchanged(seat.clone(), SeatAnswer::Verdict(verdict));
        }
        SeatEvent::Call(call, caller) => {
            // What a file says may be long past.
            if *call != SeatOperation::Confirm {
                draft.catch_up(caller);
            }
            draft.call(*call, caller).unwrap_or_else(SeatAnswer::Verdict)
        }
    };
    draft.decision(answer)
}

/// The answer to a token that belongs to no seat: a typo, or a server restored from an old backup.
/// Always `keep`.
#[must_use]
pub fn token_unknown() -> Verdict {
    Verdict::new(Code::TokenUnknown, Act::Keep)
}

/// Why no token of any kind is made for whoever holds this license; `None` when it may be.
#[must_use]
pub fn issues_no_tokens(license: &License, now: UnixTime) -> Option<Verdict> {
    if license.suspended_at.is_some() {
        return Some(Verdict::new(Code::LicenseSuspended, Act::Keep));
    }
    if let Some(end) = license.expires_at.filter(|end| *end <= now) {
        return Some(Verdict::new(Code::LicenseExpired, Act::Keep).with("date", date(end)));
    }
    (!license.plan.carries_seats).then(|| Verdict::new(Code::PlanNotEntitled, Act::Keep))
}

impl Decision {
    fn unchanged(seat: Seat, answer: SeatAnswer) -> Self {
        let (license, install, outliving) = (LicenseDelta::default(), None, None);
        Self { seat: Some(seat), license, install, outliving, audit: Vec::new(), answer }
    }
}

/// T1.
fn create(license: &License, event: &SeatEvent, now: UnixTime) -> Decision {
    let refused = |verdict| Decision {
        seat: None,
        license: LicenseDelta::default(),
        install: None,
        outliving: None,
        audit: Vec::new(),
        answer: SeatAnswer::Verdict(verdict),
    };
    let SeatEvent::Create { seat, shared_with, identity } = event else { return refused(token_unknown()) };
    if let Some(verdict) = issues_no_tokens(license, now) {
        return refused(verdict);
    }
    if license.tokens >= license.seats_max {
        return refused(Verdict::new(Code::SeatLimitReached, Act::Keep).with("n", license.seats_max));
    }
    let seat = Seat { identity: identity.clone(), ..Seat::new(*seat, license.id, shared_with.clone()) };
    let mut draft = Draft::new(license, seat, now);
    draft.change.tokens += 1;
    draft.record(AuditEvent::Created, None);
    draft.decision(SeatAnswer::Done)
}

/// A seat on its way to its next value.
pub(super) struct Draft<'a> {
    license: &'a License,
    pub(super) seat: Seat,
    change: LicenseDelta,
    install: Option<Installation>,
    outliving: Option<Overlap>,
    audit: Vec<SeatAuditEntry>,
    pub(super) now: UnixTime,
    /// The seat's epoch before a caller's claim raised it.
    pub(super) known: u64,
}

impl<'a> Draft<'a> {
    fn new(license: &'a License, seat: Seat, now: UnixTime) -> Self {
        let (change, known) = (LicenseDelta::default(), seat.epoch);
        Self { license, seat, change, install: None, outliving: None, audit: Vec::new(), now, known }
    }

    fn decision(self, answer: SeatAnswer) -> Decision {
        Decision {
            seat: Some(self.seat),
            license: self.change,
            install: self.install,
            outliving: self.outliving,
            audit: self.audit,
            answer,
        }
    }

    pub(super) fn record(&mut self, event: AuditEvent, machine: Option<MachineId>) {
        let tells = matches!(event, AuditEvent::Activated | AuditEvent::Rebound | AuditEvent::Recovered);
        let supplied = tells && self.seat.source() == Some(MachineSource::Supplied);
        self.audit.push(SeatAuditEntry { event, epoch: self.seat.epoch, machine, supplied, installs: None });
    }

    /// Moves to `state`, and keeps the license's count in step with whether the seat counts as
    /// used.
    pub(super) fn enter(&mut self, state: SeatState) {
        if let SeatState::InUse(left) = &self.seat.state
            && left.lease_until > self.now
        {
            let (machine, source, until) = (left.machine.clone(), left.source, left.lease_until);
            self.outliving = Some(Overlap { machine, source, since: left.since, until, counted: false });
        }
        self.change.in_use -= i32::from(self.seat.counts());
        self.seat.state = state;
        self.change.in_use += i32::from(self.seat.counts());
    }

    /// T10, and the end of draining. Every event meets the seat as time has left it.
    fn let_time_pass(&mut self) {
        match self.seat.state.clone() {
            SeatState::InUse(holding) => {
                let silent_until = holding.last_ping.plus(self.license.auto_release);
                if silent_until <= self.now && holding.lease_until <= self.now {
                    self.enter(SeatState::Released(None));
                    self.seat.epoch += 1;
                    self.record(AuditEvent::AutoReleased, Some(holding.machine));
                }
            }
            SeatState::Released(Some(overlap)) if overlap.counted && overlap.until <= self.now => {
                self.drained(overlap.machine);
            }
            _ => {}
        }
    }

    fn drained(&mut self, machine: MachineId) {
        self.enter(SeatState::Released(None));
        self.record(AuditEvent::Drained, Some(machine));
    }

    /// A caller that knows a later epoch than this database: it was restored from a backup. Every
    /// answer of an earlier epoch would be stale to that caller, a lease as well as a verdict.
    /// The claim is not proven, so it is written down only when the epoch doubles: nobody can
    /// fill the audit trail with claims.
    fn catch_up(&mut self, caller: &CallerContext) {
        let held = self.seat.epoch;
        let Some(known) = caller.epoch.filter(|known| *known > held && *known <= HIGHEST_CLAIM) else {
            return;
        };
        self.seat.epoch = known;
        if known.ilog2() > held.max(1).ilog2() {
            self.record(AuditEvent::EpochRaised, Some(caller.machine.clone()));
        }
    }

    fn call(&mut self, call: SeatOperation, caller: &CallerContext) -> Result<SeatAnswer, Verdict> {
        gate(self.license, &self.seat, call, caller, self.now)?;
        if call == SeatOperation::Release {
            return self.give_back(caller);
        }
        if call == SeatOperation::Confirm {
            return self.confirm(caller);
        }
        self.recover(caller)?;
        match self.seat.state.clone() {
            SeatState::InUse(holding) if holding.machine == caller.machine => {
                self.check_clone(call, caller)?;
                self.check_installs(&holding, caller)?;
                Ok(self.extend(call, caller, holding))
            }
            SeatState::InUse(holding) => {
                if self.lost(caller).is_some() {
                    self.suspect_clone(caller);
                }
                Err(self.elsewhere(&holding, caller))
            }
            state => self.bind(call, caller, &state),
        }
    }

    /// T2 and T3, or T7.
    fn bind(
        &mut self,
        call: SeatOperation,
        caller: &CallerContext,
        state: &SeatState,
    ) -> Result<SeatAnswer, Verdict> {
        let act = self.unless_lost(caller, Act::Drop);
        let takes_back = matches!(state, SeatState::Released(_)) && self.license.relaunch_rebinds;
        let binds = call.submits_token() || call == SeatOperation::Launch && takes_back;
        if let SeatState::Released(Some(overlap)) = state
            && overlap.counted
        {
            if overlap.machine != caller.machine && binds {
                return Err(self.draining(overlap, caller));
            }
            if overlap.machine == caller.machine && !binds && act == Act::Drop {
                self.drained(overlap.machine.clone());
            }
        }
        if !binds {
            return Err(Verdict::new(Code::SeatReleased, act));
        }
        let accepted = caller.terms.as_ref().or(self.seat.terms.as_ref());
        terms_accepted(self.license, accepted)?;
        self.check_place()?;
        self.check_clone(call, caller)?;

        let machine = caller.machine.clone();
        let (since, last_ping) = (self.now, self.now);
        let (source, lease_until) = (caller.source, self.now);
        let holding = Holding { machine: machine.clone(), source, since, last_ping, lease_until };
        self.enter(SeatState::InUse(holding.clone()));
        self.seat.epoch += 1;
        let event = if call.submits_token() { AuditEvent::Activated } else { AuditEvent::Rebound };
        self.record(event, Some(machine));
        Ok(self.lease(call, caller, holding, true))
    }

    /// T4 and T5.
    fn extend(&mut self, call: SeatOperation, caller: &CallerContext, holding: Holding) -> SeatAnswer {
        // T2 after a T9 that is still on its way: a confirmation of what was given up must not end what
        // begins now.
        if call == SeatOperation::Airgap && caller.gave_up && caller.epoch == Some(self.seat.epoch) {
            self.seat.epoch += 1;
            self.record(AuditEvent::Activated, Some(holding.machine.clone()));
            return self.lease(call, caller, Holding { since: self.now, ..holding }, true);
        }
        self.lease(call, caller, holding, false)
    }

    fn lease(
        &mut self,
        call: SeatOperation,
        caller: &CallerContext,
        holding: Holding,
        bound: bool,
    ) -> SeatAnswer {
        let terms = terms(self.license, call, self.now, caller.jitter, bound);
        // An earlier lease may live longer, when the license's durations were cut since.
        let lease_until = holding.lease_until.max(terms.exp);
        let supplied = [caller.source, holding.source].contains(&MachineSource::Supplied);
        let source = if supplied { MachineSource::Supplied } else { MachineSource::Os };
        self.seat.state = SeatState::InUse(Holding { source, last_ping: self.now, lease_until, ..holding });
        self.seat.last_used_at = Some(self.now);
        // It was, and before this request. Whole seconds of two clocks may differ by one, and wrong clocks
        // by years.
        let offline = caller.last_offline.map(|at| at.min(self.now));
        self.seat.last_offline_at = self.seat.last_offline_at.max(offline);
        self.seat.launches = self.seat.launches.saturating_add(caller.launches.min(LAUNCHES_MAX));
        if call.submits_token() {
            self.seat.terms.clone_from(&caller.terms);
        }
        let known = caller.install.as_ref();
        let install = match known {
            // A request file may be answered twice, and two files in any order: one of the leases is carried
            // back.
            Some(known)
                if call == SeatOperation::Airgap && !bound && caller.renewal == PresentedRenewal::Nothing =>
            {
                known.and_one_more()
            }
            _ => Installation::rotated(known, caller.install_id, caller.renewal, self.now),
        };
        let renewal = install.newest();
        self.install = Some(install);
        SeatAnswer::Lease { terms, renewal }
    }

    /// T9. A seat that nobody holds is what the caller wants already: its first answer was lost.
    /// Who holds a lease of the lost time may give it up.
    fn give_back(&mut self, caller: &CallerContext) -> Result<SeatAnswer, Verdict> {
        let done = SeatAnswer::Verdict(Verdict::new(Code::Ok, Act::Drop));
        match self.seat.state.clone() {
            SeatState::InUse(holding) if holding.machine == caller.machine => {
                self.check_release()?;
                self.enter(SeatState::Released(None));
                self.seat.epoch += 1;
                self.record(AuditEvent::ReleasedByMachine, Some(holding.machine));
                Ok(done)
            }
            SeatState::InUse(holding) if self.lost(caller).is_none() => Err(self.elsewhere(&holding, caller)),
            SeatState::Released(Some(overlap)) if overlap.counted && overlap.machine == caller.machine => {
                self.drained(overlap.machine);
                Ok(done)
            }
            _ => Ok(done),
        }
    }

    /// T9, by a file that may be old: only the installation that holds the seat now can confirm, by
    /// a renewal secret of this hold.
    fn confirm(&mut self, caller: &CallerContext) -> Result<SeatAnswer, Verdict> {
        let held_in = match &self.seat.state {
            SeatState::InUse(holding) if holding.machine == caller.machine => Some(self.seat.epoch),
            // The owner's release was one epoch later than the lease.
            SeatState::Released(Some(left)) if left.counted && left.machine == caller.machine => {
                self.seat.epoch.checked_sub(1)
            }
            _ => None,
        };
        let proven = caller.install.as_ref().is_some_and(|install| install.handed_out(caller.renewal));
        if proven && held_in.is_some() && held_in == caller.epoch {
            self.give_back(caller)
        } else {
            Ok(SeatAnswer::Unchanged)
        }
    }

    /// What activate would say, as a verdict that touches no lease.
    fn preview(&self, caller: &CallerContext) -> Verdict {
        let mut trial = Self {
            license: self.license,
            seat: self.seat.clone(),
            change: self.change,
            install: None,
            outliving: None,
            audit: Vec::new(),
            now: self.now,
            known: self.known,
        };
        let verdict = match trial.call(SeatOperation::Activate, caller) {
            Ok(_) => Verdict::new(Code::Ok, Act::Keep).with("n", self.license.seats_max),
            Err(refusal) => Verdict { act: Act::Keep, ..refusal },
        };
        match self.license.release_possible_at(self.now) {
            Some(at) if verdict.code == Code::Ok => verdict.available(Some(at)),
            _ => verdict,
        }
    }

    fn owner(&mut self, act: SeatAction) -> SeatAnswer {
        if self.seat.state == SeatState::Closed {
            return match act {
                SeatAction::Revoke => SeatAnswer::Unchanged,
                SeatAction::Allow if self.seat.identity.is_some() => {
                    self.record(AuditEvent::Allowed, None);
                    SeatAnswer::Done
                }
                _ => SeatAnswer::Verdict(Verdict::new(Code::TokenRevoked, Act::Keep)),
            };
        }
        match act {
            SeatAction::Release => return self.owner_release(),
            SeatAction::Allow => return SeatAnswer::Unchanged,
            // There is no token; the identity stays who it is.
            SeatAction::Refresh if self.seat.identity.is_some() => return SeatAnswer::Unchanged,
            SeatAction::Refresh => {
                if let Some(verdict) = issues_no_tokens(self.license, self.now) {
                    return SeatAnswer::Verdict(verdict);
                }
                self.replace_token(SeatState::NeverUsed, AuditEvent::Refreshed);
            }
            SeatAction::Revoke => {
                self.replace_token(SeatState::Closed, AuditEvent::Revoked);
                self.change.tokens -= 1;
            }
        }
        SeatAnswer::Done
    }

    /// T8.
    fn owner_release(&mut self) -> SeatAnswer {
        let SeatState::InUse(holding) = self.seat.state.clone() else { return SeatAnswer::Unchanged };
        if let Err(refusal) = self.check_release() {
            return SeatAnswer::Verdict(refusal);
        }
        let alive = holding.lease_until > self.now;
        // A machine without a network cannot be told: its place stays taken until its lease ends.
        let airgapped = holding.lease_until > holding.last_ping.plus(self.license.auto_release);
        let overlap = alive.then(|| Overlap {
            machine: holding.machine.clone(),
            source: holding.source,
            since: holding.since,
            until: holding.lease_until,
            counted: airgapped || self.license.release_mode == ReleaseMode::Drain,
        });
        self.enter(SeatState::Released(overlap));
        self.seat.epoch += 1;
        self.record(AuditEvent::ReleasedByOwner, Some(holding.machine));
        SeatAnswer::Done
    }

    /// T11 and T12.
    fn replace_token(&mut self, state: SeatState, event: AuditEvent) {
        let machine = self.seat.holding().map(|holding| holding.machine.clone());
        self.enter(state);
        self.seat.epoch += 1;
        self.seat.clone_suspected_at = None;
        self.record(event, machine);
    }

    /// The limit of one manual release per window; takes the release when there is one.
    fn check_release(&mut self) -> Result<(), Verdict> {
        match self.license.release_possible_at(self.now) {
            Some(next) => Err(Verdict::new(Code::ReleaseRateLimited, Act::Keep)
                .with("window", exactly(self.license.release_window))
                .available(Some(next))),
            None => {
                self.change.manual_release = Some(self.now);
                Ok(())
            }
        }
    }

    /// A place in the license, unless the seat still has one.
    pub(super) fn check_place(&self) -> Result<(), Verdict> {
        let in_use = i64::from(self.license.in_use) + i64::from(self.change.in_use);
        if self.seat.counts() || in_use < i64::from(self.license.seats_max) {
            return Ok(());
        }
        Err(Verdict::new(Code::SeatLimitReached, Act::Keep).with("n", self.license.seats_max))
    }

    /// Two copies of one installation: written down, and under `enforce` the older copy must show
    /// its token again.
    fn check_clone(&mut self, call: SeatOperation, caller: &CallerContext) -> Result<(), Verdict> {
        let judgement = judge(caller.install.as_ref(), caller.renewal, self.now);
        if judgement == RenewalJudgement::Fork {
            self.suspect_clone(caller);
        }
        let enforced = self.license.clone_policy == ClonePolicy::Enforce && !call.submits_token();
        if enforced && judgement != RenewalJudgement::Good {
            return Err(Verdict::new(Code::LeaseSuperseded, Act::Drop));
        }
        Ok(())
    }

    /// More installations than the license allows, each with a lease of this hold: a machine id that
    /// is the same on many computers. Under `enforce` those that came first go on.
    fn check_installs(&mut self, holding: &Holding, caller: &CallerContext) -> Result<(), Verdict> {
        if caller.others < self.license.installs_max {
            return Ok(());
        }
        let refused = self.license.clone_policy == ClonePolicy::Enforce && !caller.is_one;
        let installs = if refused { caller.others } else { caller.others.saturating_add(1) };
        let before = self.audit.len();
        self.suspect_clone(caller);
        for entry in self.audit.iter_mut().skip(before) {
            entry.installs = Some(installs);
        }
        if refused { Err(self.elsewhere(holding, caller)) } else { Ok(()) }
    }

    /// Two living leases of one seat: by a copy, or because a restored database gave the seat away
    /// again.
    pub(super) fn suspect_clone(&mut self, caller: &CallerContext) {
        let reminder = self.seat.clone_suspected_at.map(|seen| seen.plus(CLONE_REMINDER));
        if reminder.is_none_or(|at| at <= self.now) {
            self.seat.clone_suspected_at = Some(self.now);
            self.record(AuditEvent::CloneSuspected, Some(caller.machine.clone()));
        }
    }

    /// T6. Only a caller that held the seat before has a lease to drop.
    fn elsewhere(&self, holding: &Holding, caller: &CallerContext) -> Verdict {
        self.in_use_on(&holding.machine, holding.since, caller)
            .available(self.license.release_possible_at(self.now))
    }

    fn draining(&self, overlap: &Overlap, caller: &CallerContext) -> Verdict {
        self.in_use_on(&overlap.machine, overlap.since, caller).available(Some(overlap.until))
    }

    fn in_use_on(&self, machine: &MachineId, since: UnixTime, caller: &CallerContext) -> Verdict {
        let held_before = caller.epoch.is_some_and(|held| held < self.seat.epoch);
        let act = if held_before { self.unless_lost(caller, Act::Drop) } else { Act::Keep };
        Verdict::new(Code::SeatInUseElsewhere, act).with("machine", machine.short()).with("date", date(since))
    }
}
