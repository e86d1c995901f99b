use super::{
    Folder, StoreError,
    file::{self, Content, Kind},
};
use crate::license::Credential;
use seatlock_protocol::Token;
use std::io;
use std::time::Duration;
use zeroize::Zeroizing;

/// Sealing adds some hundred bytes.
const LIMIT: u64 = Credential::MAX_STORED as u64 + 4 * 1024;

impl Folder {
    pub(super) const TOKEN: &'static str = "token";

    /// A token whose lease was asked for by a file waits here, while another one may be in use.
    pub(super) const REQUESTED: &'static str = "token.requested";

    /// The token or sign-in that was kept, if any. Takes no lock and creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`], or [`StoreError::TokenUnusable`] when the file holds none for this user.
    pub fn read_token(&self) -> Result<Option<Credential>, StoreError> {
        self.read_sealed(Self::TOKEN)
    }

    /// The token that waits for its lease, if any.
    ///
    /// # Errors
    /// As [`read_token`](Self::read_token).
    pub fn read_requested_token(&self) -> Result<Option<Token>, StoreError> {
        match self.read_sealed(Self::REQUESTED)? {
            None => Ok(None),
            Some(Credential::Token(token)) => Ok(Some(token)),
            Some(_) => Err(StoreError::TokenUnusable { path: self.path.join(Self::REQUESTED) }),
        }
    }

    fn read_sealed(&self, name: &str) -> Result<Option<Credential>, StoreError> {
        let path = self.path.join(name);
        let unusable = || StoreError::TokenUnusable { path: path.clone() };
        let sealed = match file::read(&path, LIMIT).map_err(|error| StoreError::unreadable(&path, error))? {
            Content::Absent => return Ok(None),
            Content::Foreign => return Err(unusable()),
            Content::Bytes(sealed) => sealed,
        };
        let opened = (self.seal.unprotect)(&sealed).map_err(|_| unusable())?;
        let text = std::str::from_utf8(&opened).map_err(|_| unusable())?;
        Credential::from_stored(text).map(Some).ok_or_else(unusable)
    }

    /// Keeps a token or a sign-in for later sessions: sealed, in a file that is 0600 from its first moment and replaces an older
    /// one in one step.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`]; an older token is then still there.
    pub fn write_token(&self, credential: &Credential) -> Result<(), StoreError> {
        self.write_sealed(Self::TOKEN, credential)
    }

    /// Keeps `token` until its lease comes.
    ///
    /// # Errors
    /// As [`write_token`](Self::write_token).
    pub fn write_requested_token(&self, token: &Token) -> Result<(), StoreError> {
        self.write_sealed(Self::REQUESTED, &Credential::Token(token.clone()))
    }

    /// Forgets the token that waits for its lease.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`].
    pub fn remove_requested_token(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        self.remove(Self::REQUESTED)
    }

    fn write_sealed(&self, name: &str, credential: &Credential) -> Result<(), StoreError> {
        let path = self.path.join(name);
        let unwritable = |error| StoreError::unwritable(&path, error);
        let text = credential.to_stored().ok_or_else(|| unwritable(io::ErrorKind::InvalidInput.into()))?;
        let sealed = (self.seal.protect)(&text).map(Zeroizing::new).map_err(unwritable)?;
        let _lock = self.lock()?;
        file::replace(&path, Kind::Token, &sealed, || Ok(())).map_err(unwritable)
    }

    /// Forgets the token, also in what an interrupted write may have left behind. Without one there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`].
    pub fn remove_token(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        file::sweep(&self.path, Kind::Token, Duration::ZERO);
        self.remove(Self::TOKEN)?;
        file::sync_folder(&self.path);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{
        Seal,
        tests::{folder, names},
    };
    use super::*;
    use seatlock_protocol::{MachineId, TokenKind};
    use std::{fs, path::Path};

    const TEXT: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";

    pub fn token() -> Credential {
        Credential::Token(Token::parse(TEXT, TokenKind::Integration).unwrap())
    }

    fn with(root: &Path, seal: Seal) -> Folder {
        Folder::new(root, "p", &MachineId::derive("p", "linux", "x"), seal)
    }

    #[test]
    fn the_token_comes_back_until_it_is_removed() {
        let (_root, folder) = folder();
        folder.write_token(&token()).unwrap();
        folder.write_token(&token()).unwrap();
        assert_eq!(folder.read_token().unwrap(), Some(token()));
        assert_eq!(names(&folder), ["lock", "token"]);
        fs::write(folder.path().join(".token-killed.tmp"), TEXT).unwrap();
        folder.remove_token().unwrap();
        folder.remove_token().unwrap();
        assert_eq!(folder.read_token().unwrap(), None);
        assert_eq!(names(&folder), ["lock"]);
    }

    #[test]
    fn what_lies_on_disk_is_what_the_seal_made() {
        let flip = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ 0x55).collect::<Vec<u8>>();
        let root = tempfile::tempdir().unwrap();
        let seal = Seal {
            protect: |secret| Ok(secret.iter().map(|byte| byte ^ 0x55).collect()),
            unprotect: |sealed| Ok(Zeroizing::new(sealed.iter().map(|byte| byte ^ 0x55).collect())),
        };
        let folder = with(root.path(), seal);
        folder.write_token(&token()).unwrap();
        assert_eq!(fs::read(folder.path().join("token")).unwrap(), flip(TEXT.as_bytes()));
        assert_eq!(folder.read_token().unwrap(), Some(token()));
    }

    #[test]
    fn a_failing_seal_leaves_the_older_token() {
        let (root, _) = folder();
        let (plain, broken) = (
            super::super::tests::PLAIN,
            Seal { protect: |_| Err(io::Error::other("no")), unprotect: |_| Err(io::Error::other("no")) },
        );
        with(root.path(), plain).write_token(&token()).unwrap();
        let error = with(root.path(), broken).write_token(&token()).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
        let error = with(root.path(), broken).read_token().unwrap_err();
        assert!(matches!(error, StoreError::TokenUnusable { .. }), "{error}");
        assert_eq!(with(root.path(), plain).read_token().unwrap(), Some(token()));
    }

    #[test]
    fn a_damaged_token_is_an_error_that_shows_nothing_of_it() {
        let (_root, folder) = folder();
        folder.write_token(&token()).unwrap();
        let api = b"sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
        for content in [&b""[..], &TEXT.as_bytes()[..39], b"\xff\xfe", api] {
            fs::write(folder.path().join("token"), content).unwrap();
            let error = folder.read_token().unwrap_err();
            assert!(matches!(error, StoreError::TokenUnusable { .. }), "{error}");
            let shown = format!("{error} {error:?} {folder:?}");
            assert!(!shown.contains("8uVq2Z") && shown.contains("token"), "{shown}");
        }
    }
}
