use serde::{Deserialize, Deserializer, Serialize};

/// A moment in whole seconds since 1970-01-01T00:00:00Z, in `0..2^53`.
///
/// The upper bound is the largest integer that every JSON implementation carries exactly (RFC 8259,
/// section 6). Arithmetic saturates at both ends, so a hostile duration cannot wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The earliest moment, 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// The latest moment, `2^53 - 1` seconds after the earliest.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// `None` when `seconds` is outside `0..2^53`.
    #[must_use]
    pub fn new(seconds: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&seconds).then_some(Self(seconds))
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// This moment `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(seconds).min(Self::MAX.0))
    }

    /// This moment `seconds` earlier.
    #[must_use]
    pub fn minus(self, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(seconds).max(Self::MIN.0))
    }

    /// Seconds from `earlier` to this moment; zero when `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        Self::new(seconds).ok_or_else(|| serde::de::Error::custom("time outside 0..2^53"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_in_arithmetic_and_in_json() {
        assert_eq!(UnixTime::MAX.plus(u64::MAX), UnixTime::MAX);
        assert_eq!(UnixTime::MIN.minus(u64::MAX), UnixTime::MIN);
        assert_eq!(UnixTime::MIN.since(UnixTime::MAX), 0);
        for (json, accepted) in [
            ("0", true),
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("-1", false),
            ("1.5", false),
        ] {
            assert_eq!(serde_json::from_str::<UnixTime>(json).is_ok(), accepted, "{json}");
        }
    }
}
