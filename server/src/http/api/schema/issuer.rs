use super::{SecretText, named};
use crate::domain::{Admission, Issuer, IssuerChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A sign-in service whose access tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerJson {
    /// The name-based UUID of its address (RFC 9562, section 5.5), so that it is the same for ever.
    pub id: Uuid,
    /// Its address, exactly as it stands in `iss`.
    pub issuer: String,
    /// As people call it.
    pub name: String,
    /// What `aud` of its access tokens contains for this server.
    pub audience: String,
    /// The seat page's client id at this issuer, where people may sign in with it there.
    pub client_id: Option<String>,
    /// Whether that client has a secret. It is never shown.
    pub has_client_secret: bool,
    /// Whom it admits. The first rule that fits counts; whom none fits is refused.
    pub admits: Vec<Admission>,
}

impl From<&Issuer> for IssuerJson {
    fn from(issuer: &Issuer) -> Self {
        let client = issuer.client.as_ref();
        Self {
            id: issuer.id(),
            issuer: issuer.url.clone(),
            name: issuer.name.clone(),
            audience: issuer.audience.clone(),
            client_id: client.map(|client| client.id.clone()),
            has_client_secret: client.is_some_and(|client| client.sealed_secret.is_some()),
            admits: issuer.admissions.clone(),
        }
    }
}

/// A sign-in service to be accepted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "issuer": "https://login.example.com", "audience": "https://licenses.example.com",
    "admits": [{ "who": { "domain": "example.com" }, "account": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21" }]
}))]
pub struct NewIssuer {
    /// Its address, exactly as it stands in `iss`: https, or http of the server's own computer.
    #[schema(min_length = 1, max_length = 255)]
    pub issuer: String,
    /// What `aud` of its access tokens contains for this server.
    #[schema(min_length = 1, max_length = 255)]
    pub audience: String,
    /// As people call it; the host of its address unless another name is given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// Whom it admits: the first rule that fits counts. Nobody without rules; at most 1000, as far
    /// as they fit into a body.
    #[serde(default)]
    pub admits: Vec<Admission>,
    /// The seat page's client id at this issuer: people may then sign in with it on the seat page.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub client_id: Option<String>,
    /// The secret of that client. It is kept sealed, and never shown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, nullable = false, write_only, min_length = 1, max_length = 4096)]
    pub client_secret: Option<SecretText>,
}

/// What becomes of an issuer; what is not named stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerChange, example = json!({
    "admits": [{ "who": "everybody", "account": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21", "role": "owner" }]
}))]
pub struct IssuerChangeRequest {
    /// As people call it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What `aud` of its access tokens contains for this server.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub audience: Option<String>,
    /// Whom it admits. These replace all rules that there are.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub admits: Option<Vec<Admission>>,
    /// The seat page's client id at this issuer. Another one comes without the secret of the one
    /// before; null takes the sign-in off the seat page.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    pub client_id: Option<Option<String>>,
    /// The secret of that client. It is kept sealed, and never shown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, nullable = false, write_only, min_length = 1, max_length = 4096)]
    pub client_secret: Option<SecretText>,
}

impl NewIssuer {
    /// The address, and everything else.
    #[must_use]
    pub fn into_parts(self) -> (String, IssuerChange) {
        let change = IssuerChange {
            name: self.name,
            audience: Some(self.audience),
            admits: Some(self.admits),
            client_id: self.client_id.map(Some),
            client_secret: self.client_secret.map(Into::into),
        };
        (self.issuer, change)
    }
}

impl From<IssuerChangeRequest> for IssuerChange {
    fn from(request: IssuerChangeRequest) -> Self {
        Self {
            name: request.name,
            audience: request.audience,
            admits: request.admits,
            client_id: request.client_id,
            client_secret: request.client_secret.map(Into::into),
        }
    }
}

/// What became of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedIssuerJson {
    /// The issuer afterwards, or as it would be.
    #[serde(flatten)]
    pub issuer: IssuerJson,
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
}

/// What became of an issuer that is not accepted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedIssuerJson {
    /// The issuer as it was.
    #[serde(flatten)]
    pub issuer: IssuerJson,
    /// Seats of its users that are not closed. Their machines work until their leases end, and
    /// cannot renew them.
    pub seats: u64,
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
}
