use crate::license::clock::{Anchor, ClockMemory, Reading};
use crate::license::judge::{Judgement, judge, newest_key_set};
use crate::license::pacing::Pacing;
use crate::license::reply::{Asked, Reply, Signed, Trouble};
use crate::license::state::{Held, License, State};
use crate::license::trust::Trust;
use seatlock_protocol::{
    Code, MachineId, UnixTime,
    api::{OfflineUse, SeatCall},
    claims::VerdictClaims,
};
use std::collections::BTreeMap;

/// What does not change while a client is open.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whom this product believes.
    pub trust: Trust,
    /// This computer.
    pub machine: MachineId,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The process was started.
    Launched,
    /// Time has passed.
    Ticked,
    /// A request was answered, or failed. `random` is uniform over its range and spreads the next try.
    Answered {
        /// The request.
        asked: &'a Asked,
        /// What came of it.
        reply: &'a Reply,
        /// Spreads the next try.
        random: u16,
    },
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The state to be stored has changed.
    Save,
    /// The seat was given back from here: the token is no longer to be used.
    ForgetToken,
    /// The operation ended so.
    Report(Outcome),
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
}

/// Applies one input. Rights rise only by a verified lease, and fall only by a verified drop or by time.
#[must_use]
pub fn step(before: &State, input: Input<'_>, reading: Reading, rules: &Rules) -> (State, Vec<Effect>) {
    let mut state = before.clone();
    let mut effects = Vec::new();
    let time = state.time(reading);
    match input {
        Input::Launched => {
            state.clock = state.clock.after_launch(time, reading);
            let launches = state.offline.as_ref().map_or(0, |offline| offline.launches);
            state.offline = Some(OfflineUse { last_used_at: time.now, launches: launches.saturating_add(1) });
        }
        Input::Ticked => state.clock = state.clock.after_tick(time),
        Input::Answered { asked, reply: Reply::Signed(signed), random } => {
            state.key_set = newest_key_set(&state, &rules.trust, signed.key_set.as_deref());
            answered(&mut state, &mut effects, asked, signed, reading, random, rules);
        }
        Input::Answered { asked, reply: Reply::Failed(trouble), random } => {
            // A preflight or a mistyped token says nothing about the lease that is held.
            if asked.call == SeatCall::Ping || trouble.retry_after.is_some() {
                state.pacing = match trouble.retry_after {
                    Some(seconds) => state.pacing.after_back_off(time.now, seconds),
                    None => state.pacing.after_failure(time.now, random),
                };
            }
            effects.push(Effect::Report(failed(trouble, &state, time.now)));
        }
    }
    let signed = state.anchor.is_some_and(|anchor| anchor.signed);
    state.anchor = Some(Anchor { at: state.time(reading).now, since_boot: reading.since_boot, signed });
    if state.to_record() != before.to_record() {
        effects.push(Effect::Save);
    }
    (state, effects)
}

fn answered(
    state: &mut State,
    effects: &mut Vec<Effect>,
    asked: &Asked,
    signed: &Signed,
    reading: Reading,
    random: u16,
    rules: &Rules,
) {
    let http_status = Some(signed.http_status);
    match judge(state, &rules.trust, &rules.machine, asked, signed) {
        Judgement::Lease(lease) => {
            know_the_time(state, lease.claims.iat, reading);
            state.pacing =
                Pacing { not_before: lease.claims.iat.plus(lease.claims.renew), ..Default::default() };
            state.renewal.clone_from(&signed.renewal);
            state.offline = None;
            state.license = License::Lease(lease);
            effects.push(Effect::Report(Outcome { http_status, ..Outcome::of(Code::Ok) }));
        }
        Judgement::Drop(verdict) => {
            know_the_time(state, verdict.claims.iat, reading);
            effects.push(Effect::Report(told(&verdict, http_status)));
            if verdict.claims.code == Code::Ok {
                effects.push(Effect::ForgetToken);
            }
            state.renewal = None;
            state.offline = None;
            state.pacing = Pacing::default();
            state.license = License::Dropped(verdict);
        }
        Judgement::Keep(verdict) => {
            know_the_time(state, verdict.claims.iat, reading);
            if asked.call == SeatCall::Ping {
                state.pacing = state.pacing.after_failure(verdict.claims.iat, random);
            }
            effects.push(Effect::Report(told(&verdict, http_status)));
        }
        Judgement::Distrusted(code) => {
            if asked.call == SeatCall::Ping {
                let now = state.time(reading).now;
                state.pacing = state.pacing.after_failure(now, random);
            }
            effects.push(Effect::Report(Outcome { http_status, ..Outcome::of(code) }));
        }
    }
}

/// A verified answer to a request of this process is fresh, so its issue time is the present.
fn know_the_time(state: &mut State, now: UnixTime, reading: Reading) {
    state.clock = ClockMemory::after_signed(now);
    state.anchor = Some(Anchor { at: now, since_boot: reading.since_boot, signed: true });
}

fn told(verdict: &Held<VerdictClaims>, http_status: Option<u16>) -> Outcome {
    let claims = &verdict.claims;
    Outcome { code: claims.code, http_status, available_at: claims.avail, params: claims.params.clone() }
}

fn failed(trouble: &Trouble, state: &State, now: UnixTime) -> Outcome {
    let status = trouble.http_status.map(|status| ("status".to_owned(), status.to_string()));
    let issuer = trouble.detail.clone().map(|detail| ("issuer".to_owned(), detail));
    Outcome {
        code: trouble.code,
        http_status: trouble.http_status,
        available_at: state
            .pacing
            .held_back_until(now)
            .or(Some(state.pacing.not_before).filter(|time| *time > now)),
        params: status.into_iter().chain(issuer).collect(),
    }
}
