//! What an operator sets in the environment.
//!
//! Every variable of the server is read here: without white space and one pair of quotes around it,
//! and as not set when nothing is left. What cannot be used is an error that names the variable. It
//! never repeats the value, which may hold a password, and nothing else is used in its place.

use std::{env, ffi::OsString};
use zeroize::Zeroizing;

/// Why a variable cannot be used. Repeats nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} cannot be used: {reason}")]
pub struct VariableError {
    name: String,
    reason: String,
}

impl VariableError {
    /// `reason` is the end of a sentence, and repeats nothing of the value.
    #[must_use]
    pub fn new(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into() }
    }
}

/// What a variable is set to; `None` when it is not set, or to nothing.
///
/// # Errors
/// When it is not text.
pub fn variable(name: &str) -> Result<Option<Zeroizing<String>>, VariableError> {
    read(name, env::var_os(name))
}

fn read(name: &str, value: Option<OsString>) -> Result<Option<Zeroizing<String>>, VariableError> {
    let Some(value) = value else { return Ok(None) };
    let not_text = |_| VariableError::new(name, "it is not text in UTF-8");
    let text = value.into_string().map(Zeroizing::new).map_err(not_text)?;
    Ok(seatlock_protocol::setting(&text).map(|text| Zeroizing::new(text.to_owned())))
}

/// Whether a variable is set to something, be it of use or not.
#[must_use]
pub fn is_set(name: &str) -> bool {
    !matches!(variable(name), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn forms_of_variables() {
        for (what, value, found) in [
            ("as it is", "x", Ok(Some("x"))),
            ("a line end of a file", "x\r\n", Ok(Some("x"))),
            ("quotes of a file for containers", "\"x y\"", Ok(Some("x y"))),
            ("other quotes", " 'x' ", Ok(Some("x"))),
            ("a byte order mark", "\u{feff}x", Ok(Some("x"))),
            ("empty", "", Ok(None)),
            ("white space", " \t", Ok(None)),
            ("empty quotes", "\"\"", Ok(None)),
        ] {
            let read = read("NAME", Some(value.into()));
            assert_eq!(
                read.as_ref().map(|text| text.as_ref().map(|text| text.as_str())),
                found.as_ref().map(|text| *text),
                "{what}"
            );
        }
        assert_eq!(read("NAME", None), Ok(None));
        let latin = read("NAME", Some(OsString::from_vec(b"sesam\xe9".to_vec()))).unwrap_err().to_string();
        assert_eq!(latin, "the variable NAME cannot be used: it is not text in UTF-8");
    }
}
