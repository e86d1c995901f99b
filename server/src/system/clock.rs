//! This computer's clock.

use seatlock_protocol::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

/// What it says; 1970 when it stands before that. Whatever a rule decides goes by the store's
/// clock, which several servers share: this one is for what has no store yet, and for what is
/// compared with it.
#[must_use]
pub fn system_time() -> UnixTime {
    UnixTime::MIN.plus(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
