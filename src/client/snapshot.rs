use super::words;
use crate::license::{License, LockState, Reading, Standing, State, Terms};
use seatlock_protocol::{Code, UnixTime, claims::LeaseClaims};
use std::collections::BTreeMap;

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
    /// Counts changes of the license's data.
    pub generation: u64,
}

/// What the worker last published. Read by any thread without waiting.
pub(super) struct Snapshot {
    terms: Terms,
    generation: u64,
    pub(super) seat: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) entitlements: Vec<String>,
    /// Signed words of the verdict that locks the client.
    params: BTreeMap<String, String>,
}

impl Snapshot {
    pub(super) fn of(state: &State, reading: Reading, generation: u64) -> Self {
        let lease: Option<&LeaseClaims> = match &state.license {
            License::Lease(lease) => Some(&lease.claims),
            _ => None,
        };
        let params = match &state.license {
            License::Dropped(verdict) => verdict.claims.params.clone(),
            _ => BTreeMap::new(),
        };
        Self {
            terms: Terms::of(state, reading),
            generation,
            seat: lease.map(|lease| lease.sub.to_string()),
            plan: lease.map(|lease| lease.plan.clone()),
            entitlements: lease.map(|lease| lease.ent.clone()).unwrap_or_default(),
            params,
        }
    }

    pub(super) fn standing(&self, since_boot: u64) -> Standing {
        self.terms.at(self.terms.now(since_boot))
    }

    pub(super) fn status(&self, since_boot: u64) -> Status {
        let Standing { lock_state, reason, warn, valid_until } = self.standing(since_boot);
        Status {
            lock_state,
            reason,
            warn,
            valid_until,
            next_try: self.terms.next_try,
            confirmed_at: self.terms.confirmed_at,
            generation: self.generation,
        }
    }

    /// The status in words for a person.
    pub(super) fn words(&self, since_boot: u64, wall: Option<UnixTime>) -> String {
        let standing = self.standing(since_boot);
        let mut params = self.params.clone();
        let mut say = |name: &str, value: String| {
            params.insert(name.to_owned(), value);
        };
        match (standing.reason, wall, self.terms.lease_end()) {
            (Code::ClockError, Some(wall), _) => say("date", words::date(wall)),
            (_, _, Some(end)) => {
                let days = end.since(self.terms.now(since_boot)) / (24 * 3600);
                say("n", days.to_string());
                say("date", words::date(end));
            }
            _ => {}
        }
        words::sentence(standing.reason, &params)
    }
}
