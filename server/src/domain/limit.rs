/// Nanoseconds of a minute.
const MINUTE: u64 = 60_000_000_000;

/// Most requests in a minute that a [`Rate`] can allow.
pub const RATE_MAX: u32 = 1_000_000;

/// How many requests are allowed in a minute. As many may come at once after a minute without any,
/// so that a company that begins to work at nine o'clock is not slowed. The generic cell rate
/// algorithm (ITU-T I.371, annex A): all that is kept is one moment, at which the whole allowance
/// is there again.
///
/// Moments are nanoseconds since any fixed beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Between two requests, in the long run; 0 if there is no limit.
    interval: u64,
}

impl Rate {
    /// So many in a minute, at most [`RATE_MAX`]; without a limit for 0.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        Self { interval: MINUTE.checked_div(u64::from(requests.min(RATE_MAX))).unwrap_or(0) }
    }

    /// Counts a request, or says how long to wait until one is allowed. `full_at` and the result
    /// are the moment that is kept.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn take(self, full_at: u64, now: u64) -> Result<u64, u64> {
        let next = full_at.max(now).saturating_add(self.interval);
        let early = next.saturating_sub(now.saturating_add(MINUTE));
        if early == 0 { Ok(next) } else { Err(early) }
    }

    /// Counts a request that was answered already, so that those after it wait. Nobody waits longer
    /// than a minute for it.
    #[must_use]
    pub fn charge(self, full_at: u64, now: u64) -> u64 {
        let next = full_at.max(now).saturating_add(self.interval);
        next.min(now.saturating_add(2 * MINUTE))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = MINUTE / 60;

    #[test]
    fn a_minutes_worth_at_once_and_then_one_at_a_time() {
        let rate = Rate::per_minute(60);
        let mut full_at = 0;
        let start = 1000 * SECOND;
        for _ in 0..60 {
            full_at = rate.take(full_at, start).unwrap();
        }
        assert_eq!(rate.take(full_at, start), Err(SECOND));
        assert_eq!(rate.take(full_at, start + SECOND / 4), Err(SECOND * 3 / 4));
        full_at = rate.take(full_at, start + SECOND).unwrap();
        assert_eq!(rate.take(full_at, start + SECOND), Err(SECOND));
        // After a minute of silence everything is there again.
        full_at = start + SECOND + MINUTE;
        assert_eq!(rate.take(full_at, full_at), Ok(full_at + SECOND));
    }

    #[test]
    fn nothing_is_slowed_without_a_limit() {
        assert_eq!(Rate::per_minute(0).take(7, 7), Ok(7));
        assert_eq!(Rate::per_minute(0).charge(7, 7), 7);
        assert_eq!(Rate::per_minute(u32::MAX), Rate::per_minute(RATE_MAX));
    }

    proptest! {
        /// Whoever asks whenever he likes gets what a minute has, and what grows meanwhile, and not one more. Whoever waits as
        /// long as he was told is let in.
        #[test]
        fn never_more_than_what_was_allowed(
            requests in 1_u32..=1000,
            pauses in prop::collection::vec((0_u64..2 * SECOND, any::<bool>()), 1..400),
        ) {
            let rate = Rate::per_minute(requests);
            let (begin, mut now, mut full_at, mut passed) = (MINUTE, MINUTE, 0, 0_u64);
            for (pause, asks) in pauses {
                now += pause;
                full_at = match (asks, rate.take(full_at, now)) {
                    (true, Ok(next)) => { passed += 1; next }
                    (true, Err(wait)) => {
                        prop_assert!(wait <= MINUTE + rate.interval && rate.take(full_at, now + wait).is_ok());
                        prop_assert!(rate.take(full_at, now + wait - 1).is_err());
                        full_at
                    }
                    (false, _) => {
                        let charged = rate.charge(full_at, now);
                        prop_assert!(charged <= now + 2 * MINUTE);
                        if charged == full_at.max(now) + rate.interval { passed += 1; }
                        charged
                    }
                };
                prop_assert!(passed * rate.interval <= 2 * MINUTE + (now - begin));
            }
        }

        #[test]
        fn who_asks_only_as_often_as_he_may_is_never_slowed(requests in 1_u32..=1000, asks in 1_usize..300) {
            let rate = Rate::per_minute(requests);
            let (mut now, mut full_at) = (MINUTE, 0);
            for _ in 0..asks {
                full_at = rate.take(full_at, now).expect("in time");
                now += rate.interval;
            }
        }
    }
}
