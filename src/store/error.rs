use crate::scarcity::{reason, scarce, shortage};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the folder could not be used. Each text names the file and what a person can do; none holds file contents.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The environment does not say where this user's files are.
    #[error(
        "no folder for license files: set HOME to an absolute path, or name a folder with SEATLOCK_STATE_DIR"
    )]
    NoHome,
    /// Nothing can be written, and nothing was changed.
    #[error("{} can not be written ({}); check that its folder belongs to you and the disk has room", path.display(), reason(source))]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is there but can not be read; it was left as it is.
    #[error("{} can not be read ({}); check its owner and permissions", path.display(), reason(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has held the lock for too long.
    #[error("{} is in use by another process; close other copies of the host and try again", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer version of the library wrote the file; it was left as it is.
    #[error("{} was written by a newer version (format {format}); update this plug-in", path.display())]
    NewerFormat {
        /// The state file.
        path: PathBuf,
        /// Its format number.
        format: u64,
    },
    /// The stored token can not be opened: damaged, or sealed by another user or computer. It was left as it is.
    #[error("{} holds no token that this user can open; enter the token again", path.display())]
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

    /// What there was too little of, if that was the reason: then the same may succeed in a moment.
    #[must_use]
    pub fn scarce(&self) -> Option<&'static str> {
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
