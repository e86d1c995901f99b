//! Gets access tokens from an OpenID provider, and believes nothing that they say: that is for the license server to verify.
//!
//! An ID token, where one comes along, is not looked at. It would tell the client who signed in, which the client has no
//! use for that the access token does not serve as well.

/// How people sign in at another device.
mod device;
/// Where an issuer's endpoints are.
mod discovery;
/// Requests to an issuer, and what can go wrong with them.
mod http;
/// Where a browser comes back to.
mod loopback;

use super::{Certificate, ProxyChoice, Route};
use crate::license::{RefreshToken, Trouble};
use discovery::Provider;
use http::Wire;
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::url::form_urlencoded;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse, TokenUrl,
};
use reqwest::Url;
use seatlock_protocol::{AccessToken, Code};
use zeroize::Zeroizing;

pub use http::Denied;

/// An issuer, and how this product is registered there.
#[derive(Clone)]
pub struct Issuer {
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
    /// As for the license server.
    pub proxy: ProxyChoice,
    /// As for the license server.
    pub extra_ca: Vec<Certificate>,
}

/// What an issuer grants.
pub struct Grant {
    /// What is shown to the license server.
    pub access: AccessToken,
    /// Seconds for which it can be shown, counted from now; `None` when only the token itself says so.
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

type TokenClient = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl Issuer {
    /// What a machine signs in for.
    const SCOPE: &str = "seat:use";

    /// Signs a machine in by its own id and secret (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// As every other function here: what went wrong at the issuer or on the way there, never a secret.
    pub async fn machine(&self) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let client = self.client(&provider)?;
        let mut request = client.exchange_client_credentials().add_scopes(self.scopes(None));
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&|request| wire.send(request)).await;
        self.granted(answer.map_err(http::denied)?)
    }

    /// Gets the next access token (RFC 6749, section 6). The refresh token that was used may be worth nothing afterwards,
    /// also when the answer gets lost.
    ///
    /// # Errors
    /// [`Denied::Ended`] when the refresh token is not taken any more.
    pub async fn renew(&self, used: &RefreshToken) -> Result<Grant, Denied> {
        let secret = used.secret_for(&self.url, &self.client_id).ok_or(Denied::Ended)?;
        let (wire, provider) = self.provider().await?;
        let (client, token) = (self.client(&provider)?, oauth2::RefreshToken::new(secret.to_owned()));
        let mut request = client.exchange_refresh_token(&token);
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&|request| wire.send(request)).await;
        let grant = self.granted(answer.map_err(http::denied_renewal)?)?;
        // An issuer that does not rotate goes on taking the same one.
        Ok(Grant { refresh: grant.refresh.or_else(|| Some(used.clone())), ..grant })
    }

    /// Lets a person sign in with the browser of this computer (RFC 8252, RFC 7636). `show` gets the page to open.
    ///
    /// # Errors
    /// See [`Denied`]. Waits without a limit.
    pub async fn browser(&self, show: impl FnOnce(Prompt)) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let listener = loopback::Listener::bind().await?;
        let redirect = RedirectUrl::from_url(listener.url().clone());
        let client = self.client(&provider)?.set_redirect_uri(redirect);
        let client = client.set_auth_uri(AuthUrl::from_url(provider.authorization()?.clone()));
        // Not the crate's own random source, which registers a handler for forks of the host.
        let verifier = PkceCodeVerifier::new(random()?);
        let state = random()?;
        let mut request = client
            .authorize_url(|| CsrfToken::new(state.clone()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(self.scopes(Some(&provider)));
        if provider.has_scope("offline_access") {
            // Without it there would be no refresh token (OpenID Connect Core 1.0, section 11).
            request = request.add_extra_param("prompt", "consent");
        }
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let (url, _) = request.url();
        show(Prompt { url: url.into(), code: None });
        let code = listener.code(&state, &self.url).await?;
        let mut request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&|request| wire.send(request)).await;
        self.granted(answer.map_err(http::denied)?)
    }

    /// Tells the issuer that a refresh token is not used any more (RFC 7009).
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn revoke(&self, token: &RefreshToken) -> Result<(), Denied> {
        let secret = token.secret_for(&self.url, &self.client_id).ok_or(Denied::Ended)?;
        let (wire, provider) = self.provider().await?;
        let Some(revocation) = provider.revocation() else { return Ok(()) };
        // Not the crate's own request, which knows no loopback addresses.
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", secret).append_pair("token_type_hint", "refresh_token");
        form.append_pair("client_id", &self.client_id);
        if let Some(secret) = &self.client_secret {
            form.append_pair("client_secret", secret);
        }
        wire.post(revocation.clone(), form.finish()).await
    }

    async fn provider(&self) -> Result<(Wire, Provider), Denied> {
        let server = Url::parse(&self.url).map_err(|_| Denied::because("Its address is not valid"))?;
        let route = Route { server, proxy: self.proxy.clone(), extra_ca: self.extra_ca.clone() };
        let wire = Wire::new(&route)?;
        let provider = Provider::read(&wire.get(discovery::document(&self.url)).await?, &self.url)?;
        Ok((wire, provider))
    }

    fn client(&self, provider: &Provider) -> Result<TokenClient, Denied> {
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(provider.token().clone()))
            .set_auth_type(if provider.takes_basic() { AuthType::BasicAuth } else { AuthType::RequestBody });
        Ok(match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new((**secret).clone())),
            None => client,
        })
    }

    /// What is asked for; for a person also what makes the sign-in last, where the provider has it.
    fn scopes(&self, person_at: Option<&Provider>) -> Vec<Scope> {
        let asked = if self.scopes.is_empty() { vec![Self::SCOPE.to_owned()] } else { self.scopes.clone() };
        let lasting = ["openid", "offline_access"].into_iter();
        let lasting = lasting.filter(|scope| person_at.is_some_and(|provider| provider.has_scope(scope)));
        let missing = lasting.filter(|scope| !asked.iter().any(|asked| asked == scope)).map(str::to_owned);
        missing.chain(asked.clone()).map(Scope::new).collect()
    }

    /// Issuers call it by two names: `resource` (RFC 8707), which is an absolute URI, and `audience`.
    fn audience(&self) -> Vec<(&'static str, String)> {
        let Some(audience) = &self.audience else { return Vec::new() };
        let resource = Url::parse(audience).is_ok().then(|| ("resource", audience.clone()));
        resource.into_iter().chain([("audience", audience.clone())]).collect()
    }

    fn granted(&self, answer: BasicTokenResponse) -> Result<Grant, Denied> {
        let access = AccessToken::read(answer.access_token().secret())
            .map_err(|error| Denied::because(&format!("{}{}", "It answered, but ", error)))?;
        let refresh = answer.refresh_token();
        let refresh = refresh.and_then(|token| RefreshToken::new(token.secret(), &self.url, &self.client_id));
        Ok(Grant { access, lifetime: answer.expires_in().map(|time| time.as_secs()), refresh })
    }
}

/// Thirty-two bytes of the operating system's random source, as text that may stand in a URL.
fn random() -> Result<String, Denied> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Denied::Trouble(Trouble::of(Code::Internal)))?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}
