//! The admin API as the commands ask it: over the network, or in this process with the authority
//! of the operator, who may open the data folder.

/// Over the network.
mod http;

pub(super) use http::http_client;

use anyhow::bail;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, StatusCode, header::RETRY_AFTER};
use http::HttpClient;
use seatlock_protocol::api::JSON;
use seatlock_server::Cause;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::http::api::schema::{List, ProblemJson};
use seatlock_server::{Console, service::Services};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::PathBuf, time::Duration};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Entries of a list that are asked for at a time.
const PAGE: usize = 500;
/// Characters of a stranger's text that are shown.
const SHOWN: usize = 500;
/// Names and values after the question mark of an address.
pub(super) type Query<'a> = &'a [(&'a str, Option<String>)];

/// What a command works on.
pub(super) struct ServerLocation {
    /// The data folder.
    pub(super) folder: DataFolder,
    /// Address of the server whose admin API is used instead.
    pub(super) server: Option<String>,
    /// File with the API token.
    pub(super) api_token_file: Option<PathBuf>,
}

impl ServerLocation {
    /// For what needs the data folder's keys or whole database.
    pub(super) fn on_the_folder(&self, command: &str) -> anyhow::Result<()> {
        if self.server.is_some() {
            bail!("\"{command}\" works on the data folder only; leave --server out");
        }
        Ok(())
    }

    /// Carries out what asks the admin API.
    pub(super) async fn ask(
        &self,
        command: impl AsyncFnOnce(&AdminClient) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let client = match &self.server {
            Some(url) => AdminClient::Http(HttpClient::new(url, self.api_token_file.as_deref())?),
            None => {
                let store = super::open(&self.folder).await?;
                let services = Services::without_rings(store, self.folder.clone(), Duration::MAX).await?;
                AdminClient::Console(Console::new(services))
            }
        };
        let done = command(&client).await;
        if let AdminClient::Console(console) = client {
            console.close().await;
        }
        done
    }
}

/// Why the admin API did not answer what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminApiError {
    /// There was no answer.
    #[error("{url} is not reachable: {reason}")]
    Unreachable { url: String, reason: String },
    /// The server refused.
    #[error("{}", in_words(problem))]
    Refused {
        problem: Box<ProblemJson>,
        /// Seconds until it is worth another try, if the server said so.
        wait: Option<u64>,
    },
    /// The server in this process failed.
    #[error("{cause}")]
    Failed { cause: String, passing: bool },
    /// Something else answered.
    #[error(
        "{url} answered with the HTTP status {status}, but not as a seatlock server does. Check --server, and whether a proxy stands in between"
    )]
    NotOurs { url: String, status: u16 },
    /// The request cannot be written.
    #[error("the request cannot be made")]
    Request,
}

impl AdminApiError {
    /// Whether the same request may succeed a little later. It may have succeeded already, too.
    pub(super) fn passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { problem, .. } => matches!(problem.status, 500 | 503),
            Self::Failed { passing, .. } => *passing,
            Self::NotOurs { status, .. } => *status >= 500,
            Self::Request => false,
        }
    }

    /// Seconds until then, if the server said so.
    pub(super) fn wait(&self) -> Option<u64> {
        if let Self::Refused { wait, .. } = self { *wait } else { None }
    }
}

/// What the server says, without anything that a terminal would take for a command.
fn in_words(problem: &ProblemJson) -> String {
    let mut text = problem.detail.clone();
    if let Some(help) = &problem.help {
        text = format!("{text} {help}");
    }
    let plain: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let field = problem.params.get("field").map(String::as_str).unwrap_or_default();
    match problem.code.as_str() {
        "no_token" | "token_unknown" | "token_malformed" | "token_wrong_kind" => {
            let variable = http::TOKEN;
            format!("{plain} Put an API token into {variable}, or name its file with --api-token-file")
        }
        _ => format!("{plain}{}", option_of(field)),
    }
}

/// How a member that cannot be so is named on the command line.
pub(super) fn option_of(member: &str) -> &'static str {
    match member {
        "products" => " Name products with --product",
        "entitlements" => " Name them with --entitlement",
        "license" => " Name it with --license",
        _ => "",
    }
}

/// One answer.
struct ApiResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    cause: Option<Cause>,
}

/// Where the admin API is.
pub(super) enum AdminClient {
    /// At a server that runs somewhere, with the authority of one API token.
    Http(HttpClient),
    /// In this process.
    Console(Console),
}

impl AdminClient {
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<T, AdminApiError> {
        self.send(Method::GET, path, query, None::<&()>, None).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AdminApiError> {
        self.send(Method::POST, path, &[], Some(body), None).await
    }

    /// Whatever is to be done. With an idempotency `key` it is done once, and answered again.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<&impl Serialize>,
        key: Option<&str>,
    ) -> Result<T, AdminApiError> {
        let address = format!("/admin/v1{path}?");
        let begin = address.len();
        let mut address = form_urlencoded::Serializer::for_suffix(address, begin);
        let named = query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        address.extend_pairs(named);
        let mut request =
            axum::http::Request::builder().method(method).uri(address.finish().trim_end_matches('?'));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header("content-type", JSON);
        }
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| AdminApiError::Request)?;
        let request = request.body(body.unwrap_or_default()).map_err(|_| AdminApiError::Request)?;
        let reply = match self {
            Self::Http(http) => http.send(request).await?,
            Self::Console(console) => {
                let (head, body) = console.call(request.map(Body::from)).await.into_parts();
                let cause = head.extensions.get().cloned();
                let body = to_bytes(body, usize::MAX).await.map_err(|_| AdminApiError::Request)?;
                ApiResponse { status: head.status, headers: head.headers, body: body.to_vec().into(), cause }
            }
        };
        self.read(&reply)
    }

    fn read<T: DeserializeOwned>(&self, reply: &ApiResponse) -> Result<T, AdminApiError> {
        let url = if let Self::Http(http) = self { http.base() } else { "the admin API" };
        let not_ours = || AdminApiError::NotOurs { url: url.to_owned(), status: reply.status.as_u16() };
        if reply.status.is_success() {
            let body: &[u8] = if reply.body.is_empty() { b"null" } else { &reply.body };
            return serde_json::from_slice(body).map_err(|_| not_ours());
        }
        if let Some(Cause(cause)) = &reply.cause {
            let passing = reply.status == StatusCode::SERVICE_UNAVAILABLE;
            return Err(AdminApiError::Failed { cause: cause.to_string(), passing });
        }
        let problem = serde_json::from_slice(&reply.body).map_err(|_| not_ours())?;
        let wait = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(AdminApiError::Refused { problem: Box::new(problem), wait })
    }

    /// A whole list, or its first entries.
    pub(super) async fn list<T: DeserializeOwned + ToSchema>(
        &self,
        path: &str,
        query: Query<'_>,
        most: usize,
    ) -> Result<Vec<T>, AdminApiError> {
        let (mut items, mut after) = (Vec::new(), None);
        while items.len() < most {
            let limit = most.saturating_sub(items.len()).min(PAGE).to_string();
            let query = [query, &[("limit", Some(limit)), ("after", after.take())]].concat();
            let part: List<T> = self.get(path, &query).await?;
            items.extend(part.items);
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        Ok(items)
    }

    pub(super) async fn all<T: DeserializeOwned + ToSchema>(
        &self,
        path: &str,
    ) -> Result<Vec<T>, AdminApiError> {
        self.list(path, &[], usize::MAX).await
    }
}
