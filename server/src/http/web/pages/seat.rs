use super::{AuditActor, AuditEntry, Id, LicenseState, Moment, SeatName, Shell, StatusBadge};
use askama::Template;
use seatlock_protocol::MachineId;

/// `/seats/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "seat.html")]
pub struct SeatPage {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// Who holds it.
    pub status: StatusBadge,
    /// The license that it belongs to.
    pub license: Id,
    /// Name of the license's plan.
    pub plan: String,
    /// What the license is for.
    pub products: Vec<String>,
    /// Whether the license serves plug-ins now.
    pub license_state: LicenseState,
    /// End of the subscription.
    pub ends_at: Option<Moment>,
    /// Time between two releases of the license, in words.
    pub window: String,
    /// The machine that holds it, or that may still work offline.
    pub machine: Option<MachineId>,
    /// Whether that machine's id was supplied.
    pub supplied_id: bool,
    /// Whether the license minds that.
    pub minds_supplied_ids: bool,
    /// Installations that were given a lease of the present hold.
    pub installs: u32,
    /// Computers that hold the seat no more, and until when each may work offline.
    pub outliving: Vec<(MachineId, Moment)>,
    /// When that machine took it.
    pub since: Option<Moment>,
    /// When its token was used last.
    pub last_used_at: Option<Moment>,
    /// When it was used without a network last, as far as reported.
    pub last_offline_at: Option<Moment>,
    /// Until when its machine may work offline.
    pub lease_until: Option<Moment>,
    /// Whether it was released but counts as used until `lease_until`.
    pub draining: bool,
    /// Times that a host was started with it, as far as reported.
    pub launches: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When a second copy of an installation was seen last.
    pub clone_suspected_at: Option<Moment>,
    /// End of a one-time link that nobody has opened yet.
    pub link_until: Option<Moment>,
    /// Whether it can be released.
    pub release: SeatRelease,
    /// The newest entries of its audit trail, newest first.
    pub history: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub history_continues: bool,
}

/// Whether a seat can be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatRelease {
    /// Now.
    Possible,
    /// From then on, because another seat of the license was released.
    From(Moment),
    /// There is no machine to take it from.
    NothingToRelease,
}
