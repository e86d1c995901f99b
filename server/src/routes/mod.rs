//! Talks: one file per group of endpoints. A request is read, the store is asked, the answer is signed.

/// Access tokens: who shows one, and what is open to him.
mod access;
/// Network addresses, through proxies.
mod address;
/// The admin API: `/admin/v1/...`.
mod admin;
/// Seats as a table, written as it is read.
mod csv;
/// Where things are: `/.well-known/seatlock`.
mod discovery;
/// For whoever watches the server: `/healthz`, `/readyz`.
mod health;
/// The key set: `/v1/keys`.
mod keys;
/// The pages of seat management, for people with a browser.
mod page;
/// Refusals as problem documents.
mod problem;
/// The four calls of a plug-in: `/v1/seat/...`.
pub(crate) mod seat;
/// Leases and verdicts.
pub(crate) mod sign;
/// Who asks: sessions, API tokens, addresses.
mod visitor;

use crate::identity::Keys;
use crate::keys::{DataFolder, KeyRing, Rings};
use crate::mail::Mailer;
use crate::password::Passwords;
use crate::store::{ServerInfo, Store};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use ipnet::IpNet;
use problem::{Refusal, RequestId};
use seatlock_protocol::api::{MAX_BODY, SeatCall};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// What whoever runs the server decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest time that a request may take.
    pub timeout: Duration,
    /// Address under which people reach the server, without a slash at its end; it stands in links that are sent.
    pub public_url: String,
    /// Networks of the proxies in front of the server, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What every request needs.
pub struct AppState<S> {
    /// Licenses and seats.
    pub store: S,
    /// Where new lease keys are found.
    pub folder: DataFolder,
    /// Without it, a stolen database does not even tell which tokens exist.
    pub pepper: Zeroizing<[u8; 32]>,
    /// What the server says of itself.
    pub info: ServerInfo,
    /// What it signs with.
    pub rings: Rings,
    /// The keys of issuers whose access tokens are accepted.
    pub issuers: Keys,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Sends e-mail, where whoever runs the server named a mail server.
    pub mailer: Option<Mailer>,
    /// What whoever runs the server decided.
    pub settings: Settings,
}

impl<S: Store> AppState<S> {
    /// Reads what is needed from the store and the data folder.
    ///
    /// # Errors
    /// When the folder is not initialised, or a secret is missing.
    pub async fn load(store: S, folder: DataFolder, settings: Settings) -> anyhow::Result<Self> {
        let pepper = folder.pepper()?;
        let info = store.server().await?;
        let rings = Rings::new(KeyRing::load(&store, &folder).await?);
        let passwords = Passwords::new()?;
        let issuers = Keys::default();
        Ok(Self { store, folder, pepper, info, rings, issuers, passwords, mailer: None, settings })
    }
}

/// Every endpoint.
pub fn router<S: Store>(state: Arc<AppState<S>>) -> Router {
    let mut router = Router::new();
    for call in [SeatCall::Activate, SeatCall::Ping, SeatCall::Release, SeatCall::Status, SeatCall::Offline] {
        let handler = move |state, id, headers, body| seat::answer::<S>(call, state, id, headers, body);
        router = router.route(call.path(), post(handler));
    }
    router
        .merge(admin::router(&state))
        .route("/v1/keys", get(keys::keys::<S>))
        .route("/.well-known/seatlock", get(discovery::discovery::<S>))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready::<S>))
        .method_not_allowed_fallback(|id: RequestId| async move { Refusal::wrong_method().respond(id) })
        .merge(page::router(&state))
        .fallback(page::nothing::<S>)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), frame::<S>))
        .with_state(state)
}

/// What all answers have in common: a request id, a limit of time, and that nobody keeps a copy.
async fn frame<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::new();
    request.extensions_mut().insert(id);
    let mut response = match tokio::time::timeout(state.settings.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(request = %id, "a request took too long");
            Refusal::overloaded().respond(id).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-request-id", id);
    }
    response
}
