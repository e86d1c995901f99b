//! Gets access tokens from an OpenID provider, and believes nothing that they say: that is for the
//! license server to verify.
//!
//! An ID token, where one comes along, is not looked at. It would tell the client who signed in,
//! which the client has no use for that the access token does not serve as well.

/// How people sign in at another device.
mod device;
/// Where an issuer's endpoints are.
mod discovery;
/// Where a browser comes back to.
mod loopback;
/// What the token endpoint is asked, and what it answers.
mod token;
/// Requests to an issuer, and what can go wrong on the way.
mod wire;

use super::{Route, Way};
use crate::license::{RefreshToken, RequestError};
use crate::words::{Language, Phrase};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use discovery::Provider;
use reqwest::Url;
use seatlock_protocol::{AccessToken, Code};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::sync::watch;
use wire::Wire;
use zeroize::Zeroizing;

pub use wire::Denied;

/// An issuer, and how this product is registered there.
#[derive(Clone)]
pub struct IssuerRegistration {
    /// Its address, without a slash at its end, which its own description repeats.
    pub url: String,
    /// What it calls this product, or this machine.
    pub client_id: String,
    /// Set for a machine that signs in by itself.
    pub client_secret: Option<Zeroizing<String>>,
    /// What is asked for; `seat:use` when it is empty.
    pub scopes: Vec<String>,
    /// For whom the access tokens are to be: the name that the license server has there.
    pub audience: Option<String>,
    /// As to the license server.
    pub way: watch::Receiver<Way>,
    /// Of the page that the browser shows in the end.
    pub language: Arc<Language>,
}

/// What an issuer grants.
pub struct Grant {
    /// What is shown to the license server.
    pub access: AccessToken,
    /// Seconds for which it can be shown, counted from now; `None` when only the token itself says
    /// so.
    pub lifetime: Option<u64>,
    /// What the next access token is asked for with.
    pub refresh: Option<RefreshToken>,
}

/// What a person needs to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The page to open.
    pub url: String,
    /// What to type there, when it is opened on another device.
    pub code: Option<String>,
}

/// Name and value of a parameter.
type Parameter<'a> = (&'static str, &'a str);

impl IssuerRegistration {
    /// What a seat is used with.
    const SCOPE: &str = "seat:use";

    /// Signs a machine in by its own id and secret (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// As every other function here: what went wrong at the issuer or on the way there, never a
    /// secret.
    pub async fn machine(&self) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let scope = self.scopes(None);
        self.grant(&wire, &provider, &[("grant_type", "client_credentials"), ("scope", &scope)]).await
    }

    /// Gets the next access token (RFC 6749, section 6). The refresh token that was used may be
    /// worth nothing afterwards, also when the answer gets lost.
    ///
    /// # Errors
    /// [`Denied::Ended`] when the refresh token is not taken any more.
    pub async fn renew(&self, used: &RefreshToken) -> Result<Grant, Denied> {
        let secret = used.secret_for(&self.url, &self.client_id).ok_or(Denied::Ended)?;
        let (wire, provider) = self.provider().await?;
        let asked = [("grant_type", "refresh_token"), ("refresh_token", secret)];
        let grant = self.grant(&wire, &provider, &asked).await.map_err(|denied| match denied {
            Denied::Error(name) if name == "invalid_grant" => Denied::Ended,
            other => other,
        })?;
        // An issuer that does not rotate goes on taking the same one.
        Ok(Grant { refresh: grant.refresh.or_else(|| Some(used.clone())), ..grant })
    }

    /// Lets a person sign in with the browser of this computer (RFC 8252, RFC 7636). `show` gets
    /// the page to open.
    ///
    /// # Errors
    /// See [`Denied`]. Waits without a limit.
    pub async fn browser(&self, show: impl FnOnce(Prompt)) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let listener = loopback::Listener::bind(Arc::clone(&self.language)).await?;
        let redirect = listener.url().clone();
        let (verifier, state, scope) = (random()?, random()?, self.scopes(Some(&provider)));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let asked = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect.as_str()),
            ("scope", &scope),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut page = provider.authorization()?;
        page.query_pairs_mut()
            .extend_pairs(asked)
            .extend_pairs(self.audience())
            .extend_pairs(lasting(&provider));
        show(Prompt { url: page.into(), code: None });
        let (code, browser) = listener.code(&state, &self.url).await;
        let granted = match code {
            Ok(code) => self.exchanged(&wire, &provider, &redirect, &verifier, Zeroizing::new(code)).await,
            Err(denied) => Err(denied),
        };
        browser.show(granted.is_ok()).await;
        granted
    }

    /// The grant for a code (RFC 6749, section 4.1.3).
    async fn exchanged(
        &self,
        wire: &Wire,
        provider: &Provider,
        redirect: &Url,
        verifier: &str,
        code: Zeroizing<String>,
    ) -> Result<Grant, Denied> {
        let brought = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", verifier),
        ];
        self.grant(wire, provider, &brought).await
    }

    /// Tells the issuer that a refresh token is not used any more (RFC 7009).
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn revoke(&self, token: &RefreshToken) -> Result<(), Denied> {
        let secret = token.secret_for(&self.url, &self.client_id).ok_or(Denied::Ended)?;
        let (wire, provider) = self.provider().await?;
        let Some(revocation) = provider.revocation()? else { return Ok(()) };
        let asked = [("token", secret), ("token_type_hint", "refresh_token")];
        wire.post(&revocation, self.client(&provider), &asked).await?.done()
    }

    async fn provider(&self) -> Result<(Wire, Provider), Denied> {
        let server = Url::parse(&self.url).map_err(|_| Denied::because(Phrase::OIDC_ADDRESS))?;
        let wire = Wire::new(Route { server, way: self.way.borrow().clone() }).await?;
        let provider = Provider::read(&wire.get(discovery::document(&self.url)).await?, &self.url)?;
        Ok((wire, provider))
    }

    /// What is asked for; for a person also what makes the sign-in last, where the provider has it.
    fn scopes(&self, person_at: Option<&Provider>) -> String {
        let lasting = ["openid", "offline_access"].into_iter();
        let mut scopes: Vec<&str> =
            lasting.filter(|scope| person_at.is_some_and(|provider| provider.has_scope(scope))).collect();
        let default = self.scopes.is_empty().then_some(Self::SCOPE);
        for scope in self.scopes.iter().map(String::as_str).chain(default) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes.join(" ")
    }

    /// Issuers call it by two names: `resource` (RFC 8707), which is an absolute URI, and
    /// `audience`.
    fn audience(&self) -> impl Iterator<Item = Parameter<'_>> {
        let audience = self.audience.as_deref();
        let resource = audience.filter(|audience| Url::parse(audience).is_ok());
        resource.map(|uri| ("resource", uri)).into_iter().chain(audience.map(|name| ("audience", name)))
    }
}

/// Without it there would be no refresh token (OpenID Connect Core 1.0, section 11).
fn lasting(provider: &Provider) -> Option<Parameter<'static>> {
    provider.has_scope("offline_access").then_some(("prompt", "consent"))
}

/// Thirty-two bytes of the operating system's random source, as text that may stand in a URL.
fn random() -> Result<Zeroizing<String>, Denied> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Denied::RequestError(RequestError::of(Code::Internal)))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}
