use chrono::DateTime;
use seatlock_protocol::{Code, UnixTime};
use std::collections::BTreeMap;

/// A moment for a person. UTC, and said so: the computer's time zone may be what is wrong.
pub(super) fn date(time: UnixTime) -> String {
    DateTime::from_timestamp(time.seconds(), 0)
        .map_or_else(|| time.seconds().to_string(), |date| date.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// The text of a code with its blanks filled.
pub(super) fn sentence(code: Code, values: &BTreeMap<String, String>) -> String {
    code.text(|name| values.get(name).map(String::as_str))
}
