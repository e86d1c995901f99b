use super::{
    Folder, StoreError,
    file::{self, Content, Kind},
};
use seatlock_protocol::{Token, TokenKind};
use std::time::Duration;
use zeroize::Zeroizing;

/// A sealed token has some hundred bytes.
const LIMIT: u64 = 16 * 1024;

impl Folder {
    pub(super) const TOKEN: &'static str = "token";

    /// The integration token that was kept, if any. Takes no lock and creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`], or [`StoreError::TokenUnusable`] when the file holds no token for this user.
    pub fn read_token(&self) -> Result<Option<Token>, StoreError> {
        let path = self.path.join(Self::TOKEN);
        let unusable = || StoreError::TokenUnusable { path: path.clone() };
        let sealed = match file::read(&path, LIMIT).map_err(|error| StoreError::unreadable(&path, error))? {
            Content::Absent => return Ok(None),
            Content::Foreign => return Err(unusable()),
            Content::Bytes(sealed) => sealed,
        };
        let opened = (self.seal.unprotect)(&sealed).map_err(|_| unusable())?;
        let text = std::str::from_utf8(&opened).map_err(|_| unusable())?;
        Token::parse(text, TokenKind::Integration).map(Some).map_err(|_| unusable())
    }

    /// Keeps `token` for later sessions: sealed, in a file that is 0600 from its first moment and replaces an older
    /// one in one step.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`]; an older token is then still there.
    pub fn write_token(&self, token: &Token) -> Result<(), StoreError> {
        let path = self.path.join(Self::TOKEN);
        let unwritable = |error| StoreError::unwritable(&path, error);
        let sealed =
            (self.seal.protect)(token.expose_secret().as_bytes()).map(Zeroizing::new).map_err(unwritable)?;
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
