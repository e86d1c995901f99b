use crate::mac::hmac_sha256;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};

/// Crockford's base32: no I, L, O, U, so that it can be read out on the telephone.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where a machine id came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineSource {
    /// The operating system's own identifier of this installation.
    Os,
    /// Given by the host application or by `SEATLOCK_MACHINE_ID`, for containers and farms.
    Supplied,
}

/// A text was not a machine id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a machine id: \"m1_\" and 43 characters of base64url")]
pub struct ParseMachineIdError;

/// Stable pseudonymous identifier of a computer, different for every product: `m1_` and 43
/// characters.
///
/// The operating system's identifier cannot be computed back from it, and the ids of two products
/// cannot be matched with one another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MachineId(String);

impl MachineId {
    /// Length in characters.
    pub const LEN: usize = 46;

    /// `"m1_" + base64url(HMAC-SHA-256("seatlock-machine-v1\0" || product, os_tag || "\0" ||
    /// canonical_os_id))`.
    #[must_use]
    pub fn derive(product: &str, os_tag: &str, canonical_os_id: &str) -> Self {
        let key = [b"seatlock-machine-v1\0", product.as_bytes()].concat();
        let mac = hmac_sha256(&key, &[os_tag.as_bytes(), b"\0", canonical_os_id.as_bytes()]);
        Self(format!("m1_{}", URL_SAFE_NO_PAD.encode(mac)))
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `XXXX-XXXX`: the first five bytes in Crockford's base32, for people to compare by eye or by
    /// telephone.
    #[must_use]
    pub fn short(&self) -> String {
        let bytes = self.0.get(3..).and_then(|body| URL_SAFE_NO_PAD.decode(body).ok()).unwrap_or_default();
        let bits = bytes.iter().take(5).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digit = |place: u32| {
            let index = (bits >> (5 * place) & 31) as usize;
            char::from(CROCKFORD.get(index).copied().unwrap_or(b'0'))
        };
        let (left, right): (String, String) =
            ((4..8).rev().map(digit).collect(), (0..4).rev().map(digit).collect());
        format!("{left}-{right}")
    }

    /// What the ids with this short form begin with, or `None` when `short` is none. Letters that
    /// look like digits are read as Crockford reads them: somebody may have written down what
    /// he heard.
    #[must_use]
    pub fn prefix_of_short(short: &str) -> Option<String> {
        let digits: Vec<u8> = short.bytes().filter(|byte| *byte != b'-').collect();
        if digits.len() != 8 {
            return None;
        }
        let mut bits = 0u64;
        for digit in digits {
            let digit = match digit.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            bits = bits << 5 | CROCKFORD.iter().position(|known| *known == digit)? as u64;
        }
        let bytes = bits.to_be_bytes();
        let text = URL_SAFE_NO_PAD.encode(bytes.get(3..)?);
        // The last character shares its bits with the byte that follows.
        Some(format!("m1_{}", text.get(..6)?))
    }
}

impl FromStr for MachineId {
    type Err = ParseMachineIdError;

    fn from_str(text: &str) -> Result<Self, ParseMachineIdError> {
        let body = text.strip_prefix("m1_").ok_or(ParseMachineIdError)?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| ParseMachineIdError)?;
        if bytes.len() == 32 { Ok(Self(text.to_owned())) } else { Err(ParseMachineIdError) }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MachineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_systems_give_different_ids() {
        let id = |product, os| MachineId::derive(product, os, "0123456789abcdef0123456789abcdef");
        assert_ne!(id("a", "linux"), id("b", "linux"));
        assert_ne!(id("a", "linux"), id("a", "macos"));
        assert_eq!(id("a", "linux").as_str().len(), MachineId::LEN);
        let long = "p".repeat(500);
        assert_ne!(id(&long, "linux"), id(&long[1..], "linux"));
    }

    #[test]
    fn only_whole_ids_parse() {
        let id = MachineId::derive("a", "linux", "x").to_string();
        assert!(id.parse::<MachineId>().is_ok());
        for text in ["", "m1_", &id[..45], &id[1..], &format!("{id}A"), &id.replace("m1_", "m0_")] {
            assert!(text.parse::<MachineId>().is_err(), "{text}");
        }
    }
}
