use lettre::Address;

/// Longest address that fits between the brackets of SMTP (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;
/// As much of a wrong address as an error repeats.
const SHOWN: usize = 80;

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It has no such form.
    #[error("\"{0}\" is not an e-mail address; it looks like name@example.com")]
    Form(String),
    /// No mail server would take it.
    #[error("an e-mail address has at most 254 bytes; this one has {0}")]
    TooLong(usize),
    /// Letters that only look like others would lead to somebody else, and few mail servers take them.
    #[error("\"{0}\" has characters beyond ASCII; write its domain in the form that begins with xn--")]
    NotAscii(String),
}

/// Reads an e-mail address as a person typed it: spaces around it do not count.
///
/// # Errors
/// See [`NotAnAddress`].
pub fn address(text: &str) -> Result<Address, NotAnAddress> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(NotAnAddress::TooLong(text.len()));
    }
    let shown = || text.chars().take(SHOWN).collect::<String>().escape_debug().to_string();
    if !text.is_ascii() {
        return Err(NotAnAddress::NotAscii(shown()));
    }
    // Quoted names may hold spaces and tabs by the book. Nobody has such an address, and lists of them break.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(NotAnAddress::Form(shown()));
    }
    text.parse().map_err(|_| NotAnAddress::Form(shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in
            ["ada@example.com", " ada+seats@mail.example.com\n", "o'neill@example.com", "a@[127.0.0.1]"]
        {
            assert_eq!(address(good).map(|found| found.to_string()), Ok(good.trim().to_owned()));
        }
        for bad in ["", "ada", "@example.com", "ada@", "ada@exa mple.com", "Ada <ada@example.com>", "a@b@c"] {
            assert!(matches!(address(bad), Err(NotAnAddress::Form(_))), "{bad}");
        }
        for attack in [
            "ada@example.com\r\nBcc: eve@example.com",
            "\"a\r\nRCPT TO:<eve@example.com>\"@example.com",
            "\"a\\\n\"@example.com",
            "ada@example.com>\u{b}<eve@example.com",
            "ada@example.com,eve@example.com",
            "ada@example.com> SIZE=1",
        ] {
            assert!(matches!(address(attack), Err(NotAnAddress::Form(_))), "{attack:?}");
        }
        assert_eq!(address("аda@example.com"), Err(NotAnAddress::NotAscii("аda@example.com".to_owned())));
    }

    #[test]
    fn an_address_is_as_long_as_smtp_allows() {
        let of = |length: usize| {
            let domain = format!("{}.{}.{}.com", "b".repeat(63), "c".repeat(63), "d".repeat(63));
            format!("{}@{domain}", "a".repeat(length - domain.len() - 1))
        };
        assert_eq!(of(254).len(), 254);
        assert!(address(&of(254)).is_ok());
        assert_eq!(address(&of(255)), Err(NotAnAddress::TooLong(255)));
        let said = address(&format!("{}@", "a".repeat(200))).unwrap_err().to_string();
        assert!(said.len() < 200, "{said}");
    }
}
