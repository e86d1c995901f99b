use super::{KeySet, Unusable};
use crate::system::outbound::by_environment;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use seatlock_protocol::address::address;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};

/// Longest time for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest time for one document. There are two, and a request may take ten seconds.
const TOTAL: Duration = Duration::from_secs(4);
/// Bytes of the largest document. Those of real issuers have some thousands.
const LARGEST: usize = 256 * 1024;

/// Where an issuer does what, by its own word (OpenID Connect Discovery, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Endpoints {
    issuer: String,
    jwks_uri: String,
    /// Where people sign in.
    #[serde(default, deserialize_with = "fitting")]
    pub authorization_endpoint: Option<String>,
    /// Where codes are exchanged for tokens.
    #[serde(default, deserialize_with = "fitting")]
    pub token_endpoint: Option<String>,
}

/// A member that can be done without: what does not fit is as good as absent.
pub(super) fn fitting<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(from)?).ok())
}

/// The endpoints of an issuer, and its keys.
pub(super) async fn fetch(issuer: &str) -> Result<(Endpoints, KeySet), Unusable> {
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = get(&discovery).await?;
    let endpoints: Endpoints = serde_json::from_slice(&document)
        .map_err(|_| Unusable::new("what it publishes is no OpenID configuration"))?;
    // Whoever can answer at this address must not speak for another issuer (Discovery, section 4.3).
    if endpoints.issuer != issuer {
        return Err(Unusable::new("it calls itself by another name than it is configured with"));
    }
    let keys = get(&endpoints.jwks_uri).await?;
    let keys = KeySet::read(&keys).map_err(|error| Unusable(format!("its keys are of no use: {error}")))?;
    Ok((endpoints, keys))
}

/// An address that an issuer names as its own.
pub(super) fn reachable(text: &str) -> Result<Url, Unusable> {
    address(text).map_err(|reason| Unusable(format!("its address is of no use: {reason}")))
}

async fn get(text: &str) -> Result<Vec<u8>, Unusable> {
    let url = reachable(text)?;
    let answer = client(&url)?.get(url).send().await;
    let answer = answer.map_err(|error| unreachable(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(Unusable(format!("it answers with the HTTP status {}", answer.status().as_u16())));
    }
    read(answer).await
}

/// The body, if it is not too large.
pub(super) async fn read(mut answer: Response) -> Result<Vec<u8>, Unusable> {
    let mut document = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        if document.len() + chunk.len() > LARGEST {
            return Err(Unusable::new("its answer is too large"));
        }
        document.extend_from_slice(&chunk);
    }
    Ok(document)
}

/// Follows no redirects: an issuer's documents are where it says that they are.
pub(super) fn client(url: &Url) -> Result<Client, Unusable> {
    // There is none without the certificate authorities of the operating system.
    let no_tls =
        || Unusable::new("this computer has no certificate authorities; on Debian install ca-certificates");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| no_tls())?
        .with_platform_verifier()
        .map_err(|_| no_tls())?
        .with_no_client_auth();
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("seatlock-server/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TOTAL);
    let builder = by_environment(builder, url).map_err(|error| Unusable(error.to_string()))?;
    builder.build().map_err(|_| no_tls())
}

/// Without the address, which may be long, and without the issuer's own words.
pub(super) fn unreachable(error: &reqwest::Error) -> Unusable {
    Unusable::new(match error {
        error if error.is_timeout() => "it does not answer in time",
        error if error.is_connect() => "it is not reachable",
        _ => "the connection broke off",
    })
}
