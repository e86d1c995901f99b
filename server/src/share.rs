//! One-time links: what is in them, and what is kept of them.

use crate::seal::{SealError, open, seal};
use crate::store::Hash;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{Token, TokenKind, UnixTime};
use sha2::{Digest as _, Sha256};
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The secret in a link. Whoever has it sees the token, once; the database has neither.
pub struct LinkSecret(Zeroizing<[u8; 32]>);

impl LinkSecret {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret)?;
        Ok(Self(secret))
    }

    /// From the last part of a link.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *secret).ok()?;
        (length == secret.len()).then_some(Self(secret))
    }

    /// The last part of the link.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*self.0))
    }

    /// By what the link is found.
    #[must_use]
    pub fn id(&self) -> Hash {
        self.derived(b"seatlock-link-v1\0")
    }

    fn derived(&self, domain: &[u8]) -> Hash {
        Sha256::new().chain_update(domain).chain_update(&*self.0).finalize().into()
    }

    /// `token` as it is kept, for this link, this seat and this end only.
    ///
    /// # Errors
    /// See [`seal()`].
    pub fn seal(&self, token: &Token, seat: Uuid, expires_at: UnixTime) -> Result<Vec<u8>, SealError> {
        let context = context(seat, expires_at);
        seal(&self.derived(b"seatlock-link-seal-v1\0"), &context, token.expose_secret().as_bytes())
    }

    /// The token again.
    ///
    /// # Errors
    /// When it was sealed for another link, seat or end, or was changed since.
    pub fn open(&self, sealed: &[u8], seat: Uuid, expires_at: UnixTime) -> Result<Token, SealError> {
        let key = self.derived(b"seatlock-link-seal-v1\0");
        let text = open(&key, &context(seat, expires_at), sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| SealError)?;
        Token::parse(text, TokenKind::Integration).map_err(|_| SealError)
    }
}

fn context(seat: Uuid, expires_at: UnixTime) -> Vec<u8> {
    [seat.as_bytes().as_slice(), &expires_at.seconds().to_be_bytes()].concat()
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret")
    }
}
