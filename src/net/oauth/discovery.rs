use super::wire::Denied;
use reqwest::Url;
use seatlock_protocol::address::is_loopback;
use serde::Deserialize;

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it serves here.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// A description that was found to be the issuer's own, with addresses that secrets may be sent to.
#[derive(Debug)]
pub(super) struct Provider {
    token: Url,
    authorization: Option<Url>,
    device_authorization: Option<Url>,
    revocation: Option<Url>,
    scopes: Vec<String>,
    methods: Option<Vec<String>>,
}

/// Where an issuer describes itself.
pub(super) fn document(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Provider {
    /// Reads a description. It must name the issuer that was asked, or one issuer could pass for another.
    pub(super) fn read(body: &[u8], issuer: &str) -> Result<Self, Denied> {
        let document: Document = serde_json::from_slice(body).map_err(|_| {
            Denied::because("What it says of itself at .well-known/openid-configuration can not be used")
        })?;
        if document.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(Denied::because("It calls itself by another address than the one that was asked"));
        }
        Ok(Self {
            token: safe(&document.token_endpoint)?,
            authorization: document.authorization_endpoint.as_deref().map(safe).transpose()?,
            device_authorization: document.device_authorization_endpoint.as_deref().map(safe).transpose()?,
            revocation: document.revocation_endpoint.as_deref().map(safe).transpose()?,
            scopes: document.scopes_supported,
            methods: document.token_endpoint_auth_methods_supported,
        })
    }

    pub(super) fn token(&self) -> &Url {
        &self.token
    }

    pub(super) fn authorization(&self) -> Result<&Url, Denied> {
        self.authorization.as_ref().ok_or(Denied::because("It does not let people sign in with a browser"))
    }

    pub(super) fn device_authorization(&self) -> Result<&Url, Denied> {
        let endpoint = self.device_authorization.as_ref();
        endpoint.ok_or(Denied::because("It does not let people sign in at another device"))
    }

    pub(super) fn revocation(&self) -> Option<&Url> {
        self.revocation.as_ref()
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    /// Whether the client's secret goes into a header, which is the rule when nothing is said.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.methods.as_deref();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        methods.is_none() || takes("client_secret_basic") || !takes("client_secret_post")
    }
}

/// An address that secrets are sent to, or a person is: https, or of this computer.
pub(super) fn safe(address: &str) -> Result<Url, Denied> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)));
    url.ok_or(Denied::because("It names an address that does not begin with https"))
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
            ("another issuer", "issuer", "https://evil.example", false),
            ("another path", "issuer", "https://login.example/other", false),
            ("another letter case", "issuer", "https://LOGIN.example", false),
            ("http", "token_endpoint", "http://login.example/token", false),
            ("http to this computer", "token_endpoint", "http://127.0.0.1:3000/token", true),
            ("http for the browser", "authorization_endpoint", "http://login.example/auth", false),
            ("a script for the browser", "authorization_endpoint", "javascript:alert(1)", false),
            ("a file for the browser", "authorization_endpoint", "file:///etc/passwd", false),
            ("http for revocation", "revocation_endpoint", "http://login.example/revoke", false),
            ("no URL", "token_endpoint", "/token", false),
        ] {
            let body = described(|document| document[member] = value.into());
            assert_eq!(Provider::read(&body, ISSUER).is_ok(), taken, "{what}");
        }
        assert!(Provider::read(b"<html>", ISSUER).is_err());
        assert!(
            Provider::read(&described(|document| drop(document["token_endpoint"].take())), ISSUER).is_err()
        );
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
