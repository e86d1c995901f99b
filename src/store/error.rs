use crate::scarcity::{is_held, reason, scarce, shortage};
use crate::words::{Message, Phrase};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the folder could not be used. Each message names the file and what a person can do; none
/// holds file contents.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub enum StoreError {
    /// The environment does not say where this user's files are.
    NoHome,
    /// Nothing can be written, and nothing was changed.
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is there but cannot be read; it was left as it is.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has held the lock for too long.
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer version of the library wrote the file; it was left as it is.
    NewerFormat {
        /// The state file.
        path: PathBuf,
        /// Its format number.
        format: u64,
    },
    /// The stored token cannot be opened: damaged, or sealed by another user or computer. It was
    /// left as it is.
    TokenUnusable {
        /// The state file.
        path: PathBuf,
    },
}

impl StoreError {
    pub(super) fn unwritable(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Unwritable { path: path.as_ref().to_owned(), source }
    }

    pub(super) fn unreadable(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Unreadable { path: path.as_ref().to_owned(), source }
    }

    /// What a person is told.
    #[must_use]
    pub fn message(&self) -> Message {
        let message: Message = match self {
            Self::NoHome => Phrase::STORE_NO_HOME.into(),
            Self::Unwritable { source, .. } | Self::Unreadable { source, .. } if is_held(source) => {
                Phrase::STORE_HELD.into()
            }
            Self::Unwritable { source, .. } => {
                Message::from(Phrase::STORE_NO_WRITE).because("reason", reason(source))
            }
            Self::Unreadable { source, .. } => {
                Message::from(Phrase::STORE_NO_READ).because("reason", reason(source))
            }
            Self::Busy { .. } => Phrase::STORE_BUSY.into(),
            Self::NewerFormat { format, .. } => Message::from(Phrase::STORE_NEWER).with("format", format),
            Self::TokenUnusable { .. } => Phrase::STORE_NO_TOKEN.into(),
        };
        match self.path() {
            Some(path) => message.with("path", path.display()),
            None => message,
        }
    }

    /// Whether another program held a file that was to be read: it will let go of it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if is_held(source))
    }

    /// What there was too little of, if that was the reason: then the same may succeed in a moment.
    #[must_use]
    pub fn scarce(&self) -> Option<Phrase> {
        match self {
            // The crate for temporary files hides the operating system's number.
            Self::Unwritable { source, .. } | Self::Unreadable { source, .. } => {
                scarce(source).or_else(|| if source.raw_os_error().is_none() { shortage() } else { None })
            }
            _ => None,
        }
    }

    /// The file or folder that the error is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NoHome => None,
            Self::Unwritable { path, .. }
            | Self::Unreadable { path, .. }
            | Self::Busy { path }
            | Self::NewerFormat { path, .. }
            | Self::TokenUnusable { path } => Some(path),
        }
    }
}
