use crate::{TokenHash, is_invisible, mac::hmac_sha256};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DOMAIN: &[u8] = b"seatlock-token-v1\0";
const PREFIX_LEN: usize = 4;
const BODY_LEN: usize = 30;
const CHECK_LEN: usize = 6;

/// What a token is for. The three kinds are never interchangeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `sit_`: activates one seat of one plug-in.
    Integration,
    /// `sat_`: lets a user's script call the admin API; never activates a plug-in.
    Api,
    /// `soc_`: the secret of an OAuth client.
    OauthClient,
}

impl TokenKind {
    /// The first four characters of every token of this kind.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Integration => "sit_",
            Self::Api => "sat_",
            Self::OauthClient => "soc_",
        }
    }

    const ALL: [Self; 3] = [Self::Integration, Self::Api, Self::OauthClient];
}

/// Why a text is not a usable token. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Wrong length, alphabet, prefix or check characters.
    #[error("the token looks incomplete or mistyped")]
    Malformed,
    /// A well-formed token of a kind that does not fit here.
    #[error("{}", wrong_kind(*.0))]
    WrongKind(TokenKind),
}

fn wrong_kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Integration => {
            "this is an integration token, which activates plug-ins; an API token is needed here"
        }
        TokenKind::Api => {
            "this is an API token; this plug-in needs an integration token from Seat Management"
        }
        TokenKind::OauthClient => {
            "this is an OAuth client secret; this plug-in needs an integration token from Seat Management"
        }
    }
}

/// A secret token: 40 characters, `kind "_" body check`. Erased from memory when dropped, never
/// shown in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Length in characters.
    pub const LEN: usize = PREFIX_LEN + BODY_LEN + CHECK_LEN;

    /// Finds the token in what a person pasted, when only one reading is possible. Around it may
    /// stand what is neither ASCII letter nor digit, and any text beyond that; within it only
    /// what counts as noise. The check characters leave no doubt: of four thousand million
    /// texts that look like a token one passes by chance.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], for several different tokens too; [`TokenError::WrongKind`] when
    /// the only token is sound but of another kind than `wanted`.
    pub fn parse(pasted: &str, wanted: TokenKind) -> Result<Self, TokenError> {
        let (mut found, mut other) = (None, None);
        let mut before = None;
        for (at, c) in pasted.char_indices() {
            let begins = !before.is_some_and(|c: char| c.is_ascii_alphanumeric());
            before = Some(c);
            if !begins || !c.is_ascii_alphabetic() {
                continue;
            }
            let Some((kind, token)) = pasted.get(at..).and_then(Self::at_start) else { continue };
            match &found {
                _ if kind != wanted => other = Some(kind),
                Some(one) if *one != token => return Err(TokenError::Malformed),
                _ => found = Some(token),
            }
        }
        found.ok_or(other.map_or(TokenError::Malformed, TokenError::WrongKind))
    }

    /// The token that `text` begins with.
    fn at_start(text: &str) -> Option<(TokenKind, Self)> {
        let mut rest = text.chars();
        // As long as it can become, because a string that grows leaves copies of the secret behind.
        let mut token = Zeroizing::new(String::with_capacity(Self::LEN));
        while token.len() < Self::LEN {
            let c = rest.find(|c| !is_noise(*c))?;
            let fits = match token.len() {
                0..PREFIX_LEN => {
                    // Telephones begin a line with a capital letter.
                    let kinds = TokenKind::ALL.map(TokenKind::prefix).into_iter();
                    let mut kinds = kinds.filter(|prefix| prefix.starts_with(token.as_str()));
                    let c = c.to_ascii_lowercase();
                    kinds.any(|prefix| prefix.chars().nth(token.len()) == Some(c))
                }
                _ => c.is_ascii_alphanumeric(),
            };
            if !fits {
                return None;
            }
            let c = if token.len() < PREFIX_LEN { c.to_ascii_lowercase() } else { c };
            token.push(c);
        }
        let ends = !rest.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let (checked, check) = token.split_at_checked(PREFIX_LEN + BODY_LEN)?;
        let kind = TokenKind::ALL.into_iter().find(|kind| checked.starts_with(kind.prefix()))?;
        (ends && check == check_of(checked)).then_some((kind, Self(token)))
    }

    /// Makes a new token. `fill` fills its argument with bytes of the operating system's random
    /// source.
    ///
    /// # Errors
    /// Whatever `fill` answers when the random source fails.
    pub fn generate<E>(kind: TokenKind, mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN));
        text.push_str(kind.prefix());
        let mut random = Zeroizing::new([0u8; 64]);
        while text.len() < PREFIX_LEN + BODY_LEN {
            fill(&mut *random)?;
            // Bytes of 248 and above are thrown away: 248 is the largest multiple of 62, so no character is
            // favoured.
            let fair = random.iter().filter(|byte| **byte < 248).map(|byte| base62(u32::from(*byte)));
            let missing = PREFIX_LEN + BODY_LEN - text.len();
            text.extend(fair.take(missing));
        }
        let check = check_of(&text);
        text.push_str(&check);
        Ok(Self(text))
    }

    /// The secret itself, for the `Authorization` header and for storage. Never log, format or send
    /// it elsewhere.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What leases and verdicts carry as `tkh`.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let digest = Sha256::new().chain_update(DOMAIN).chain_update(self.0.as_bytes()).finalize();
        let mut half = [0; TokenHash::LEN];
        half.copy_from_slice(digest.split_at(TokenHash::LEN).0);
        TokenHash::new(half)
    }

    /// What the server stores instead of the token: `HMAC-SHA-256(pepper, "seatlock-token-v1\0" ||
    /// token)`.
    #[must_use]
    pub fn stored_hash(&self, pepper: &[u8; 32]) -> [u8; 32] {
        hmac_sha256(pepper, &[DOMAIN, self.0.as_bytes()])
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

impl Zeroize for Token {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// What e-mail programs, spreadsheets, chats and terminals add within a token when it is copied:
/// white space, what is not seen, quotation marks and brackets of any script, and the marks of
/// Markdown and of a line that goes on.
fn is_noise(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '"' | '\'' | '`' | '\u{b4}' | '\u{ab}' | '\u{bb}' | '\u{ff02}' | '\u{ff07}')
        || matches!(c, '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{203a}' | '\u{301d}'..='\u{301f}')
        || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | '\u{2329}' | '\u{232a}')
        || matches!(c, '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301b}')
        || matches!(c, '\u{ff08}' | '\u{ff09}' | '\u{ff1c}' | '\u{ff1e}')
        || matches!(c, '*' | '~' | '|' | '\\' | '=')
}

fn base62(value: u32) -> char {
    let digit = ALPHABET.get((value % 62) as usize).copied().unwrap_or(b'0');
    char::from(digit)
}

/// CRC-32/ISO-HDLC of `text` as six base62 characters, most significant first.
fn check_of(text: &str) -> String {
    let crc = crc32fast::hash(text.as_bytes());
    (0..CHECK_LEN as u32).rev().map(|place| base62(crc / 62u32.pow(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIT: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    const SAT: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";

    #[test]
    fn pasted_texts() {
        let cases: &[(&str, Result<(), TokenError>)] = &[
            (SIT, Ok(())),
            (&format!("  \u{feff}\"{SIT}\"\r\n"), Ok(())),
            (&SIT.replace("8u", "8\u{200b}\n u"), Ok(())),
            (SAT, Err(TokenError::WrongKind(TokenKind::Api))),
            ("soc_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE23XUDe", Err(TokenError::WrongKind(TokenKind::OauthClient))),
            ("", Err(TokenError::Malformed)),
            (&SIT[..39], Err(TokenError::Malformed)),
            (&SIT[..20], Err(TokenError::Malformed)),
            (&format!("{SIT}x"), Err(TokenError::Malformed)),
            (&SIT.replace("8u", "9u"), Err(TokenError::Malformed)),
            (&SIT.replace("sit_", "sat_"), Err(TokenError::Malformed)),
            (&SIT.replace("8u", "é"), Err(TokenError::Malformed)),
            (&SIT.replace("8u", "8-"), Err(TokenError::Malformed)),
            ("ghp_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs", Err(TokenError::Malformed)),
        ];
        for (pasted, expected) in cases {
            assert_eq!(Token::parse(pasted, TokenKind::Integration).map(|_| ()), *expected, "{pasted:?}");
        }
    }

    #[test]
    fn generated_tokens_are_fair_and_parse() {
        let mut next = 0u8;
        let mut counting = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
            next = next.wrapping_add(1); // so that no two tokens start with the same byte
            Ok::<(), ()>(())
        };
        let mut seen = [0u32; 256];
        for _ in 0..256 {
            let token = Token::generate(TokenKind::Integration, &mut counting).unwrap();
            assert_eq!(Token::parse(token.expose_secret(), TokenKind::Integration), Ok(token.clone()));
            for byte in token.expose_secret().bytes().skip(PREFIX_LEN).take(BODY_LEN) {
                seen[usize::from(byte)] += 1;
            }
        }
        assert!(ALPHABET.iter().all(|c| seen[usize::from(*c)] > 0), "every character of the alphabet occurs");
        assert_eq!(Token::generate(TokenKind::Api, |_| Err("no randomness")), Err("no randomness"));
    }

    #[test]
    fn debug_output_and_errors_hold_no_secret() {
        let token = Token::parse(SIT, TokenKind::Integration).unwrap();
        let wrong = Token::parse(SAT, TokenKind::Integration).unwrap_err();
        for text in [format!("{token:?}"), format!("{wrong:?}"), wrong.to_string()] {
            assert!(!text.contains("8uVq2Z"), "{text}");
        }
    }
}
