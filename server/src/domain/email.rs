use seatlock_protocol::{is_invisible, is_plain};

/// Bytes of the longest address that fits between the brackets of SMTP (RFC 5321, section
/// 4.5.3.1.3).
pub const EMAIL_MAX: usize = 254;
/// Bytes of the longest name before the @ (section 4.5.3.1.1).
const NAME: usize = 64;
/// Bytes of the longest part of a host's name (RFC 1035, section 2.3.4).
const LABEL: usize = 63;

/// Why `email` cannot be an e-mail address that everything here can use: lists, CSV files and mail
/// servers. It is stricter than the book, which knows quotes and comments that nobody has. Only a
/// message that arrives shows that it is somebody's.
///
/// # Errors
/// The end of a sentence, which repeats nothing of the text.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    if email.is_empty() {
        return Err("there is no e-mail address");
    }
    if email.len() > EMAIL_MAX {
        return Err("an e-mail address has 254 bytes or less");
    }
    if email.contains(is_invisible) || !is_plain(email) {
        return Err("there is an invisible character in it; type it anew");
    }
    if email.contains(char::is_whitespace) {
        return Err("there is white space in it; write one e-mail address and nothing else");
    }
    if email.contains([',', ';']) {
        return Err("there is a comma or a semicolon in it; write one e-mail address");
    }
    if email.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("mailto:")) {
        return Err("write it without \"mailto:\"");
    }
    if email.contains(['<', '>', '"', '(', ')', '[', ']', '\\', '“', '”', '„', '«', '»', '‹', '›'])
    {
        return Err("write the address alone, without brackets and quotation marks");
    }
    if !email.is_ascii() {
        // Letters that only look like others would lead to somebody else, and few mail servers take them.
        return Err("it has characters beyond ASCII; write its domain in the form that begins with xn--");
    }
    let Some((name, host)) = email.split_once('@') else {
        return Err("there is no @ in it; it looks like name@example.com");
    };
    if host.contains('@') {
        return Err("there is more than one @ in it");
    }
    if email.contains("..") || [name, host].iter().any(|part| part.starts_with('.') || part.ends_with('.')) {
        return Err("there is a dot too many in it");
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=LABEL).contains(&label.len())
            && label.bytes().all(in_host)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = (1..=NAME).contains(&name.len()) && name.bytes().all(in_name) && host.split('.').all(is_label);
    if fits { Ok(()) } else { Err("that is not an e-mail address; it looks like name@example.com") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_e_mail_addresses() {
        for good in [
            "ada@example.com",
            "Ada.Lovelace+seats@mail.example.com",
            "o'neill@example.com",
            "a@b",
            "ada@xn--bcher-kva.example",
            "1_2-3@4-5.example",
        ] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        // (address, part of what is said)
        for (bad, words) in [
            ("", "no e-mail address"),
            ("ada", "no @"),
            ("@example.com", "looks like"),
            ("ada@", "looks like"),
            ("ada@example.com,bob@example.com", "comma"),
            ("Carl,carl@example.com", "comma"),
            ("ada@example.com;", "semicolon"),
            ("<ada@example.com>", "brackets"),
            ("Ada<ada@example.com>", "brackets"),
            ("Ada <ada@example.com>", "white space"),
            ("\"ada@example.com\"", "quotation"),
            ("“ada@example.com”", "quotation"),
            ("mailto:ada@example.com", "mailto"),
            ("MAILTO:ada@example.com", "mailto"),
            ("ada@bob@example.com", "more than one @"),
            ("ada@example..com", "dot"),
            ("ada..x@example.com", "dot"),
            ("ada@example.com.", "dot"),
            (".ada@example.com", "dot"),
            ("ada.@example.com", "dot"),
            ("ada@.example.com", "dot"),
            ("ada\u{200b}@example.com", "invisible"),
            ("ada@example.com\u{feff}", "invisible"),
            ("\u{202e}ada@example.com", "invisible"),
            ("ada\u{fe0f}@example.com", "invisible"),
            ("ada@example.com\r\nBcc: eve@example.com", "invisible"),
            ("ada\0@example.com", "invisible"),
            (" ada@example.com", "white space"),
            ("ada@exa mple.com", "white space"),
            ("ada@example.com\u{a0}", "white space"),
            ("ada@[127.0.0.1]", "brackets"),
            ("ada(work)@example.com", "brackets"),
            ("ada\\@example.com", "brackets"),
            ("réné@example.com", "beyond ASCII"),
            ("аda@example.com", "beyond ASCII"),
            ("ada@-example.com", "looks like"),
            ("ada@exa_mple.com", "looks like"),
            ("ada@example.com:25", "looks like"),
            ("ada@example.com/x", "looks like"),
            (&format!("{}@example.com", "a".repeat(65)), "looks like"),
            (&format!("ada@{}.com", "b".repeat(64)), "looks like"),
            (&format!("ada@{}com", "b.".repeat(124)), "254"),
        ] {
            let said = check_email(bad).expect_err(bad);
            assert!(said.contains(words), "{bad:?}: {said}");
        }
    }
}
