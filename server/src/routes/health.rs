use super::AppState;
use super::problem::{Refusal, RequestId};
use crate::store::{Recovery, Store};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

/// The process is alive; says nothing about the database.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be answered: the database is there. A second line says that it was restored, while that matters.
pub(super) async fn ready<S: Store>(State(state): State<Arc<AppState<S>>>, id: RequestId) -> Response {
    let answered = async {
        state.store.ready().await?;
        state.store.recovery().await
    };
    match answered.await {
        Ok(recovery) => match recovery.filter(Recovery::is_open) {
            Some(recovery) => format!("ready\n{}\n", recovery.in_words()).into_response(),
            None => "ready\n".into_response(),
        },
        Err(error) => {
            tracing::warn!(request = %id, %error, "the database does not answer");
            Refusal::overloaded().respond(id)
        }
    }
}
