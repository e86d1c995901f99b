use super::wire::Denied;
use crate::net::lenient::{fitting, texts};
use crate::words::Phrase;
use reqwest::Url;
use seatlock_protocol::address::{is_loopback, is_same_issuer};
use serde::Deserialize;

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it serves
/// here. Only its name is needed at once; an address counts when it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    issuer: String,
    #[serde(default, deserialize_with = "fitting")]
    token_endpoint: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    device_authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    revocation_endpoint: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    scopes_supported: Option<Vec<String>>,
    #[serde(default, deserialize_with = "texts")]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Where an issuer describes itself.
pub(super) fn document(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Provider {
    /// Reads a description. It must name the issuer that was asked, or one issuer could pass for
    /// another.
    pub(super) fn read(body: &[u8], issuer: &str) -> Result<Self, Denied> {
        let provider: Self =
            serde_json::from_slice(body).map_err(|_| Denied::because(Phrase::OIDC_NO_DESCRIPTION))?;
        if !is_same_issuer(&provider.issuer, issuer) {
            return Err(Denied::because(Phrase::OIDC_OTHER_ISSUER));
        }
        Ok(provider)
    }

    pub(super) fn token(&self) -> Result<Url, Denied> {
        wanted(self.token_endpoint.as_deref(), Phrase::OIDC_NO_TOKEN)
    }

    pub(super) fn authorization(&self) -> Result<Url, Denied> {
        wanted(self.authorization_endpoint.as_deref(), Phrase::OIDC_NO_BROWSER)
    }

    pub(super) fn device_authorization(&self) -> Result<Url, Denied> {
        wanted(self.device_authorization_endpoint.as_deref(), Phrase::OIDC_NO_DEVICE)
    }

    pub(super) fn revocation(&self) -> Result<Option<Url>, Denied> {
        self.revocation_endpoint.as_deref().map(safe).transpose()
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes_supported.iter().flatten().any(|known| known == scope)
    }

    /// Whether the client's secret goes into a header, which is the rule when nothing is said.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        methods.is_none() || takes("client_secret_basic") || !takes("client_secret_post")
    }
}

fn wanted(address: Option<&str>, without: Phrase) -> Result<Url, Denied> {
    safe(address.ok_or_else(|| Denied::because(without))?)
}

/// An address that secrets are sent to, or a person is: https, or of this computer.
pub(super) fn safe(address: &str) -> Result<Url, Denied> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)));
    url.ok_or(Denied::because(Phrase::OIDC_INSECURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.example";

    fn described(change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
        let mut document = serde_json::json!({
            "issuer": ISSUER,
            "token_endpoint": "https://login.example/token",
            "authorization_endpoint": "https://login.example/auth",
            "scopes_supported": ["openid", "offline_access"],
        });
        change(&mut document);
        serde_json::to_vec(&document).unwrap()
    }

    #[test]
    fn who_is_believed() {
        // (what, member, its value, whether it is taken)
        for (what, member, value, taken) in [
            ("as it is", "x", "y", true),
            ("a slash at its end", "issuer", "https://login.example/", true),
            ("capitals and the usual port", "issuer", "https://LOGIN.example:443", true),
            ("another issuer", "issuer", "https://evil.example", false),
            ("another path", "issuer", "https://login.example/other", false),
            ("http", "token_endpoint", "http://login.example/token", false),
            ("http to this computer", "token_endpoint", "http://127.0.0.1:3000/token", true),
            ("http for the browser", "authorization_endpoint", "http://login.example/auth", false),
            ("a script for the browser", "authorization_endpoint", "javascript:alert(1)", false),
            ("a file for the browser", "authorization_endpoint", "file:///etc/passwd", false),
            ("http for revocation", "revocation_endpoint", "http://login.example/revoke", false),
            ("no URL", "token_endpoint", "/token", false),
        ] {
            let body = described(|document| document[member] = value.into());
            let used = |provider: Provider| {
                provider.token().and(provider.authorization()).and(provider.revocation())
            };
            assert_eq!(Provider::read(&body, ISSUER).and_then(used).is_ok(), taken, "{what}");
        }
        assert!(Provider::read(b"<html>", ISSUER).is_err());
        let without = described(|document| drop(document["token_endpoint"].take()));
        assert!(Provider::read(&without, ISSUER).unwrap().token().is_err());
    }

    #[test]
    fn a_mistake_in_what_is_not_used_ends_nothing() {
        for (member, value) in [
            ("revocation_endpoint", serde_json::json!("http://login.example/revoke")),
            ("revocation_endpoint", serde_json::json!(7)),
            ("device_authorization_endpoint", serde_json::json!("/device")),
            ("device_authorization_endpoint", serde_json::Value::Null),
            ("authorization_endpoint", serde_json::json!(["https://login.example/auth"])),
            ("scopes_supported", serde_json::Value::Null),
            ("scopes_supported", serde_json::json!("openid")),
            ("scopes_supported", serde_json::json!([1, "openid"])),
            ("token_endpoint_auth_methods_supported", serde_json::json!({})),
        ] {
            let body = described(|document| document[member] = value.clone());
            let provider = Provider::read(&body, ISSUER);
            assert!(provider.is_ok_and(|provider| provider.token().is_ok()), "{member}: {value}");
        }
    }

    #[test]
    fn where_the_secret_goes() {
        let methods = |methods: serde_json::Value| {
            let body = described(|d| d["token_endpoint_auth_methods_supported"] = methods.clone());
            Provider::read(&body, ISSUER).unwrap().takes_basic()
        };
        assert!(methods(serde_json::Value::Null));
        assert!(methods(["client_secret_post", "client_secret_basic"].as_slice().into()));
        assert!(!methods(["client_secret_post", "private_key_jwt"].as_slice().into()));
        assert!(methods(["none"].as_slice().into()));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let provider = Provider::read(&described(|_| {}), ISSUER).unwrap();
        assert!(provider.authorization().is_ok() && provider.device_authorization().is_err());
        assert!(provider.has_scope("openid") && !provider.has_scope("email"));
        assert_eq!(
            document("https://login.example/realm/"),
            "https://login.example/realm/.well-known/openid-configuration"
        );
    }
}
