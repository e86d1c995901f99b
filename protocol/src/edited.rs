use crate::json;
use serde::de::DeserializeOwned;

/// Why a file that people edit cannot be read. Tells where, and repeats nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditedError {
    /// Some editors save so when they are not told otherwise.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// Of another encoding, or no text at all.
    #[error("it is not text in UTF-8 at line {0}; save it as UTF-8")]
    NotUtf8(usize),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// One value was wanted.
    #[error("it goes on after its first line, at line {0}")]
    MoreLines(usize),
    /// It is not JSON, or ends too early.
    #[error("it is not JSON at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 for the end of the line before.
        column: usize,
    },
    /// Something stands after the end of the JSON value.
    #[error("it goes on after its end, at line {line}, column {column}")]
    GoesOn {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is JSON, but a member is missing or of another kind.
    #[error("a member is missing or of another kind at line {line}, column {column}")]
    OtherShape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

/// The bytes of a file that people edit, without a byte order mark; of any encoding that has ASCII
/// in it.
///
/// # Errors
/// [`EditedError::Utf16`].
pub fn without_mark(bytes: &[u8]) -> Result<&[u8], EditedError> {
    let is_utf16 = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // Without a mark: an ASCII character has one byte of zero.
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    };
    if is_utf16 { Err(EditedError::Utf16) } else { Ok(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) }
}

/// The text of a file that people edit, without a byte order mark.
///
/// # Errors
/// [`EditedError::Utf16`] and [`EditedError::NotUtf8`].
pub fn text(bytes: &[u8]) -> Result<&str, EditedError> {
    let bytes = without_mark(bytes)?;
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.split_at(error.valid_up_to()).0;
        EditedError::NotUtf8(good.iter().filter(|byte| **byte == b'\n').count() + 1)
    })
}

/// The one value that stands in a file, such as a token or an address, as [`crate::setting`] reads
/// it.
///
/// # Errors
/// As [`text`], and [`EditedError::Empty`] and [`EditedError::MoreLines`].
pub fn line(bytes: &[u8]) -> Result<&str, EditedError> {
    let whole = text(bytes)?;
    let value = crate::setting(whole).ok_or(EditedError::Empty)?;
    match value.split_once('\n') {
        None => Ok(value),
        Some((_, more)) => {
            let blank = more.len() - more.trim_start().len();
            let before = whole.split(value).next().unwrap_or_default();
            let lines = [before, more.get(..blank).unwrap_or_default()];
            let ends = lines.iter().flat_map(|text| text.bytes()).filter(|byte| *byte == b'\n').count();
            Err(EditedError::MoreLines(ends + 2))
        }
    }
}

/// A JSON object in a file that people edit, in which no member stands twice.
///
/// # Errors
/// As [`text`], and what is wrong with the JSON, with its place.
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EditedError> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(EditedError::Empty);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    if let Some(Err(error)) = values.next() {
        return Err(EditedError::NotJson { line: error.line(), column: error.column() });
    }
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    if !rest.trim().is_empty() {
        let end = text.len() - rest.trim_start().len();
        let before = text.get(..end).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        return Err(EditedError::GoesOn { line, column });
    }
    json::from_slice(text.as_bytes())
        .map_err(|error| EditedError::OtherShape { line: error.line().max(1), column: error.column().max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    struct Account {
        token: String,
    }

    /// "{\"token\":\"x\"}" as Windows PowerShell 5 writes it, with and without its mark.
    fn utf16(mark: bool) -> Vec<u8> {
        let text = "{\"token\":\"x\"}";
        let mark = if mark { vec![0xff, 0xfe] } else { Vec::new() };
        mark.into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn objects() {
        let good = Ok(Account { token: "x".to_owned() });
        let (line, big_endian) = (1, [0xfe, 0xff, 0, b'{', 0, b'}']);
        let rows: &[(&str, &[u8], Result<Account, EditedError>)] = &[
            ("as written", b"{\"token\":\"x\"}", good.clone()),
            ("with a byte order mark", b"\xef\xbb\xbf{\"token\":\"x\"}", good.clone()),
            ("with white space and line ends", b"\r\n {\"token\":\r\n\"x\"}\r\n\r\n", good.clone()),
            ("UTF-16 with its mark", &utf16(true), Err(EditedError::Utf16)),
            ("UTF-16 without a mark", &utf16(false), Err(EditedError::Utf16)),
            ("UTF-16, the other byte order", &big_endian, Err(EditedError::Utf16)),
            ("Latin-1", b"{\n\"token\":\"\xe9\"}", Err(EditedError::NotUtf8(2))),
            ("empty", b"", Err(EditedError::Empty)),
            ("only a mark", b"\xef\xbb\xbf\n", Err(EditedError::Empty)),
            ("cut", b"{\"token\":\"x\"", Err(EditedError::NotJson { line, column: 12 })),
            ("no quotes", b"{token:\"x\"}", Err(EditedError::NotJson { line, column: 2 })),
            ("a comma too many", b"{\"token\":\"x\",}", Err(EditedError::NotJson { line, column: 14 })),
            ("curly quotes", "{“token”:1}".as_bytes(), Err(EditedError::NotJson { line, column: 2 })),
            ("a second object", b"{\"token\":\"x\"}\n{}", Err(EditedError::GoesOn { line: 2, column: 1 })),
            ("a word after it", b"{\"token\":\"x\"} x", Err(EditedError::GoesOn { line, column: 15 })),
            ("a bare text", b"\"x\"", Err(EditedError::OtherShape { line, column: 1 })),
            ("a number", b"{\n\"token\":8}", Err(EditedError::OtherShape { line: 2, column: 9 })),
        ];
        for (what, bytes, expected) in rows {
            assert_eq!(object::<Account>(bytes), expected.clone(), "{what}");
        }
        let twice = object::<Account>(b"{\"token\":\"x\",\"token\":\"y\"}");
        assert!(matches!(twice, Err(EditedError::OtherShape { .. })), "{twice:?}");
    }

    #[test]
    fn single_values() {
        for (what, bytes, expected) in [
            ("as written", &b"x"[..], Ok("x")),
            ("with a line end", b"x\r\n\r\n", Ok("x")),
            ("with a byte order mark", b"\xef\xbb\xbfx\n", Ok("x")),
            ("in quotes", b"\"x\"\n", Ok("x")),
            ("after empty lines", b"\n\nx\n", Ok("x")),
            ("empty", b" \n", Err(EditedError::Empty)),
            ("two lines", b"x\ny\n", Err(EditedError::MoreLines(2))),
            ("two lines further down", b"\nx\n\ny\n", Err(EditedError::MoreLines(4))),
            ("UTF-16", b"\xff\xfex\0", Err(EditedError::Utf16)),
            ("Latin-1", b"\xe9", Err(EditedError::NotUtf8(1))),
        ] {
            assert_eq!(line(bytes), expected, "{what}");
        }
    }

    #[test]
    fn errors_repeat_nothing() {
        for bytes in
            [&b"{\"secret\":8}"[..], b"{\"token\":\"secret\"} secret", b"secret", b"{\"token\":secret}"]
        {
            let said = object::<Account>(bytes).unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
