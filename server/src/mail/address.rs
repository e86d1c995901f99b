use crate::domain::check_email;
use lettre::Address;

/// As much of a wrong address as an error repeats.
const SHOWN: usize = 80;

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\": {reason}")]
pub struct NotAnAddress {
    /// The beginning of the text.
    text: String,
    reason: &'static str,
}

impl NotAnAddress {
    pub(super) fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.chars().take(SHOWN).collect::<String>().escape_debug().to_string(), reason }
    }
}

/// Reads an e-mail address as a person typed it: spaces around it do not count. The rule is
/// [`check_email`]'s.
pub fn address(text: &str) -> Result<Address, NotAnAddress> {
    let text = text.trim();
    check_email(text).map_err(|reason| NotAnAddress::new(text, reason))?;
    text.parse().map_err(|_| NotAnAddress::new(text, "no mail server would take it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken where seats are made is taken where letters are sent.
    #[test]
    fn addresses() {
        for good in [
            "ada@example.com",
            " ada+seats@mail.example.com\n",
            "o'neill@example.com",
            "a@b",
            "a!#$%&'*+/=?^_`{|}~-b.c@example.com",
            "ada@xn--bcher-kva.example",
        ] {
            assert_eq!(address(good).map(|found| found.to_string()), Ok(good.trim().to_owned()));
        }
        for attack in [
            "ada@example.com\r\nBcc: eve@example.com",
            "\"a\r\nRCPT TO:<eve@example.com>\"@example.com",
            "\"a\\\n\"@example.com",
            "ada@example.com>\u{b}<eve@example.com",
            "ada@example.com,eve@example.com",
            "ada@example.com> SIZE=1",
        ] {
            let said = address(attack).expect_err(attack).to_string();
            assert!(!said.contains(char::is_control), "{said}");
        }
    }

    #[test]
    fn an_address_is_as_long_as_smtp_allows() {
        let of = |length: usize| {
            let domain = format!("{}.{}.{}.com", "b".repeat(63), "c".repeat(63), "d".repeat(59));
            format!("{}@{domain}", "a".repeat(length - domain.len() - 1))
        };
        assert_eq!(of(254).len(), 254);
        assert!(address(&of(254)).is_ok());
        assert!(address(&of(255)).is_err());
        let said = address(&format!("{}@", "a".repeat(200))).unwrap_err().to_string();
        assert!(said.len() < 200, "{said}");
    }
}
