use super::problem::{ProblemResponse, RequestId};
use super::{AppState, auth};
use crate::service::rate_limits::RateLimited;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::{net::IpAddr, sync::Arc};

/// The network address that a plug-in's request comes from.
#[derive(Clone, Copy)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// The first refusal of all: too many requests from one address.
pub(super) async fn pace(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    mut request: Request,
    next: Next,
) -> Response {
    let from = auth::address_of(&state, request.headers(), request.extensions());
    if let Err(slow) = state.limits.address(from) {
        return slowed(&state, id, slow).respond(id);
    }
    request.extensions_mut().insert(PeerAddress(from));
    next.run(request).await
}

/// Counts the refusal. The address is not logged, for it may be somebody's home.
pub(super) fn slowed(state: &AppState, id: RequestId, slow: RateLimited) -> ProblemResponse {
    state.metrics.slowed(slow.limit);
    tracing::debug!(request = %id, limit = slow.limit.name(), seconds = slow.seconds, "told to wait");
    ProblemResponse::rate_limited(slow)
}
