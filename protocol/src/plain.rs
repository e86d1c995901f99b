use std::borrow::Cow;

/// General category `Cf`, which has the characters that turn a text's direction. They show nothing
/// themselves.
const FORMAT: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

fn is_format(c: char) -> bool {
    !c.is_ascii() && FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Control characters and the two that end a line or a paragraph (`Cc`, `Zl`, `Zp`).
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a text is one line that shows what it holds: no control, format or bidirectional
/// characters.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control())
        || !text.chars().any(|c| breaks(c) || is_format(c))
}

/// A text of somebody else, signed or not, as a person may be shown it: on one line, and in the
/// order in which it is written. What would break the line, or mean something to a terminal,
/// becomes a space.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().filter(|c| !is_format(*c));
    Cow::Owned(shown.map(|c| if breaks(c) { ' ' } else { c }).collect())
}

/// As [`plain`], of a text of several lines: their ends stay.
#[must_use]
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(is_plain) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<_> = text.split('\n').map(plain).collect();
    Cow::Owned(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

    #[test]
    fn the_table_is_that_of_unicode() {
        for c in '\0'..=char::MAX {
            let category = c.general_category();
            assert_eq!(is_format(c), category == GeneralCategory::Format, "{c:?}");
            let ends = [
                GeneralCategory::Control,
                GeneralCategory::LineSeparator,
                GeneralCategory::ParagraphSeparator,
            ];
            assert_eq!(breaks(c), ends.contains(&category), "{c:?}");
        }
    }

    #[test]
    fn what_people_are_shown() {
        for (text, shown) in [
            ("", ""),
            ("Grüße, 株式会社 𝄞", "Grüße, 株式会社 𝄞"),
            ("a\u{1b}[31mred\u{7}", "a [31mred "),
            ("one\r\nlicense unlocked", "one  license unlocked"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("a\u{2066}b\u{2069}\u{200f}\u{61c}c\u{feff}", "abc"),
            ("a\u{2028}b\u{85}c\0", "a b c "),
            ("tag\u{e0041}", "tag"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
            assert_eq!(is_plain(text), text == shown, "{text:?}");
            assert!(is_plain(&plain(text)), "{text:?}");
        }
        assert_eq!(plain_lines("a\u{202e}\nb\r\n"), "a\nb \n");
        assert_eq!(plain_lines("a\nb\n"), "a\nb\n");
    }
}
