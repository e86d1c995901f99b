use crate::license::{License, LockState, Reading, Standing, State, Terms};
use crate::words::{Message, Phrase, Values};
use seatlock_protocol::{Code, UnixTime, claims::LeaseClaims, plain};

/// What a status call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What the plug-in may do.
    pub lock_state: LockState,
    /// Why it is locked, or how it is licensed.
    pub reason: Code,
    /// Whether the user should be told that the offline period ends soon.
    pub warn: bool,
    /// End of the license unless it is renewed; `None` when locked.
    pub valid_until: Option<UnixTime>,
    /// When locked, the moment from which a new try makes sense; else, when the next ping is due.
    pub next_try: Option<UnixTime>,
    /// Issue time of the newest signed answer.
    pub confirmed_at: Option<UnixTime>,
    /// While it is the same as before, nothing has changed but the time.
    pub generation: u64,
}

impl Status {
    /// What holds under `terms`, `since_boot` seconds after the computer was started.
    pub(super) fn at(terms: &Terms, since_boot: u64, generation: u64) -> Self {
        let Standing { lock_state, reason, warn, valid_until } = terms.at(terms.now(since_boot));
        let Terms { next_try, confirmed_at, .. } = *terms;
        Self { lock_state, reason, warn, valid_until, next_try, confirmed_at, generation }
    }
}

/// What the worker last published: the terms, and the texts that go with them.
pub(super) struct Snapshot {
    pub(super) terms: Terms,
    pub(super) seat: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) entitlements: Vec<String>,
    /// Signed words of the verdict that locks the client.
    params: Values,
}

impl Snapshot {
    pub(super) fn of(state: &State, reading: Reading) -> Self {
        let lease: Option<&LeaseClaims> = match &state.license {
            License::Lease(lease) => Some(&lease.claims),
            _ => None,
        };
        let params = match &state.license {
            License::Dropped(verdict) => verdict.claims.params.clone(),
            _ => Values::new(),
        };
        Self {
            terms: Terms::of(state, reading),
            seat: lease.map(|lease| lease.sub.to_string()),
            plan: lease.map(|lease| plain(&lease.plan).into_owned()),
            entitlements: lease.map(|lease| lease.ent.clone()).unwrap_or_default(),
            params,
        }
    }

    pub(super) fn standing(&self, since_boot: u64) -> Standing {
        self.terms.at(self.terms.now(since_boot))
    }

    /// What a person is to be told of the status.
    pub(super) fn message(&self, since_boot: u64, wall: Option<UnixTime>) -> Message {
        let standing = self.standing(since_boot);
        let message = Message::of(standing.reason, self.params.clone());
        match (standing.reason, wall, self.terms.lease_end()) {
            (Code::ClockError, Some(wall), _) => message.with("date", wall.seconds()),
            (Code::ClockError, None, _) => message.because("date", Phrase::CLOCK_UNREADABLE.into()),
            (_, _, Some(end)) => {
                let days = end.since(self.terms.now(since_boot)) / (24 * 3600);
                message.with("n", days).with("date", end.seconds())
            }
            _ => message,
        }
    }
}
