use super::{console::AtConsole, error::ApiError};
use crate::http::{AppState, auth};
use crate::service::SignedIn;
use crate::service::{IdempotencyKey, Service, is_key};
use axum::{
    body::{Bytes, HttpBody as _},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use seatlock_protocol::{Token, TokenError, TokenKind, api::JSON, json};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

/// Entries of a list that are answered unless another number is asked for.
const USUAL: u32 = 50;
/// Entries of a list that are answered at most.
const LIMIT_MAX: u32 = 500;

/// Who asks: by an API token, by the page's session, or at the console.
pub(super) struct Principal {
    pub(super) who: SignedIn,
    at_console: bool,
}

impl Principal {
    pub(super) fn service<'a>(&'a self, state: &'a AppState) -> Service<'a> {
        let services = &state.services;
        if self.at_console { services.of_console(&self.who) } else { services.of(&self.who) }
    }
}

impl From<SignedIn> for Principal {
    fn from(who: SignedIn) -> Self {
        Self { who, at_console: false }
    }
}

impl FromRequestParts<Arc<AppState>> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, ApiError> {
        if parts.extensions.get::<AtConsole>().is_some() {
            return Ok(Self { who: AtConsole::user(), at_console: true });
        }
        let headers = &parts.headers;
        if headers.contains_key(header::AUTHORIZATION) {
            if let Some(token) = auth::access_token(headers) {
                let path = parts.uri.path();
                let scope =
                    needed_scope(parts.method.is_safe(), path.strip_prefix(super::ROOT).unwrap_or(path));
                return state
                    .services
                    .bearer_of(&token, scope)
                    .await?
                    .map(Self::from)
                    .map_err(ApiError::verdict);
            }
            check_kind(headers)?;
            let found = auth::by_api_token(state, headers).await?;
            return found.map(Self::from).ok_or_else(|| {
                ApiError::unauthorized(
                    "token_unknown",
                    "The server does not know this API token: it was deleted, its user was disabled, or it belongs \
                     to another server.",
                )
            });
        }
        let Some(found) = auth::by_session(state, headers).await? else {
            return Err(ApiError::unauthorized(
                "no_token",
                "Nobody is signed in. Send an API token: header \"Authorization: Bearer sat_...\".",
            ));
        };
        // What a form of another page can send has another type. Such a page cannot send this one without
        // being asked by the browser whether it may, and it may not.
        if !parts.method.is_safe() && !is_json(headers) {
            return Err(ApiError::not_json());
        }
        Ok(found.into())
    }
}

/// What an access token must permit, to look at what lies at a path or to change it.
pub(super) fn needed_scope(only_looks: bool, path: &str) -> &'static str {
    match (only_looks, path.starts_with("/audit")) {
        (true, true) => "audit:read",
        (true, false) => "seats:read",
        (false, _) => "seats:write",
    }
}

/// A misplaced token is told from one that is mistyped.
fn check_kind(headers: &HeaderMap) -> Result<(), ApiError> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    let Some((_, text)) = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        let detail = "The header must be \"Authorization: Bearer sat_...\".";
        return Err(ApiError::unauthorized("no_token", detail));
    };
    match Token::parse(text, TokenKind::Api) {
        Ok(_) => Ok(()),
        Err(TokenError::Malformed) => Err(ApiError::unauthorized(
            "token_malformed",
            "The API token looks incomplete or mistyped. Copy all 40 characters; it begins with \"sat_\".",
        )),
        Err(TokenError::WrongKind(kind)) => {
            let detail = match kind {
                TokenKind::OauthClient => {
                    "This is the secret of an OAuth client. An API token is needed here; it begins with \"sat_\"."
                }
                TokenKind::Integration | TokenKind::Api => {
                    "This is an integration token, which activates plug-ins. An API token is needed here; it begins \
                     with \"sat_\"."
                }
            };
            Err(ApiError::forbidden("token_wrong_kind", detail))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
}

/// The body as it came, of at most 64 KiB, that claims to be JSON.
pub(super) struct RawBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::not_json());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
            _ => ApiError::invalid("body", "it could not be read"),
        })?;
        Ok(Self(bytes))
    }
}

/// The body, read strictly.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        // A list would be taken for the members in their order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::invalid("body", "a JSON object is needed"));
        }
        json::from_slice(&bytes).map(Self).map_err(|error| unreadable(&error))
    }
}

/// The body, read strictly; `None` where there is none.
pub(super) struct MaybeBody<T>(pub(super) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        JsonBody::from_request(request, state).await.map(|JsonBody(read)| Self(Some(read)))
    }
}

/// The parser's own words could repeat a secret of the body, so only the place is named, and what
/// ought to be there.
fn unreadable(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let wanted = match text.rsplit_once(", expected ") {
        Some((_, "u32" | "u64")) => "expected: a whole number".to_owned(),
        Some((_, wanted)) => format!("expected: {wanted}"),
        None if text.starts_with("missing field") => text.to_owned(),
        None => "that is not what this address takes".to_owned(),
    };
    ApiError::invalid("body", &format!("at line {}, column {}, {wanted}", error.line(), error.column()))
}

/// The parameters of the address, read strictly: whoever mistypes a filter does not get everything.
pub(super) struct QueryParams<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(read)| Self(read)).map_err(|_| {
            let known: Vec<String> = T::into_params(|| None).into_iter().map(|known| known.name).collect();
            ApiError::invalid(
                "query",
                &format!(
                    "a parameter is unknown, is there twice, or has no good value. This address takes: {}",
                    known.join(", ")
                ),
            )
        })
    }
}

/// How many entries of a list are answered.
pub(super) fn limit(wanted: Option<u32>) -> Result<u32, ApiError> {
    match wanted.unwrap_or(USUAL) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(ApiError::invalid("limit", &format!("1 to {LIMIT_MAX}"))),
    }
}

/// The `id` of the address. What is no id names nothing.
pub(super) struct PathId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| Uuid::try_parse(&text).ok());
        id.map(Self).ok_or_else(|| ApiError::not_found("The address has no UUID where one is needed."))
    }
}

/// The header `Idempotency-Key`.
pub(super) struct IdempotencyKeyHeader(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKeyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let one_only = || ApiError::invalid("Idempotency-Key", "one of 1 to 255 visible ASCII characters");
        let key = values.next().map(|value| value.to_str().map_err(|_| one_only())).transpose()?;
        if values.next().is_some() || !key.is_none_or(is_key) {
            return Err(one_only());
        }
        Ok(Self(key.map(str::to_owned)))
    }
}

/// Everything that a request asks for, as bytes that are the same each time, together with its key.
pub(super) struct Repeatable {
    key: Option<String>,
    request: Vec<u8>,
}

impl IdempotencyKeyHeader {
    pub(super) fn of<T: Serialize>(self, request: &T) -> Result<Repeatable, ApiError> {
        let request = serde_json::to_vec(request).map_err(ApiError::server_error)?;
        Ok(Repeatable { key: self.0, request })
    }
}

impl Repeatable {
    pub(super) fn idempotency_key(&self) -> Option<IdempotencyKey<'_>> {
        self.key.as_deref().map(|key| IdempotencyKey { key, request: &self.request })
    }
}
