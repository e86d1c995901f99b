use super::Parameter;
use crate::license::Trouble;
use crate::net::{CALL_TIMEOUT, Route, builder, classify, unusable};
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
    Trouble(Trouble),
    /// The issuer said no: the name of an error (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628, section 3.5).
    Error(String),
    /// The refresh token is not taken any more, or there is none: a person has to sign in again.
    Ended,
}

/// Longest name of an error that is shown.
const LONGEST_NAME: usize = 40;

impl Denied {
    /// The issuer can not be used, for a reason that begins with a capital letter and has no full stop.
    pub(super) fn because(reason: &str) -> Self {
        Self::Trouble(Trouble { detail: Some(reason.to_owned()), ..Trouble::of(Code::IssuerUnusable) })
    }

    /// What is to be reported. Of an error only the name is shown: whatever else an issuer writes may repeat what it was sent.
    #[must_use]
    pub fn into_trouble(self) -> Trouble {
        let (code, words, name) = match &self {
            Self::Trouble(trouble) => return trouble.clone(),
            Self::Ended => return Trouble::of(Code::SignInRequired),
            Self::Error(name) => {
                let (code, words) = meaning(name);
                (code, words, name)
            }
        };
        let fits = |c: &char| c.is_ascii_lowercase() || *c == '_';
        let name: String = name.chars().filter(fits).take(LONGEST_NAME).collect();
        Trouble { detail: Some(format!("{words} ({name})")), ..Trouble::of(code) }
    }
}

fn meaning(error: &str) -> (Code, &'static str) {
    let words = match error {
        "access_denied" => "It was not allowed",
        "expired_token" => "The code was not used in time",
        "invalid_client" | "unauthorized_client" => "The issuer does not accept this client id or its secret",
        "invalid_grant" => "The issuer does not take this answer any more",
        "invalid_scope" => "The issuer does not know a permission that is asked for",
        "invalid_target" => "The issuer does not know the license server by this audience",
        "mixed_up" => "The answer came from another issuer",
        "server_error" | "temporarily_unavailable" => {
            return (Code::IssuerUnusable, "It has a problem of its own");
        }
        _ => "The issuer said no",
    };
    (Code::SignInRefused, words)
}

/// How a client shows who it is (RFC 6749, section 2.3.1): id and secret.
pub(super) enum Client<'a> {
    /// It has no secret.
    Public(&'a str),
    /// In a header.
    Basic(&'a str, &'a str),
    /// Among the parameters.
    Form(&'a str, &'a str),
}

/// The way to an issuer: as to the license server, but made for one grant. Never follows a redirect.
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
    pub(super) fn new(route: Route) -> Result<Self, Denied> {
        let client = made(&route)?;
        Ok(Self { route, client })
    }

    /// The issuer's own way, unless its endpoint is on this computer: secrets for that go to no proxy.
    fn way_to(&self, url: &Url) -> Result<reqwest::Client, Denied> {
        if url.scheme() == self.route.server.scheme() {
            return Ok(self.client.clone());
        }
        made(&Route { server: url.clone(), ..self.route.clone() })
    }

    pub(super) async fn get(&self, url: String) -> Result<Zeroizing<Vec<u8>>, Denied> {
        let (status, body) = read(self.client.get(url)).await?;
        if status == 200 { Ok(body) } else { Err(not_understood(status)) }
    }

    /// Sends a form. Only certain statuses come with an answer of the protocol; others are a proxy's.
    pub(super) async fn post(
        &self,
        url: &Url,
        client: Client<'_>,
        asked: &[Parameter<'_>],
    ) -> Result<Answer, Denied> {
        let way = self.way_to(url)?;
        let mut request = way.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut form = Serializer::new(String::new());
        form.extend_pairs(asked);
        match client {
            Client::Public(id) => drop(form.append_pair("client_id", id)),
            Client::Form(id, secret) => {
                form.append_pair("client_id", id).append_pair("client_secret", secret);
            }
            Client::Basic(id, secret) => {
                let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let basic =
                    format!("Basic {}", STANDARD.encode(format!("{}:{}", escaped(id), escaped(secret))));
                let basic = HeaderValue::try_from(basic);
                let mut basic = basic.map_err(|_| Denied::Trouble(Trouble::of(Code::Internal)))?;
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

fn made(route: &Route) -> Result<reqwest::Client, Denied> {
    let client = builder(route).and_then(|builder| builder.timeout(CALL_TIMEOUT).build().map_err(unusable));
    client.map_err(unreached)
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
            return Err(Denied::because("Its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status().as_u16(), body))
}

fn not_understood(status: u16) -> Denied {
    Denied::because(&format!("What answered can not be understood. HTTP status: {status}"))
}

/// What stands between here and the issuer. A proxy that asks for a password is the same fault as before the license server.
fn unreached(trouble: Trouble) -> Denied {
    let detail = trouble.detail.as_deref();
    match trouble.code {
        Code::ProxyAuthRequired => Denied::Trouble(trouble),
        Code::TlsUntrusted => Denied::because(&format!(
            "Its certificate is not trusted ({})",
            detail.unwrap_or("no reason is known")
        )),
        Code::NotOurServer => Denied::because("A proxy or login page answered in its place"),
        _ => Denied::because(detail.unwrap_or("It can not be reached")),
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
            ("temporarily_unavailable", Code::IssuerUnusable, "It has a problem of its own"),
            ("<script>\nSecret 1{x}", Code::SignInRefused, "The issuer said no (scriptecretx)"),
            (&"x".repeat(999), Code::SignInRefused, "The issuer said no (xxxxxxxxxx"),
        ] {
            let trouble = Denied::Error(name.to_owned()).into_trouble();
            let detail = trouble.detail.unwrap();
            assert_eq!(trouble.code, code, "{name:.20}");
            assert!(detail.contains(words) && detail.len() < 120, "{detail}");
        }
    }
}
