//! Keeps: licenses, seats, tokens and the audit trail.
//!
//! An operation is a value, and `Store::run` the only way to have it done. It loads what a rule
//! needs, asks the rule, and carries its decision out, all in one transaction with the database's
//! clock. It answers only what is on disk for good.

use crate::crypto::seal::{Hash, keyed_hash};
use crate::domain::{CallerContext, Doubt, License, Seat, SeatAction, SeatAnswer, SeatOperation};
use crate::system::cause::{of_database, of_io};
use seatlock_protocol::{Identity, PublicKey, Token, TokenHash, UnixTime, api::LockStatus};
use serde::Serialize;
use std::path::PathBuf;
use uuid::Uuid;

/// The audit trail and its checkpoints.
mod audit;
/// What a batch of plug-ins asks, decided one after the other.
mod batch;
/// The chain that the audit trail is.
mod chain;
/// Connections, statements and rows of either database.
mod db;
/// Accounts, users, sessions, API tokens and one-time links.
mod people;
/// One database that any number of servers share.
pub mod postgres;
/// What is put back, and what is not kept.
mod retention;
/// The way through: runs an operation on whichever database there is.
mod run;
/// Operations, and the statements that do them.
mod sql;
/// One database file, one writer, group commit.
pub mod sqlite;
/// What moves from one database to another.
mod transfer;
/// Transactions that write.
mod tx;
/// Which failures pass.
mod unavailable;

pub use audit::{AuditPart, AuditPoint, AuditQuery, AuditRow, AuditState, Checkpoint};
pub use people::{
    Account, ApiToken, Created, IssuerList, NewApiToken, NewSession, NewUser, OneTimeLink, Session,
    SessionScope, SignedIn, User, UserChange,
};
pub use retention::{Erased, Expired, Recovery, RetentionPolicy};
pub use run::{Backup, Operation, ReleaseExpired, Store};
pub use sql::*;
pub use transfer::{TransferProgress, TransferSummary};
pub use unavailable::Unavailable;

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {}", of_database(.0))]
    Database(sqlx::Error),
    /// The database's structure could not be brought up to date.
    #[error("the database cannot be brought up to date: {}", of_migration(.0))]
    Migration(sqlx::migrate::MigrateError),
    /// A newer version of the server has been at work.
    #[error(
        "the database was made by a newer version of this server (structure {0}); nothing was changed. Use that version"
    )]
    Newer(i64),
    /// The database holds something that this version does not understand.
    #[error("the database holds an unexpected value in {0}")]
    Unexpected(&'static str),
    /// Two writers wanted the same at once; nothing was changed.
    #[error("somebody else was faster; nothing was changed. Look at it again")]
    Conflict,
    /// There is no such row.
    #[error("there is no {0}")]
    NotFound(String),
    /// Somebody else has it already.
    #[error("{0} is taken")]
    Taken(String),
    /// The user has as many API tokens as he may.
    #[error("a user has at most {} API tokens; delete one first", crate::domain::API_TOKENS)]
    ApiTokenLimit,
    /// A token is asked for, for a seat without one.
    #[error(
        "this seat has no token: its user signs in. Close it with \"revoke\"; \"allow\" then lets the user have another"
    )]
    SignsIn,
    /// An `Idempotency-Key` came with another request than the first time.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The database was not initialised.
    #[error("the database was not set up yet. Run: seatlock-server init --help")]
    NotInitialised,
    /// A journal lies where a new database would take it for its own, and overwrite it.
    #[error(
        "{} is the journal of a database that was lost or moved away without it, and may have the newest changes of that. Put \
         the two together again, or move the journal away; nothing was changed", .0.display()
    )]
    LostJournal(PathBuf),
    /// The clock by which everything is decided cannot be believed.
    #[error("{0}")]
    Clock(Doubt),
    /// The data folder belongs to another database, or the database to another data folder.
    #[error(
        "the file \"pepper\" of this data folder is not the one that the database was set up with, so no token would be \
         known. Copy it from a data folder of the same server"
    )]
    OtherPepper,
    /// More requests are waiting than the store takes.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// The back end has another way.
    #[error("{0}")]
    Elsewhere(&'static str),
    /// What was to be brought in is no whole export.
    #[error("{0}")]
    Transfer(String),
    /// A file could not be read or written.
    #[error("{}", of_io(.0))]
    File(std::io::Error),
}

/// Steps of the structure are told by their number: the database's own words by kind.
fn of_migration(error: &sqlx::migrate::MigrateError) -> String {
    use sqlx::migrate::MigrateError as Failed;
    match error {
        Failed::Execute(error) => of_database(error),
        Failed::ExecuteMigration(error, step) => format!("step {step}: {}", of_database(error)),
        Failed::VersionMismatch(step) => format!("step {step} is another than the one that was taken"),
        Failed::Dirty(step) => format!("step {step} was interrupted"),
        _ => "its steps are not those of this version".to_owned(),
    }
}

/// Not as its source, which is told already.
impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

/// Not as its source: its text has that of its own source in it.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl StoreError {
    fn of_migration(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => Self::Newer(version),
            other => Self::Migration(other),
        }
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHashes {
    /// Under the pepper: by it a token is found that comes with a request.
    pub stored: [u8; 32],
    /// What leases and request files say of it.
    pub public: TokenHash,
}

impl TokenHashes {
    /// Of `token`.
    #[must_use]
    pub fn of(token: &Token, pepper: &[u8; 32]) -> Self {
        Self { stored: token.stored_hash(pepper), public: token.hash() }
    }

    /// What stands for an identity in one license.
    #[must_use]
    pub fn of_identity(identity: &Identity, license: Uuid, pepper: &[u8; 32]) -> Self {
        let parts = [license.as_bytes(), identity.issuer.as_bytes(), identity.subject.as_bytes()];
        let stored = keyed_hash(pepper, b"seatlock-identity-v1\0", &parts);
        Self { stored, public: identity.hash() }
    }
}

/// What a plug-in asks, with the peppered hash of its token.
#[derive(Debug, Clone)]
pub struct SeatCommand {
    /// Hash of the token.
    pub token: [u8; 32],
    /// What it asks for.
    pub call: SeatOperation,
    /// Who asks. The store fills in what it knows of the token and the installation.
    pub caller: CallerContext,
}

/// What the rules answered, committed.
#[derive(Debug, Clone)]
pub struct SeatOutcome {
    /// The database's clock in that transaction.
    pub now: UnixTime,
    /// Newest key set in that transaction.
    pub seq: u64,
    /// The seat afterwards and its license; `None` when the token belongs to none.
    pub subject: Option<(Seat, License)>,
    pub answer: SeatAnswer,
}

/// Who causes a change, as the audit trail names him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Plugin,
    System,
    /// Whoever may open the data folder.
    Console,
    /// A user, by their e-mail address.
    User(String),
    /// A script of theirs.
    ApiToken {
        /// The user's e-mail address.
        user: String,
        token: String,
    },
}

impl Actor {
    /// Kind, name of a user and name of their API token, as they are stored.
    #[must_use]
    pub fn parts(&self) -> (&'static str, Option<&str>, Option<&str>) {
        match self {
            Self::Plugin => ("plugin", None, None),
            Self::System => ("system", None, None),
            Self::Console => ("console", None, None),
            Self::User(name) => ("user", Some(name), None),
            Self::ApiToken { user, token } => ("user", Some(user), Some(token)),
        }
    }
}

/// What is kept of a request that may come again because its answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Of its `Idempotency-Key` and whoever sent it.
    pub key: Hash,
    /// Of everything that it asks for.
    pub request: Hash,
    /// The secret of the answer, sealed.
    pub sealed: Vec<u8>,
}

/// What an owner asks for a seat.
#[derive(Debug, Clone)]
pub struct SeatActionRequest {
    pub seat: Uuid,
    /// What is to be done.
    pub act: SeatAction,
    /// The new token, for refresh.
    pub new_token: Option<TokenHashes>,
    /// Whom the new token is for, when it is somebody else.
    pub shared_with: Option<String>,
    /// Decide, but change nothing.
    pub dry_run: bool,
    /// For when the answer gets lost.
    pub remember: Option<IdempotencyRecord>,
    pub by: Actor,
}

/// A new seat, before it has a license to go with.
#[derive(Debug, Clone)]
pub struct NewSeat {
    pub id: Uuid,
    /// The license; the only one when `None`.
    pub license: Option<Uuid>,
    /// Who is given the token.
    pub shared_with: String,
    /// The token, or what stands for the identity.
    pub token: TokenHashes,
    /// Whose it is, if its user signs in. Then a seat that the identity has already is answered as
    /// it is.
    pub identity: Option<Identity>,
    /// For when the answer gets lost.
    pub remember: Option<IdempotencyRecord>,
    pub by: Actor,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// The `iss` of everything that it signs.
    pub issuer: String,
    /// Public half of the key that signs its key sets.
    pub root_key: PublicKey,
    pub documentation: Option<String>,
    /// Where to ask for help.
    pub support: Option<String>,
}

/// The key set that clients are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeySet {
    pub seq: u64,
    /// Signed by the root key.
    pub jws: String,
}

/// Which seats, the newest first.
#[derive(Debug, Clone, Default)]
pub struct SeatQuery {
    pub account: Option<Uuid>,
    pub license: Option<Uuid>,
    /// In one lock status.
    pub status: Option<LockStatus>,
    /// Part of an e-mail address, or the beginning of a seat's id or of a machine's id, full or
    /// short.
    pub search: Option<String>,
    /// Used lately, or not.
    pub used: Option<Used>,
    /// Those after this one.
    pub after: Option<SeatCursor>,
    /// At most this many.
    pub limit: u32,
}

/// Whether a seat was used lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// At this moment or later.
    Since(UnixTime),
    /// Before it, or never.
    NotSince(UnixTime),
}

/// A place in the list of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatCursor {
    /// When the seat was made.
    pub created_at: UnixTime,
    pub id: Uuid,
}

/// A seat in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSeat {
    pub seat: Seat,
    /// When it was made.
    pub created_at: UnixTime,
    /// Installations that were given a lease of its present hold.
    pub installs: u32,
}

impl ListedSeat {
    /// Its place in the list.
    #[must_use]
    pub fn cursor(&self) -> SeatCursor {
        SeatCursor { created_at: self.created_at, id: self.seat.id }
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub rows: Vec<T>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// What is in a database that no server has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub now: UnixTime,
    /// Its newest key set.
    pub keys: StoredKeySet,
    /// Steps that are missing to the structure of this version.
    pub pending: usize,
}

/// How a store is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that wait for the database.
    pub waiting: usize,
    /// How often the database failed since the store was opened.
    pub failures: u64,
}
