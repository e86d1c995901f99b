/// What somebody set, in a variable, a file of one line or a field: without the white space and the
/// invisible characters around it, and without one pair of quotes. `None` when nothing is left,
/// which counts as not set.
#[must_use]
pub fn setting(text: &str) -> Option<&str> {
    let text = trimmed(text);
    let unquoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    Some(unquoted.map_or(text, trimmed)).filter(|text| !text.is_empty())
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Whether a setting means yes or no; `None` when it says neither.
#[must_use]
pub fn yes_or_no(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["1", "true", "yes", "on"]) {
        Some(true)
    } else if is(["0", "false", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// Whether a character is not seen: Unicode 17 calls it `Default_Ignorable_Code_Point`, which holds
/// every `Bidi_Control`.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_setting() {
        for (text, found) in [
            ("x", Some("x")),
            ("  x\r\n", Some("x")),
            ("\"x y\"", Some("x y")),
            ("'x'", Some("x")),
            (" ' x ' ", Some("x")),
            ("\u{feff}x\u{200b}", Some("x")),
            ("\"\"x\"\"", Some("\"x\"")),
            ("\"x", Some("\"x")),
            ("\"x'", Some("\"x'")),
            ("\"", Some("\"")),
            ("it's", Some("it's")),
            ("", None),
            (" \t\n", None),
            ("\"\"", None),
            ("' '", None),
            ("\u{feff}", None),
        ] {
            assert_eq!(setting(text), found, "{text:?}");
        }
    }

    #[test]
    fn yes_and_no() {
        for (text, said) in [
            ("1", Some(true)),
            ("TRUE", Some(true)),
            ("Yes", Some(true)),
            ("on", Some(true)),
            ("0", Some(false)),
            ("False", Some(false)),
            ("NO", Some(false)),
            ("off", Some(false)),
            ("2", None),
            ("disabled", None),
            ("", None),
        ] {
            assert_eq!(yes_or_no(text), said, "{text:?}");
        }
    }
}
