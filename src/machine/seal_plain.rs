use std::io;
use zeroize::Zeroizing;

/// Hands `secret` back unchanged: here the file's mode 0600 guards it, and an OS keychain would tie it to the host's
/// binary (macOS) or not exist at all (headless Linux).
///
/// # Errors
/// None on this system.
pub fn protect(secret: &[u8]) -> io::Result<Vec<u8>> {
    Ok(secret.to_vec())
}

/// Undoes [`protect`]. The answer is erased from memory when dropped.
///
/// # Errors
/// None on this system.
pub fn unprotect(sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(sealed.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let sealed = protect(b"a secret").unwrap();
        assert_eq!(unprotect(&sealed).unwrap().as_slice(), b"a secret");
    }
}
