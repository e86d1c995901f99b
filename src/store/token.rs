use super::{Folder, StoreError};
use crate::license::{Credential, Sealed};
use std::io;

impl Folder {
    /// A token or sign-in in the form in which it is kept.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] when the operating system cannot seal it, or it is never written
    /// down.
    pub fn seal(&self, credential: &Credential) -> Result<Sealed, StoreError> {
        let unwritable = |error| StoreError::unwritable(self.path.join(Self::STATE), error);
        let text = credential.to_stored().ok_or_else(|| unwritable(io::ErrorKind::InvalidInput.into()))?;
        (self.seal.protect)(&text).map(Sealed::new).map_err(unwritable)
    }

    /// What [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`StoreError::TokenUnusable`] when it holds no token or sign-in for this user.
    pub fn unseal(&self, sealed: &Sealed) -> Result<Credential, StoreError> {
        let opened = (self.seal.unprotect)(sealed.as_str()).ok();
        let credential = opened.and_then(|text| Credential::from_stored(&text));
        credential.ok_or_else(|| StoreError::TokenUnusable { path: self.path.join(Self::STATE) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Seal,
        tests::{PLAIN, folder},
    };
    use super::*;
    use seatlock_protocol::{MachineId, Token, TokenKind};
    use std::path::Path;
    use zeroize::Zeroizing;

    const TEXT: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";

    fn token() -> Credential {
        Credential::Token(Token::parse(TEXT, TokenKind::Integration).unwrap())
    }

    fn with(seal: Seal) -> Folder {
        Folder::new(Path::new("/nowhere"), "p", &MachineId::derive("p", "linux", "x"), seal)
    }

    #[test]
    fn what_is_kept_is_what_the_seal_made() {
        let turned = |text: &str| Zeroizing::new(text.chars().rev().collect::<String>());
        let seal = Seal {
            protect: |secret| Ok(Zeroizing::new(secret.chars().rev().collect())),
            unprotect: |sealed| Ok(Zeroizing::new(sealed.chars().rev().collect())),
        };
        let sealed = with(seal).seal(&token()).unwrap();
        assert_eq!(sealed.as_str(), turned(TEXT).as_str());
        assert_eq!(with(seal).unseal(&sealed).unwrap(), token());
        assert_eq!(with(PLAIN).seal(&token()).unwrap().as_str(), TEXT);
    }

    #[test]
    fn a_failing_seal_is_an_error() {
        let broken =
            Seal { protect: |_| Err(io::Error::other("no")), unprotect: |_| Err(io::Error::other("no")) };
        let error = with(broken).seal(&token()).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
        let error = with(broken).unseal(&with(PLAIN).seal(&token()).unwrap()).unwrap_err();
        assert!(matches!(error, StoreError::TokenUnusable { .. }), "{error}");
        let error = with(PLAIN).seal(&Credential::Machine(None)).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
    }

    #[test]
    fn a_damaged_token_is_an_error_that_shows_nothing_of_it() {
        let (_root, folder) = folder();
        for text in ["", &TEXT[..39], "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r"] {
            let sealed = Sealed::new(text.to_owned().into());
            let error = folder.unseal(&sealed).unwrap_err();
            assert!(matches!(error, StoreError::TokenUnusable { .. }), "{error}");
            let shown = format!("{error} {error:?} {folder:?} {sealed:?}");
            assert!(!shown.contains("8uVq2Z") && shown.contains("token"), "{shown}");
        }
    }
}
