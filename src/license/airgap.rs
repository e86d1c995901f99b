use crate::license::credential::Sealed;
use seatlock_protocol::{Nonce, TokenHash, UnixTime, claims::LeaseClaims, jws};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A request for a lease that a person carries to the server; its answer may come in weeks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AirgapRequest {
    /// What the lease will repeat.
    pub nonce: Nonce,
    /// The token that it will be for.
    pub token: TokenHash,
    /// That token, if it may be kept: it waits here for its lease, while another one may be in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// What is left of a lease that was given up here: enough to confirm it to the server, as often as
/// the file is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBack {
    /// The seat.
    pub seat: Uuid,
    /// Its epoch.
    pub epoch: u64,
    /// The lease.
    pub jti: Uuid,
    /// When the lease was issued.
    pub issued_at: UnixTime,
    /// The token that it was for.
    pub token: TokenHash,
    /// The renewal secret, which proves to the server who gives the seat back.
    pub renewal: Option<String>,
}

impl HandedBack {
    pub(super) fn of(lease: &LeaseClaims, renewal: Option<String>) -> Self {
        let LeaseClaims { sub, epoch, jti, iat, tkh, .. } = *lease;
        Self { seat: sub, epoch, jti, issued_at: iat, token: tkh, renewal }
    }

    /// Of another product's lease, which is hers to verify: to end it needs no signature.
    pub(super) fn of_text(lease: &str) -> Option<Self> {
        jws::unverified::<LeaseClaims>(lease).map(|claims| Self::of(&claims, None))
    }
}
