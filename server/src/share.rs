//! One-time links, by which somebody sees an integration token once.
//!
//! The link holds a secret that nobody else has. The database keeps its hash, to find the row, and the token sealed
//! under a key that is derived from it: the database alone shows nothing. Seat and end of the link are sealed with
//! it, so a row that was moved to another seat, or prolonged, does not open.

use crate::seal::{SealError, SealKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{Token, TokenKind, UnixTime};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long a link lives, in seconds: 7 days.
pub const LIFETIME: u64 = 7 * 24 * 60 * 60;

const ID_DOMAIN: &[u8] = b"seatlock-share-v1\0";
const KEY_DOMAIN: &[u8] = b"seatlock-share-key-v1\0";

/// The text is not the end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this link is incomplete; copy it again")]
pub struct NotALink;

/// What a row says of a link, beside the sealed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The seat whose token it is.
    pub seat: Uuid,
    /// From then on the link is over.
    pub until: UnixTime,
}

impl Share {
    /// A link to the token of `seat` that is made now.
    #[must_use]
    pub fn new(seat: Uuid, now: UnixTime) -> Self {
        Self { seat, until: now.plus(LIFETIME) }
    }

    /// Whether the link is over.
    #[must_use]
    pub fn is_over(&self, now: UnixTime) -> bool {
        now >= self.until
    }

    /// Both members have a fixed length, so no two shares have the same context.
    fn context(&self) -> [u8; 24] {
        let mut context = [0; 24];
        let bytes = self.seat.as_bytes().iter().copied().chain(self.until.seconds().to_be_bytes());
        context.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        context
    }
}

/// The secret of a one-time link: 32 random bytes. Erased from memory when dropped, never shown in debug output.
pub struct LinkSecret(Zeroizing<[u8; 32]>);

impl LinkSecret {
    /// Makes a new secret.
    ///
    /// # Errors
    /// When the operating system's random source fails.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Reads the last part of a link.
    ///
    /// # Errors
    /// [`NotALink`].
    pub fn parse(text: &str) -> Result<Self, NotALink> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| NotALink)?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| NotALink)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The link itself: `origin` is the server's public address, such as `https://licenses.example.com`. Never log it.
    #[must_use]
    pub fn link(&self, origin: &str) -> Zeroizing<String> {
        let text = self.expose_secret();
        Zeroizing::new(format!("{}/open/{}", origin.trim_end_matches('/'), *text))
    }

    /// The secret as it stands in a link. Never log, format or send it elsewhere.
    #[must_use]
    pub fn expose_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What the database keeps instead: `SHA-256("seatlock-share-v1\0" || secret)`.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        Sha256::new().chain_update(ID_DOMAIN).chain_update(*self.0).finalize().into()
    }

    /// Seals a token for the row of `share`.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn seal(&self, share: &Share, token: &Token) -> Result<Vec<u8>, SealError> {
        self.key().seal(&share.context(), token.expose_secret().as_bytes())
    }

    /// Opens the token of a row. Whether the link is over is another question: [`Share::is_over`].
    ///
    /// # Errors
    /// [`SealError::Closed`] when the row is not as it was written.
    pub fn open(&self, share: &Share, sealed: &[u8]) -> Result<Token, SealError> {
        let text = self.key().open(&share.context(), sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| SealError::Closed)?;
        Token::parse(text, TokenKind::Integration).map_err(|_| SealError::Closed)
    }

    fn key(&self) -> SealKey {
        SealKey::derive(&self.0, KEY_DOMAIN, &[])
    }
}

impl std::fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkSecret(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(seed: u64) -> Token {
        let mut state = seed;
        let fill = |bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = state.to_be_bytes()[0];
            }
            Ok::<(), ()>(())
        };
        Token::generate(TokenKind::Integration, fill).unwrap()
    }

    fn secret(bytes: [u8; 32]) -> LinkSecret {
        LinkSecret::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap()
    }

    fn share(seat: u128, now: u32) -> Share {
        Share::new(Uuid::from_u128(seat), UnixTime::new(i64::from(now)).unwrap())
    }

    proptest! {
        #[test]
        fn a_link_opens_its_own_row_only(
            bytes: [u8; 32], others: [u8; 32], seats: [u128; 2], now: [u32; 2], seed: u64,
            at: proptest::sample::Index, bit in 0..8u32,
        ) {
            let (link, row, token) = (secret(bytes), share(seats[0], now[0]), token(seed));
            let sealed = link.seal(&row, &token).unwrap();
            let again = LinkSecret::parse(&link.expose_secret()).unwrap();
            prop_assert_eq!(again.id(), link.id());
            prop_assert_eq!(again.open(&row, &sealed), Ok(token));

            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(link.open(&row, &changed), Err(SealError::Closed));
            let moved = share(seats[1], now[0]);
            prop_assert_eq!(link.open(&moved, &sealed).is_ok(), moved == row);
            let prolonged = share(seats[0], now[1]);
            prop_assert_eq!(link.open(&prolonged, &sealed).is_ok(), prolonged == row);
            let other = secret(others);
            prop_assert_eq!(other.open(&row, &sealed).is_ok(), others == bytes);
            prop_assert_eq!(other.id() == link.id(), others == bytes);
        }
    }

    #[test]
    fn seven_days() {
        let (row, at) = (share(1, 1000), |seconds| UnixTime::new(seconds).unwrap());
        assert_eq!(row.until, at(1000 + 604_800));
        assert!(!row.is_over(at(605_799)));
        assert!(row.is_over(at(605_800)));
    }

    #[test]
    fn a_link_is_its_origin_and_43_characters() {
        let link = secret([0xfb; 32]);
        let text = link.link("https://licenses.example.com/");
        assert_eq!(*text, "https://licenses.example.com/open/-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert!(LinkSecret::new().unwrap().id() != LinkSecret::new().unwrap().id());
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let good = secret([0xfb; 32]).expose_secret();
        let longer = format!("{}A", *good);
        // The last character carries four bits; another that has the unused ones set is another text.
        let second = good.replace("-_s", "-_t");
        for text in ["", "x", &good[..42], &longer, &second, &good.replace('-', "+"), "é"] {
            assert_eq!(LinkSecret::parse(text).map(|_| ()), Err(NotALink), "{text}");
        }
    }

    #[test]
    fn debug_output_and_row_show_nothing() {
        let (link, token) = (secret([0xfb; 32]), token(1));
        let sealed = link.seal(&share(1, 1), &token).unwrap();
        assert_eq!(format!("{link:?}"), "LinkSecret(secret)");
        let holds =
            |secret: &[u8]| sealed.windows(8).any(|window| secret.windows(8).any(|part| part == window));
        assert!(!holds(token.expose_secret().as_bytes()) && !holds(&*link.0) && !holds(&link.id()));
    }
}
