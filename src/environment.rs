use seatlock_protocol::setting;
use std::env::var_os;
use std::ffi::OsString;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A variable that holds bytes that are no text in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not UTF-8")]
pub struct NotUtf8(pub &'static str);

/// What a variable of the environment says, as [`setting`] reads it: an empty one counts as not
/// set. Every variable is read here, so that all of them forgive the same.
///
/// # Errors
/// [`NotUtf8`].
pub fn variable(name: &'static str) -> Result<Option<Zeroizing<String>>, NotUtf8> {
    let set = var_os(name).map(OsString::into_string);
    let text = set.transpose().map_err(|_| NotUtf8(name))?.map(Zeroizing::new);
    Ok(text.and_then(|text| setting(&text).map(|said| Zeroizing::new(said.to_owned()))))
}

/// As [`variable`], for what names a file or folder: such a name need not be text.
#[must_use]
pub fn path(name: &'static str) -> Option<PathBuf> {
    let set = var_os(name)?;
    match set.to_str() {
        Some(text) => setting(text).map(PathBuf::from),
        None => Some(set.into()),
    }
}
