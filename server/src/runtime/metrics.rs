use super::tls::Tls;
use crate::http::AppState;
use crate::service::metrics::{MetricsSnapshot, OPEN_METRICS};
use crate::system::cause::of_io;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Answers Prometheus for as long as the server runs.
pub(super) async fn serve(listener: TcpListener, state: Arc<AppState>, tls: Option<Arc<Tls>>) {
    let router = Router::new().route("/metrics", get(scrape)).with_state((state, tls));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(reason = of_io(&error), "metrics are not served any more");
    }
}

async fn scrape(State((state, tls)): State<(Arc<AppState>, Option<Arc<Tls>>)>) -> Response {
    let licenses = state.services.licenses().await;
    if let Err(error) = &licenses {
        tracing::warn!(%error, "the database does not answer");
    }
    let snapshot = MetricsSnapshot {
        licenses: licenses.ok(),
        load: state.services.load_of_store(),
        key_set: state.services.key_set_number(),
        certificate_ends: tls.map(|tls| tls.not_after().seconds().unsigned_abs()),
    };
    match state.metrics.text(snapshot) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
