use seatlock_protocol::{Identity, Token, TokenHash, TokenKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// What the client shows the license server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An integration token.
    Token(Token),
    /// A person has signed in.
    Person(SignIn),
    /// The machine signs in by itself, with a client secret that is set up beside the plug-in and
    /// never written down. Who it is to its issuer is known once it has done so.
    Machine(Option<Identity>),
}

/// What kind of credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// An integration token.
    Token,
    /// The sign-in of a person.
    Person,
    /// The sign-in of the machine itself.
    Machine,
}

/// That somebody signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Who.
    pub identity: Identity,
    /// What the next access token is asked for with; `None` when the issuer gave none, or does not
    /// take it any more.
    pub refresh: Option<RefreshToken>,
}

/// A refresh token (RFC 6749, section 1.5). Goes to whom it came from, and to nobody else. Erased
/// from memory when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    token: Zeroizing<String>,
    /// Address of the issuer that gave it.
    issuer: String,
    /// The client that it was given to.
    client: String,
}

impl RefreshToken {
    /// Longest token that is kept, in bytes.
    pub const MAX_LEN: usize = 8 * 1024;

    /// A token as it came; `None` when it is longer than [`RefreshToken::MAX_LEN`].
    #[must_use]
    pub fn new(token: &str, issuer: &str, client: &str) -> Option<Self> {
        let text = Zeroizing::new(token.to_owned());
        (text.len() <= Self::MAX_LEN).then(|| Self {
            token: text,
            issuer: issuer.to_owned(),
            client: client.to_owned(),
        })
    }

    /// The token, for the issuer and the client that it belongs to.
    #[must_use]
    pub fn secret_for(&self, issuer: &str, client: &str) -> Option<&str> {
        (self.issuer == issuer && self.client == client).then_some(self.token.as_str())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(secret)")
    }
}

/// A credential in the form in which it is kept: tied to the user's account, where the system can
/// do that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(Zeroizing<String>);

impl Sealed {
    /// What the seal has made of a credential.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(secret)")
    }
}

/// A sign-in as it is kept. An integration token is kept as it is, and never begins with a brace.
#[derive(Serialize, Deserialize)]
struct Stored {
    issuer: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshToken>,
}

impl Credential {
    /// What leases for it carry; `None` while that is not known.
    #[must_use]
    pub fn hash(&self) -> Option<TokenHash> {
        match self {
            Self::Token(token) => Some(token.hash()),
            Self::Person(_) | Self::Machine(_) => self.identity().map(Identity::hash),
        }
    }

    /// Who is signed in; `None` with a token, with which nobody is, and while that is not known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Token(_) => None,
            Self::Person(sign_in) => Some(&sign_in.identity),
            Self::Machine(identity) => identity.as_ref(),
        }
    }

    /// Whether it is an integration token, which nobody signs in with.
    #[must_use]
    pub fn is_a_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// What kind of credential it is.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Token(_) => CredentialKind::Token,
            Self::Person(_) => CredentialKind::Person,
            Self::Machine(_) => CredentialKind::Machine,
        }
    }

    /// Whether leases for the one are leases for the other. Of one identity, refresh tokens come
    /// and go.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.hash().is_some() && self.hash() == other.hash()
    }

    /// The form in which it is kept; `None` for what is never written down.
    #[must_use]
    pub fn to_stored(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Token(token) => Some(Zeroizing::new(token.expose_secret().to_owned())),
            Self::Person(SignIn { identity: Identity { issuer, subject }, refresh }) => {
                let stored =
                    Stored { issuer: issuer.clone(), subject: subject.clone(), refresh: refresh.clone() };
                // As long as it can become, because a buffer that grows leaves copies of the secret behind.
                let mut text = Zeroizing::new(Vec::with_capacity(Self::MAX_STORED));
                serde_json::to_writer(&mut *text, &stored).ok()?;
                let text = String::from_utf8(std::mem::take(&mut *text)).ok().map(Zeroizing::new)?;
                (text.len() <= Self::MAX_STORED).then_some(text)
            }
            Self::Machine(_) => None,
        }
    }

    /// Longest stored form, in bytes.
    pub const MAX_STORED: usize = 2 * RefreshToken::MAX_LEN;

    /// Reads what was kept; `None` when it is neither a token nor a sign-in.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        if !text.starts_with('{') {
            return Token::parse(text, TokenKind::Integration).ok().map(Self::Token);
        }
        let Stored { issuer, subject, refresh } = serde_json::from_str(text).ok()?;
        Some(Self::Person(SignIn { identity: Identity { issuer, subject }, refresh }))
    }
}

/// Whether an access token that lives for `lifetime` seconds and was given out `age` seconds ago is
/// still to be shown: until a minute before its end, or a quarter of its life when that is shorter.
/// A request takes up to 15 seconds.
#[must_use]
pub fn is_fresh(lifetime: u64, age: u64) -> bool {
    age < lifetime - 60.min(lifetime / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";

    fn person(subject: &str, refresh: Option<&str>) -> Credential {
        let refresh = refresh.and_then(|text| RefreshToken::new(text, "https://login.example", "plugin"));
        let identity = Identity { issuer: "https://login.example".to_owned(), subject: subject.to_owned() };
        Credential::Person(SignIn { identity, refresh })
    }

    #[test]
    fn what_is_kept_comes_back() {
        let token = Credential::Token(Token::parse(TOKEN, TokenKind::Integration).unwrap());
        for kept in [token.clone(), person("alice", Some("r\"1")), person("alice", None)] {
            let text = kept.to_stored().unwrap();
            assert_eq!(Credential::from_stored(&text), Some(kept));
        }
        assert_eq!(&**token.to_stored().unwrap(), TOKEN);
        assert_eq!(Credential::Machine(None).to_stored(), None);
        for text in ["", "{", "{}", "[]", &TOKEN[..39], r#"{"issuer":"i"}"#] {
            assert_eq!(Credential::from_stored(text), None, "{text}");
        }
    }

    #[test]
    fn the_longest_refresh_token_still_fits() {
        let longest = "r".repeat(RefreshToken::MAX_LEN);
        assert!(person("alice", Some(&longest)).to_stored().is_some());
        assert_eq!(RefreshToken::new(&format!("{longest}r"), "i", "c"), None);
    }

    #[test]
    fn who_is_who() {
        assert!(person("alice", None).is_same(&person("alice", Some("r"))));
        assert!(!person("alice", None).is_same(&person("bob", None)));
        assert!(!Credential::Machine(None).is_same(&Credential::Machine(None)), "nobody knows yet");
        let Credential::Person(alice) = person("alice", None) else { unreachable!() };
        assert!(Credential::Machine(Some(alice.identity)).is_same(&person("alice", Some("r"))));
    }

    #[test]
    fn a_refresh_token_goes_to_nobody_else() {
        let token = RefreshToken::new("r", "https://login.example", "plugin").unwrap();
        assert_eq!(token.secret_for("https://login.example", "plugin"), Some("r"));
        assert_eq!(token.secret_for("https://evil.example", "plugin"), None);
        assert_eq!(token.secret_for("https://login.example", "other"), None);
        assert_eq!(
            format!("{token:?} {:?}", person("alice", Some("secret-r"))).matches("secret-r").count(),
            0
        );
    }

    #[test]
    fn when_an_access_token_is_renewed() {
        // (lifetime, the first age at which it is not shown any more)
        for (lifetime, until) in [(0, 0), (1, 1), (4, 3), (100, 75), (240, 180), (300, 240), (86_400, 86_340)]
        {
            assert!(!is_fresh(lifetime, until), "{lifetime}");
            assert!(until == 0 || is_fresh(lifetime, until - 1), "{lifetime}");
        }
    }
}
