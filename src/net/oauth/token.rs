use super::discovery::Provider;
use super::wire::{Answer, ClientAuth, Denied, Wire};
use super::{Grant, IssuerRegistration, Parameter};
use crate::license::RefreshToken;
use crate::net::lenient::{fitting, seconds};
use crate::words::Phrase;
use seatlock_protocol::{AccessToken, AccessTokenError};
use serde::Deserialize;
use zeroize::Zeroizing;

/// What a token endpoint grants (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "fitting")]
    refresh_token: Option<Zeroizing<String>>,
}

impl IssuerRegistration {
    /// Asks the token endpoint.
    pub(super) async fn grant(
        &self,
        wire: &Wire,
        provider: &Provider,
        asked: &[Parameter<'_>],
    ) -> Result<Grant, Denied> {
        let asked: Vec<_> = asked.iter().copied().chain(self.audience()).collect();
        self.granted(&wire.post(&provider.token()?, self.client(provider), &asked).await?)
    }

    /// How the client shows who it is.
    pub(super) fn client(&self, provider: &Provider) -> ClientAuth<'_> {
        match &self.client_secret {
            Some(secret) if provider.takes_basic() => ClientAuth::Basic(&self.client_id, secret),
            Some(secret) => ClientAuth::Form(&self.client_id, secret),
            None => ClientAuth::Public(&self.client_id),
        }
    }

    fn granted(&self, answer: &Answer) -> Result<Grant, Denied> {
        let Granted { access_token, expires_in, refresh_token } = answer.read()?;
        let access = AccessToken::read(&access_token).map_err(|error| {
            Denied::because(match error {
                AccessTokenError::TooLong => Phrase::OIDC_TOKEN_LONG,
                AccessTokenError::NotJwt => Phrase::OIDC_TOKEN_NO_JWT,
                AccessTokenError::NoIdentity => Phrase::OIDC_TOKEN_NOBODY,
            })
        })?;
        let refresh = refresh_token.and_then(|token| RefreshToken::new(&token, &self.url, &self.client_id));
        Ok(Grant { access, lifetime: expires_in, refresh })
    }
}
