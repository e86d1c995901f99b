use super::{KeySet, fetch::fitting};
use crate::domain::Bearer;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{AccessToken, Identity, UnixTime};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Seconds that an issuer's clock may differ from the database's.
const SKEW: u64 = 60;
/// Bytes of the longest subject (OpenID Connect Core, section 2).
const SUBJECT_MAX: usize = 255;
/// What a token may call itself: an access token of RFC 9068, or just a JWT. Some issuers say
/// nothing at all.
const TYPES: [&str; 3] = ["at+jwt", "application/at+jwt", "jwt"];

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`, letter by letter.
    pub issuer: &'a str,
    /// What `aud` must contain.
    pub audience: &'a str,
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// For whom it is.
    pub identity: Identity,
    /// The client that it was given to: `client_id`, or the `azp` or `cid` of older issuers.
    pub client: Option<String>,
    /// The e-mail address, if the issuer has verified it.
    pub email: Option<String>,
    /// What it permits: `scope` (RFC 8693, section 4.2), the `scp` of other issuers, and `roles`
    /// (RFC 9068, section 2.2.3.1), which is all that some give to machines.
    pub scopes: BTreeSet<String>,
    /// What binds an ID token to one sign-in.
    pub nonce: Option<String>,
}

impl Claims {
    /// The bearer, as rules of admission know him.
    #[must_use]
    pub fn bearer(&self) -> Bearer<'_> {
        let (client, email) = (self.client.as_deref(), self.email.as_deref());
        Bearer { identity: &self.identity, client, email }
    }
}

/// Why a token is not believed. What it says may be wrong, so nothing of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejection {
    /// The header is not that of a token for us.
    #[error("its header is of another kind")]
    Header,
    /// The issuer has no key of that name.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// The signature is not by that key, or of an algorithm that is not accepted.
    #[error("its signature is not valid")]
    Signature,
    /// The claims are not those of a token.
    #[error("its claims cannot be read")]
    Claims,
    /// Another `iss`.
    #[error("it is of another issuer")]
    Issuer,
    /// `aud` does not contain this server.
    #[error("it is for another audience")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYet,
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// Nothing that it could name is understood here (RFC 7515, section 4.1.11).
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct TokenClaims {
    iss: String,
    sub: String,
    aud: OneOrMore,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    scope: Option<OneOrMore>,
    #[serde(default, deserialize_with = "fitting")]
    scp: Option<OneOrMore>,
    #[serde(default, deserialize_with = "fitting")]
    roles: Option<OneOrMore>,
    #[serde(default, deserialize_with = "fitting")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    azp: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    cid: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "fitting")]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(text) => text == wanted,
            Self::More(texts) => texts.iter().any(|text| text == wanted),
        }
    }

    fn words(&self) -> Vec<&str> {
        match self {
            Self::One(text) => text.split_ascii_whitespace().collect(),
            Self::More(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// What `token` says, if one of the issuer's `keys` signed it, and it is as `expected` (RFC 9068,
/// section 4).
pub fn verify(
    token: &AccessToken,
    expected: Expected<'_>,
    keys: &KeySet,
    now: UnixTime,
) -> Result<Claims, TokenRejection> {
    let text = token.expose_secret();
    let (message, signature) = text.rsplit_once('.').ok_or(TokenRejection::Header)?;
    let (header, claims) = message.split_once('.').ok_or(TokenRejection::Header)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRejection::Header);

    let header: TokenHeader = serde_json::from_slice(&decode(header)?).map_err(|_| TokenRejection::Header)?;
    let typ = header.typ.as_ref().map(|typ| typ.to_ascii_lowercase());
    if header.crit.is_some() || typ.is_some_and(|typ| !TYPES.contains(&typ.as_str())) {
        return Err(TokenRejection::Header);
    }
    let kid = header.kid.as_deref();
    if !keys.knows(kid) {
        return Err(TokenRejection::UnknownKey);
    }
    if !keys.verifies(kid, &header.alg, message.as_bytes(), &decode(signature)?) {
        return Err(TokenRejection::Signature);
    }
    let told: TokenClaims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenRejection::Claims)?;
    told.judge(expected, now)
}

impl TokenClaims {
    fn judge(self, expected: Expected<'_>, now: UnixTime) -> Result<Claims, TokenRejection> {
        if self.iss != expected.issuer {
            return Err(TokenRejection::Issuer);
        }
        if !self.aud.contains(expected.audience) {
            return Err(TokenRejection::Audience);
        }
        if self.sub.is_empty() || self.sub.len() > SUBJECT_MAX || self.sub.contains('\0') {
            return Err(TokenRejection::Claims);
        }
        // What is no number of JSON is none here either, so every comparison has an answer.
        let (earliest, latest) = (now.minus(SKEW).seconds() as f64, now.plus(SKEW).seconds() as f64);
        if self.exp <= earliest {
            return Err(TokenRejection::Expired);
        }
        if [self.nbf, self.iat].into_iter().flatten().any(|begin| begin > latest) {
            return Err(TokenRejection::NotYet);
        }
        let scopes = [self.scope, self.scp, self.roles];
        let scopes = scopes.iter().flatten().flat_map(OneOrMore::words).map(str::to_owned).collect();
        // Some issuers write the truth value as text.
        let verified = self.email_verified.is_some_and(|told| told == true || told == "true");
        Ok(Claims {
            identity: Identity { issuer: self.iss, subject: self.sub },
            client: self.client_id.or(self.azp).or(self.cid),
            email: self.email.filter(|_| verified),
            scopes,
            nonce: self.nonce,
        })
    }
}
