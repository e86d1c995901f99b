use crate::license::airgap::{AirgapRequest, HandedBack};
use crate::license::clock::{Anchor, ClockMemory, Reading};
use crate::license::judge::{Judgement, judge, newest_key_set, renewal_of};
use crate::license::pacing::{HOUR, MINUTE, Pacing, asked_wait};
use crate::license::reply::{Reply, RequestError, SentRequest, Signed, SignedObject, Submission};
use crate::license::seats::KnownSeat;
use crate::license::state::{LeaseState, State};
use crate::license::trust::{Trust, VerifiedText};
use crate::words::{Message, Phrase};
use seatlock_protocol::{
    Code, MachineId, UnixTime,
    api::SeatCall,
    claims::{LeaseClaims, VerdictClaims},
};
use std::collections::BTreeMap;

/// What does not change while a client is open.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whom this product believes.
    pub trust: Trust,
    /// This computer.
    pub machine: MachineId,
    /// When this version of the plug-in was released, if it says so.
    pub released: Option<UnixTime>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The process was started.
    Launched,
    /// Time has passed.
    Ticked,
    /// The server was not asked, because the network is switched off.
    Unasked,
    /// A request is to be written to a file.
    Requested(AirgapRequest),
    /// A file was brought that answers the request.
    Imported {
        /// What is in it.
        signed: &'a Signed,
        /// Whether the token of the request is still here, and then whether it may be remembered.
        waiting: Option<bool>,
    },
    /// The user gives the seat back without a network.
    HandedBack,
    /// A request was answered, or failed. `random` is uniform over its range and spreads the next
    /// try.
    Answered {
        /// The request.
        asked: &'a SentRequest,
        /// What came of it.
        reply: &'a Reply,
        /// Spreads the next try.
        random: u16,
    },
}

/// What is to be done outside, in this order. The state that comes with it is the one to go on
/// with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The credential that was shown is the one in use from now on.
    Adopt(Submission),
    /// The state to be stored has changed.
    Save,
    /// The seat was given back from here, and the server knows it: token and license go from the
    /// disk, whatever it takes.
    ForgetToken,
    /// The seat is to be given back without a network: token and license go from the disk, or
    /// nothing has happened.
    HandBack,
    /// The operation ended so.
    Report(Outcome),
}

impl Effect {
    /// How an operation ended that led to `effects`.
    #[must_use]
    pub fn reported(effects: &[Self]) -> Option<&Outcome> {
        effects
            .iter()
            .find_map(|effect| if let Self::Report(outcome) = effect { Some(outcome) } else { None })
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// [`Code::Ok`] or what went wrong.
    pub code: Code,
    /// HTTP status that was received.
    pub http_status: Option<u16>,
    /// When a new try makes sense.
    pub available_at: Option<UnixTime>,
    /// Values for the blanks of the code's text, all of them signed or of this computer.
    pub params: BTreeMap<String, String>,
}

impl Outcome {
    /// An outcome of which only the code is known.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { code, http_status: None, available_at: None, params: BTreeMap::new() }
    }

    /// What a failure on the way looks like to a person.
    #[must_use]
    pub fn of_error(error: &RequestError) -> Self {
        let mut message = Message::from(error.code);
        if let Some(reason) = error.reason.clone() {
            message = message.because("reason", reason);
        }
        if let Some(status) = error.http_status {
            message = message.with("status", status);
        }
        Self { http_status: error.http_status, params: message.values, ..Self::of(error.code) }
    }
}

/// Applies one input. Rights rise only by a verified lease, and fall only by a verified drop or by
/// time.
#[must_use]
pub fn step(before: &State, input: Input<'_>, reading: Reading, rules: &Rules) -> (State, Vec<Effect>) {
    let mut state = before.clone();
    let mut effects = Vec::new();
    let time = state.time(reading);
    match input {
        Input::Launched => {
            state.clock = state.clock.after_launch(time, reading);
            state.launches = state.launches.launched(time.now);
        }
        Input::Ticked => state.clock = state.clock.after_tick(time, reading),
        Input::Unasked => state.launches = state.launches.without_server(),
        Input::Requested(requested) => {
            state.requested = Some(requested);
            state.launches = state.launches.requested();
        }
        Input::Imported { signed, waiting } => {
            // Only a lease that is taken changes anything, the key set that came with it included.
            if let Some(imported) = imported(&state, &mut effects, signed, waiting, time.now, rules) {
                state = imported;
                learn_when(&mut state, before, time.now);
            }
        }
        Input::HandedBack => hand_back(&mut state, &mut effects),
        Input::Answered { asked, reply: Reply::Signed(signed), random } => {
            state.key_set = newest_key_set(&state, &rules.trust, signed.key_set.as_deref());
            answered(&mut state, &mut effects, asked, signed, reading, random, rules);
            let now = state.time(reading).now;
            learn_when(&mut state, before, now);
        }
        Input::Answered { asked, reply: Reply::Failed(error), random } => {
            after_failed_ping(&mut state, asked, time.now, random);
            if asked.call == SeatCall::Ping {
                state.launches = state.launches.without_server();
            }
            let longest = longest_wait(&state, time.now);
            let wait = error.retry_after.map(|seconds| asked_wait(time.now, seconds, longest));
            if let Some(until) = wait {
                state.pacing = state.pacing.after_back_off(until);
            }
            state.pacing = state.pacing.within(time.now, longest);
            // Only pings have a rhythm of their own.
            let next_ping = (asked.call == SeatCall::Ping).then_some(state.pacing.not_before);
            let available_at = wait.max(next_ping);
            effects.push(Effect::Report(Outcome { available_at, ..Outcome::of_error(error) }));
        }
    }
    let signed = state.anchor.is_some_and(|anchor| anchor.signed);
    let time = state.time(reading);
    state.anchor = Some(Anchor { at: time.believed, since_boot: reading.since_boot, signed });
    // The clock may have been set back since the wait was written down.
    state.pacing = state.pacing.within(time.now, longest_wait(&state, time.now));
    let saves = |effect: &Effect| matches!(effect, Effect::ForgetToken | Effect::HandBack);
    if state.differs_from(before) && !effects.iter().any(saves) {
        effects.push(Effect::Save);
    }
    effects.sort_by_key(|effect| matches!(effect, Effect::Report(_)));
    (state, effects)
}

/// A revoked key's lease lives on for a while from the moment at which that was learned.
fn learn_when(state: &mut State, before: &State, now: UnixTime) {
    let seq = |state: &State| state.keys().map(|keys| keys.seq);
    if seq(state) > seq(before) {
        state.key_set_at = now;
    }
}

/// Takes the lease of a file. It was signed when the file was made, so it says no more than that it
/// is not earlier now: it neither sets the time nor confirms anything but itself.
fn imported(
    state: &State,
    effects: &mut Vec<Effect>,
    signed: &Signed,
    waiting: Option<bool>,
    now: UnixTime,
    rules: &Rules,
) -> Option<State> {
    let mut report = |outcome| {
        effects.push(Effect::Report(outcome));
        None
    };
    let SignedObject::Lease(text) = &signed.object else { return report(Outcome::of(Code::BadSignature)) };
    if matches!(&state.license, LeaseState::Lease(held) if held.jws == *text) {
        return report(Outcome::of(Code::Ok));
    }
    let held = match &state.license {
        LeaseState::Lease(held) => Some((held.claims.nonce, held.claims.tkh)),
        _ => None,
    };
    let requested = state.requested.as_ref().map(|requested| (requested.nonce, requested.token));
    let Some((nonce, token)) = requested.or(held) else {
        return report(unusable(Phrase::FILE_OTHER_REQUEST));
    };
    let asked = SentRequest { call: SeatCall::Airgap, nonce, token, submission: Submission::Nobody };
    let mut after = state.clone();
    after.key_set = newest_key_set(&after, &rules.trust, signed.key_set.as_deref());
    match judge(&after, &rules.trust, &rules.machine, &asked, signed) {
        // The request was answered twice; one of the answers is held already.
        Judgement::Lease(_) if state.requested.is_none() => report(Outcome::of(Code::Ok)),
        Judgement::Lease(lease) if lease.claims.exp <= now => report(Outcome::of(Code::LeaseExpired)),
        Judgement::Lease(lease) => {
            // Without it the seat could not be given back by a file.
            let Some(renewal) = renewal_of(signed, &lease.claims) else {
                return report(unusable(Phrase::FILE_CHANGED));
            };
            // Nor would it be found valid at the next start without its token.
            let Some(remember) = waiting else { return report(Outcome::of(Code::NoToken)) };
            after.clock.signed = after.clock.signed.max(lease.claims.iat);
            after.pacing =
                Pacing { not_before: lease.claims.iat.plus(lease.claims.renew), ..Default::default() };
            keep_renewal(&mut after, &lease.claims, Some(renewal));
            after.launches = after.launches.imported();
            after.requested = None;
            after.license = LeaseState::Lease(lease);
            effects.push(Effect::Adopt(Submission::Person { remember }));
            effects.push(Effect::Report(Outcome::of(Code::Ok)));
            Some(after)
        }
        Judgement::Distrusted(Code::ReplayedResponse) => report(unusable(Phrase::FILE_OTHER_REQUEST)),
        Judgement::Distrusted(code) => report(Outcome::of(code)),
        Judgement::Early(_) | Judgement::Keep(_) | Judgement::Drop(_) => {
            report(unusable(Phrase::FILE_OTHER_REQUEST))
        }
    }
}

/// Why a file is of no use; which one is known to whoever read it.
fn unusable(reason: Phrase) -> Outcome {
    let message = Message::from(Code::FileUnusable).because("reason", reason.into());
    Outcome { params: message.values, ..Outcome::of(Code::FileUnusable) }
}

/// Gives the lease up for good, before anybody is told: a confirmation is worth nothing while the
/// lease still works.
fn hand_back(state: &mut State, effects: &mut Vec<Effect>) {
    let code = match &state.license {
        LeaseState::Lease(lease) => {
            let renewal = state.seats.take(lease.claims.tkh);
            state.license = LeaseState::HandedBack(Box::new(HandedBack::of(&lease.claims, renewal)));
            (state.launches, state.pacing) = (state.launches.answered(), Pacing::default());
            effects.push(Effect::HandBack);
            Code::Ok
        }
        LeaseState::HandedBack(_) => Code::Ok,
        _ => Code::NoToken,
    };
    effects.push(Effect::Report(Outcome::of(code)));
}

fn answered(
    state: &mut State,
    effects: &mut Vec<Effect>,
    asked: &SentRequest,
    signed: &Signed,
    reading: Reading,
    random: u16,
    rules: &Rules,
) {
    let http_status = Some(signed.http_status);
    let judgement = match judge(state, &rules.trust, &rules.machine, asked, signed) {
        // The next request could not show whose it is.
        Judgement::Lease(lease) if next_renewal(state, signed, &lease.claims).is_none() => {
            Judgement::Distrusted(Code::UnexpectedResponse)
        }
        judgement => judgement,
    };
    match judgement {
        Judgement::Lease(lease) => {
            let renewal = next_renewal(state, signed, &lease.claims);
            keep_renewal(state, &lease.claims, renewal);
            know_the_time(state, lease.claims.iat, reading);
            state.pacing =
                Pacing { not_before: lease.claims.iat.plus(lease.claims.renew), ..Default::default() };
            state.launches = state.launches.answered();
            state.license = LeaseState::Lease(lease);
            if asked.submission != Submission::Nobody {
                effects.push(Effect::Adopt(asked.submission));
            }
            effects.push(Effect::Report(Outcome { http_status, ..Outcome::of(Code::Ok) }));
        }
        Judgement::Drop(verdict) => {
            know_the_time(state, verdict.claims.iat, reading);
            tell(effects, &verdict, http_status);
            if verdict.claims.code == Code::Ok {
                effects.push(Effect::ForgetToken);
            }
            state.seats.spend(asked.token, verdict.claims.iat);
            state.launches = state.launches.answered();
            state.pacing = Pacing::default();
            state.license = LeaseState::Dropped(verdict);
        }
        Judgement::Keep(verdict) => {
            know_the_time(state, verdict.claims.iat, reading);
            after_failed_ping(state, asked, verdict.claims.iat, random);
            tell(effects, &verdict, http_status);
        }
        Judgement::Early(issued) => {
            know_the_time(state, issued, reading);
            after_failed_ping(state, asked, issued, random);
            effects.push(Effect::Report(Outcome { http_status, ..Outcome::of(Code::ReplayedResponse) }));
        }
        Judgement::Distrusted(code) => {
            let now = state.time(reading).now;
            after_failed_ping(state, asked, now, random);
            effects.push(Effect::Report(Outcome { http_status, ..Outcome::of(code) }));
        }
    }
}

/// A verified answer to a request of this process is fresh, so its issue time is the present.
fn know_the_time(state: &mut State, now: UnixTime, reading: Reading) {
    state.clock = ClockMemory::after_signed(now, reading);
    state.anchor = Some(Anchor { at: now, since_boot: reading.since_boot, signed: true });
}

fn tell(effects: &mut Vec<Effect>, verdict: &VerifiedText<VerdictClaims>, http_status: Option<u16>) {
    let VerdictClaims { code, avail, params, .. } = &verdict.claims;
    let outcome = Outcome { code: *code, http_status, available_at: *avail, params: params.clone() };
    effects.push(Effect::Report(outcome));
}

/// The secret for the next request: the one that came, or the one that was sent, which stays good
/// until a later one is shown.
fn next_renewal(state: &State, signed: &Signed, lease: &LeaseClaims) -> Option<String> {
    renewal_of(signed, lease).or_else(|| state.seats.renewal(lease.tkh).map(str::to_owned))
}

fn keep_renewal(state: &mut State, lease: &LeaseClaims, renewal: Option<String>) {
    let install_id = state.install_id(lease.tkh);
    state.seats.put(KnownSeat { token: lease.tkh, install_id, at: lease.iat, renewal });
}

/// Only a ping says something about the lease that is held: a preflight or a mistyped token does
/// not.
fn after_failed_ping(state: &mut State, asked: &SentRequest, now: UnixTime, random: u16) {
    if asked.call == SeatCall::Ping {
        state.pacing = state.pacing.after_failure(now, random);
    }
}

/// No wait may outlast the lease, or a network that is mended in time would still end it.
fn longest_wait(state: &State, now: UnixTime) -> u64 {
    let renew = match &state.license {
        LeaseState::Lease(lease) => lease.claims.renew,
        _ => HOUR,
    };
    match state.lease_end().map_or(0, |end| end.since(now)) {
        0 => renew.clamp(MINUTE, HOUR),
        left => (left / 2).max(MINUTE),
    }
}
