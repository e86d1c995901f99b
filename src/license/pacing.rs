use seatlock_protocol::UnixTime;
use serde::{Deserialize, Serialize};

/// When the next ping may be tried, kept across launches so that a crashing host does not hammer
/// the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pacing {
    /// Failed pings since the last lease.
    pub failures: u32,
    /// No renewal is tried before; zero for at once.
    pub not_before: UnixTime,
}

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
const LONGEST_WAIT: u64 = 24 * HOUR;

impl Pacing {
    /// After a failure: 1, 5, 15 minutes, then hourly, each spread by half so that a thousand
    /// machines that lost one server do not come back in one second. `random` is uniform over
    /// its whole range.
    #[must_use]
    pub fn after_failure(self, now: UnixTime, random: u16) -> Self {
        let base = match self.failures {
            0 => MINUTE,
            1 => 5 * MINUTE,
            2 => 15 * MINUTE,
            _ => HOUR,
        };
        let wait = base / 2 + base * u64::from(random) / u64::from(u16::MAX);
        Self { failures: self.failures.saturating_add(1), not_before: now.plus(wait) }
    }

    /// After an answer that asks to wait until a moment given by [`asked_wait`].
    #[must_use]
    pub fn after_back_off(self, until: UnixTime) -> Self {
        Self { not_before: self.not_before.max(until), ..self }
    }

    /// What two processes know of the same lease.
    #[must_use]
    pub fn max_failures(self, other: Self) -> Self {
        let known = |pacing: &Self| (pacing.failures, pacing.not_before);
        if known(&other) > known(&self) { other } else { self }
    }

    /// No wait is longer than `longest`: what stands further ahead was written down before the
    /// clock was set back, or was asked for by a proxy that knows nothing of the lease.
    #[must_use]
    pub fn within(self, now: UnixTime, longest: u64) -> Self {
        Self { not_before: self.not_before.min(now.plus(longest)), ..self }
    }
}

/// The moment until which an answer asks to wait: `seconds` from `now`, at least 1 second, at most
/// 24 hours or `longest`.
#[must_use]
pub fn asked_wait(now: UnixTime, seconds: u64, longest: u64) -> UnixTime {
    now.plus(seconds.min(longest).clamp(1, LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_spread() {
        let now = UnixTime::new(1_000_000).unwrap();
        for (failures, base) in [(0, 60), (1, 300), (2, 900), (3, 3600), (50, 3600), (u32::MAX, 3600)] {
            for random in [0, u16::MAX / 2, u16::MAX] {
                let next = Pacing { failures, ..Pacing::default() }.after_failure(now, random);
                let wait = next.not_before.since(now);
                assert!((base / 2..=base + base / 2).contains(&wait), "{failures} failures, {wait} s");
                assert_eq!(next.failures, failures.saturating_add(1));
            }
        }
    }

    #[test]
    fn the_server_can_ask_for_a_day_at_most() {
        let now = UnixTime::new(1_000_000).unwrap();
        for (asked, kept) in [(0, 1), (30, 30), (86_400, 86_400), (315_360_000, 86_400)] {
            let until = asked_wait(now, asked, u64::MAX);
            assert_eq!(Pacing::default().after_back_off(until).not_before, now.plus(kept));
        }
    }
}
