use super::{Installation, LeaseTerms, Overlap, Seat};
use seatlock_protocol::{Act, Code, MachineId, UnixTime};
use std::collections::BTreeMap;

/// What is to be stored and what is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The seat afterwards; `None` when there is none.
    pub seat: Option<Seat>,
    /// What changes in the license.
    pub license: LicenseDelta,
    /// The installation afterwards, when it changes.
    pub install: Option<Installation>,
    /// A lease that may live on where the seat is held no more.
    pub outliving: Option<Overlap>,
    /// One entry for every change except a plain renewal.
    pub audit: Vec<SeatAuditEntry>,
    pub answer: SeatAnswer,
}

/// What changes in a license. Counts are differences, because the store applies them as conditional
/// updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LicenseDelta {
    /// Change of the number of seats in use.
    pub in_use: i32,
    /// Change of the number of tokens.
    pub tokens: i32,
    /// When a manual release took place.
    pub manual_release: Option<UnixTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatAnswer {
    Lease {
        /// What it says about time.
        terms: LeaseTerms,
        /// The number of the renewal secret that comes with it.
        renewal: u64,
    },
    /// A refusal, or a confirmation with the code `ok`.
    Verdict(Verdict),
    /// Done, for callers that are not plug-ins.
    Done,
    /// There was nothing to do.
    Unchanged,
}

/// An answer without a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub code: Code,
    /// What becomes of the lease that the machine holds.
    pub act: Act,
    /// When the refused thing becomes possible.
    pub avail: Option<UnixTime>,
    /// Values for the blanks of the code's text.
    pub params: BTreeMap<String, String>,
}

impl Verdict {
    /// A verdict without details.
    #[must_use]
    pub fn new(code: Code, act: Act) -> Self {
        Self { code, act, avail: None, params: BTreeMap::new() }
    }

    /// With a value for a blank of the text.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// With the moment from which the refused thing is possible.
    #[must_use]
    pub fn available(mut self, at: Option<UnixTime>) -> Self {
        self.avail = at;
        match at {
            Some(at) => self.with("time", super::moment(at)),
            None => self,
        }
    }
}

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatAuditEntry {
    pub event: AuditEvent,
    /// The seat's epoch afterwards.
    pub epoch: u64,
    /// The machine that it happened to.
    pub machine: Option<MachineId>,
    /// Whether that machine's id was supplied.
    pub supplied: bool,
    /// How many installations use the hold, when these are too many.
    pub installs: Option<u32>,
}

/// What happened to a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditEvent {
    /// T1.
    Created,
    /// T2.
    Activated,
    /// T3.
    Rebound,
    /// T8.
    ReleasedByOwner,
    /// T9.
    ReleasedByMachine,
    /// T10.
    AutoReleased,
    /// A released seat stopped counting as used.
    Drained,
    /// T11.
    Refreshed,
    /// T12.
    Revoked,
    /// T16.
    Allowed,
    /// An outdated renewal secret was presented.
    CloneSuspected,
    /// A machine knew a later epoch than the database, which was restored from a backup.
    EpochRaised,
    /// T15.
    Recovered,
}

impl AuditEvent {
    /// Name in the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Activated => "activated",
            Self::Rebound => "rebound",
            Self::ReleasedByOwner => "released_by_owner",
            Self::ReleasedByMachine => "released_by_machine",
            Self::AutoReleased => "auto_released",
            Self::Drained => "drained",
            Self::Refreshed => "refreshed",
            Self::Revoked => "revoked",
            Self::Allowed => "identity_allowed",
            Self::CloneSuspected => "clone_suspected",
            Self::EpochRaised => "epoch_raised",
            Self::Recovered => "recovered",
        }
    }
}
