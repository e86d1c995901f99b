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
mod shown;
/// Moments.
mod timestamp;

pub use airgap::{AirgapResultView, LeaseFileView, RequestFileView};
pub use audit::{AuditStateView, AuditView};
pub use entitlement::{EntitlementView, EntitlementsView, entitlements_of};
pub use issuer::{ChangedIssuerView, IssuerChangeRequest, IssuerView, NewIssuer, RemovedIssuerView};
pub use license::{
    ClockSettings, LicenseChange, LicenseSettings, LicenseView, NewLicense, UsageView, license_version,
};
pub use list::List;
pub use people::{
    AccountView, ApiTokenView, InvitedView, IssuedApiTokenView, MeView, NewAccount, NewApiTokenRequest,
    NewPassword, NewUserRequest, UserChangeRequest, UserView,
};
pub use plan::{PlanContent, PlanView};
pub use problem::ProblemView;
pub use recovery::{RecoveryView, UsageList};
pub use seat::{
    ActedView, IdSource, IssuedView, NewSeatRequest, RefreshRequest, SeatStatus, SeatView, UsedLately,
};
pub use shown::Shown;
pub use timestamp::Timestamp;

use serde::{Deserialize, Deserializer};

/// A member that is there. Null is not the same as absent: it is a value, or a mistake.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
