use super::discovery::safe;
use super::wire::Denied;
use super::{Grant, IssuerRegistration, Prompt, lasting};
use crate::net::lenient::{fitting, seconds};
use crate::words::Phrase;
use reqwest::Url;
use seatlock_protocol::plain;
use serde::Deserialize;
use std::time::Duration;
use zeroize::Zeroizing;

/// What an issuer answers to a request for codes (RFC 8628, section 3.2). Times are in seconds.
#[derive(Deserialize)]
struct Codes {
    device_code: Zeroizing<String>,
    user_code: String,
    #[serde(default, deserialize_with = "fitting")]
    verification_uri: Option<String>,
    /// As it was called before the RFC.
    #[serde(default, deserialize_with = "fitting")]
    verification_url: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    interval: Option<u64>,
}

impl Codes {
    fn page(&self) -> Result<Url, Denied> {
        let page = self.verification_uri.as_deref().or(self.verification_url.as_deref());
        safe(page.ok_or(Denied::because(Phrase::OIDC_NO_CODE_PAGE))?)
    }
}

/// The pause of an issuer that names none (section 3.2), and how long its codes last if it does not
/// say.
const USUAL_INTERVAL: u64 = 5;
const USUAL_LIFE: u64 = 15 * 60;

/// How much longer a pause gets when the issuer, or the network, wants it (section 3.5).
const LONGER: Duration = Duration::from_secs(5);
/// Nobody asks more often or more rarely, and no code lasts longer, whatever an issuer says.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const LONGEST_LIFE: u64 = 24 * 3600;
/// More characters nobody types.
const LONGEST_CODE: usize = 64;

impl IssuerRegistration {
    /// Lets a person sign in at another device (RFC 8628). `show` gets the page to open there, and
    /// what to type; `sleep` lets time pass.
    ///
    /// # Errors
    /// See [`Denied`]. Waits until the issuer's code expires.
    pub async fn device(
        &self,
        show: impl FnOnce(Prompt),
        sleep: impl AsyncFn(Duration),
    ) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let scope = self.scopes(Some(&provider));
        let asked: Vec<_> = [("scope", scope.as_str())]
            .into_iter()
            .chain(self.audience())
            .chain(lasting(&provider))
            .collect();
        let answer = wire.post(&provider.device_authorization()?, self.client(&provider), &asked).await?;
        let codes: Codes = answer.read()?;
        let page = codes.page()?;
        let Codes { device_code, user_code, expires_in, interval, .. } = codes;
        let (expires_in, interval) = (expires_in.unwrap_or(USUAL_LIFE), interval.unwrap_or(USUAL_INTERVAL));
        let expired = sleep(Duration::from_secs(expires_in.min(LONGEST_LIFE)));
        let code = plain(&user_code).chars().take(LONGEST_CODE).collect();
        show(Prompt { url: page.into(), code: Some(code) });
        let asked =
            [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &*device_code)];
        let mut pause = Duration::from_secs(interval.min(LONGEST_LIFE));
        let ended = async {
            loop {
                pause = pause.clamp(PAUSES.0, PAUSES.1);
                sleep(pause).await;
                match self.grant(&wire, &provider, &asked).await {
                    Err(Denied::Error(name)) if name == "authorization_pending" => {}
                    Err(Denied::Error(name)) if name == "slow_down" => pause += LONGER,
                    // The person may still be typing when the network is back.
                    Err(Denied::RequestError(_)) => pause += LONGER,
                    ended => return ended,
                }
            }
        };
        tokio::select! {
            biased;
            ended = ended => ended,
            () = expired => Err(Denied::Error("expired_token".to_owned())),
        }
    }
}
