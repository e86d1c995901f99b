use super::http::{self, Denied};
use super::{Grant, Issuer, Prompt};
use oauth2::{DeviceAuthorizationUrl, StandardDeviceAuthorizationResponse};
use std::time::Duration;

/// Nobody asks more often, whatever an issuer allows.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

impl Issuer {
    /// Lets a person sign in at another device (RFC 8628). `show` gets the page to open there, and what to type.
    ///
    /// # Errors
    /// See [`Denied`]. Waits until the issuer's code expires.
    pub async fn device(&self, show: impl FnOnce(Prompt)) -> Result<Grant, Denied> {
        let (wire, provider) = self.provider().await?;
        let endpoint = DeviceAuthorizationUrl::from_url(provider.device_authorization()?.clone());
        let client = self.client(&provider)?.set_device_authorization_url(endpoint);
        let mut request = client.exchange_device_code().add_scopes(self.scopes(Some(&provider)));
        if provider.has_scope("offline_access") {
            request = request.add_extra_param("prompt", "consent");
        }
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&|request| wire.send(request)).await;
        let codes: StandardDeviceAuthorizationResponse = answer.map_err(http::denied)?;
        show(Prompt {
            url: codes.verification_uri().as_str().to_owned(),
            code: Some(codes.user_code().secret().clone()),
        });
        let mut request = client.exchange_device_access_token(&codes);
        for (name, value) in self.audience() {
            request = request.add_extra_param(name, value);
        }
        let pause = |asked: Duration| tokio::time::sleep(asked.max(SHORTEST_PAUSE));
        // Nobody has typed the code yet at this moment.
        pause(codes.interval()).await;
        let answer = request.request_async(&|request| wire.send(request), pause, None).await;
        self.granted(answer.map_err(http::denied)?)
    }
}
