use crate::crypto::password::PasswordError;
use crate::domain::Verdict;
use crate::http::api::schema::ProblemJson;
use crate::http::problem::{RETRY_AFTER, RequestId, challenge, respond, type_of};
use crate::service::ServiceError;
use crate::service::airgap::AirgapError;
use crate::service::checkpoint::CheckpointError;
use crate::service::{StoreError, Unavailable};
use crate::system::clock::system_time;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use seatlock_protocol::Code;
use std::{collections::BTreeMap, sync::Arc};

/// Why a request of the admin API is refused. What the request said is repeated only where it can
/// be no secret.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    help: Option<&'static str>,
    params: BTreeMap<String, String>,
    retry_after: Option<u64>,
    /// What is written to the log, and to nobody else but the console.
    cause: Option<Cause>,
}

/// Why a request failed, as the log has it. It is beside the answer and not in it, so that it does
/// not leave the process.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<str>);

impl Cause {
    fn of(error: &impl ToString) -> Option<Self> {
        Some(Self(error.to_string().into()))
    }
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (params, retry_after) = (BTreeMap::new(), None);
        Self { status, code, detail: detail.into(), help: None, params, retry_after, cause: None }
    }

    /// Nobody is known to ask.
    pub(super) fn unauthorized(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// Somebody is known, or at least what he shows, and may not.
    pub(super) fn forbidden(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// A part of the request cannot be so.
    pub(super) fn invalid(field: &str, reason: &str) -> Self {
        let detail = format!("{field}: {}", sentence(reason));
        let mut failure = Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument.name(), detail);
        failure.params.insert("field".to_owned(), field.to_owned());
        failure
    }

    pub(super) fn too_large() -> Self {
        let detail = "The body is larger than 64 KiB.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument.name(), detail)
    }

    pub(super) fn not_json() -> Self {
        let detail = "The request must say \"content-type: application/json\".";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument.name(), detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn wrong_method() -> Self {
        let detail = "This address does not know this method. See /admin/v1/docs.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
    }

    pub(super) fn conflict(detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    pub(super) fn server_error(cause: impl ToString) -> Self {
        let detail = Code::ServerError.text(|_| None);
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::ServerError.name(), detail);
        let help = Some(Code::ServerError.row().remedy);
        Self { help, cause: Cause::of(&cause), ..failure }
    }

    /// The server can do nothing at the moment; `text` says why.
    fn unavailable(text: &str, cause: &impl ToString) -> Self {
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Maintenance.name(), text);
        let cause = Cause::of(cause);
        Self { help: Some("Send the request again later."), retry_after: Some(RETRY_AFTER), cause, ..failure }
    }

    /// Refused by the rules of licensing.
    pub(super) fn verdict(verdict: Verdict) -> Self {
        let row = verdict.code.row();
        let status = StatusCode::from_u16(row.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = verdict.code.text(|name| verdict.params.get(name).map(String::as_str));
        let mut failure = Self::new(status, row.name, text);
        failure.help = Some(row.remedy);
        if status == StatusCode::TOO_MANY_REQUESTS {
            // Never early, and never "now" for what is not possible now.
            failure.retry_after = verdict.avail.map(|at| at.since(system_time()).max(1));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            failure.retry_after = Some(RETRY_AFTER);
        }
        failure.params = verdict.params;
        match verdict.code {
            Code::TokenRevoked => {
                failure.detail = "The seat is closed: its token was revoked, for good.".to_owned();
                failure.help = Some("Create another seat.");
            }
            Code::SeatLimitReached => {
                failure.help = Some("Revoke a seat that nobody needs, or ask for a larger license.");
            }
            Code::PlanNotEntitled => {
                failure.detail = "The plan of this license does not include this.".to_owned();
            }
            _ => {}
        }
        failure
    }

    /// As a problem document (RFC 9457).
    pub(super) fn respond(self, id: RequestId) -> Response {
        if let Some(Cause(cause)) = &self.cause {
            tracing::error!(request = %id, %cause, "a request of the admin API failed");
        }
        let problem = ProblemJson {
            type_uri: type_of(self.code),
            title: self.code.replace('_', " "),
            status: self.status.as_u16(),
            detail: self.detail,
            instance: Some(format!("urn:uuid:{id}")),
            code: self.code.to_owned(),
            params: self.params,
            help: self.help.map(str::to_owned),
        };
        let challenge = challenge(&problem.code, &problem.params);
        let mut response = respond(&problem, self.status, self.code, challenge, self.retry_after);
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// The document is written where the request's id is known: see [`super::in_words`].
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(refused: ServiceError) -> Self {
        match refused {
            ServiceError::Verdict(verdict) => Self::verdict(verdict),
            ServiceError::AdminsOnly => {
                Self::forbidden("admins_only", "Only an administrator of this server may do this.")
            }
            ServiceError::OwnOnly(_) => Self::forbidden("own_only", &sentence(&title(&refused.to_string()))),
            ServiceError::Invalid { field, reason } => Self::invalid(field, &reason),
            ServiceError::Store(error) => error.into(),
            ServiceError::Checkpoint(CheckpointError::Store(error)) => error.into(),
            // For administrators, in words of our own.
            ServiceError::Checkpoint(error) => {
                Self { detail: sentence(&title(&error.to_string())), ..Self::server_error(error) }
            }
            ServiceError::Password(error) => error.into(),
            ServiceError::Random(error) => Self::server_error(error),
            ServiceError::Seal(error) => Self::server_error(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => {
                Self::conflict("Somebody else was faster; nothing was changed. Look at it again.")
            }
            StoreError::NotFound(what) => Self::not_found(format!("There is no {what}.")),
            StoreError::Taken(what) => {
                Self::conflict(&format!("{} is taken; nothing was changed.", title(&what)))
            }
            StoreError::ApiTokenLimit => {
                let detail = format!("{}.", title(&error.to_string()));
                Self::new(StatusCode::CONFLICT, "api_token_limit", detail)
            }
            StoreError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key was used for another request. Use a new one for each request.",
            ),
            StoreError::SignsIn => Self::conflict(&format!("{}.", title(&error.to_string()))),
            other => match other.unavailable() {
                Some(unavailable) => Self::unavailable(unavailable.text(), &other),
                None => Self::server_error(other),
            },
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        if error.passes() {
            Self::unavailable(Unavailable::Busy.text(), &error)
        } else {
            Self::server_error(error)
        }
    }
}

impl From<AirgapError> for ApiError {
    fn from(error: AirgapError) -> Self {
        match error {
            AirgapError::Store(error) => error.into(),
            AirgapError::Ring(error) => match error.passing() {
                Some(text) => Self::unavailable(text, &error),
                None => Self::server_error(error),
            },
            AirgapError::Random(error) => Self::server_error(error),
            AirgapError::OtherIssuer(_) => {
                Self::invalid("issuer", "the file is for another server; bring it to that one")
            }
            AirgapError::Refused(verdict) if verdict.code == Code::TokenUnknown => {
                // 401 would mean the API token.
                let detail = "The file's token belongs to no seat of yours on this server.";
                Self::new(StatusCode::NOT_FOUND, Code::TokenUnknown.name(), detail)
            }
            AirgapError::Refused(verdict) => {
                let token_revoked = verdict.code == Code::TokenRevoked;
                let mut failure = Self::verdict(verdict);
                if token_revoked {
                    failure.detail = "The file's token was replaced or revoked.".to_owned();
                    failure.help = Some("Give the artist a new token, and ask for a new file.");
                }
                failure
            }
            AirgapError::NotTheHolder => {
                Self::new(StatusCode::CONFLICT, "not_the_holder", sentence(&title(&error.to_string())))
            }
        }
    }
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// With a capital at its beginning.
fn title(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
