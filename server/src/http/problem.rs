use super::middleware::CodeName;
use crate::domain::Verdict;
use crate::service::rate_limits::{Limit, RateLimited};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use seatlock_protocol::{
    AccessTokenError, Code, TokenError,
    api::{PROBLEM_JSON, Problem},
};
use serde::Serialize;
use std::{collections::BTreeMap, convert::Infallible, fmt};
use uuid::Uuid;

/// How soon somebody may come back after 503, in seconds.
pub(super) const RETRY_AFTER: u64 = 5;

/// Names one request in the answer, in the log and on the telephone.
#[derive(Clone, Copy)]
pub(super) struct RequestId(Uuid);

impl RequestId {
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(Self::new))
    }
}

/// The page of a code. What only the admin API says has none, and a name.
pub(super) fn type_of(code: &str) -> String {
    Code::from_name(code)
        .map_or_else(|| format!("urn:seatlock:code:{code}"), |code| code.row().url.to_owned())
}

/// A refusal on its way to becoming a problem document.
pub(super) struct ProblemResponse {
    status: StatusCode,
    code: Code,
    detail: Option<String>,
    params: BTreeMap<String, String>,
    verdict: Option<String>,
    keyset: Option<String>,
    /// Seconds.
    retry_after: Option<u64>,
}

impl ProblemResponse {
    /// With the status of the table of codes.
    fn of(code: Code) -> Self {
        let status = StatusCode::from_u16(code.row().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (detail, params, verdict, keyset) = (None, BTreeMap::new(), None, None);
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
        Self { status, code, detail, params, verdict, keyset, retry_after }
    }

    fn invalid(status: StatusCode, detail: &str) -> Self {
        Self { status, detail: Some(detail.to_owned()), ..Self::of(Code::InvalidArgument) }
    }

    pub(super) fn signed(verdict: &Verdict, jws: String, keyset: Option<String>) -> Self {
        Self { params: verdict.params.clone(), verdict: Some(jws), keyset, ..Self::of(verdict.code) }
    }

    pub(super) fn no_token() -> Self {
        let detail = "The request has no token: header \"Authorization: Bearer <token>\".".to_owned();
        Self { status: StatusCode::UNAUTHORIZED, detail: Some(detail), ..Self::of(Code::NoToken) }
    }

    pub(super) fn token(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::of(Code::TokenMalformed),
            TokenError::WrongKind(_) => Self::of(Code::TokenWrongKind),
        }
    }

    pub(super) fn access_token(error: AccessTokenError) -> Self {
        Self { detail: Some(format!("{error}.")), ..Self::of(Code::TokenMalformed) }
    }

    /// The parser's own words could repeat a secret of the body, so only the place is named.
    pub(super) fn body(error: &serde_json::Error) -> Self {
        let place = format!("line {}, column {}", error.line(), error.column());
        Self::invalid(StatusCode::BAD_REQUEST, &format!("The body is not a seat request (at {place})."))
    }

    pub(super) fn field(detail: &str) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn unreadable() -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, "The body could not be read.")
    }

    pub(super) fn too_large() -> Self {
        Self::invalid(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 64 KiB.")
    }

    pub(super) fn not_json() -> Self {
        Self::invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    }

    pub(super) fn not_found() -> Self {
        Self::invalid(StatusCode::NOT_FOUND, "There is nothing at this address.")
    }

    pub(super) fn wrong_method() -> Self {
        Self::invalid(StatusCode::METHOD_NOT_ALLOWED, "This address does not know this method.")
    }

    /// The server can do nothing at the moment; `text` says why, in a sentence.
    pub(super) fn unavailable(text: &str) -> Self {
        let detail = format!("{text} Send the request again later.");
        Self { detail: Some(detail), ..Self::of(Code::Maintenance) }
    }

    /// Something failed. `passing` says what is wrong when the same may succeed later; the log says
    /// all.
    pub(super) fn failed(
        id: RequestId,
        what: &'static str,
        error: &dyn fmt::Display,
        passing: Option<&'static str>,
    ) -> Self {
        if let Some(text) = passing {
            tracing::warn!(request = %id, %error, what, "turned away");
            return Self::unavailable(text);
        }
        tracing::error!(request = %id, %error, what, "failed");
        Self::server_error()
    }

    pub(super) fn rate_limited(slow: RateLimited) -> Self {
        let whose = match slow.limit {
            Limit::Token => "Too many requests with this token.",
            Limit::Address => "Too many requests from this network.",
            Limit::WrongToken => "Too many requests with wrong tokens from this network.",
        };
        let detail = Some(format!("{whose} Try again in {} s.", slow.seconds));
        Self { detail, retry_after: Some(slow.seconds), ..Self::of(Code::RateLimited) }
    }

    pub(super) fn server_error() -> Self {
        Self::of(Code::ServerError)
    }

    pub(super) fn respond(self, id: RequestId) -> Response {
        let text = self.code.text(|name| self.params.get(name).map(String::as_str));
        let problem = Problem {
            type_uri: type_of(self.code.name()),
            title: self.code.name().replace('_', " "),
            status: self.status.as_u16(),
            detail: self.detail.unwrap_or(text),
            instance: Some(format!("urn:uuid:{id}")),
            code: self.code,
            params: self.params,
            help: Some(self.code.row().remedy.to_owned()),
            verdict: self.verdict,
            keyset: self.keyset,
        };
        let challenge = challenge(problem.code.name(), &problem.params);
        respond(&problem, self.status, self.code.name(), challenge, self.retry_after)
    }
}

/// A problem document (RFC 9457), with what HTTP says beside it.
pub(super) fn respond(
    problem: &impl Serialize,
    status: StatusCode,
    code: &'static str,
    challenge: Option<HeaderValue>,
    retry_after: Option<u64>,
) -> Response {
    let Ok(body) = serde_json::to_vec(problem) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
    let headers = response.headers_mut();
    let bare = || (status == StatusCode::UNAUTHORIZED).then(|| HeaderValue::from_static("Bearer"));
    if let Some(challenge) = challenge.or_else(bare) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response.extensions_mut().insert(CodeName(code));
    response
}

/// What 401 and 403 ask for (RFC 6750, section 3).
pub(super) fn challenge(code: &str, params: &BTreeMap<String, String>) -> Option<HeaderValue> {
    let scope = params.get("scope").map(String::as_str).unwrap_or_default();
    match code {
        "sign_in_required" => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
        "scope_missing" => {
            HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")).ok()
        }
        _ => None,
    }
}
