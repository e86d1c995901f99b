use super::Timestamp;
use crate::service::airgap::AirgapOutcome;
use seatlock_protocol::file::RequestFile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What the file of a machine without a network leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AirgapResultJson {
    /// The seat.
    pub seat: Uuid,
    /// Who was given its token.
    pub shared_with: String,
    /// The computer. It should be the one whose name the artist reads out: a request for a lease
    /// does not prove it.
    pub machine_short: String,
    /// The product that asks.
    pub product: String,
    /// The seat's epoch.
    pub epoch: u64,
    /// When the lease ends; null for a release.
    pub lease_until: Option<Timestamp>,
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
}

impl AirgapResultJson {
    /// Of a file and what was decided.
    #[must_use]
    pub fn new(file: &RequestFile, outcome: &AirgapOutcome, dry_run: bool) -> Self {
        Self {
            seat: outcome.seat.id,
            shared_with: outcome.seat.shared_with.clone(),
            machine_short: file.request.machine.id.short(),
            product: file.request.product.clone(),
            epoch: outcome.seat.epoch,
            lease_until: outcome.lease_until.map(Timestamp),
            dry_run,
        }
    }
}

/// A request or release file, as the plug-in wrote it.
#[derive(Serialize, ToSchema)]
#[schema(as = RequestFile)]
pub struct RequestFileJson {
    /// `seatlock-request`.
    pub format: String,
    /// 1.
    pub version: u64,
    /// `lease` or `release`.
    pub call: String,
    /// The server that the machine believes.
    pub issuer: String,
    /// Tells the server which seat it is about.
    pub token_hash: String,
    /// The body of a plug-in's call.
    #[schema(value_type = Object)]
    pub request: serde_json::Value,
}

/// The lease file, to be carried back to the machine as it is.
#[derive(Serialize, ToSchema)]
#[schema(as = LeaseFile)]
pub struct LeaseFileJson {
    /// `seatlock-lease`.
    pub format: String,
    /// 1.
    pub version: u64,
    /// The signed lease.
    pub lease: String,
    /// The installation's next renewal secret.
    pub renewal: String,
    /// The signed key set, when the machine's is older.
    #[schema(nullable = false)]
    pub keyset: Option<String>,
}
