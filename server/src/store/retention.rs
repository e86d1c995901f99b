use crate::domain::{Restored, timestamp};
use seatlock_protocol::UnixTime;
use uuid::Uuid;

/// A database that was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    pub restored: Restored,
    /// Seats since then whose machines proved that they hold them.
    pub recovered: u64,
    pub now: UnixTime,
}

impl Recovery {
    /// Whether a lease that the database does not know of may be alive.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.now < self.restored.until
    }

    /// For the operator.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Restored { known_until, until, .. } = self.restored;
        format!(
            "recovering until {}: the restored database knows what happened until {}; {} seats were proved since",
            timestamp(until),
            timestamp(known_until),
            self.recovered
        )
    }
}

/// Since when things must have been over to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Entries of the audit trail of this moment or before.
    pub audit_before: UnixTime,
    /// E-mail addresses of seats that were closed at this moment or before.
    pub closed_before: UnixTime,
}

/// What is kept for longer than it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Entries at the beginning of the audit trail.
    pub entries: u64,
    /// Number of the last of them.
    pub last_entry: u64,
    /// Closed seats that have an e-mail address.
    pub closed_seats: u64,
}

/// What there is, or was, of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The user with the e-mail address.
    pub user: Option<Uuid>,
    /// Closed seats that were shared with it.
    pub closed_seats: Vec<Uuid>,
    /// Other seats that are. Nothing is erased as long as there are some.
    pub open_seats: Vec<Uuid>,
    /// Entries of the audit trail that name it, and stay.
    pub entries: u64,
}
