use super::{AdminApiError, ApiResponse};
use anyhow::Context as _;
use reqwest::{
    Client, Request, Url,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use seatlock_protocol::{
    Token, TokenError, TokenKind,
    address::{address, spelled},
};
use seatlock_server::system::cause::of_request;
use seatlock_server::system::files;
use seatlock_server::system::outbound::by_environment;
use seatlock_server::system::variable::variable;
use std::{path::Path, sync::Arc, time::Duration};

/// The API token, for scripts. It is no argument, because everybody on a computer can see those.
pub(super) const TOKEN: &str = "SEATLOCK_API_TOKEN";
/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The admin API of one server, with the authority of one API token.
pub(in crate::cli) struct HttpClient {
    base: String,
    bearer: HeaderValue,
    client: Client,
}

impl HttpClient {
    pub(super) fn new(server: &str, token_file: Option<&Path>) -> anyhow::Result<Self> {
        let url = address(server).map_err(|error| anyhow::anyhow!("--server: {error}"))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token(token_file)?.expose_secret()))?;
        bearer.set_sensitive(true);
        let client = http_client(&url, TIMEOUT)?;
        Ok(Self { base: spelled(&url).to_owned(), bearer, client })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request for an address of the server.
    pub(super) async fn send(
        &self,
        request: axum::http::Request<Vec<u8>>,
    ) -> Result<ApiResponse, AdminApiError> {
        let unreachable = |reason: String| AdminApiError::Unreachable { url: self.base.clone(), reason };
        let (head, body) = request.into_parts();
        let url = Url::parse(&format!("{}{}", self.base, head.uri)).map_err(|_| AdminApiError::Request)?;
        let mut sent = Request::new(head.method, url);
        *sent.headers_mut() = head.headers;
        sent.headers_mut().insert(AUTHORIZATION, self.bearer.clone());
        if !body.is_empty() {
            *sent.body_mut() = Some(body.into());
        }
        let failed = |error| unreachable(of_request(&error));
        let response = self.client.execute(sent).await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(failed)?.to_vec().into();
        Ok(ApiResponse { status, headers, body, cause: None })
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
