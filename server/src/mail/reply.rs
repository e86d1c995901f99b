use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;
use zeroize::Zeroizing;

/// As much of a reply as a person is shown.
const SHOWN: usize = 200;
/// A reply that repeats this many characters of a secret is not shown.
const TRACE: usize = 8;

/// What a mail server said: its code, and its words without control characters, cut, and without
/// our secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpReply {
    /// Such as 550.
    pub code: u16,
    /// Empty when there were none, or none that may be shown.
    pub words: String,
}

impl SmtpReply {
    pub(super) fn new(code: u16, words: &str, secrets: &Secrets) -> Self {
        Self { code, words: secrets.removed_from(words) }
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.words.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}", self.code, self.words)
    }
}

/// What a server knows of our secrets, in the forms in which it got them: filters quote the link
/// that they refuse.
#[derive(Default)]
pub(super) struct Secrets(Vec<Zeroizing<String>>);

impl Secrets {
    /// A secret that stands in a letter.
    pub(super) fn add(&mut self, secret: &str) {
        self.0.push(Zeroizing::new(secret.to_owned()));
    }

    /// A password, as it is and as the mechanisms PLAIN and LOGIN send it.
    pub(super) fn add_login(&mut self, user: &str, password: &str) {
        let plain = Zeroizing::new(format!("\0{user}\0{password}"));
        self.add(password);
        self.0.push(Zeroizing::new(STANDARD.encode(password)));
        self.0.push(Zeroizing::new(STANDARD.encode(plain.as_bytes())));
    }

    /// What somebody else said, fit to be shown: empty when it repeats a secret.
    pub(super) fn removed_from(&self, words: &str) -> String {
        let words = words.chars().map(|c| if c.is_control() { ' ' } else { c });
        let words: String = words.take(SHOWN).collect();
        if self.leave_a_trace_in(&words) { String::new() } else { words.trim().to_owned() }
    }

    fn leave_a_trace_in(&self, words: &str) -> bool {
        let bytes = words.as_bytes();
        self.0.iter().map(|secret| secret.as_bytes()).filter(|secret| !secret.is_empty()).any(|secret| {
            let length = secret.len().min(TRACE);
            secret.windows(length).any(|part| bytes.windows(length).any(|seen| seen == part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_shown_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs");
        secrets.add_login("ada", "open sesame");
        let shown = |words: &str| SmtpReply::new(550, words, &secrets).to_string();
        assert_eq!(shown("5.1.1 no such user"), "550 5.1.1 no such user");
        assert_eq!(shown("\u{1b}[31mno\r\nway "), "550 [31mno  way");
        assert_eq!(shown(&"x".repeat(500)).len(), 4 + 200);
        let login = STANDARD.encode("\0ada\0open sesame");
        for repeated in ["a link: 0LkSx7Rm", "sesame? open sesame", "b3BlbiBzZXNhbWU=", &login, &login[10..]]
        {
            assert_eq!(shown(repeated), "550", "{repeated}");
        }
        assert_eq!(
            SmtpReply::new(535, "no", &Secrets(vec![Zeroizing::new(String::new())])).to_string(),
            "535 no"
        );
        let mut short = Secrets::default();
        short.add_login("ada", "abc");
        assert_eq!(SmtpReply::new(535, "not abc", &short).words, "");
    }
}
