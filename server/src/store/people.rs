use super::{Actor, Remember, StoreError};
use crate::rules::{AttemptBy, Issuer, Plan, Role};
use seatlock_protocol::UnixTime;
use serde::Serialize;
use std::{fmt, future::Future};
use uuid::Uuid;

/// SHA-256, or HMAC-SHA-256 under the pepper, of something secret.
pub type Hash = [u8; 32];

/// Who holds licenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The account.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixTime,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: Uuid,
    /// Where he belongs.
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

/// A password as it is kept: argon2id in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl PasswordHash {
    /// Of no password: whoever has it is let in by a sign-in service only. It is no PHC string.
    #[must_use]
    pub fn nobodys() -> Self {
        Self("!".to_owned())
    }

    /// Whether there is a password of which this is the hash.
    #[must_use]
    pub fn is_somebodys(&self) -> bool {
        *self != Self::nobodys()
    }
}

/// It may be guessed from.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The new id.
    pub id: Uuid,
    /// Where he belongs.
    pub account: Uuid,
    /// His e-mail address.
    pub email: String,
    /// What he may do.
    pub role: Role,
    /// His first password.
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
    /// Whose it is.
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
    /// When it began.
    pub created_at: UnixTime,
    /// When it was used last, to the minute.
    pub seen_at: UnixTime,
}

/// Who makes a request, and where he belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// His account.
    pub account: Account,
    /// Name of the API token that was shown; `None` for a session.
    pub api_token: Option<String>,
    /// The session; `None` for an API token.
    pub session: Option<Uuid>,
}

/// Whose sessions end.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    /// The one of this cookie.
    Hash(Hash),
    /// All of a user, wherever they are.
    All(Uuid),
}

/// An API token to be added.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// The new id.
    pub id: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// Of the token, under the pepper.
    pub hash: Hash,
    /// For when the answer gets lost.
    pub remember: Option<Remember>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// The token's id.
    pub id: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it was used last, to the minute.
    pub last_used_at: Option<UnixTime>,
}

/// A one-time link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Hash of the secret in the link.
    pub id: Hash,
    /// Whose token it shows.
    pub seat: Uuid,
    /// The token, sealed with the secret in the link.
    pub sealed: Vec<u8>,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Issuers, and what else is needed to answer whoever shows one of their tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerList {
    /// The database's clock.
    pub now: UnixTime,
    /// Newest key set.
    pub seq: u64,
    /// Every issuer, oldest first.
    pub issuers: Vec<Issuer>,
}

/// What a creation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made<T> {
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

/// People, and what they show in order to be let in. Each method is one transaction.
pub trait People: Send + Sync + 'static {
    /// Adds an account.
    fn add_account(
        &self,
        id: Uuid,
        name: String,
        by: Actor,
    ) -> impl Future<Output = Result<Account, StoreError>> + Send;

    /// Every account, oldest first.
    fn accounts(&self) -> impl Future<Output = Result<Vec<Account>, StoreError>> + Send;

    /// Every plan, by name.
    fn plans(&self) -> impl Future<Output = Result<Vec<Plan>, StoreError>> + Send;

    /// Adds a plan, or replaces what the plan of that name contains.
    fn set_plan(&self, plan: Plan, by: Actor) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every issuer, oldest first, with the moment and the newest key set.
    fn issuers(&self) -> impl Future<Output = Result<IssuerList, StoreError>> + Send;

    /// Adds an issuer. [`StoreError::Taken`] when there is one of that address.
    fn add_issuer(&self, issuer: Issuer, by: Actor) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces an issuer. [`StoreError::NotFound`] when there is none of that address.
    fn change_issuer(&self, issuer: Issuer, by: Actor)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes an issuer: its access tokens are refused from then on. Seats stay.
    fn remove_issuer(&self, url: String, by: Actor) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many seats that are not closed users of this issuer have.
    fn issuer_seats(&self, url: String) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Adds a user. [`StoreError::Taken`] when somebody has the e-mail address already.
    fn add_user(&self, user: NewUser, by: Actor) -> impl Future<Output = Result<User, StoreError>> + Send;

    /// Changes a user, and ends his sessions except `keep`.
    fn change_user(
        &self,
        id: Uuid,
        change: UserChange,
        keep: Option<Uuid>,
        by: Actor,
    ) -> impl Future<Output = Result<User, StoreError>> + Send;

    /// The users of one account or of all, oldest first.
    fn users(&self, account: Option<Uuid>) -> impl Future<Output = Result<Vec<User>, StoreError>> + Send;

    /// The user with this e-mail address and his password, disabled or not.
    fn user(
        &self,
        email: &str,
    ) -> impl Future<Output = Result<Option<(User, PasswordHash)>, StoreError>> + Send;

    /// Counts an attempt to sign in for each of the names. `Some` is when the next one is possible,
    /// and then none was counted.
    fn attempt(
        &self,
        names: Vec<(AttemptBy, Hash)>,
    ) -> impl Future<Output = Result<Option<UnixTime>, StoreError>> + Send;

    /// Begins a session, and forgets the attempts under one name. The user must not be disabled.
    fn sign_in(
        &self,
        session: NewSession,
        forget: Hash,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Who shows this cookie, as long as the session lives.
    fn session(&self, hash: Hash) -> impl Future<Output = Result<Option<SignedIn>, StoreError>> + Send;

    /// The living sessions of a user, the newest first.
    fn sessions(&self, user: Uuid) -> impl Future<Output = Result<Vec<Session>, StoreError>> + Send;

    /// Ends sessions. Ending none is fine.
    fn end_sessions(&self, ending: Ending) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds an API token; [`StoreError::ApiTokenLimit`] when the user has as many as he may.
    fn add_api_token(
        &self,
        token: NewApiToken,
        by: Actor,
    ) -> impl Future<Output = Result<Made<ApiToken>, StoreError>> + Send;

    /// The API tokens of a user, oldest first.
    fn api_tokens(&self, user: Uuid) -> impl Future<Output = Result<Vec<ApiToken>, StoreError>> + Send;

    /// Deletes an API token of a user, at once. [`StoreError::NotFound`] when he has none of that
    /// id.
    fn remove_api_token(
        &self,
        user: Uuid,
        id: Uuid,
        by: Actor,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Who shows this API token, unless it was deleted or its user disabled.
    fn bearer(&self, hash: Hash) -> impl Future<Output = Result<Option<SignedIn>, StoreError>> + Send;

    /// What a request of this key led to, and the secret that was answered, sealed; as long as it
    /// is remembered.
    fn remembered(
        &self,
        key: Hash,
    ) -> impl Future<Output = Result<Option<(Uuid, Vec<u8>)>, StoreError>> + Send;

    /// Keeps a one-time link, and ends those that the seat had. [`StoreError::Conflict`] unless
    /// `token` is the seat's token as it is now.
    fn add_share(
        &self,
        share: Share,
        token: Hash,
        by: Actor,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A one-time link that has not ended. Looking changes nothing.
    fn share(&self, id: Hash) -> impl Future<Output = Result<Option<Share>, StoreError>> + Send;

    /// Uses a one-time link up: only one caller ever gets it.
    fn take_share(&self, id: Hash) -> impl Future<Output = Result<Option<Share>, StoreError>> + Send;
}
