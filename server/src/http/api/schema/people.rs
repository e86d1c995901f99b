use super::{SecretText, Timestamp, named};
use crate::domain::Role;
use crate::service::{Account, ApiToken, SignedIn, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who holds licenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountJson {
    /// The account.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<&Account> for AccountJson {
    fn from(account: &Account) -> Self {
        Self { id: account.id, name: account.name.clone(), created_at: Timestamp(account.created_at) }
    }
}

/// An account to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Example Studio" }))]
pub struct NewAccount {
    /// Its name, for people: 1 to 200 bytes without control characters.
    #[schema(
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
        max_length = 200
    )]
    pub name: String,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserJson {
    /// The user.
    pub id: Uuid,
    /// E-mail address, by which the user signs in.
    pub email: String,
    /// What the user may do.
    pub role: Role,
    /// Where the user belongs.
    pub account: Uuid,
    /// Since when the user may do nothing any more.
    pub disabled_at: Option<Timestamp>,
    /// When the user was added.
    pub created_at: Timestamp,
}

impl From<&User> for UserJson {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            role: user.role,
            account: user.account,
            disabled_at: user.disabled_at.map(Timestamp),
            created_at: Timestamp(user.created_at),
        }
    }
}

/// A user to be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "account": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21", "email": "owner@example.com", "role": "owner"
}))]
pub struct NewUserRequest {
    /// Where the user belongs.
    pub account: Uuid,
    /// E-mail address, by which the user signs in.
    #[schema(pattern = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^\s\x00-\x1f\x7f-\x9f]+$", max_length = 254)]
    pub email: String,
    /// What the user may do.
    pub role: Role,
    /// The first password, of 12 characters or more; one is made unless it is named.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, nullable = false, write_only, min_length = 12, max_length = 1024)]
    pub password: Option<SecretText>,
}

/// A password that somebody has chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "password": "correct horse battery staple" }))]
pub struct NewPassword {
    /// Of 12 characters or more, and not the user's e-mail address.
    #[schema(value_type = String, write_only, min_length = 12, max_length = 1024)]
    pub password: SecretText,
}

/// What becomes of a user: one thing at a time. It ends the user's sessions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "disabled": true }))]
pub struct UserChangeRequest {
    /// What the user may do.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub role: Option<Role>,
    /// Whether the user may do nothing any more; API tokens are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub disabled: Option<bool>,
}

/// A user with a new password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InvitationJson {
    /// The user.
    #[serde(flatten)]
    pub user: UserJson,
    /// The password, if it was made and not chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// Whose requests these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeJson {
    /// The user.
    pub user: UserJson,
    /// Where the user belongs.
    pub account: AccountJson,
    /// Name of the API token that was shown; null for a session.
    pub api_token: Option<String>,
}

impl From<&SignedIn> for MeJson {
    fn from(who: &SignedIn) -> Self {
        Self { user: (&who.user).into(), account: (&who.account).into(), api_token: who.api_token.clone() }
    }
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiTokenJson {
    /// The token's id.
    pub id: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl From<&ApiToken> for ApiTokenJson {
    fn from(token: &ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name.clone(),
            created_at: Timestamp(token.created_at),
            last_used_at: token.last_used_at.map(Timestamp),
        }
    }
}

/// An API token to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "nightly report" }))]
pub struct NewApiTokenRequest {
    /// What it is for: 1 to 100 bytes without control characters.
    #[schema(
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
        max_length = 100
    )]
    pub name: String,
    /// Whose it is, unless it is your own. Nobody names another user by the network: it is for the
    /// commands at the server's console.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub user: Option<Uuid>,
}

/// An API token that was made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedApiTokenJson {
    /// What is known of it afterwards.
    #[serde(flatten)]
    pub api_token: ApiTokenJson,
    /// The API token.
    pub token: SecretText,
}
