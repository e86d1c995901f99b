//! Serves plug-ins, people and the operator: whatever is asked for by page or by API is asked for
//! here.
//!
//! A `Service` knows for whom it works. What belongs to another account is not there for an owner.
//! Nothing above reaches the store past `Services`.

/// Answers the files of machines without a network.
pub mod airgap;
/// Signed statements of what the audit trail was.
pub mod checkpoint;
/// Answers to requests that may come again because the first answer was lost.
mod idempotency;
/// Sign-in services, for admins.
mod issuers;
/// The newest key set and the key of it that this server signs with.
pub mod key_ring;
/// What is counted, for monitoring.
pub mod metrics;
/// Accounts, users, licenses and plans, for admins.
mod office;
/// One-time links, for the person who has one.
mod one_time_links;
/// How often one token and one address may ask.
pub mod rate_limits;
/// Between a plug-in's request and the rules: what they are told, and what is signed.
pub(crate) mod seat_call;
/// Seats and their tokens.
mod seats;
/// API tokens and passwords, for everybody.
mod self_service;
/// What all services have in common, and the only way to the store.
mod services;
/// How somebody comes to be signed in.
mod sign_in;

pub use idempotency::IdempotencyKey;
pub(crate) use idempotency::is_key;
pub use issuers::Issuers;
pub use office::Invitation;
pub use seats::{IssuedSeat, RecalledToken, SeatActionResult};
pub use self_service::IssuedApiToken;
pub use services::Services;
pub use sign_in::{Browser, KnownUser, SignInAttempt, SignInError, session_hash, sign_in};

/// What services are asked by and answer with, as the store has it.
pub use crate::store::{
    Account, ApiToken, AuditQuery, AuditRow, AuditState, IssuerList, ListedSeat, Page, Recovery, SeatCursor,
    SeatQuery, ServerInfo, Session, SignedIn, StoreError, StoredKeySet, Unavailable, Used, User, UserChange,
};

use crate::crypto::password::PasswordError;
use crate::crypto::seal::SealError;
use crate::domain::{Role, Verdict};
use crate::service::checkpoint::CheckpointError;
use crate::store::{Actor, Store};
use uuid::Uuid;

/// Why somebody does not get what he asks for.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Refused by the rules of licensing.
    #[error("{}", .0.code.text(|name| .0.params.get(name).map(String::as_str)))]
    Verdict(Verdict),
    /// He may not do this at all.
    #[error("only an administrator of this server may do this")]
    AdminsOnly,
    /// By the admin API everybody makes API tokens for himself.
    #[error("by the admin API everybody makes API tokens for himself only; you are {0}")]
    OwnOnly(String),
    /// Something that he said cannot be.
    #[error("{field}: {reason}")]
    Invalid {
        /// What he said it of.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A checkpoint of the audit trail is not what it should be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A password could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// A secret could not be sealed, or not be opened again.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl ServiceError {
    fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// What is not there, and what belongs to somebody else, look the same.
    fn no_such(what: &str, id: Uuid) -> Self {
        Self::Store(StoreError::NotFound(format!("{what} {id}")))
    }
}

/// Where a user's requests are served.
pub struct Service<'a> {
    store: &'a Store,
    pepper: &'a [u8; 32],
    who: &'a SignedIn,
    by: Actor,
}

impl<'a> Service<'a> {
    /// With the authority of `who`.
    pub fn new(store: &'a Store, pepper: &'a [u8; 32], who: &'a SignedIn) -> Self {
        let user = who.user.email.clone();
        let by = match who.api_token.clone() {
            Some(token) => Actor::ApiToken { user, token },
            None => Actor::User(user),
        };
        Self { store, pepper, who, by }
    }

    /// For the operator, who may open the data folder: `who` is an administrator that no database
    /// has.
    pub(crate) fn of_console(store: &'a Store, pepper: &'a [u8; 32], who: &'a SignedIn) -> Self {
        Self { store, pepper, who, by: Actor::Console }
    }

    fn is_admin(&self) -> bool {
        self.who.user.role == Role::Admin
    }

    /// For what only administrators may do.
    pub fn admins_only(&self) -> Result<(), ServiceError> {
        if self.is_admin() { Ok(()) } else { Err(ServiceError::AdminsOnly) }
    }

    /// Whose things are looked at: for an owner his own account's, for an admin those of the
    /// account that he names, or all.
    fn scope(&self, named: Option<Uuid>) -> Option<Uuid> {
        if self.is_admin() { named } else { Some(self.who.account.id) }
    }

    fn may_see(&self, account: Uuid) -> bool {
        self.is_admin() || self.who.account.id == account
    }

    /// As the audit trail names him.
    fn actor(&self) -> Actor {
        self.by.clone()
    }
}
