use super::IdempotencyRecord;
use crate::crypto::{password::PasswordHash, seal::Hash};
use crate::domain::{Issuer, Role};
use seatlock_protocol::UnixTime;
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixTime,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: Uuid,
    pub account: Uuid,
    /// His e-mail address, by which he signs in.
    pub email: String,
    /// What he may do.
    pub role: Role,
    /// Since when he may do nothing any more.
    pub disabled_at: Option<UnixTime>,
    /// When he was added.
    pub created_at: UnixTime,
}

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub id: Uuid,
    pub account: Uuid,
    pub email: String,
    /// What he may do.
    pub role: Role,
    pub password: PasswordHash,
}

/// What becomes of a user. Each of these ends his sessions, except the one that asked.
#[derive(Debug, Clone)]
pub enum UserChange {
    /// Another password.
    Password(PasswordHash),
    /// Another role.
    Role(Role),
    /// He may do nothing any more; his API tokens are deleted.
    Disable,
    /// He may sign in again.
    Enable,
}

/// A session of the page, to be begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Hash of the secret in the cookie.
    pub hash: Hash,
    /// By what it is named on the page, which must not show the secret.
    pub id: Uuid,
    pub user: Uuid,
    /// The password that was found to be his: if he has another one by now, no session begins.
    pub password: PasswordHash,
    /// The browser, as it calls itself.
    pub agent: String,
    /// The network address that it came from.
    pub address: String,
}

/// A session of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// By what it is named on the page.
    pub id: Uuid,
    /// The browser, as it calls itself.
    pub agent: String,
    /// The network address of the sign-in.
    pub address: String,
    pub created_at: UnixTime,
    /// When it was used last, to the minute.
    pub seen_at: UnixTime,
}

/// Who makes a request, and where he belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub user: User,
    pub account: Account,
    /// Name of the API token that was shown; `None` for a session.
    pub api_token: Option<String>,
    /// The session; `None` for an API token.
    pub session: Option<Uuid>,
}

#[derive(Debug, Clone, Copy)]
pub enum SessionScope {
    /// The one of this cookie.
    Hash(Hash),
    /// All of a user, wherever they are.
    All(Uuid),
}

/// An API token to be added.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    pub id: Uuid,
    pub user: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// Of the token, under the pepper.
    pub hash: Hash,
    /// For when the answer gets lost.
    pub remember: Option<IdempotencyRecord>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    pub id: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it was used last, to the minute.
    pub last_used_at: Option<UnixTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeLink {
    /// Hash of the secret in the link.
    pub id: Hash,
    /// Whose token it shows.
    pub seat: Uuid,
    /// The token, sealed with the secret in the link.
    pub sealed: Vec<u8>,
    pub expires_at: UnixTime,
}

/// Issuers, and what else is needed to answer whoever shows one of their tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerList {
    pub now: UnixTime,
    pub seq: u64,
    /// Every issuer, oldest first.
    pub issuers: Vec<Issuer>,
}

/// What a creation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It was made now.
    New(T),
    /// The same request was carried out before.
    Before {
        /// What was made then.
        subject: Uuid,
        /// The secret that was answered then, sealed.
        sealed: Vec<u8>,
    },
}
