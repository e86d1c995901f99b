use super::AppState;
use super::problem::{RETRY_AFTER, RequestId};
use crate::domain::timestamp;
use crate::service::key_ring::RingError;
use crate::service::{Recovery, StoreError};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

/// The process is alive; says nothing about the database.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be answered: the database is there and takes changes, the clock can be believed,
/// and there is a key to sign with. Otherwise a sentence says what is wrong. A second line says
/// that the database was restored, while that matters.
pub(super) async fn ready(State(state): State<Arc<AppState>>, id: RequestId) -> Response {
    match state.services.readiness().await {
        Ok((ring, recovery)) => {
            let mut text = match ring.lacking() {
                None => "ready\n".to_owned(),
                Some((lacking, until)) => format!("ready until {}: the newer {lacking}\n", timestamp(until)),
            };
            if let Some(recovery) = recovery.filter(Recovery::is_open) {
                text.push_str(&recovery.in_words());
                text.push('\n');
            }
            text.into_response()
        }
        Err(error) => {
            tracing::warn!(request = %id, %error, "not ready");
            let reason = format!("not ready: {}\n", shown(&error));
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER.to_string())], reason)
                .into_response()
        }
    }
}

/// What anybody may read: clocks and names of keys, but no names of files or computers.
fn shown(error: &RingError) -> String {
    match error {
        RingError::Store(StoreError::Clock(_)) | RingError::NoKey(_) | RingError::Missing { .. } => {
            error.to_string()
        }
        error => error.passing().unwrap_or("the server has a problem, which its log describes").to_owned(),
    }
}
