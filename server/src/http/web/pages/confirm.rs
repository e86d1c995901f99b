use super::{Moment, SeatName, Shell};
use askama::Template;
use seatlock_protocol::MachineId;

/// `/seats/{id}/refresh`: asks before a token is replaced.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_refresh.html")]
pub struct ConfirmRefresh {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// The machine that holds it.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// Whom the new token is for: at first whoever had the old one.
    pub email: String,
    /// What is wrong with the address.
    pub email_error: Option<String>,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Random, so that a form that is sent twice makes one token.
    pub form_key: String,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// `/seats/{id}/release`: asks before a seat is taken from its machine.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_release.html")]
pub struct ConfirmRelease {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// The machine that holds it; `None` when none does.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// What the license allows.
    pub limit: ReleaseLimit,
    /// Time between two releases, in words.
    pub window: String,
    /// Whether the place stays taken until `lease_until` (release mode `drain`).
    pub drains: bool,
    /// Whether the machine takes the seat back when its host is started (`relaunch_rebinds`).
    pub relaunch_rebinds: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// Whether the license allows a release now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseLimit {
    /// It does; the one after that from then on.
    NextAfter(Moment),
    /// A seat was released already; the next from then on.
    NotBefore(Moment),
}

impl ConfirmRelease {
    /// Whether the form is shown.
    #[must_use]
    pub fn possible(&self) -> bool {
        self.machine.is_some() && matches!(self.limit, ReleaseLimit::NextAfter(_))
    }
}

/// `/seats/{id}/revoke`: asks before a seat is closed for good.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_revoke.html")]
pub struct ConfirmRevoke {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// The machine that holds it.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// Why the last try failed, such as an empty box.
    pub error: Option<String>,
}
