use super::Parameter;
use crate::license::RequestError;
use crate::net::{CALL_TIMEOUT, ProxyChoice, Route, builder, classify, unusable};
use crate::words::{Message, Phrase};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Url};
use seatlock_protocol::{Code, api::JSON, api::MAX_BODY};
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Why there is no access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// What is to be reported.
    RequestError(RequestError),
    /// The issuer said no: the name of an error (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628,
    /// section 3.5).
    Error(String),
    /// The refresh token is not taken any more, or there is none: a person has to sign in again.
    Ended,
}

/// Longest name of an error that is shown.
const LONGEST_NAME: usize = 40;

impl Denied {
    /// The issuer cannot be used, for a reason that begins with a capital letter and has no full
    /// stop.
    pub(super) fn because(reason: impl Into<Message>) -> Self {
        Self::RequestError(RequestError::because(Code::IdentityProviderUnavailable, reason))
    }

    /// What is to be reported. Of an error only the name is shown: whatever else an issuer writes
    /// may repeat what it was sent.
    #[must_use]
    pub fn into_error(self) -> RequestError {
        let (code, phrase, name) = match &self {
            Self::RequestError(error) => return error.clone(),
            Self::Ended => return RequestError::of(Code::SignInRequired),
            Self::Error(name) => {
                let (code, phrase) = meaning(name);
                (code, phrase, name)
            }
        };
        let fits = |c: &char| c.is_ascii_lowercase() || *c == '_';
        let name: String = name.chars().filter(fits).take(LONGEST_NAME).collect();
        RequestError::because(code, Message::from(phrase).with("error", name))
    }
}

fn meaning(error: &str) -> (Code, Phrase) {
    let phrase = match error {
        "access_denied" => Phrase::OIDC_DENIED,
        "expired_token" => Phrase::OIDC_EXPIRED,
        "invalid_client" | "unauthorized_client" => Phrase::OIDC_CLIENT,
        "invalid_grant" => Phrase::OIDC_GRANT,
        "invalid_scope" => Phrase::OIDC_SCOPE,
        "invalid_target" => Phrase::OIDC_TARGET,
        "mixed_up" => Phrase::OIDC_MIXED_UP,
        "server_error" | "temporarily_unavailable" => {
            return (Code::IdentityProviderUnavailable, Phrase::OIDC_PROBLEM);
        }
        _ => Phrase::OIDC_NO,
    };
    (Code::SignInRefused, phrase)
}

/// How a client shows who it is (RFC 6749, section 2.3.1): id and secret.
pub(super) enum ClientAuth<'a> {
    /// It has no secret.
    Public(&'a str),
    /// In a header.
    Basic(&'a str, &'a str),
    /// Among the parameters.
    Form(&'a str, &'a str),
}

/// The way to an issuer: as to the license server, but made for one grant. Never follows a
/// redirect.
pub(super) struct Wire {
    route: Route,
    client: reqwest::Client,
}

/// A body in JSON, and whether it says yes.
pub(super) struct Answer {
    granted: bool,
    body: Zeroizing<Vec<u8>>,
}

impl Wire {
    pub(super) async fn new(route: Route) -> Result<Self, Denied> {
        let client = made(&route).await?;
        Ok(Self { route, client })
    }

    /// The issuer's own way, unless its endpoint is on this computer: secrets for that go to no
    /// proxy; or on another one, for which the operating system may have another proxy.
    async fn way_to(&self, url: &Url) -> Result<reqwest::Client, Denied> {
        let asks = matches!(self.route.way.proxy, ProxyChoice::System(Some(_)));
        let server = &self.route.server;
        if url.scheme() == server.scheme() && (!asks || url.host() == server.host()) {
            return Ok(self.client.clone());
        }
        made(&Route { server: url.clone(), ..self.route.clone() }).await
    }

    pub(super) async fn get(&self, url: String) -> Result<Zeroizing<Vec<u8>>, Denied> {
        let (status, body) = read(self.client.get(url)).await?;
        if status == 200 { Ok(body) } else { Err(not_understood(status)) }
    }

    /// Sends a form. Only certain statuses come with an answer of the protocol; others are a
    /// proxy's.
    pub(super) async fn post(
        &self,
        url: &Url,
        client: ClientAuth<'_>,
        asked: &[Parameter<'_>],
    ) -> Result<Answer, Denied> {
        let way = self.way_to(url).await?;
        let mut request = way.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut form = Serializer::new(String::new());
        form.extend_pairs(asked);
        match client {
            ClientAuth::Public(id) => drop(form.append_pair("client_id", id)),
            ClientAuth::Form(id, secret) => {
                form.append_pair("client_id", id).append_pair("client_secret", secret);
            }
            ClientAuth::Basic(id, secret) => {
                let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let basic =
                    format!("Basic {}", STANDARD.encode(format!("{}:{}", escaped(id), escaped(secret))));
                let basic = HeaderValue::try_from(basic);
                let mut basic = basic.map_err(|_| Denied::RequestError(RequestError::of(Code::Internal)))?;
                basic.set_sensitive(true);
                request = request.header(AUTHORIZATION, basic);
            }
        }
        match read(request.body(form.finish())).await? {
            (status @ (200 | 400 | 401 | 403), body) => Ok(Answer { granted: status == 200, body }),
            (status, _) => Err(not_understood(status)),
        }
    }
}

async fn made(route: &Route) -> Result<reqwest::Client, Denied> {
    let builder = builder(route).await.map_err(unreached)?;
    builder.timeout(CALL_TIMEOUT).build().map_err(unusable).map_err(unreached)
}

impl Answer {
    /// Nothing more is wanted than a yes.
    pub(super) fn done(&self) -> Result<(), Denied> {
        if self.granted { Ok(()) } else { Err(self.error()) }
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Denied> {
        self.done()?;
        serde_json::from_slice(&self.body).map_err(|_| not_understood(200))
    }

    fn error(&self) -> Denied {
        #[derive(Deserialize)]
        struct Refused {
            error: String,
        }
        serde_json::from_slice(&self.body)
            .map_or_else(|_| not_understood(400), |Refused { error }| Denied::Error(error))
    }
}

async fn read(request: RequestBuilder) -> Result<(u16, Zeroizing<Vec<u8>>), Denied> {
    let lost = |error: reqwest::Error| unreached(classify::transport(&error));
    let mut answer = request.header(reqwest::header::ACCEPT, JSON).send().await.map_err(lost)?;
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Denied::because(Phrase::OIDC_LONG));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status().as_u16(), body))
}

fn not_understood(status: u16) -> Denied {
    Denied::because(Message::from(Phrase::OIDC_NOT_UNDERSTOOD).with("status", status))
}

/// What stands between here and the issuer. A proxy that asks for a password is the same fault as
/// before the license server.
fn unreached(error: RequestError) -> Denied {
    match (error.code, &error.reason) {
        (Code::ProxyAuthRequired, _) => Denied::RequestError(error),
        (Code::TlsUntrusted, Some(reason)) => {
            Denied::because(Message::from(Phrase::OIDC_UNTRUSTED).because("detail", reason.clone()))
        }
        (Code::UnexpectedResponse, _) => Denied::because(Phrase::OIDC_LOGIN_PAGE),
        (_, Some(reason)) => Denied::because(reason.clone()),
        (_, None) => Denied::because(Phrase::OIDC_UNREACHABLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_means() {
        for (name, code, words) in [
            ("access_denied", Code::SignInRefused, "It was not allowed (access_denied)"),
            ("invalid_client", Code::SignInRefused, "client id or its secret (invalid_client)"),
            ("temporarily_unavailable", Code::IdentityProviderUnavailable, "It has a problem of its own"),
            ("<script>\nSecret 1{x}", Code::SignInRefused, "The issuer said no (scriptecretx)"),
            (&"x".repeat(999), Code::SignInRefused, "The issuer said no (xxxxxxxxxx"),
        ] {
            let error = Denied::Error(name.to_owned()).into_error();
            let reason = error.reason.unwrap().to_string();
            assert_eq!(error.code, code, "{name:.20}");
            assert!(reason.contains(words) && reason.len() < 120, "{reason}");
        }
    }
}
