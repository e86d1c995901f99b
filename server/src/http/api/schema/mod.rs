//! Shows: what users and programs are told, as the admin API and the commands write and read it.
//!
//! Times are RFC 3339 in UTC, and null when there is none. What is not known to a reader is ignored
//! by it.

/// Files of machines without a network.
mod airgap;
/// Entries of the audit trail.
mod audit;
/// Seats as a table for spreadsheets.
pub mod csv;
/// What licenses and plans include.
mod entitlement;
/// Sign-in services whose access tokens are accepted.
mod issuer;
/// Licenses, and how much of them is used.
mod license;
/// Parts of lists.
mod list;
/// Accounts, users and API tokens.
mod people;
/// Plans.
mod plan;
/// Refusals.
mod problem;
/// A server whose database was restored.
mod recovery;
/// Seats, and what becomes of them.
mod seat;
/// Secrets that are shown once.
mod secret_text;
/// Moments.
mod timestamp;

pub use airgap::{AirgapResultJson, LeaseFileJson, RequestFileJson};
pub use audit::{AuditJson, AuditStateJson};
pub use entitlement::{EntitlementJson, EntitlementsJson, entitlements_of};
pub use issuer::{ChangedIssuerJson, IssuerChangeRequest, IssuerJson, NewIssuer, RemovedIssuerJson};
pub use license::{
    ClockSettings, LicenseChange, LicenseJson, LicenseSettings, NewLicense, UsageJson, license_version,
};
pub use list::List;
pub use people::{
    AccountJson, ApiTokenJson, InvitationJson, IssuedApiTokenJson, MeJson, NewAccount, NewApiTokenRequest,
    NewPassword, NewUserRequest, UserChangeRequest, UserJson,
};
pub use plan::{PlanContent, PlanJson};
pub use problem::ProblemJson;
pub use recovery::{RecoveryJson, UsageList};
pub use seat::{
    IdSource, IssuedSeatJson, NewSeatRequest, RefreshRequest, SeatActionJson, SeatJson, SeatStatus,
    UsedLately,
};
pub use secret_text::SecretText;
pub use timestamp::Timestamp;

use serde::{Deserialize, Deserializer};

/// A member that is there. Null is not the same as absent: it is a value, or a mistake.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
