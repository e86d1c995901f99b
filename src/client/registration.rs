use super::environment::taken;
use super::failure::Failure;
use super::options::{invalid, not_empty, safe_address};
use crate::net::Way;
use crate::net::oauth::IssuerRegistration;
use crate::words::Language;
use seatlock_protocol::address::spelled;
use std::sync::Arc;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// How the product, or this machine, is registered at an issuer, as far as one source says it.
#[derive(Clone, Default)]
pub(super) struct Registration {
    pub(super) oidc_issuer: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Zeroizing<String>>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) audience: Option<String>,
}

impl Registration {
    /// What the person who runs the host says.
    ///
    /// # Errors
    /// One that names the variable that cannot be used, and never holds what was found there.
    pub(super) fn of_environment() -> Result<Self, Failure> {
        let mut found = Self::default();
        let mut take = |name, set: fn(&mut Self, &str) -> Result<(), Failure>| {
            taken(name, |text| set(&mut found, text)).map(Option::unwrap_or_default)
        };
        take("SEATLOCK_OIDC_ISSUER", Self::set_oidc_issuer)?;
        take("SEATLOCK_CLIENT_ID", Self::set_client_id)?;
        take("SEATLOCK_CLIENT_SECRET", Self::set_client_secret)?;
        take("SEATLOCK_SCOPES", Self::set_scopes)?;
        take("SEATLOCK_AUDIENCE", Self::set_audience)?;
        Ok(found)
    }

    pub(super) fn set_oidc_issuer(&mut self, url: &str) -> Result<(), Failure> {
        let url = safe_address("the issuer's address", url)?;
        self.oidc_issuer = Some(spelled(&url).to_owned());
        Ok(())
    }

    pub(super) fn set_client_id(&mut self, id: &str) -> Result<(), Failure> {
        self.client_id = Some(visible("the client id", id)?);
        Ok(())
    }

    pub(super) fn set_client_secret(&mut self, secret: &str) -> Result<(), Failure> {
        self.client_secret = Some(Zeroizing::new(visible("the client secret", secret)?));
        Ok(())
    }

    /// Separated by spaces, of the characters that RFC 6749, section 3.3, has for them.
    pub(super) fn set_scopes(&mut self, scopes: &str) -> Result<(), Failure> {
        let fits = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        let scopes: Vec<_> = scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        if scopes.is_empty() || !scopes.iter().all(|scope| scope.bytes().all(fits)) {
            return Err(invalid("the scopes are names of visible ASCII characters, separated by spaces"));
        }
        self.scopes = Some(scopes);
        Ok(())
    }

    pub(super) fn set_audience(&mut self, audience: &str) -> Result<(), Failure> {
        self.audience = Some(not_empty("the audience", audience)?);
        Ok(())
    }

    /// What is set here comes first. The secret of `other` belongs to the client and issuer of
    /// `other`, and goes to no other.
    pub(super) fn or(self, other: Self) -> Self {
        let same_client = self.oidc_issuer.is_none() && self.client_id.is_none();
        Self {
            client_secret: self.client_secret.or(other.client_secret.filter(|_| same_client)),
            oidc_issuer: self.oidc_issuer.or(other.oidc_issuer),
            client_id: self.client_id.or(other.client_id),
            scopes: self.scopes.or(other.scopes),
            audience: self.audience.or(other.audience),
        }
    }

    /// The issuer; `None` when nothing is set.
    ///
    /// # Errors
    /// Something is set, but not enough.
    pub(super) fn issuer(
        self,
        way: watch::Receiver<Way>,
        language: Arc<Language>,
    ) -> Result<Option<IssuerRegistration>, Failure> {
        let Self { oidc_issuer, client_id, client_secret, scopes, audience } = self;
        match (oidc_issuer, client_id) {
            (Some(url), Some(client_id)) => {
                let scopes = scopes.unwrap_or_default();
                Ok(Some(IssuerRegistration {
                    url,
                    client_id,
                    client_secret,
                    scopes,
                    audience,
                    way,
                    language,
                }))
            }
            (None, None) if client_secret.is_none() && scopes.is_none() && audience.is_none() => Ok(None),
            (Some(_), None) => Err(invalid("the client id is missing: set it, or SEATLOCK_CLIENT_ID")),
            (None, _) => Err(invalid("the issuer's address is missing: set it, or SEATLOCK_OIDC_ISSUER")),
        }
    }
}

/// Of the characters that RFC 6749, appendix A.1 and A.2, has for ids and secrets of clients.
fn visible(what: &str, text: &str) -> Result<String, Failure> {
    let text = not_empty(what, text)?;
    let fits = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if fits { Ok(text) } else { Err(invalid(format!("{what} has a character that is not visible ASCII"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> watch::Receiver<Way> {
        watch::channel(Way::default()).1
    }

    /// (issuer, client, secret)
    type Said<'a> = (&'a str, &'a str, &'a str);

    fn said((issuer, client, secret): Said<'_>) -> Registration {
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Registration {
            oidc_issuer: set(issuer),
            client_id: set(client),
            client_secret: set(secret).map(Zeroizing::new),
            ..Registration::default()
        }
    }

    #[test]
    fn what_the_environment_says_comes_first() {
        let (ours, theirs) = ("https://ours.example", "https://theirs.example");
        let nobody = "error";
        // (environment, plug-in, what comes of it)
        let cases: &[(Said<'_>, Said<'_>, Said<'_>)] = &[
            (("", "", ""), (ours, "plugin", ""), (ours, "plugin", "")),
            (("", "", ""), (ours, "plugin", "s1"), (ours, "plugin", "s1")),
            (("", "farm", "s2"), (ours, "plugin", ""), (ours, "farm", "s2")),
            (("", "", "s2"), (ours, "plugin", "s1"), (ours, "plugin", "s2")),
            ((theirs, "farm", "s2"), ("", "", ""), (theirs, "farm", "s2")),
            ((theirs, "", ""), (ours, "plugin", "s1"), (theirs, "plugin", "")),
            (("", "farm", ""), (ours, "plugin", "s1"), (ours, "farm", "")),
            (("", "farm", "s2"), ("", "", ""), (nobody, "", "")),
            ((theirs, "", "s2"), ("", "", ""), (nobody, "", "")),
        ];
        for (environment, plugin, expected) in cases {
            let made = said(*environment).or(said(*plugin)).issuer(way(), Arc::default());
            let found = match &made {
                Ok(Some(issuer)) => {
                    let secret = issuer.client_secret.as_ref().map_or("", |secret| secret.as_str());
                    (issuer.url.as_str(), issuer.client_id.as_str(), secret)
                }
                Ok(None) => ("", "", ""),
                Err(_) => (nobody, "", ""),
            };
            assert_eq!(found, *expected, "{environment:?} {plugin:?}");
        }
        assert!(matches!(Registration::default().issuer(way(), Arc::default()), Ok(None)));
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        let mut empty = Registration::default();
        assert!(empty.set_oidc_issuer("http://login.example").is_err());
        assert!(empty.set_oidc_issuer("https://user:secret@login.example").is_err());
        assert!(empty.set_client_id("").is_err() && empty.set_client_secret("").is_err());
        for scopes in ["", "  ", "a\"b", "a\\b", "é", "a\tb"] {
            assert!(empty.set_scopes(scopes).is_err(), "{scopes:?}");
        }
        empty.set_scopes(" seat:use  api://x/.default ").unwrap();
        assert_eq!(empty.scopes.unwrap(), ["seat:use", "api://x/.default"]);
        empty = Registration { scopes: None, ..said(("", "", "")) };
        empty.set_oidc_issuer("https://login.example/realm/").unwrap();
        assert_eq!(empty.oidc_issuer.as_deref(), Some("https://login.example/realm"));
    }
}
