use super::AppState;
use super::problem::{Refusal, RequestId};
use crate::store::Store;
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

/// The process is alive; says nothing about the database.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be answered: the database is there.
pub(super) async fn ready<S: Store>(State(state): State<Arc<AppState<S>>>, id: RequestId) -> Response {
    match state.store.ready().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(request = %id, %error, "the database does not answer");
            Refusal::overloaded().respond(id)
        }
    }
}
