use crate::RenewalHash;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

const DOMAIN: &[u8] = b"seatlock-renewal-hash-v1\0";

/// Length of a renewal secret in bytes: a number of 8 bytes and a tag of 32.
const BYTES: usize = 40;

/// Length of a renewal secret in characters.
pub const LEN: usize = 54;

/// Whether `text` has the form of a renewal secret. What is in it only its server can tell.
#[must_use]
pub fn is_renewal(text: &str) -> bool {
    text.len() == LEN && URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == BYTES)
}

impl RenewalHash {
    /// What a lease says of the renewal secret that comes with it.
    #[must_use]
    pub fn of(renewal: &str) -> Self {
        let digest = Sha256::new().chain_update(DOMAIN).chain_update(renewal.as_bytes()).finalize();
        let mut half = [0; Self::LEN];
        half.copy_from_slice(digest.split_at(Self::LEN).0);
        Self::new(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let good = URL_SAFE_NO_PAD.encode([7; BYTES]);
        assert!(is_renewal(&good));
        let unused_bits = format!("{}B", &good[..53]);
        for bad in ["", "next", &good[..53], &format!("{good}A"), &good.replace('B', "+"), &unused_bits] {
            assert!(!is_renewal(bad), "{bad}");
        }
        assert!(!is_renewal(&"A".repeat(64_400)));
    }

    /// Also computed with Python's hashlib.
    #[test]
    fn the_hash_of_a_secret() {
        assert_eq!(RenewalHash::of(&"A".repeat(LEN)).to_string(), "_I_Y4VuRIyf3BWc5GzK6fA");
    }
}
