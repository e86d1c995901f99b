use super::router;
use crate::domain::Role;
use crate::http::{AppState, ServerSettings};
use crate::service::{Account, SignedIn, User};
use crate::service::{Services, rate_limits::Rates};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    response::Response,
};
use seatlock_protocol::{UnixTime, api::MAX_BODY};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tower::ServiceExt as _;
use uuid::Uuid;

/// What [`Console::call`] adds to a request, and nothing else can: it is no part of what comes over
/// a network.
#[derive(Clone)]
pub(super) struct AtConsole(());

impl AtConsole {
    /// An administrator that no database has. The audit trail names the console instead.
    pub(super) fn user() -> SignedIn {
        let (id, created_at) = (Uuid::nil(), UnixTime::MIN);
        let account = Account { id, name: "console".to_owned(), created_at };
        let (email, role, disabled_at) = ("console".to_owned(), Role::Admin, None);
        let user = User { id, account: id, email, role, disabled_at, created_at };
        SignedIn { user, account, api_token: None, session: None }
    }
}

/// The admin API in this process, for the operator, who may open the data folder and so may do
/// everything. Nothing listens.
pub struct Console {
    state: Arc<AppState>,
    router: Router,
}

impl Console {
    /// Of one server. A lease key is needed only by what signs.
    #[must_use]
    pub fn new(services: Services) -> Self {
        let settings = ServerSettings {
            timeout: Duration::MAX,
            public_url: String::new(),
            product_names: BTreeMap::new(),
            trusted_proxies: Vec::new(),
            rates: Rates::default(),
            own_tls: false,
        };
        let state = Arc::new(AppState::new(services, settings));
        let router = router(&state).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(state.clone());
        Self { state, router }
    }

    /// Answers one request for an address below `/admin/v1`. It needs no token.
    pub async fn call(&self, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(AtConsole(()));
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Ends when everything that was acknowledged is on disk.
    pub async fn close(self) {
        self.state.services.close().await;
    }
}
