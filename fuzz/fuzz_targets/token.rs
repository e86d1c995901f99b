//! Pasted texts: what is taken for a token is one, has one spelling, and reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::protocol::{Token, TokenKind};

fuzz_target!(|pasted: &str| {
    for kind in [TokenKind::Integration, TokenKind::Api, TokenKind::OauthClient] {
        match Token::parse(pasted, kind) {
            Ok(token) => {
                let text = token.expose_secret();
                assert_eq!(text.len(), 40);
                assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
                assert_eq!(Token::parse(text, kind).as_ref(), Ok(&token));
                assert!(!format!("{token:?}").contains(&text[4..34]), "debug output shows it");
                let cleaned: String =
                    pasted.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let (kind, secret) = text.split_at(4);
                let found = cleaned.match_indices(secret).any(|(at, _)| {
                    cleaned[..at]
                        .get(at.saturating_sub(4)..)
                        .is_some_and(|found| found.eq_ignore_ascii_case(kind))
                });
                assert!(found, "what was read does not stand there");
            }
            Err(error) => {
                // No sentence of ours has an underscore, so a text that has one is somebody's.
                assert!(!pasted.contains('_') || !error.to_string().contains(pasted), "the error repeats it");
            }
        }
    }
});
