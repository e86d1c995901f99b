use super::{Service, ServiceError};
use crate::crypto::seal::Hash;
use crate::crypto::seal::{SealError, SealKey};
use crate::store::IdempotencyRecord;
use ring::hmac;
use seatlock_protocol::{Token, TokenKind};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A request that says which one it is, so that its repetition is not a second one (the
/// Idempotency-Key header of the HTTPAPI working group's draft).
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey<'a> {
    /// What the caller calls it; random, so that nobody else calls his own so.
    pub key: &'a str,
    /// Everything that it asks for, as bytes that are the same each time.
    pub request: &'a [u8],
}

/// Whether it can be an `Idempotency-Key`.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl<'a> Service<'a> {
    /// Remembers answers to the user's requests.
    pub(super) fn memory(&self) -> IdempotencyRecords<'a> {
        IdempotencyRecords { pepper: self.pepper, who: self.who.user.id }
    }
}

/// Remembers answers to somebody's requests, so that whoever has the database alone cannot read
/// them.
#[derive(Clone, Copy)]
pub(super) struct IdempotencyRecords<'a> {
    pepper: &'a [u8; 32],
    /// Whose requests they are: a user, or nil for the console.
    who: Uuid,
}

impl IdempotencyRecords<'_> {
    /// What is to be remembered of a request for `what` that will be answered with `token`.
    pub(super) fn remember(
        &self,
        idempotency_key: Option<IdempotencyKey<'_>>,
        what: &str,
        token: Option<&Token>,
    ) -> Result<Option<IdempotencyRecord>, ServiceError> {
        let Some(idempotency_key) = idempotency_key else { return Ok(None) };
        if !is_key(idempotency_key.key) {
            return Err(ServiceError::invalid(
                "Idempotency-Key",
                "1 to 255 visible ASCII characters are needed",
            ));
        }
        let key = self.name(what, idempotency_key);
        let request = Sha256::digest(idempotency_key.request).into();
        let secret = token.map(Token::expose_secret).unwrap_or_default();
        let sealed = self.seal_key(what, idempotency_key).seal(&key, secret.as_bytes())?;
        Ok(Some(IdempotencyRecord { key, request, sealed }))
    }

    /// The token that was answered the first time.
    pub(super) fn recall(
        &self,
        idempotency_key: Option<IdempotencyKey<'_>>,
        what: &str,
        kind: TokenKind,
        sealed: &[u8],
    ) -> Result<Token, ServiceError> {
        let idempotency_key =
            idempotency_key.ok_or_else(|| ServiceError::invalid("Idempotency-Key", "there is none"))?;
        let key = self.name(what, idempotency_key);
        let secret = self.seal_key(what, idempotency_key).open(&key, sealed)?;
        let text = std::str::from_utf8(&secret).unwrap_or_default();
        Token::parse(text, kind).map_err(|_| ServiceError::Seal(SealError::Closed))
    }

    /// By what the answer to a request for `what` is found again.
    pub(super) fn name(&self, what: &str, idempotency_key: IdempotencyKey<'_>) -> Hash {
        self.derived(b"seatlock-idempotency-v1\0", what, idempotency_key)
    }

    /// Needs both as well.
    fn seal_key(&self, what: &str, idempotency_key: IdempotencyKey<'_>) -> SealKey {
        let parts = [self.who.as_bytes().as_slice(), what.as_bytes(), idempotency_key.key.as_bytes()];
        SealKey::derive(self.pepper, b"seatlock-idempotency-seal-v1\0", &parts)
    }

    /// Needs the pepper, which is not in the database, and the key, of which the database has only
    /// this.
    fn derived(&self, domain: &[u8], what: &str, idempotency_key: IdempotencyKey<'_>) -> Hash {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.pepper));
        for part in [domain, self.who.as_bytes(), what.as_bytes(), b"\0", idempotency_key.key.as_bytes()] {
            mac.update(part);
        }
        bytes(&mac.sign())
    }
}

/// The bytes of an HMAC-SHA-256.
pub(super) fn bytes(tag: &hmac::Tag) -> Hash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}
