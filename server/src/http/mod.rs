//! Talks: one file per group of endpoints. A request is read, a service is asked, and what it
//! answers is written.

/// Network addresses, through proxies.
mod address;
/// The admin API: `/admin/v1/...`.
pub mod api;
/// Who asks: sessions, API tokens, addresses.
mod auth;
/// Seats as a table, written as it is read.
mod csv;
/// Where things are: `/.well-known/seatlock`.
mod discovery;
/// For monitoring: `/healthz`, `/readyz`.
mod health;
/// The key set: `/v1/keys`.
mod keys;
/// What all answers have in common.
mod middleware;
/// Refusals as problem documents.
mod problem;
/// How fast plug-ins may ask.
mod rate_limit;
/// The calls of a plug-in: `/v1/seat/...`.
mod seat;
/// The pages of seat management, for people with a browser.
pub mod web;

pub use api::{Cause, Console};

use crate::mail::Mailer;
use crate::service::Services;
use crate::service::metrics::Metrics;
use crate::service::rate_limits::{Limits, Rates};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use ipnet::IpNet;
use middleware::frame;
use problem::{ProblemResponse, RequestId};
use seatlock_protocol::api::{MAX_BODY, SeatCall};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Longest time that a request may take.
    pub timeout: Duration,
    /// Address under which people reach the server, without a slash at its end; it stands in links
    /// that are sent.
    pub public_url: String,
    /// What people call the products, by the names that plug-ins have for them.
    pub product_names: BTreeMap<String, String>,
    /// Networks of the proxies in front of the server, whose `X-Forwarded-For`, `X-Request-Id` and
    /// `traceparent` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How often plug-ins may ask.
    pub rates: Rates,
    /// Whether connections have TLS of the server's own.
    pub own_tls: bool,
}

/// What every request needs.
pub struct AppState {
    /// What requests are served with.
    pub services: Services,
    /// Sends e-mail, where the operator named a mail server.
    pub mailer: Option<Mailer>,
    /// What is counted for monitoring.
    pub metrics: Metrics,
    /// Who asked how often.
    pub limits: Limits,
    /// What the operator decided.
    pub settings: ServerSettings,
}

impl AppState {
    /// Of a server that sends no e-mail.
    #[must_use]
    pub fn new(services: Services, settings: ServerSettings) -> Self {
        let (metrics, limits) = (Metrics::default(), Limits::new(settings.rates));
        Self { services, mailer: None, metrics, limits, settings }
    }
}

pub fn router(state: Arc<AppState>) -> Router {
    let mut plugins = Router::new();
    for call in [SeatCall::Activate, SeatCall::Ping, SeatCall::Release, SeatCall::Status, SeatCall::Airgap] {
        let handler =
            move |state, id, from, headers, body| seat::answer(call, state, (id, from), headers, body);
        plugins = plugins.route(call.path(), post(handler));
    }
    plugins
        .route("/v1/keys", get(keys::keys))
        .route_layer(from_fn_with_state(state.clone(), rate_limit::pace))
        .merge(api::router(&state))
        .route("/.well-known/seatlock", get(discovery::discovery))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(
            |id: RequestId| async move { ProblemResponse::wrong_method().respond(id) },
        )
        .merge(web::router(&state))
        .fallback(web::nothing)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), frame))
        .with_state(state)
}
