use super::{License, SeatOperation, longest_online};
use seatlock_protocol::UnixTime;

const HOUR: u64 = 3600;

/// What a lease will say about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// When it is issued.
    pub iat: UnixTime,
    pub exp: UnixTime,
    /// Seconds until the next ping should be tried.
    pub renew: u64,
    /// Seconds before the end from which to warn.
    pub warn: u64,
    /// Whether it is the first of a new hold on the seat.
    pub bound: bool,
}

/// Time between the end of the longest lease and auto-release: the smaller of an hour and 5 %, at
/// least a second.
#[must_use]
pub fn guard(auto_release: u64) -> u64 {
    (auto_release / 20).clamp(1, HOUR)
}

/// The lease that answers `call` `now`. `jitter` spreads the next pings over 80 % to 120 % of the
/// license's interval.
#[must_use]
pub fn terms(license: &License, call: SeatOperation, now: UnixTime, jitter: u16, bound: bool) -> LeaseTerms {
    let exp = now.plus(match call {
        SeatOperation::Airgap => license.airgap_ttl,
        _ => longest_online(license),
    });
    let exp = license.expires_at.map_or(exp, |end| exp.min(end));
    let length = exp.since(now);

    let spread = u128::from(license.renew) * (80 * 65_535 + 40 * u128::from(jitter)) / (100 * 65_535);
    // A machine that asks only after half of a short lease has no second try.
    let renew = u64::try_from(spread).unwrap_or(u64::MAX).min(length / 2).max(1);
    LeaseTerms { iat: now, exp, renew, warn: license.warn.min(length / 3), bound }
}
