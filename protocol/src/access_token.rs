use crate::{TokenHash, UnixTime, json};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const DOMAIN: &[u8] = b"seatlock-identity-v1\0";

/// Who an issuer says somebody is. Two issuers may use the same subject for different people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The issuer's `iss`, letter by letter.
    pub issuer: String,
    /// The subject that the issuer knows, `sub`.
    pub subject: String,
}

impl Identity {
    /// What leases and verdicts for this identity carry as `tkh`: the same for every access token
    /// of it, so that a lease outlives the token that it was asked for with.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(self.issuer.as_bytes())
            .chain_update(b"\0")
            .chain_update(self.subject.as_bytes())
            .finalize();
        let mut half = [0; TokenHash::LEN];
        half.copy_from_slice(digest.split_at(TokenHash::LEN).0);
        TokenHash::new(half)
    }
}

/// Why a text is not an access token that can be presented. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    /// Longer than [`AccessToken::MAX_LEN`].
    #[error("the access token is longer than {} bytes", AccessToken::MAX_LEN)]
    TooLong,
    /// Not a signed JWT; many issuers give out such tokens only when they are asked for the right
    /// audience or resource.
    #[error("the access token is not a JWT; ask the issuer for the audience of the license server")]
    NotJwt,
    /// `iss` or `sub` is missing, empty, or holds a zero byte.
    #[error("the access token does not say who issued it, or for whom")]
    NoIdentity,
}

/// An access token in the form of a JWT (RFC 9068), as it is presented. **Nothing in it has been
/// verified**: what it says serves to find the issuer's keys, or to know for whom an answer will
/// be. Erased from memory when dropped.
#[derive(Clone)]
pub struct AccessToken {
    text: Zeroizing<String>,
    identity: Identity,
    expires_at: Option<UnixTime>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// A NumericDate may have a fraction (RFC 7519, section 2).
    exp: Option<f64>,
}

impl AccessToken {
    /// Longest token that is looked at, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Whether `text` looks like a JWT rather than like one of this project's tokens.
    #[must_use]
    pub fn resembles(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Reads what it says of itself.
    ///
    /// # Errors
    /// When it is no JWT, or names no issuer and subject.
    pub fn read(text: &str) -> Result<Self, AccessTokenError> {
        if text.len() > Self::MAX_LEN {
            return Err(AccessTokenError::TooLong);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AccessTokenError::NotJwt);
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| AccessTokenError::NotJwt);
        let (header, claims, signature) =
            (decode(header)?, Zeroizing::new(decode(claims)?), decode(signature)?);
        let is_object = json::from_slice::<serde_json::Value>;
        if signature.is_empty() || is_object(&header).is_err() || is_object(&claims).is_err() {
            return Err(AccessTokenError::NotJwt);
        }
        let Claims { iss, sub, exp } =
            serde_json::from_slice(&claims).map_err(|_| AccessTokenError::NoIdentity)?;
        if [&iss, &sub].iter().any(|name| name.is_empty() || name.contains('\0')) {
            return Err(AccessTokenError::NoIdentity);
        }
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            identity: Identity { issuer: iss, subject: sub },
            // What is no `i64` becomes the nearest one, which is no time either.
            expires_at: exp.and_then(|exp| UnixTime::new(exp.floor() as i64)),
        })
    }

    /// The token itself, for the `Authorization` header. Never log, format or send it elsewhere.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.text
    }

    /// For whom it says that it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When it says that it ends; `None` when it does not say so, or no time that there is.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(header: &str, claims: &str, signature: &str) -> String {
        [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    #[test]
    fn what_is_read() {
        use AccessTokenError::{NoIdentity, NotJwt, TooLong};
        let header = r#"{"alg":"RS256","typ":"at+jwt","kid":"1"}"#;
        let good = r#"{"iss":"https://login.example","sub":"alice","exp":1795305600.5}"#;
        let long = format!(r#"{{"iss":"i","sub":"s","x":"{}"}}"#, "x".repeat(AccessToken::MAX_LEN));
        let cases: &[(String, Result<(), AccessTokenError>)] = &[
            (jwt(header, good, "s"), Ok(())),
            (jwt(header, r#"{"iss":"i","sub":"s"}"#, "s"), Ok(())),
            (jwt(header, &long, "s"), Err(TooLong)),
            (jwt(header, good, ""), Err(NotJwt)),
            (jwt("[]", good, "s"), Err(NotJwt)),
            (jwt(header, "no JSON", "s"), Err(NotJwt)),
            (jwt(header, r#"{"iss":"i","iss":"j","sub":"s"}"#, "s"), Err(NotJwt)),
            (format!("{}.", jwt(header, good, "s")), Err(NotJwt)),
            (jwt(header, good, "s").replace('.', "="), Err(NotJwt)),
            ("opaque".to_owned(), Err(NotJwt)),
            (String::new(), Err(NotJwt)),
            (jwt(header, r#"{"iss":"i"}"#, "s"), Err(NoIdentity)),
            (jwt(header, r#"{"iss":"","sub":"s"}"#, "s"), Err(NoIdentity)),
            (jwt(header, r#"{"iss":"i","sub":"a\u0000b"}"#, "s"), Err(NoIdentity)),
            (jwt(header, r#"{"iss":"i","sub":7}"#, "s"), Err(NoIdentity)),
        ];
        for (text, expected) in cases {
            assert_eq!(AccessToken::read(text).map(|_| ()), *expected, "{text:.80}");
        }
        let read = AccessToken::read(&jwt(header, good, "s")).unwrap();
        assert_eq!(read.expires_at(), UnixTime::new(1_795_305_600));
        assert_eq!(read.identity().subject, "alice");
        assert_eq!(format!("{read:?}"), "AccessToken(secret)");
    }

    #[test]
    fn a_time_that_there_is_not_is_none() {
        for (exp, expected) in [("-1", None), ("1e300", None), ("0", UnixTime::new(0))] {
            let text = jwt("{}", &format!(r#"{{"iss":"i","sub":"s","exp":{exp}}}"#), "s");
            assert_eq!(AccessToken::read(&text).unwrap().expires_at(), expected, "{exp}");
        }
    }

    /// Also computed with Python's hashlib.
    #[test]
    fn the_hash_of_an_identity() {
        let identity = |issuer: &str, subject: &str| {
            Identity { issuer: issuer.to_owned(), subject: subject.to_owned() }.hash().to_string()
        };
        assert_eq!(identity("https://login.example", "alice"), "Z5fZ3ARzLKFFCMASBms5zA");
        assert_ne!(identity("ab", "c"), identity("a", "bc"));
    }
}
