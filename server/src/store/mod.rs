//! Keeps: licenses, seats, tokens and the audit trail behind one trait.
//!
//! A store loads what a rule needs, asks the rule, and carries its decision out, all in one transaction with the
//! database's clock. It answers only what is on disk for good.

use crate::rules::{Answer, Call, Caller, License, OwnerAct, Seat};
use seatlock_protocol::{MachineId, PublicKey, Token, TokenHash, UnixTime};
use serde::Serialize;
use std::{future::Future, path::Path};
use uuid::Uuid;

/// One database file, one writer, group commit.
pub mod sqlite;

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database's structure could not be brought up to date.
    #[error("the database can not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database holds something that this version does not understand.
    #[error("the database holds an unexpected value in {0}")]
    Unexpected(&'static str),
    /// Two writers wanted the last place at once; nothing was changed.
    #[error("another request was faster; nothing was changed")]
    Conflict,
    /// There is no such row.
    #[error("there is no {0}")]
    NotFound(String),
    /// The database was not initialised.
    #[error("the data folder is not initialised")]
    NotInitialised,
    /// More requests are waiting than the store takes.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
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
}

/// What a plug-in asks, with the peppered hash of its token.
#[derive(Debug, Clone)]
pub struct Question {
    /// Hash of the token.
    pub token: [u8; 32],
    /// What it asks for.
    pub call: Call,
    /// Who asks. The store fills in what it knows of the token and the installation.
    pub caller: Caller,
}

/// What the rules answered, committed.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The database's clock in that transaction.
    pub now: UnixTime,
    /// Newest key set in that transaction.
    pub seq: u64,
    /// The seat afterwards and its license; `None` when the token belongs to none.
    pub subject: Option<(Seat, License)>,
    /// The answer.
    pub answer: Answer,
}

/// What an owner asks for a seat.
#[derive(Debug, Clone)]
pub struct OwnerOrder {
    /// The seat.
    pub seat: Uuid,
    /// What is to be done.
    pub act: OwnerAct,
    /// The new token, for refresh.
    pub new_token: Option<TokenHashes>,
    /// Decide, but change nothing.
    pub dry_run: bool,
}

/// A new seat, before it has a license to go with.
#[derive(Debug, Clone)]
pub struct NewSeat {
    /// Its id.
    pub id: Uuid,
    /// The license; the only one when `None`.
    pub license: Option<Uuid>,
    /// Who is given the token.
    pub shared_with: String,
    /// The token.
    pub token: TokenHashes,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// The `iss` of everything that it signs.
    pub issuer: String,
    /// Public half of the key that signs its key sets.
    pub root_key: PublicKey,
    /// Documentation for users.
    pub documentation: Option<String>,
    /// Where to ask for help.
    pub support: Option<String>,
}

/// The key set that clients are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeySet {
    /// Its sequence number.
    pub seq: u64,
    /// Signed by the root key.
    pub jws: String,
}

/// One entry of the audit trail, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When it happened.
    pub at: UnixTime,
    /// `owner`, `plugin` or `system`.
    pub actor: String,
    /// What happened.
    pub event: String,
    /// The license that it is about.
    pub license: Uuid,
    /// The seat, unless it is about the license itself.
    pub seat: Option<Uuid>,
    /// The seat's epoch afterwards.
    pub epoch: Option<u64>,
    /// The machine that it happened to.
    pub machine: Option<MachineId>,
    /// The license afterwards, when it was made or changed.
    pub detail: Option<serde_json::Value>,
}

/// Everything that the server keeps. Each method is one transaction.
pub trait Store: Send + Sync + 'static {
    /// Answers a plug-in.
    fn call(&self, question: Question) -> impl Future<Output = Result<Answered, StoreError>> + Send;

    /// Releases seats whose time is over and answers how many. Safe to repeat and to run twice at once.
    fn sweep(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Whether the database answers, and its clock.
    fn ready(&self) -> impl Future<Output = Result<UnixTime, StoreError>> + Send;

    /// What the server says of itself.
    fn server(&self) -> impl Future<Output = Result<ServerInfo, StoreError>> + Send;

    /// Writes what the server says of itself, its first license and its first key set.
    fn initialise(
        &self,
        server: ServerInfo,
        license: License,
        keys: StoredKeySet,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The newest key set.
    fn key_set(&self) -> impl Future<Output = Result<StoredKeySet, StoreError>> + Send;

    /// Adds a key set; refused with [`StoreError::Conflict`] unless it is newer than all others.
    fn publish(&self, keys: StoredKeySet) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds a license.
    fn add_license(&self, license: License) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces limits and policy of a license. Its counts and its last release stay what they are.
    fn change_license(&self, license: License) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every license, oldest first.
    fn licenses(&self) -> impl Future<Output = Result<Vec<License>, StoreError>> + Send;

    /// T1.
    fn create_seat(&self, seat: NewSeat) -> impl Future<Output = Result<Answered, StoreError>> + Send;

    /// T8, T11, T12.
    fn owner(&self, order: OwnerOrder) -> impl Future<Output = Result<Answered, StoreError>> + Send;

    /// Every seat, oldest first.
    fn seats(&self, license: Option<Uuid>) -> impl Future<Output = Result<Vec<Seat>, StoreError>> + Send;

    /// The seat of a token, its license, and the token's stored hash; `None` when no seat ever had it.
    fn seat_of(
        &self,
        token: TokenHash,
    ) -> impl Future<Output = Result<Option<([u8; 32], Seat, License)>, StoreError>> + Send;

    /// The `last` newest entries of the audit trail, of one seat or of all, oldest first.
    fn audit(
        &self,
        seat: Option<Uuid>,
        last: u32,
    ) -> impl Future<Output = Result<Vec<AuditRow>, StoreError>> + Send;

    /// Forgets the renewal secrets of all installations; the next one that each presents counts as new.
    fn forget_installs(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes a consistent copy to a new file while others go on writing.
    fn backup(&self, to: &Path) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Carries out what is waiting, then closes. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> impl Future<Output = ()> + Send;
}
