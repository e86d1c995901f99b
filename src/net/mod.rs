//! Talks. Sends one request of the plug-in API and answers what came back, unbelieved; judging it
//! is the business of [`crate::license`].

/// Sorts what came back, by status, type and body.
mod classify;
/// Reads what strangers write in more than one way.
mod lenient;
/// Signing in at an OpenID provider.
pub mod oauth;
/// Names of servers.
mod resolver;
/// Lists of proxies as Windows writes them.
mod system_proxy;
/// Which certificates are trusted.
mod tls;
/// Through which proxy.
mod way;

use crate::license::{Reply, RequestError};
use crate::words::Phrase;
use once_cell::unsync::OnceCell;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Url, redirect};
use seatlock_protocol::{
    Code, UnixTime,
    address::{is_loopback, spelled},
    api::{JSON, MAX_BODY, SeatCall, SeatRequest},
};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// For the fuzz targets alone.
#[cfg(fuzzing)]
pub use classify::{answer, retry_after};
pub use tls::{Certificate, certificates};
pub use way::ProxyInUse;

/// What answers carry the id of their request in.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest time for a connection, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole call.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What came back.
pub struct Response {
    /// Sorted, and not believed.
    pub reply: Reply,
    /// What the server calls the request in its own log, if it is a UUID. Not signed.
    pub request_id: Option<Uuid>,
}

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its base address.
    pub server: Url,
    /// How to leave this computer.
    pub way: Way,
}

/// How requests leave this computer, to whichever server. A host may change it between two of them.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where to send requests through.
    pub proxy: ProxyChoice,
    /// Certificate authorities beside the operating system's.
    pub extra_ca: Vec<Certificate>,
}

impl Way {
    /// Trusts further authorities.
    pub fn trust(&mut self, more: Vec<Certificate>) {
        for one in more {
            if !self.extra_ca.contains(&one) {
                self.extra_ca.push(one);
            }
        }
    }
}
/// What the operating system says for an address: its list of proxies, and its list of what is
/// reached without one. With `true` setup scripts count, which may have to be looked for. Runs on a
/// thread of its own.
pub type SystemProxy = fn(&str, bool) -> Option<(String, String)>;

/// Where to send requests through.
#[derive(Clone)]
pub enum ProxyChoice {
    /// What the environment and the operating system say, except for loopback addresses. On Windows
    /// the function tells; elsewhere the HTTP library knows.
    System(Option<SystemProxy>),
    /// No proxy.
    Direct,
    /// This one; its address may hold user and password.
    Explicit(Url),
}

/// The address may hold a password, so it is not shown.
impl std::fmt::Debug for ProxyChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System(_) => "System",
            Self::Direct => "Direct",
            Self::Explicit(_) => "Explicit",
        })
    }
}

/// One client's way to its server. Lives on the worker; the HTTP client and its TLS configuration
/// are made with the first call, because reading the system's certificates takes a millisecond, and
/// again when the way has changed.
pub struct Http {
    server: Url,
    way: watch::Receiver<Way>,
    client: OnceCell<Client>,
}

impl Http {
    /// Makes nothing yet.
    #[must_use]
    pub fn new(server: Url, way: watch::Receiver<Way>) -> Self {
        Self { server, way, client: OnceCell::new() }
    }

    /// How it reaches the server.
    #[must_use]
    pub fn route(&self) -> Route {
        Route { server: self.server.clone(), way: self.way.borrow().clone() }
    }

    /// Sends one request with a token or an access token as `bearer`, and sorts the answer. Never
    /// follows a redirect, never reads more than a body's limit. `now` turns a `Retry-After`
    /// date into seconds; `sleep` lets time pass.
    pub async fn call(
        &mut self,
        call: SeatCall,
        bearer: &str,
        request: &SeatRequest,
        now: UnixTime,
        sleep: impl AsyncFn(Duration),
    ) -> Response {
        if self.way.has_changed().unwrap_or(false) {
            self.way.mark_unchanged();
            self.client.take();
        }
        let replied = tokio::select! {
            biased;
            replied = self.try_call(call, bearer, request, now) => replied,
            () = sleep(CALL_TIMEOUT) => Err(classify::too_late()),
        };
        replied.unwrap_or_else(|error| {
            // Proxy and certificates are looked up again: the computer may have moved to another network.
            self.client.take();
            Response { reply: Reply::Failed(error), request_id: None }
        })
    }

    async fn try_call(
        &self,
        call: SeatCall,
        bearer: &str,
        request: &SeatRequest,
        now: UnixTime,
    ) -> Result<Response, RequestError> {
        let client = match self.client.get() {
            Some(made) => made,
            None => {
                let made = builder(&self.route()).await?.build().map_err(unusable)?;
                self.client.get_or_init(|| made)
            }
        };
        let url = format!("{}{}", spelled(&self.server), call.path());
        let body = serde_json::to_vec(request).map_err(|_| RequestError::of(Code::Internal))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {bearer}"))
            .map_err(|_| RequestError::of(Code::TokenMalformed))?;
        bearer.set_sensitive(true);

        let sent = client.post(url).header(AUTHORIZATION, bearer).body(body).send().await;
        let mut response = sent.map_err(|error| classify::transport(&error))?;
        let status = response.status().as_u16();
        let text =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, retry_after) = (text(CONTENT_TYPE), text(RETRY_AFTER));
        let request_id = text(REQUEST_ID).and_then(|id| Uuid::try_parse(&id).ok());

        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify::transport(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                body.clear();
                break;
            }
            body.extend_from_slice(&chunk);
        }
        let retry_after = retry_after.and_then(|text| classify::retry_after(&text, now));
        Ok(Response {
            reply: classify::answer(status, content_type.as_deref(), retry_after, &body),
            request_id,
        })
    }
}

async fn builder(route: &Route) -> Result<ClientBuilder, RequestError> {
    let secure = route.server.scheme() == "https";
    let stays_here = is_loopback(&route.server);
    let explicit = matches!(route.way.proxy, ProxyChoice::Explicit(_));
    if !secure && (explicit || !stays_here) {
        return Err(classify::unreachable(Phrase::NET_IN_THE_CLEAR));
    }
    let tls = tls::configuration(secure, &route.way.extra_ca).map_err(|_| {
        // A certificate store that could not be opened looks like an empty one.
        out_of_means().unwrap_or_else(no_authorities)
    })?;
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static(JSON)),
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
    ]);
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .default_headers(headers)
        .user_agent(concat!("seatlock/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .dns_resolver(resolver::Resolver)
        .connect_timeout(CONNECT_TIMEOUT)
        // Pings are hours apart; a kept connection would only be found dead after the computer has slept.
        .pool_max_idle_per_host(0);
    let proxy = ProxyInUse::of(route).map_err(classify::unreachable)?;
    proxy.applied(builder, &route.server).await.map_err(classify::unreachable)
}

fn unusable(_: reqwest::Error) -> RequestError {
    out_of_means().unwrap_or(RequestError::of(Code::Internal))
}

/// What the computer has too little of at this moment, for errors that do not say so.
fn out_of_means() -> Option<RequestError> {
    crate::scarcity::shortage().map(classify::unreachable)
}

/// Nothing else can be wrong with a configuration whose extra authorities were looked at.
fn no_authorities() -> RequestError {
    RequestError::because(Code::TlsUntrusted, Phrase::NET_NO_AUTHORITIES)
}
