//! One-time links: what is in them, and what is kept of them.

use crate::crypto::seal::{Hash, SealError, Secret};
use seatlock_protocol::{Token, TokenKind, UnixTime};
use uuid::Uuid;
use zeroize::Zeroizing;

const KEY: &[u8] = b"seatlock-link-seal-v1\0";

/// The link itself: `origin` is the server's public address, such as `https://licenses.example.com`. Never log it.
#[must_use]
pub fn link(origin: &str, secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("{}/open/{}", origin.trim_end_matches('/'), *secret.expose()))
}

/// By what a link with this secret is found.
#[must_use]
pub fn id(link: &Secret) -> Hash {
    link.hash(b"seatlock-link-v1\0")
}

/// `token` as it is kept, for this link, this seat and this end only.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn seal_token(
    link: &Secret,
    token: &Token,
    seat: Uuid,
    expires_at: UnixTime,
) -> Result<Vec<u8>, SealError> {
    link.seal_key(KEY).seal(&context(seat, expires_at), token.expose_secret().as_bytes())
}

/// The token again.
///
/// # Errors
/// When it was sealed for another link, seat or end, or was changed since.
pub fn open_token(
    link: &Secret,
    sealed: &[u8],
    seat: Uuid,
    expires_at: UnixTime,
) -> Result<Token, SealError> {
    let text = link.seal_key(KEY).open(&context(seat, expires_at), sealed)?;
    let text = std::str::from_utf8(&text).map_err(|_| SealError::Closed)?;
    Token::parse(text, TokenKind::Integration).map_err(|_| SealError::Closed)
}

/// A row cannot be moved to another seat, nor prolonged.
fn context(seat: Uuid, expires_at: UnixTime) -> Vec<u8> {
    [seat.as_bytes().as_slice(), &expires_at.seconds().to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_its_origin_and_43_characters() {
        let secret = Secret::parse("-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s").unwrap();
        let text = link("https://licenses.example.com/", &secret);
        assert_eq!(*text, "https://licenses.example.com/open/-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
    }

    #[test]
    fn a_token_opens_with_its_link_for_its_seat_and_end_only() {
        let (link, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        let token = Token::generate(TokenKind::Integration, getrandom::fill).unwrap();
        let (seat, end) = (Uuid::new_v4(), UnixTime::new(1_795_338_000).unwrap());
        let sealed = seal_token(&link, &token, seat, end).unwrap();
        assert_eq!(open_token(&link, &sealed, seat, end).unwrap(), token);
        let again = Secret::parse(&link.expose()).unwrap();
        assert_eq!(open_token(&again, &sealed, seat, end).unwrap(), token);
        assert!(open_token(&other, &sealed, seat, end).is_err());
        assert!(open_token(&link, &sealed, Uuid::new_v4(), end).is_err());
        assert!(open_token(&link, &sealed, seat, end.plus(1)).is_err());
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[place] ^= 1;
            assert!(open_token(&link, &bent, seat, end).is_err(), "{place}");
            assert!(open_token(&link, &sealed[..place], seat, end).is_err(), "{place}");
        }
        assert_ne!(seal_token(&link, &token, seat, end).unwrap(), sealed);
        assert_ne!(id(&link), id(&other));
        assert_eq!(format!("{link:?}"), "Secret");
    }
}
