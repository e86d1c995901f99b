use seatlock_protocol::{Identity, MachineId, MachineSource, UnixTime, api::LockStatus};
use uuid::Uuid;

/// A place in a license that one token opens, or one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The seat, never its token.
    pub id: Uuid,
    /// The license that it belongs to.
    pub license: Uuid,
    /// Who was given the token.
    pub shared_with: String,
    /// Whose it is, if its user signs in instead of entering a token.
    pub identity: Option<Identity>,
    /// Rises with every bind, release, refresh and revoke.
    pub epoch: u64,
    pub state: SeatState,
    /// Last ping of any machine.
    pub last_used_at: Option<UnixTime>,
    /// Last use without the server, as far as reported.
    pub last_offline_at: Option<UnixTime>,
    /// Times that a host was started with it, as far as reported.
    pub launches: u64,
    /// Version of the terms that its user accepted last.
    pub terms: Option<String>,
    /// When a second copy of an installation was seen last.
    pub clone_suspected_at: Option<UnixTime>,
}

/// Who holds a seat. A machine exists only where it means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatState {
    /// No machine holds it, and none did since its token was made.
    NeverUsed,
    /// One machine holds it.
    InUse(Holding),
    /// It was given back. The machine that held it may still have a living lease.
    Released(Option<Overlap>),
    /// Its token was revoked for good.
    Closed,
}

/// A machine's hold on a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub machine: MachineId,
    /// Where its id came from.
    pub source: MachineSource,
    /// When it took the seat.
    pub since: UnixTime,
    /// When it was heard of last.
    pub last_ping: UnixTime,
    /// Latest end of the leases that it was given.
    pub lease_until: UnixTime,
}

/// A lease that outlives the hold on its seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The machine that has it.
    pub machine: MachineId,
    /// Where its id came from.
    pub source: MachineSource,
    /// When that machine had taken the seat.
    pub since: UnixTime,
    pub until: UnixTime,
    /// Whether it still counts as a seat in use (release mode `drain`).
    pub counted: bool,
}

impl Seat {
    /// A seat that no machine has held yet.
    #[must_use]
    pub fn new(id: Uuid, license: Uuid, shared_with: String) -> Self {
        Self {
            id,
            license,
            shared_with,
            identity: None,
            epoch: 0,
            state: SeatState::NeverUsed,
            last_used_at: None,
            last_offline_at: None,
            launches: 0,
            terms: None,
            clone_suspected_at: None,
        }
    }

    /// The machine that holds it.
    #[must_use]
    pub fn holding(&self) -> Option<&Holding> {
        match &self.state {
            SeatState::InUse(holding) => Some(holding),
            _ => None,
        }
    }

    /// Where the id of the machine came from that holds it, or whose lease outlives its hold.
    #[must_use]
    pub fn source(&self) -> Option<MachineSource> {
        match &self.state {
            SeatState::InUse(holding) => Some(holding.source),
            SeatState::Released(Some(overlap)) => Some(overlap.source),
            _ => None,
        }
    }

    /// Whether it takes one of the license's places.
    #[must_use]
    pub fn counts(&self) -> bool {
        match &self.state {
            SeatState::InUse(_) => true,
            SeatState::Released(Some(overlap)) => overlap.counted,
            _ => false,
        }
    }

    #[must_use]
    pub fn lock_status(&self) -> LockStatus {
        match self.state {
            SeatState::NeverUsed => LockStatus::NeverUsed,
            SeatState::InUse(_) => LockStatus::InUse,
            SeatState::Released(_) => LockStatus::Released,
            SeatState::Closed => LockStatus::Closed,
        }
    }
}
