use super::AppState;
use super::problem::{ProblemResponse, RequestId};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use seatlock_protocol::api::{Discovery, JSON, SeatCall};
use std::{collections::BTreeMap, sync::Arc};

/// Where things are, for people and programs. Nothing in it is a reason to trust anything.
pub(super) async fn discovery(State(state): State<Arc<AppState>>, id: RequestId) -> Response {
    let body = Discovery {
        issuer: state.services.info().issuer.clone(),
        endpoints: BTreeMap::from([
            ("activate".to_owned(), SeatCall::Activate.path().to_owned()),
            ("ping".to_owned(), SeatCall::Ping.path().to_owned()),
            ("release".to_owned(), SeatCall::Release.path().to_owned()),
            ("status".to_owned(), SeatCall::Status.path().to_owned()),
            ("airgap".to_owned(), SeatCall::Airgap.path().to_owned()),
            ("keys".to_owned(), "/v1/keys".to_owned()),
        ]),
        documentation: state.services.info().documentation.clone(),
        support: state.services.info().support.clone(),
    };
    match serde_json::to_vec(&body) {
        Ok(body) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => ProblemResponse::server_error().respond(id),
    }
}
