use super::AppState;
use super::problem::{ProblemResponse, RequestId};
use crate::service::Unavailable;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use seatlock_protocol::api::JSON;
use std::sync::Arc;

/// The newest key set, as `{"keyset": "<JWS>"}`. It may be believed only as far as its root key is
/// pinned.
pub(super) async fn keys(State(state): State<Arc<AppState>>, id: RequestId, headers: HeaderMap) -> Response {
    let stored = match state.services.key_set().await {
        Ok(stored) => stored,
        Err(error) => {
            let passing = error.unavailable().map(Unavailable::text);
            return ProblemResponse::failed(id, "the key set", &error, passing).respond(id);
        }
    };
    let tag = format!("\"{}\"", stored.seq);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let body = serde_json::json!({ "keyset": stored.jws }).to_string();
    ([(header::ETAG, tag), (header::CONTENT_TYPE, JSON.to_owned())], body).into_response()
}
