//! Talks: one file per group of endpoints. A request is read, the store is asked, the answer is
//! signed.

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
/// For whoever watches the server: `/healthz`, `/readyz`.
mod health;
/// The key set: `/v1/keys`.
mod keys;
/// What all answers have in common.
mod middleware;
/// Refusals as problem documents.
mod problem;
/// How fast plug-ins may ask.
mod rate_limit;
/// The four calls of a plug-in: `/v1/seat/...`.
mod seat;
/// The pages of seat management, for people with a browser.
pub mod web;

pub use api::{Cause, Console};

use crate::crypto::keys::{DataFolder, pepper_check};
use crate::crypto::password::Passwords;
use crate::crypto::renewal::RenewalKey;
use crate::domain::Restored;
use crate::mail::Mailer;
use crate::oidc::Keys;
use crate::service::key_ring::Rings;
use crate::service::metrics::Metrics;
use crate::service::rate_limits::{Limits, Rates};
use crate::store::{GetRecovery, GetServer, KnowPepper, ServerInfo, Store};
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
use zeroize::Zeroizing;

/// What whoever runs the server decides.
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
    /// Licenses and seats.
    pub store: Store,
    /// Where new lease keys are found.
    pub folder: DataFolder,
    /// Without it, a stolen database does not even tell which tokens exist.
    pub pepper: Zeroizing<[u8; 32]>,
    /// Renewal secrets.
    pub renewals: RenewalKey,
    /// What the server says of itself.
    pub info: ServerInfo,
    /// The mark of a database that was restored from a backup, as it was when the server started.
    pub restored: Option<Restored>,
    /// What it signs with.
    pub rings: Rings,
    /// The keys of issuers whose access tokens are accepted.
    pub issuers: Keys,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Sends e-mail, where whoever runs the server named a mail server.
    pub mailer: Option<Mailer>,
    /// What is counted for whoever watches the server.
    pub metrics: Metrics,
    /// Who asked how often.
    pub limits: Limits,
    /// What whoever runs the server decided.
    pub settings: ServerSettings,
}

impl AppState {
    /// Reads what is needed from the store and the data folder.
    ///
    /// # Errors
    /// When the folder is not initialised, a secret is missing, or the pepper is another server's.
    pub async fn load(store: Store, folder: DataFolder, settings: ServerSettings) -> anyhow::Result<Self> {
        let state = Self::without_rings(store, folder, settings).await?;
        let rings = Rings::load(&state.store, &state.folder).await?;
        Ok(Self { rings, ..state })
    }

    /// Of a server that has signed nothing yet, and may have nothing to sign with.
    async fn without_rings(
        store: Store,
        folder: DataFolder,
        settings: ServerSettings,
    ) -> anyhow::Result<Self> {
        let pepper = folder.pepper()?;
        let info = store.run(GetServer).await?;
        store.run(KnowPepper(pepper_check(&pepper))).await?;
        let passwords = Passwords::new().within(settings.timeout);
        let restored = store.run(GetRecovery).await?.map(|recovery| recovery.restored);
        let (metrics, limits) = (Metrics::default(), Limits::new(settings.rates));
        let (renewals, issuers) = (RenewalKey::new(&pepper), Keys::default());
        Ok(Self {
            store,
            folder,
            pepper,
            renewals,
            info,
            restored,
            rings: Rings::default(),
            issuers,
            passwords,
            mailer: None,
            metrics,
            limits,
            settings,
        })
    }
}

/// Every endpoint.
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
