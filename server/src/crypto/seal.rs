//! Seals what the database keeps but must not be able to show: with a key that is derived from
//! something outside it.
//!
//! AES-256-GCM; what is kept is `nonce || ciphertext || tag`. The nonce is random, so one key may
//! seal as often as it likes in practice. What a row says beside the sealed bytes goes in as
//! `context`: in another row, or after the row was changed, they do not open.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{aead, hmac};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// SHA-256, or HMAC-SHA-256 under the pepper, of something secret.
pub type Hash = [u8; 32];

/// 32 random bytes that somebody shows in order to be let in: in a cookie or in a link. Only hashes
/// of it are kept.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret)?;
        Ok(Self(secret))
    }

    /// From what [`Self::expose`] made of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *secret).ok()?;
        (length == secret.len()).then_some(Self(secret))
    }

    /// 43 characters of base64url.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// A key for one purpose, which only whoever has the secret can derive.
    #[must_use]
    pub fn seal_key(&self, purpose: &'static [u8]) -> SealKey {
        SealKey::derive(&self.0, purpose, &[])
    }

    /// A hash for one purpose. The secret is random, so a plain one gives nothing away.
    #[must_use]
    pub fn hash(&self, domain: &[u8]) -> Hash {
        Sha256::new().chain_update(domain).chain_update(*self.0).finalize().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why something was not sealed or opened. Never holds what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key, another context, or changed bytes; which of them cannot be told.
    #[error("the sealed bytes do not belong here, or were changed")]
    Closed,
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
}

/// `HMAC-SHA-256(secret, purpose || parts)`, with its length before each part so that no two lists
/// of parts meet. A `purpose` ends with a zero byte, as every domain of the protocol.
pub(crate) fn keyed_hash(secret: &[u8; 32], purpose: &'static [u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    mac.update(purpose);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(mac.sign().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// A key for one purpose. Erased from memory when dropped, never shown in debug output.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// `HMAC-SHA-256(secret, purpose || parts)`, with its length before each part.
    ///
    /// `secret` has at least 32 random bytes: the secret of a link, or the pepper.
    #[must_use]
    pub fn derive(secret: &[u8; 32], purpose: &'static [u8], parts: &[&[u8]]) -> Self {
        Self(Zeroizing::new(keyed_hash(secret, purpose, parts)))
    }

    /// Seals `plain` for the place that `context` describes.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; aead::NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let tag_length = aead::AES_256_GCM.tag_len();
        let mut sealed = Vec::with_capacity(nonce.len() + plain.len() + tag_length);
        sealed.extend_from_slice(&nonce);
        // Encrypted in place, so that no readable copy is left behind.
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut(nonce.len());
        let tag = self.cipher()?.seal_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(context),
            text,
        );
        sealed.extend_from_slice(tag.map_err(|_| SealError::Closed)?.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed with the same key for the same `context`.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, text) = sealed.split_first_chunk().ok_or(SealError::Closed)?;
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.cipher()?.open_in_place(nonce, aead::Aad::from(context), &mut text);
        let length = opened.map_err(|_| SealError::Closed)?.len();
        text.truncate(length);
        Ok(text)
    }

    fn cipher(&self) -> Result<aead::LessSafeKey, SealError> {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, &*self.0).map_err(|_| SealError::Closed)?;
        Ok(aead::LessSafeKey::new(key))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(secret)")
    }
}

/// Seals client secrets of issuers; the context is the issuer's address.
#[must_use]
pub fn client_secret_key(pepper: &[u8; 32]) -> SealKey {
    SealKey::derive(pepper, b"seatlock-client-secret-v1\0", &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(parts: &[&[u8]]) -> SealKey {
        SealKey::derive(&[7; 32], b"seatlock-test\0", parts)
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_for_its_place_only(
            plain: Vec<u8>, context: Vec<u8>, other: Vec<u8>, at: proptest::sample::Index, bit in 0..8u32,
        ) {
            let sealed = key(&[]).seal(&context, &plain).unwrap();
            let opened = key(&[]).open(&context, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plain);
            prop_assert_eq!(sealed.len(), plain.len() + 28);

            let elsewhere = key(&[]).open(&other, &sealed);
            prop_assert_eq!(elsewhere.is_err(), other != context);

            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(key(&[]).open(&context, &changed), Err(SealError::Closed));
            let shorter = &sealed[..at.index(sealed.len())];
            prop_assert_eq!(key(&[]).open(&context, shorter), Err(SealError::Closed));
        }
    }

    #[test]
    fn keys_differ_by_secret_purpose_and_parts() {
        let one = key(&[b"ab", b"c"]);
        let others = [
            key(&[b"a", b"bc"]),
            key(&[b"abc"]),
            key(&[b"ab", b"c", b""]),
            SealKey::derive(&[7; 32], b"seatlock-other\0", &[b"ab", b"c"]),
            SealKey::derive(&[8; 32], b"seatlock-test\0", &[b"ab", b"c"]),
        ];
        let sealed = one.seal(b"", b"answer").unwrap();
        assert!(key(&[b"ab", b"c"]).open(b"", &sealed).is_ok());
        assert!(others.iter().all(|other| other.open(b"", &sealed).is_err()));
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let sealed = [(); 2].map(|()| key(&[]).seal(b"", b"answer").unwrap());
        assert_ne!(sealed[0], sealed[1]);
        assert!(!sealed[0].windows(6).any(|window| window == b"answer"));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let good = Secret::generate().unwrap().expose();
        assert_eq!(Secret::parse(&good).unwrap().expose(), good);
        let longer = format!("{}A", *good);
        for text in ["", "x", &good[..42], &longer, &"+".repeat(43), "é"] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
        // The last character carries four bits; another that has the unused ones set is another text.
        assert!(Secret::parse(&format!("{}-_s", &"-_v7".repeat(10))).is_some());
        assert!(Secret::parse(&format!("{}-_t", &"-_v7".repeat(10))).is_none());
    }

    #[test]
    fn debug_output_shows_nothing() {
        assert_eq!(format!("{:?}", key(&[])), "SealKey(secret)");
    }
}
