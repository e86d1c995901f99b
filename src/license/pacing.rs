use seatlock_protocol::UnixTime;
use serde::{Deserialize, Serialize};

/// When the next ping may be tried, kept across launches so that a crashing host does not hammer the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pacing {
    /// Failed pings since the last lease.
    pub failures: u32,
    /// No renewal is tried before; zero for at once.
    pub not_before: UnixTime,
    /// The server itself asked to wait until then; no call of any kind is made before.
    pub asked_to_wait: UnixTime,
}

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
const LONGEST_WAIT: u64 = 24 * HOUR;

impl Pacing {
    /// After a failure: 1, 5, 15 minutes, then hourly, each spread by half so that a thousand machines that lost
    /// one server do not come back in one second. `random` is uniform over its whole range.
    #[must_use]
    pub fn after_failure(self, now: UnixTime, random: u16) -> Self {
        let base = match self.failures {
            0 => MINUTE,
            1 => 5 * MINUTE,
            2 => 15 * MINUTE,
            _ => HOUR,
        };
        let wait = base / 2 + base * u64::from(random) / u64::from(u16::MAX);
        Self { failures: self.failures.saturating_add(1), not_before: now.plus(wait), ..self }
    }

    /// After an answer that asks to wait, `seconds` from now, within 1 second to 24 hours.
    #[must_use]
    pub fn after_back_off(self, now: UnixTime, seconds: u64) -> Self {
        let until = now.plus(seconds.clamp(1, LONGEST_WAIT));
        Self { not_before: self.not_before.max(until), asked_to_wait: until, ..self }
    }

    /// No wait is longer than `longest`: what stands further ahead was written down before the clock was set back, or
    /// was asked for by a proxy that knows nothing of the lease.
    #[must_use]
    pub fn within(self, now: UnixTime, longest: u64) -> Self {
        let latest = now.plus(longest);
        Self {
            not_before: self.not_before.min(latest),
            asked_to_wait: self.asked_to_wait.min(latest),
            ..self
        }
    }

    /// Until when no call may be made at all. A wait longer than any the server can ask for means that the clock was
    /// set back since, and does not count.
    #[must_use]
    pub fn held_back_until(&self, now: UnixTime) -> Option<UnixTime> {
        let waiting = self.asked_to_wait > now && self.asked_to_wait.since(now) <= LONGEST_WAIT;
        waiting.then_some(self.asked_to_wait)
    }
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
            let pacing = Pacing::default().after_back_off(now, asked);
            assert_eq!(pacing.held_back_until(now), Some(now.plus(kept)));
            assert_eq!(pacing.held_back_until(now.plus(kept)), None);
            assert_eq!(pacing.held_back_until(now.minus(100_000)), None, "clock set back since");
        }
    }
}
