use crate::license::clock::{Anchor, Reading};
use crate::license::state::{LeaseState, State};
use crate::license::step::Rules;
use crate::license::trust::end_of;
use seatlock_protocol::{Code, UnixTime};

/// What a plug-in may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// The server confirmed the lease within its renewal interval.
    Unlocked,
    /// The lease is valid, but the server was not reached since.
    Grace,
    /// There is no valid lease.
    Locked,
}

/// What is known at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What a plug-in may do.
    pub lock_state: LockState,
    /// Why it is locked, or [`Code::Ok`], [`Code::OkOffline`], [`Code::OkWarn`].
    pub reason: Code,
    /// Whether the user should be told that the offline period ends soon.
    pub warn: bool,
    /// End of the lease; `None` when locked.
    pub valid_until: Option<UnixTime>,
}

/// The state as far as the passing of time can change what the host is told. Small and without
/// pointers, so that a status call copies it and allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusInputs {
    license: Basis,
    anchor: Anchor,
    /// When locked, the moment from which a new try makes sense; else, when the next ping is due.
    pub next_try: Option<UnixTime>,
    /// Issue time of the newest signed answer.
    pub confirmed_at: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    Locked(Code),
    Licensed { confirmed_until: UnixTime, warn_from: UnixTime, ends_at: UnixTime },
}

impl StatusInputs {
    /// How many numbers hold the terms.
    pub const NUMBERS: usize = 8;

    /// Derives the terms from the state at `reading`.
    #[must_use]
    pub fn of(state: &State, rules: &Rules, reading: Reading) -> Self {
        let time = state.time(reading);
        let license = match &state.license {
            LeaseState::Lease(lease) if came_too_late(rules.released, lease.claims.lic.updates_until) => {
                Basis::Locked(Code::UpdateNotIncluded)
            }
            LeaseState::Lease(_) if time.anomaly.is_some() => Basis::Locked(Code::ClockError),
            LeaseState::Lease(lease) => {
                let ends_at = end_of(lease, state.keys(), state.key_set_at);
                let in_touch = state.pacing.failures == 0;
                Basis::Licensed {
                    confirmed_until: if in_touch {
                        lease.claims.iat.plus(lease.claims.renew)
                    } else {
                        UnixTime::MIN
                    },
                    warn_from: ends_at.minus(lease.claims.warn),
                    ends_at,
                }
            }
            LeaseState::Missing | LeaseState::HandedBack(_) => Basis::Locked(Code::NoToken),
            // "Connect once."
            LeaseState::Awaited => Basis::Locked(Code::LeaseExpired),
            LeaseState::Unusable { reason, .. } => Basis::Locked(*reason),
            LeaseState::Dropped(verdict) => Basis::Locked(match verdict.claims.code {
                // The user gave the seat back here: nothing is wrong, a token is simply missing.
                Code::Ok => Code::NoToken,
                code => code,
            }),
        };
        let next_try = match &state.license {
            LeaseState::Dropped(verdict) => verdict.claims.avail,
            _ => Some(state.pacing.not_before),
        };
        Self {
            license,
            anchor: Anchor { at: time.now, since_boot: reading.since_boot, signed: false },
            next_try: next_try.filter(|time| *time > UnixTime::MIN),
            confirmed_at: Some(state.clock.signed).filter(|time| *time > UnixTime::MIN),
        }
    }

    /// The terms as plain numbers, to be handed between threads one by one.
    /// [`StatusInputs::from_numbers`] reads them.
    #[must_use]
    pub fn to_numbers(&self) -> [u64; Self::NUMBERS] {
        let seconds = |time: UnixTime| u64::try_from(time.seconds()).unwrap_or(0);
        let (locked, [confirmed_until, warn_from, ends_at]) = match self.license {
            Basis::Locked(code) => (1 + u64::from(code.number()), [0; 3]),
            Basis::Licensed { confirmed_until, warn_from, ends_at } => {
                (0, [confirmed_until, warn_from, ends_at].map(seconds))
            }
        };
        let Anchor { at, since_boot, .. } = self.anchor;
        // The earliest moment stands for none: `of` lets no other none be.
        let or_none = |time: Option<UnixTime>| time.map_or(0, seconds);
        let (next_try, confirmed_at) = (or_none(self.next_try), or_none(self.confirmed_at));
        [locked, confirmed_until, warn_from, ends_at, seconds(at), since_boot, next_try, confirmed_at]
    }

    /// Reads what [`StatusInputs::to_numbers`] wrote.
    #[must_use]
    pub fn from_numbers(numbers: [u64; Self::NUMBERS]) -> Self {
        let [locked, confirmed_until, warn_from, ends_at, at, since_boot, next_try, confirmed_at] = numbers;
        let time = |seconds| UnixTime::MIN.plus(seconds);
        let or_none = |seconds| (seconds > 0).then(|| time(seconds));
        let license = match locked.checked_sub(1) {
            None => Basis::Licensed {
                confirmed_until: time(confirmed_until),
                warn_from: time(warn_from),
                ends_at: time(ends_at),
            },
            Some(number) => {
                let code = u8::try_from(number).ok().and_then(Code::from_number);
                Basis::Locked(code.unwrap_or(Code::Internal))
            }
        };
        Self {
            license,
            anchor: Anchor { at: time(at), since_boot, signed: false },
            next_try: or_none(next_try),
            confirmed_at: or_none(confirmed_at),
        }
    }

    /// Effective time, `since_boot` seconds after the computer was started.
    #[must_use]
    pub fn now(&self, since_boot: u64) -> UnixTime {
        self.anchor.now(since_boot)
    }

    /// What holds at `now`.
    #[must_use]
    pub fn at(&self, now: UnixTime) -> Standing {
        let locked =
            |reason| Standing { lock_state: LockState::Locked, reason, warn: false, valid_until: None };
        match self.license {
            Basis::Locked(reason) => locked(reason),
            Basis::Licensed { ends_at, .. } if now >= ends_at => locked(Code::LeaseExpired),
            Basis::Licensed { confirmed_until, warn_from, ends_at } => {
                let warn = now >= warn_from;
                let (lock_state, reason) = match (now < confirmed_until, warn) {
                    (true, _) => (LockState::Unlocked, Code::Ok),
                    (false, false) => (LockState::Grace, Code::OkOffline),
                    (false, true) => (LockState::Grace, Code::OkWarn),
                };
                Standing { lock_state, reason, warn, valid_until: Some(ends_at) }
            }
        }
    }

    /// The end of the lease, past or not; `None` when there is no lease.
    #[must_use]
    pub fn lease_end(&self) -> Option<UnixTime> {
        match self.license {
            Basis::Licensed { ends_at, .. } => Some(ends_at),
            Basis::Locked(_) => None,
        }
    }
}

/// Whether the plug-in was released after the updates of its license had ended. One that does not
/// say when is one of before that was asked.
fn came_too_late(released: Option<UnixTime>, updates_until: Option<UnixTime>) -> bool {
    released.zip(updates_until).is_some_and(|(released, end)| released > end)
}
