use crate::{PublicKey, SigningKey, json};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned, de::value::MapDeserializer};
use std::collections::BTreeMap;

/// Longest compact JWS that is looked at, in bytes.
pub const MAX_LEN: usize = 8 * 1024;

/// What a signed object is, its `typ` header: an object of one kind never passes for another (RFC
/// 8725, section 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typ {
    /// A lease, [`crate::claims::LeaseClaims`].
    #[serde(rename = "seat-lease+jwt")]
    Lease,
    /// A verdict, [`crate::claims::VerdictClaims`].
    #[serde(rename = "seat-verdict+jwt")]
    Verdict,
    /// A key set, [`crate::claims::KeySetClaims`].
    #[serde(rename = "seat-keyset+jwt")]
    KeySet,
    /// A checkpoint of a server's audit trail, [`crate::claims::AuditClaims`].
    #[serde(rename = "seat-audit+jwt")]
    Audit,
}

/// `EdDSA` is what most JOSE libraries write (RFC 8037), `Ed25519` is its fully specified name (RFC
/// 9864).
#[derive(Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
    Ed25519,
}

/// Exactly these members. `crit`, `jwk`, `jku`, `x5u` and anything else make the object invalid.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: Typ,
    kid: String,
}

/// Why a signed object was refused. Nothing in it may be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than [`MAX_LEN`].
    #[error("signed object is longer than {MAX_LEN} bytes")]
    TooLong,
    /// Not three parts of unpadded base64url.
    #[error("not a compact JWS")]
    NotCompact,
    /// The header is not exactly `alg`, `typ`, `kid` with the expected values.
    #[error("header refused: {0}")]
    Header(String),
    /// No trusted key has this `kid`.
    #[error("signed by an unknown key")]
    UnknownKey,
    /// The signature is not by the key that the header names.
    #[error("the signature does not verify")]
    Signature,
    /// Signed, but the claims are not of the protocol.
    #[error("claims refused: {0}")]
    Claims(String),
}

/// Signs `claims` as a compact JWS (RFC 7515, section 3.1).
///
/// # Errors
/// When `claims` cannot be written as JSON.
pub fn sign<T: Serialize>(typ: Typ, key: &SigningKey, claims: &T) -> Result<String, serde_json::Error> {
    let header = Header { alg: Algorithm::EdDsa, typ, kid: key.kid().to_owned() };
    let mut jws = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut jws);
    let signature = key.sign(jws.as_bytes());
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
    Ok(jws)
}

/// The claims of a verified object and the `kid` of the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    /// What was signed.
    pub claims: T,
    /// Which key signed it.
    pub kid: String,
}

/// Verifies a compact JWS of type `typ` and reads its claims.
///
/// `find` answers the trusted key of a `kid`; the algorithm is that key's, whatever the header
/// says. Claims are read only after the signature was found good.
///
/// # Errors
/// See [`JwsError`].
pub fn verify<T: DeserializeOwned>(
    jws: &str,
    typ: Typ,
    find: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<Verified<T>, JwsError> {
    if jws.len() > MAX_LEN {
        return Err(JwsError::TooLong);
    }
    let (signed, signature) = jws.rsplit_once('.').ok_or(JwsError::NotCompact)?;
    let (header, claims) = signed.split_once('.').ok_or(JwsError::NotCompact)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::NotCompact);
    let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);

    let header = read_header(&header).map_err(|error| JwsError::Header(error.to_string()))?;
    if header.typ != typ {
        return Err(JwsError::Header("another typ was expected".to_owned()));
    }
    let key = find(&header.kid).ok_or(JwsError::UnknownKey)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(JwsError::Signature);
    }
    let claims = json::from_slice(&claims).map_err(|error| JwsError::Claims(error.to_string()))?;
    Ok(Verified { claims, kid: header.kid })
}

/// The claims of a compact JWS that nobody has verified: good for ending something, never for
/// allowing it.
#[must_use]
pub fn unverified<T: DeserializeOwned>(jws: &str) -> Option<T> {
    let claims = jws.get(..jws.len().min(MAX_LEN))?.split('.').nth(1)?;
    json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Members are read as strings first: serde alone would take `{"EdDSA":null}` for the name of an
/// algorithm.
fn read_header(bytes: &[u8]) -> Result<Header, serde_json::Error> {
    let members: BTreeMap<String, String> = json::from_slice(bytes)?;
    Header::deserialize(MapDeserializer::new(members.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    fn raw(header: &str, claims: &str, key: &SigningKey) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
    }

    #[test]
    fn only_the_exact_header_is_accepted() {
        let kid = key().kid().to_owned();
        let cases = [
            (format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"{kid}"}}"#), true),
            (format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"seat-lease+jwt"}}"#), true),
            (format!(r#"{{"alg":"none","typ":"seat-lease+jwt","kid":"{kid}"}}"#), false),
            (format!(r#"{{"alg":"HS256","typ":"seat-lease+jwt","kid":"{kid}"}}"#), false),
            (format!(r#"{{"alg":"EdDSA","typ":"seat-verdict+jwt","kid":"{kid}"}}"#), false),
            (format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#), false),
            (r#"{"alg":"EdDSA","typ":"seat-lease+jwt"}"#.to_owned(), false),
            (r#"{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"../../etc/passwd"}"#.to_owned(), false),
            (format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"{kid}","crit":["b64"]}}"#), false),
            (format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"{kid}","jwk":{{}}}}"#), false),
            (format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"{kid}","jku":"x"}}"#), false),
            (format!(r#"["EdDSA","seat-lease+jwt","{kid}"]"#), false),
            (format!(r#"{{"alg":{{"EdDSA":null}},"typ":"seat-lease+jwt","kid":"{kid}"}}"#), false),
            (format!(r#"{{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"x","kid":"{kid}"}}"#), false),
        ];
        for (header, accepted) in cases {
            let jws = raw(&header, r#"{"a":1}"#, &key());
            let find = |name: &str| (name == kid).then(|| key().public());
            assert_eq!(verify::<Value>(&jws, Typ::Lease, find).is_ok(), accepted, "{header}");
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        let jws = sign(Typ::Lease, &key(), &json!({"a": 1})).unwrap();
        let find = |_: &str| Some(key().public());
        assert_eq!(verify::<Value>(&jws, Typ::Lease, find).unwrap().claims, json!({"a": 1}));
        for at in 0..jws.len() {
            let mut bytes = jws.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify::<Value>(&changed, Typ::Lease, find).is_err(), "byte {at}");
        }
        for cut in 0..jws.len() {
            assert!(verify::<Value>(&jws[..cut], Typ::Lease, find).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn oversized_and_ambiguous_objects_are_refused() {
        let find = |_: &str| Some(key().public());
        let long = sign(Typ::Lease, &key(), &"x".repeat(MAX_LEN)).unwrap();
        assert_eq!(verify::<Value>(&long, Typ::Lease, find), Err(JwsError::TooLong));
        let header = r#"{"alg":"EdDSA","typ":"seat-lease+jwt","kid":"k"}"#;
        let twice = raw(header, r#"{"exp":1,"exp":2}"#, &key());
        assert!(matches!(verify::<Value>(&twice, Typ::Lease, find), Err(JwsError::Claims(_))));
        let other = SigningKey::from_seed(&[8; 32]).unwrap();
        let foreign = raw(header, "{}", &other);
        assert_eq!(verify::<Value>(&foreign, Typ::Lease, find), Err(JwsError::Signature));
        assert_eq!(verify::<Value>(&foreign, Typ::Lease, |_| None), Err(JwsError::UnknownKey));
    }
}
