//! Renewal secrets: a number that only this server can have handed out to one token and one
//! installation.
//!
//! The secret is `base64url(number || tag)`, the number as 8 bytes, big-endian, and the tag
//! `HMAC-SHA-256(pepper, "seatlock-renewal-v2\0" || token hash || installation || number)`. So the
//! database remembers numbers, and whoever reads it cannot make a secret of them without the
//! pepper, which is not in it.

use crate::domain::PresentedRenewal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use seatlock_protocol::TokenHash;
use uuid::Uuid;

const NUMBER: usize = 8;
const TAG: usize = 32;

/// Makes and reads renewal secrets.
pub struct RenewalKey(hmac::Key);

/// To whom secrets are handed out.
#[derive(Clone, Copy)]
pub struct Recipient {
    /// Of the token that is shown.
    pub token: TokenHash,
    /// The installation that shows it.
    pub install: Uuid,
}

impl RenewalKey {
    /// The key of a server.
    #[must_use]
    pub fn new(pepper: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper))
    }

    /// The secret of this number: 54 characters of base64url.
    #[must_use]
    pub fn secret(&self, recipient: Recipient, number: u64) -> String {
        let tag = hmac::sign(&self.0, &message(recipient, number));
        URL_SAFE_NO_PAD.encode([number.to_be_bytes().as_slice(), tag.as_ref()].concat())
    }

    /// What `text` is.
    #[must_use]
    pub fn read(&self, recipient: Recipient, text: Option<&str>) -> PresentedRenewal {
        let Some(text) = text else { return PresentedRenewal::Nothing };
        self.number(recipient, text).map_or(PresentedRenewal::Foreign, PresentedRenewal::Number)
    }

    fn number(&self, recipient: Recipient, text: &str) -> Option<u64> {
        let mut secret = [0; NUMBER + TAG];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut secret).ok()?;
        let (number, tag) = secret.get(..length)?.split_first_chunk()?;
        let number = u64::from_be_bytes(*number);
        hmac::verify(&self.0, &message(recipient, number), tag).ok().map(|()| number)
    }
}

fn message(recipient: Recipient, number: u64) -> Vec<u8> {
    let (token, install) = (recipient.token, recipient.install);
    [b"seatlock-renewal-v2\0", token.as_bytes().as_slice(), install.as_bytes(), &number.to_be_bytes()]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: Recipient = Recipient { token: TokenHash::new([1; 16]), install: Uuid::from_u128(2) };

    #[test]
    fn a_secret_is_good_for_its_server_token_and_installation_only() {
        let key = RenewalKey::new(&[7; 32]);
        let secret = key.secret(RECIPIENT, 1_795_338_000);
        assert_eq!(key.read(RECIPIENT, Some(&secret)), PresentedRenewal::Number(1_795_338_000));
        assert_eq!(key.read(RECIPIENT, None), PresentedRenewal::Nothing);
        let (token, install) = (TokenHash::new([2; 16]), Uuid::from_u128(3));
        assert_eq!(key.read(Recipient { token, ..RECIPIENT }, Some(&secret)), PresentedRenewal::Foreign);
        assert_eq!(key.read(Recipient { install, ..RECIPIENT }, Some(&secret)), PresentedRenewal::Foreign);
        assert_eq!(RenewalKey::new(&[8; 32]).read(RECIPIENT, Some(&secret)), PresentedRenewal::Foreign);
    }

    #[test]
    fn what_was_changed_is_foreign() {
        let key = RenewalKey::new(&[7; 32]);
        let secret = key.secret(RECIPIENT, 5);
        for at in 0..secret.len() {
            let mut other = secret.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(key.read(RECIPIENT, Some(&other)), PresentedRenewal::Foreign, "{at}");
        }
        for other in ["", "A", "b64!", &secret[..53], &format!("{secret}A"), &"A".repeat(54)] {
            assert_eq!(key.read(RECIPIENT, Some(other)), PresentedRenewal::Foreign, "{other}");
        }
    }
}
