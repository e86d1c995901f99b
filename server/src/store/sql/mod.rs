//! Operations: what a store can be asked to do, and the statements that do it on both databases.

/// The audit trail.
mod audit;
/// Signed statements of what the audit trail was.
mod checkpoint;
/// Whether the clock can be believed, and the pepper.
pub(super) mod clock;
/// Answers to requests that may come again.
mod idempotency;
/// A look at a database that nobody changes by it.
pub(super) mod inspect;
/// Issuers whose access tokens are accepted.
mod issuers;
/// The table of licenses.
pub(super) mod license_row;
/// Licenses, key sets and the first contents of a database.
mod licenses;
/// Lists of seats, page by page.
pub(super) mod lists;
/// One-time links.
mod one_time_links;
/// Leases that may be alive where a seat is held no more.
mod outliving;
/// Accounts, plans and users.
mod people;
/// Carries out a decision.
pub(super) mod persist;
/// The mark of a database that was put back from a backup.
mod restored;
/// What is not kept for ever.
mod retention;
/// Rows as values.
pub(super) mod rows;
/// What owners do to seats.
mod seat_actions;
/// Attempts to sign in, sessions and API tokens.
mod sign_in;
/// Everything in a database, out to a file and in again.
mod transfer;

pub use audit::VerifyAudit;
pub use checkpoint::{FindAuditPoint, KeepCheckpoint, ListCheckpoints};
pub use clock::{AcceptClock, GetClocks, KnowPepper, ReplacePepper, TryToWrite};
pub use idempotency::FindIdempotencyRecord;
pub use issuers::{ChangeIssuer, CountIssuerSeats, ListIssuers};
pub use licenses::{
    AddLicense, ChangeLicense, CountBoundSeats, GetKeySet, GetServer, Initialise, ListKeySets, ListLicenses,
    PublishKeySet, ReplaceIssuer,
};
pub use lists::{CountSeats, FindSeat, FindSeatOfToken, FindSeats, IsTokenOf};
pub use one_time_links::{AddOneTimeLink, ConsumeOneTimeLink, FindOneTimeLink};
pub use outliving::{CountOutliving, ListOutliving};
pub use people::{AddAccount, AddUser, ChangeUser, FindUser, ListAccounts, ListPlans, ListUsers, SetPlan};
pub use restored::{GetRecovery, MarkRestored};
pub use retention::{EraseClosed, ErasePerson, FindExpired, PurgeExpired};
pub use sign_in::{
    AddApiToken, BeginSession, CountAttempt, EndSessions, FindBearer, FindSession, ListApiTokens,
    ListSessions, RemoveApiToken,
};
pub use transfer::Import;
