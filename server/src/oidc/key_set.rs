use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one issuer that are used. Real issuers have a handful.
const KEYS_MAX: usize = 64;

/// Why a document is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not the JSON of RFC 7517, section 5.
    #[error("it is no JSON Web Key Set")]
    NotKeySet,
    /// Nothing in it verifies the signatures that are accepted here.
    #[error("it has no key for RS256, PS256, ES256, ES384 or EdDSA")]
    NoKey,
}

/// Keys that verify signatures. Each key has its own algorithms, whatever the header of a token
/// says (RFC 8725, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kid: Option<String>,
    /// The only algorithm that it is for, if the issuer says so.
    alg: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
    /// An uncompressed point of P-384.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A JSON Web Key; what is in it for other purposes is left out.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads an issuer's `jwks_uri`. Keys that are not for signatures, or of a kind that is not
    /// accepted here, are left out (RFC 7517, section 5).
    pub fn read(document: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document).map_err(|_| KeySetError::NotKeySet)?;
        let read = |key| serde_json::from_value::<Jwk>(key).ok().and_then(Jwk::read);
        let keys: Vec<Key> = document.keys.into_iter().filter_map(read).take(KEYS_MAX).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self(keys)) }
    }

    /// Whether there is a key of that name; without a name, any.
    #[must_use]
    pub fn knows(&self, kid: Option<&str>) -> bool {
        self.named(kid).next().is_some()
    }

    /// Whether a key of that name made `signature` by the algorithm `alg` (RFC 7518, RFC 8037). Of
    /// several keys of one name, which an issuer should not have, any may.
    #[must_use]
    pub fn verifies(&self, kid: Option<&str>, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        let fits = |key: &&Key| key.alg.as_deref().is_none_or(|only| only == alg);
        self.named(kid).filter(fits).any(|key| key.material.verifies(alg, message, signature))
    }

    fn named(&self, kid: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| kid.is_none() || key.kid.as_deref() == kid)
    }
}

impl Jwk {
    fn read(self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        // What it may be used for (RFC 7517, section 4.3).
        if self.key_ops.is_some_and(|uses| !uses.iter().any(|known| known == "verify")) {
            return None;
        }
        let bytes = |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?).ok();
        // Some issuers write the zeros that a number of ASN.1 begins with.
        let number =
            |text| bytes(text).map(|bytes| bytes.into_iter().skip_while(|byte| *byte == 0).collect());
        let coordinate = |text, length| bytes(text).filter(|bytes| bytes.len() == length);
        let point = |length| {
            let (x, y) = (coordinate(self.x.as_ref(), length)?, coordinate(self.y.as_ref(), length)?);
            Some([vec![4], x, y].concat())
        };
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: number(self.n.as_ref())?, e: number(self.e.as_ref())? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(self.x.as_ref(), 32)?),
            _ => return None,
        };
        Some(Key { kid: self.kid, alg: self.alg, material })
    }
}

impl Material {
    /// ring refuses RSA keys of less than 2048 bits, and points that are not on the curve.
    fn verifies(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        match (self, alg) {
            (Self::Rsa { n, e }, _) => {
                let how = match alg {
                    "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &RSA_PSS_2048_8192_SHA256,
                    "PS384" => &RSA_PSS_2048_8192_SHA384,
                    "PS512" => &RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok()
            }
            (Self::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::P384(point), "ES384") => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Ed25519(x), "EdDSA" | "Ed25519") => {
                UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}
