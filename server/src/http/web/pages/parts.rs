use crate::domain::{moment, timestamp};
use seatlock_protocol::{UnixTime, api::LockStatus};
use std::fmt;
use uuid::Uuid;

/// The frame around every page of a user who is signed in.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// Name of the account whose seats are shown.
    pub account: String,
    /// E-mail address of the user.
    pub user: String,
    /// Whether the user runs the server.
    pub admin: bool,
    /// What was just done, when this page follows it.
    pub notice: Option<Notice>,
    /// Where to read more, and whom to ask.
    pub help: Help,
}

/// Addresses that the server names to its users.
#[derive(Debug, Clone, Default)]
pub struct Help {
    pub documentation: Option<String>,
    /// Where to ask for help.
    pub support: Option<String>,
}

/// One sentence above a page.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How it is coloured.
    pub tone: Tone,
    /// What happened, and to whom.
    pub text: String,
}

impl Notice {
    /// A sentence and its colour.
    #[must_use]
    pub fn new(tone: Tone, text: &str) -> Self {
        Self { tone, text: text.to_owned() }
    }
}

/// What a colour says. Words always say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Calm,
    Warning,
    /// Something failed, or will be lost.
    Danger,
}

impl Tone {
    /// The part of a class name.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }

    /// Whether a screen reader should interrupt for it.
    #[must_use]
    pub fn urgent(self) -> bool {
        matches!(self, Self::Warning | Self::Danger)
    }
}

/// A point in time as pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(UnixTime);

impl From<UnixTime> for Moment {
    fn from(time: UnixTime) -> Self {
        Self(time)
    }
}

impl Moment {
    /// `2026-11-26`.
    #[must_use]
    pub fn date(&self) -> String {
        crate::domain::date(self.0)
    }

    /// `09:14 UTC`: the minute that had begun, because what was seen must not seem to lie in the
    /// future.
    #[must_use]
    pub fn time(&self) -> String {
        let into_the_minute = u64::try_from(self.0.seconds() % 60).unwrap_or(0);
        moment(self.0.minus(into_the_minute))
            .split_once(' ')
            .map_or_else(String::new, |(_, time)| time.to_owned())
    }

    /// `2026-11-26 09:15 UTC`: the next whole minute, because what becomes possible must be
    /// possible then.
    #[must_use]
    pub fn from_then_on(&self) -> String {
        moment(self.0)
    }

    /// RFC 3339, for programs.
    #[must_use]
    pub fn datetime(&self) -> String {
        timestamp(self.0)
    }
}

/// A UUID that is shown by its first eight digits, and in full on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortId(pub Uuid);

impl ShortId {
    /// Its first eight digits.
    #[must_use]
    pub fn short(&self) -> String {
        let (first, ..) = self.0.as_fields();
        format!("{first:08x}")
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which seat a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatName {
    pub id: ShortId,
    /// Who was given its token.
    pub shared_with: String,
    /// The address of the sign-in service of its user. Then there is no token that could be
    /// replaced.
    pub signs_in_at: Option<String>,
}

/// A lock status in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusBadge(pub LockStatus);

impl StatusBadge {
    /// All of them, in the order of a seat's life.
    pub const ALL: [Self; 4] = [
        Self(LockStatus::NeverUsed),
        Self(LockStatus::InUse),
        Self(LockStatus::Released),
        Self(LockStatus::Closed),
    ];

    #[must_use]
    pub fn label(&self) -> &'static str {
        match self.0 {
            LockStatus::NeverUsed => "Never used",
            LockStatus::InUse => "In use",
            LockStatus::Released => "Released",
            LockStatus::Closed => "Closed",
        }
    }

    /// For forms and class names.
    #[must_use]
    pub fn value(&self) -> &'static str {
        match self.0 {
            LockStatus::NeverUsed => "never_used",
            LockStatus::InUse => "in_use",
            LockStatus::Released => "released",
            LockStatus::Closed => "closed",
        }
    }

    /// Whether the seat is closed for good.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.0 == LockStatus::Closed
    }

    /// Whether a machine holds the seat.
    #[must_use]
    pub fn in_use(&self) -> bool {
        self.0 == LockStatus::InUse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_moments_are_never_late_and_coming_ones_never_early() {
        let moment = Moment::from(UnixTime::new(1_795_338_059).unwrap());
        assert_eq!((moment.date().as_str(), moment.time().as_str()), ("2026-11-22", "09:00 UTC"));
        assert_eq!(moment.from_then_on(), "2026-11-22 09:01 UTC");
        assert_eq!(moment.datetime(), "2026-11-22T09:00:59Z");
        assert_eq!(Moment::from(UnixTime::MAX).time(), "");
    }

    #[test]
    fn ids_keep_their_leading_zeros() {
        assert_eq!(ShortId(Uuid::from_u128(0xab << 96)).short(), "000000ab");
    }
}
