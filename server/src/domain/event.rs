use super::{Installation, LostLease, PresentedRenewal};
use seatlock_protocol::{
    Identity, MachineId, MachineSource, UnixTime,
    api::{Intent, Plugin, SeatCall},
};
use uuid::Uuid;

/// What can happen to a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatEvent {
    /// The owner makes a token for somebody; there is no seat yet.
    Create {
        /// Id of the new seat.
        seat: Uuid,
        /// Who is given the token.
        shared_with: String,
        /// Whose it is, if its user signs in.
        identity: Option<Identity>,
    },
    Call(SeatOperation, Box<CallerContext>),
    Owner(SeatAction),
    Elapsed,
}

/// What a plug-in asks for. Ping is two calls here, because only a launch may bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatOperation {
    /// A token was submitted.
    Activate,
    /// The host was started.
    Launch,
    /// The lease is due.
    Renew,
    /// The machine gives its seat back.
    Release,
    /// What would activate say?
    Status,
    /// The request of a machine without a network.
    Airgap,
    /// The confirmation of a machine without a network that it has given its lease up.
    Confirm,
}

impl SeatOperation {
    /// Whether the user shows the token, and accepts the terms, with this call.
    #[must_use]
    pub fn submits_token(self) -> bool {
        matches!(self, Self::Activate | Self::Airgap)
    }

    /// The call of a request; `intent` matters to ping only.
    #[must_use]
    pub fn new(call: SeatCall, intent: Intent) -> Self {
        match (call, intent) {
            (SeatCall::Activate, _) => Self::Activate,
            (SeatCall::Ping, Intent::Launch) => Self::Launch,
            (SeatCall::Ping, Intent::Renew) => Self::Renew,
            (SeatCall::Release, _) => Self::Release,
            (SeatCall::Status, _) => Self::Status,
            (SeatCall::Airgap, _) => Self::Airgap,
        }
    }
}

/// What the owner can do to a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatAction {
    /// Take it from its machine.
    Release,
    Refresh,
    /// Close it for good.
    Revoke,
    /// Let the identity whose seat was closed have another one.
    Allow,
}

/// The plug-in that calls, with everything random that an answer may need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerContext {
    pub machine: MachineId,
    /// Where its computer's id came from.
    pub source: MachineSource,
    /// Its token was replaced or revoked.
    pub token_revoked: bool,
    /// The product that it is.
    pub product: String,
    /// What the vendor's plug-in says of itself.
    pub plugin: Plugin,
    /// Terms that its user accepted with this call.
    pub terms: Option<String>,
    /// Epoch of the lease that it holds.
    pub epoch: Option<u64>,
    /// It has given up, or lost, what it held at that epoch.
    pub gave_up: bool,
    /// The lease that it shows, when it is one that a restored database may not know of.
    pub lost: Option<LostLease>,
    /// Launches that it has not reported yet.
    pub launches: u64,
    /// When it was used last without the server, as far as not reported yet.
    pub last_offline: Option<UnixTime>,
    pub install_id: Uuid,
    /// What is known of its installation.
    pub install: Option<Installation>,
    /// Other installations with a living lease of the seat's present hold.
    pub others: u32,
    /// Whether its own has one.
    pub is_one: bool,
    /// The renewal secret that it presents.
    pub renewal: PresentedRenewal,
    /// Random, spreads the times of the next pings.
    pub jitter: u16,
}
