use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{io, ptr, slice};
use windows_sys::Win32::{
    Foundation::LocalFree,
    Security::Cryptography::{
        CRYPT_INTEGER_BLOB, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
    },
};
use zeroize::{Zeroize as _, Zeroizing};

/// Encrypts `secret` so that only this user's account on this computer can read it, without any
/// dialog, and writes it as base64url.
///
/// `CryptProtectData` (DPAPI) in user scope with `CRYPTPROTECT_UI_FORBIDDEN`. Any thread. May call
/// the local security service, so it belongs on the worker.
///
/// # Errors
/// The system's error, for instance in an impersonated account without a loaded profile.
pub fn protect(secret: &str) -> io::Result<Zeroizing<String>> {
    let input = blob(secret.as_bytes())?;
    let mut output = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };
    // SAFETY: `input` describes `secret`, which outlives the call and is only read; `output` is
    // writable; the other pointers may be null.
    let done = unsafe {
        CryptProtectData(
            &raw const input,
            ptr::null(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut output,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(&*take(output))))
}

/// Undoes [`protect`] in the same user's account (`CryptUnprotectData`). The answer is erased from
/// memory when dropped.
///
/// # Errors
/// The system's error when the data are damaged or were sealed by another user or computer.
pub fn unprotect(sealed: &str) -> io::Result<Zeroizing<String>> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| io::ErrorKind::InvalidData)?;
    let input = blob(&sealed)?;
    let mut output = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };
    // SAFETY: as in `protect`; the description is not wanted.
    let done = unsafe {
        CryptUnprotectData(
            &raw const input,
            ptr::null_mut(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut output,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let opened = std::mem::take(&mut *take(output));
    String::from_utf8(opened).map(Zeroizing::new).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn blob(bytes: &[u8]) -> io::Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Copies what DPAPI allocated, then erases and frees it.
fn take(output: CRYPT_INTEGER_BLOB) -> Zeroizing<Vec<u8>> {
    if output.pbData.is_null() {
        return Zeroizing::default();
    }
    // SAFETY: DPAPI succeeded, so the pointer and the length describe one allocation that is ours,
    // initialized and freed exactly once, here, by LocalFree as its documentation asks.
    unsafe {
        let bytes = slice::from_raw_parts_mut(output.pbData, output.cbData as usize);
        let copy = Zeroizing::new(bytes.to_vec());
        bytes.zeroize();
        LocalFree(output.pbData.cast());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_hides_the_secret_and_damage_is_an_error() {
        let sealed = protect("a secret").unwrap();
        assert!(!sealed.contains("a secret"));
        assert_eq!(unprotect(&sealed).unwrap().as_str(), "a secret");
        let (first, rest) = sealed.split_at(1);
        let other = if first == "A" { "B" } else { "A" };
        assert!(unprotect(&format!("{other}{rest}")).is_err());
        assert!(unprotect("").is_err());
    }
}
