use super::chain;
use crate::crypto::seal::Hash;
use seatlock_protocol::{MachineId, UnixTime};
use uuid::Uuid;

/// One entry of the audit trail, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number; they have no gaps.
    pub id: u64,
    pub at: UnixTime,
    /// `user`, `console`, `plugin` or `system`.
    pub actor: String,
    pub actor_name: Option<String>,
    /// Name of the API token that they showed.
    pub api_token: Option<String>,
    pub event: String,
    /// The account that it is about.
    pub account: Uuid,
    /// The license that it is about.
    pub license: Option<Uuid>,
    /// The seat, unless it is about the license itself.
    pub seat: Option<Uuid>,
    /// The seat's epoch afterwards.
    pub epoch: Option<u64>,
    /// The machine that it happened to.
    pub machine: Option<MachineId>,
    /// What was made or changed, as it is afterwards.
    pub detail: Option<serde_json::Value>,
    /// Covers all of this and the hash of the row before.
    pub hash: Hash,
}

/// A place in the chain of the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPoint {
    /// Number of an entry; 0 before the first one.
    pub row: u64,
    /// Its hash, which covers all entries before it: whoever notes it elsewhere can prove that none
    /// of them was changed.
    pub head: Hash,
}

impl AuditPoint {
    /// Where a trail begins.
    pub const START: Self = Self { row: 0, head: chain::START };
}

/// How much of the audit trail is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditPart {
    /// Everything that is there. It follows this place: where old entries were cut off, or the
    /// start.
    Whole(AuditPoint),
    /// What follows an entry that is there.
    After(AuditPoint),
}

impl AuditPart {
    /// A trail that was never cut.
    pub const ALL: Self = Self::Whole(AuditPoint::START);
}

/// What the chain of the audit trail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditState {
    /// Number of the first row that was looked at.
    pub first: u64,
    /// Number of the last row that is whole.
    pub rows: u64,
    /// The first row that was changed, or that follows one that was taken away.
    pub broken_at: Option<u64>,
    /// Hash of the last whole row.
    pub head: Hash,
}

/// A checkpoint of the audit trail that the database keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub point: AuditPoint,
    /// Whether it stands where old entries were cut off. Otherwise it is the newest one.
    pub cut: bool,
    /// Signed by a lease key.
    pub jws: String,
}

/// Which entries of the audit trail, the newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    pub account: Option<Uuid>,
    pub seat: Option<Uuid>,
    /// Those before this number.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: u32,
}
