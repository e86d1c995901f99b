use super::{Moment, SeatName, Shell};
use askama::Template;
use seatlock_protocol::MachineId;
use zeroize::Zeroizing;

/// `/airgap`: takes the file of a machine without a network.
#[derive(Debug, Clone, Template)]
#[template(path = "airgap.html")]
pub struct AirgapPage {
    /// The frame.
    pub shell: Shell,
    /// How long a lease for such a machine lasts, in words; empty without a license.
    pub lease_life: String,
    /// Why the last file was not answered.
    pub error: Option<String>,
}

/// What a file would do, before it is done.
#[derive(Clone, Template)]
#[template(path = "airgap_check.html")]
pub struct AirgapCheck {
    /// The frame.
    pub shell: Shell,
    /// The seat whose token made the file.
    pub seat: SeatName,
    /// The machine that made it, as the file says.
    pub machine: MachineId,
    /// The product that made it.
    pub product: String,
    /// When the lease would end; `None` for a file that gives a seat back.
    pub lease_until: Option<Moment>,
    /// The file itself, which the form carries on.
    pub file: Zeroizing<String>,
}

/// A file was answered.
#[derive(Clone, Template)]
#[template(path = "airgap_done.html")]
pub struct AirgapDone {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// The machine that made the file.
    pub machine: MachineId,
    /// The answer to be carried back; `None` when the file gave a seat back.
    pub lease: Option<LeaseResult>,
}

/// A lease file to be saved.
#[derive(Clone)]
pub struct LeaseResult {
    /// Name to save it under.
    pub name: String,
    /// The file in base64, for an address of the kind `data:`.
    pub base64: Zeroizing<String>,
    /// When the lease ends.
    pub until: Moment,
}
