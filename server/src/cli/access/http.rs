use super::Trouble;
use anyhow::Context as _;
use reqwest::{
    Client, Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use seatlock_protocol::{
    Token, TokenError, TokenKind,
    address::{address, spelled},
    api::JSON,
};
use seatlock_server::{
    cause::of_request,
    files,
    variable::variable,
    view::{List, ProblemView},
    way::by_environment,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, sync::Arc, time::Duration};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// The API token, for scripts. It is no argument, because everybody on a computer can see those.
const TOKEN: &str = "SEATLOCK_API_TOKEN";
/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Entries of a list that are asked for at a time.
const PAGE: u32 = 500;
/// Characters of a stranger's text that are shown.
const SHOWN: usize = 500;

/// Why the admin API did not answer what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// There was no answer.
    #[error("{url} is not reachable: {reason}")]
    Unreachable { url: String, reason: String },
    /// The server refused.
    #[error("{}", in_words(.0))]
    Refused(Box<ProblemView>, Option<u64>),
    /// Something else answered.
    #[error(
        "{url} answered with the HTTP status {status}, but not as a seatlock server does. Check --server, and whether a proxy stands in between"
    )]
    NotOurs { url: String, status: u16 },
}

/// What the server says, without anything that a terminal would take for a command.
fn in_words(problem: &ProblemView) -> String {
    let mut text = problem.detail.clone();
    if let Some(help) = &problem.help {
        text = format!("{text} {help}");
    }
    let plain: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    match problem.code.as_str() {
        "no_token" | "token_unknown" | "token_malformed" | "token_wrong_kind" => {
            format!("{plain} Put an API token into {TOKEN}, or name its file with --api-token-file")
        }
        _ => plain,
    }
}

impl ApiError {
    /// Whether the same request may succeed a little later.
    fn passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem, _) => matches!(problem.status, 500 | 503),
            Self::NotOurs { status, .. } => *status >= 500,
        }
    }
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        let wait = match &error {
            ApiError::Refused(_, wait) => *wait,
            _ => None,
        };
        Self { passing: error.passing(), wait, error: error.into() }
    }
}

/// The admin API of one server, with the authority of one API token.
pub(in crate::cli) struct Api {
    base: String,
    bearer: HeaderValue,
    http: Client,
}

/// What is asked of the API.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) key: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, query: Vec::new(), body: None, key: None }
    }

    pub(super) fn body<T: Serialize>(self, body: &T) -> Result<Self, serde_json::Error> {
        Ok(Self { body: Some(serde_json::to_vec(body)?), ..self })
    }
}

impl Api {
    pub(super) fn new(server: &str, token_file: Option<&Path>) -> anyhow::Result<Self> {
        let url = address(server).map_err(|error| anyhow::anyhow!("--server: {error}"))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token(token_file)?.expose_secret()))?;
        bearer.set_sensitive(true);
        let http = http_client(&url, TIMEOUT)?;
        Ok(Self { base: spelled(&url).to_owned(), bearer, http })
    }

    pub(super) async fn ask<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, ApiError> {
        let url = format!("{}/admin/v1{}", self.base, request.path);
        let unreachable = |reason: String| ApiError::Unreachable { url: self.base.clone(), reason };
        let mut url = Url::parse(&url).map_err(|_| unreachable("that is no address".to_owned()))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut sending = self.http.request(request.method, url).header(AUTHORIZATION, self.bearer.clone());
        if let Some(key) = request.key {
            sending = sending.header("idempotency-key", key);
        }
        if let Some(body) = request.body {
            sending = sending.header(CONTENT_TYPE, JSON).body(body);
        }
        let response = sending.send().await.map_err(|error| unreachable(of_request(&error)))?;
        let status = response.status();
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body =
            Zeroizing::new(response.bytes().await.map_err(|error| unreachable(of_request(&error)))?.to_vec());
        let not_ours = || ApiError::NotOurs { url: self.base.clone(), status: status.as_u16() };
        if status.is_success() {
            let body: &[u8] = if body.is_empty() { b"null" } else { &body };
            return serde_json::from_slice(body).map_err(|_| not_ours());
        }
        let problem = serde_json::from_slice(&body).map_err(|_| not_ours())?;
        Err(ApiError::Refused(Box::new(problem), wait))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(Request::new(Method::GET, path)).await
    }

    /// A whole list.
    pub(super) async fn list<T: DeserializeOwned + ToSchema>(
        &self,
        path: &str,
        query: Vec<(&'static str, String)>,
        most: usize,
    ) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let missing = most.saturating_sub(items.len()).min(PAGE as usize);
            let mut query = query.clone();
            query.push(("limit", missing.to_string()));
            query.extend(after.map(|after| ("after", after)));
            let part: List<T> = self.ask(Request { query, ..Request::new(Method::GET, path) }).await?;
            items.extend(part.items);
            after = part.next;
            if after.is_none() || items.len() >= most {
                return Ok(items);
            }
        }
    }
}

/// From a file, or from the environment.
fn token(file: Option<&Path>) -> anyhow::Result<Token> {
    let (text, from) = match file {
        Some(path) => (files::read_line(path)?, path.display().to_string()),
        None => {
            let text = variable(TOKEN)?.with_context(|| {
                format!("an API token is needed: put it into {TOKEN}, or name its file with --api-token-file")
            })?;
            (text, TOKEN.to_owned())
        }
    };
    Token::parse(&text, TokenKind::Api).map_err(|error| match error {
        TokenError::Malformed => anyhow::anyhow!("{from}: the API token looks incomplete or mistyped"),
        TokenError::WrongKind(_) => {
            anyhow::anyhow!("{from}: that is no API token; those begin with \"sat_\"")
        }
    })
}

/// What asks the server at `url`, by a proxy only if it is not on this computer.
pub(in crate::cli) fn http_client(url: &Url, timeout: Duration) -> anyhow::Result<Client> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(url.scheme() == "https")?)
        .user_agent(concat!("seatlock-server/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout);
    by_environment(builder, url)?.build().context("the request cannot be made")
}

/// With the operating system's trust store.
fn tls(secure: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    if secure {
        Ok(builder.with_platform_verifier()?.with_no_client_auth())
    } else {
        // Plain http to this computer: no certificate is looked at.
        Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }
}
