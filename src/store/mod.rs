//! What stays on disk between two starts of the host: one small file, with the token in it if the
//! user wants that.
//!
//! One folder per family of products and machine, because home directories roam and are shared over
//! NFS. Every change is made under a lock, as a new file that replaces the old one in one step; the
//! generation before it is kept, and a file that cannot be understood is set aside, never deleted.
//! What is in the state is the caller's business.

/// Files that a person chose, wherever they lie.
mod chosen;
/// Why the folder could not be used, in words for the person in front of it.
mod error;
/// Reading and replacing single files so that no reader ever sees half of one.
mod file;
/// How the files lie there, for a report.
mod files;
/// The side file that keeps two processes from changing the folder at the same time.
mod lock;
/// Where the folder of a family and a machine lies.
mod place;
/// The mark of a process that is asking the server.
mod request_lock;
/// The state file and its generations.
mod state;
/// The token, as it is kept in the state.
mod token;

/// The promises of the whole room, on real files.
#[cfg(test)]
mod tests;

pub use chosen::{read_chosen_file, write_chosen_file};
pub use error::StoreError;
pub use files::FileState;
pub use request_lock::{Holder, LockAttempt, RequestLock, Uptime};
pub use state::{Change, Loaded};

use file::{Content, Kind};
use lock::Lock;
use seatlock_protocol::MachineId;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// How the token in the state file is tied to the user's account. The functions are called on the
/// caller's thread.
#[derive(Clone, Copy)]
pub struct Seal {
    /// Seals a secret for storage.
    pub protect: fn(&str) -> io::Result<Zeroizing<String>>,
    /// Opens what `protect` sealed.
    pub unprotect: fn(&str) -> io::Result<Zeroizing<String>>,
}

/// The folder of one family of products on one machine.
///
/// Any thread may use it, and so may other processes and other copies of this library at the same
/// time. Reading takes no lock and creates nothing. Changing waits up to two seconds for the lock,
/// so it belongs on the worker.
#[derive(Clone)]
pub struct Folder {
    path: PathBuf,
    seal: Seal,
}

impl Folder {
    const LOCK: &'static str = "lock";
    /// Longer than any holder needs: the lock is held for one read, one write and their fsync.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Where folders are kept unless the host says otherwise: `$XDG_STATE_HOME/seatlock` or
    /// `~/.local/state/seatlock` (XDG Base Directory Specification), `~/Library/Application
    /// Support/seatlock`, `%LOCALAPPDATA%\seatlock`. Nothing is created.
    ///
    /// # Errors
    /// [`StoreError::NoHome`] when the environment names no absolute folder.
    pub fn default_root() -> Result<PathBuf, StoreError> {
        place::default_root()
    }

    /// The folder `root/<family>/<machine>`, the family spelled so that every file system can hold
    /// it and no two families share a folder. Touches no disk.
    #[must_use]
    pub fn new(root: &Path, family: &str, machine: &MachineId, seal: Seal) -> Self {
        Self { path: root.join(place::folder_name(family)).join(machine.as_str()), seal }
    }

    /// Where it is, whether or not it exists.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is there. [`erase`](Self::erase) leaves it, so its absence means another
    /// thing than forgetting.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.join(Self::LOCK).is_file()
    }

    /// Whether what is kept here can be taken away, looked at by putting every file in its own
    /// place once more: not on a file system that is read-only or has gone away, nor where a
    /// file or the folder belongs to somebody else.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Unreadable`] or [`StoreError::Unwritable`].
    pub fn check_replaceable(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        for path in self.generations_and_leftovers() {
            let done = match file::read(&path, state::LIMIT) {
                Ok(Content::Absent) => Ok(()),
                Ok(Content::Bytes(bytes)) => file::replace(&path, Kind::State, &bytes, || Ok(())),
                Ok(Content::Foreign) => Err(io::ErrorKind::InvalidInput.into()),
                Err(error) => return Err(StoreError::unreadable(path, error)),
            };
            match done {
                // Taking away needs no room.
                Err(error) if is_full(&error) => {}
                done => done.map_err(|error| StoreError::unwritable(path, error))?,
            }
        }
        Ok(())
    }

    /// Forgets: removes what was set aside, the previous state and the state, in this order, so
    /// that an interrupted call leaves the newest state or nothing. A folder that does not
    /// exist is not created.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`]; some of the files may be gone then.
    pub fn erase(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        file::sweep(&self.path, Kind::State, Duration::ZERO);
        for path in [self.path.join(Self::ASKING)].into_iter().chain(self.generations_and_leftovers()) {
            file::remove(&path).map_err(|error| StoreError::unwritable(path, error))?;
        }
        file::sync_folder(&self.path);
        Ok(())
    }

    /// Creates the folder if need be and locks it.
    fn lock(&self) -> Result<Lock, StoreError> {
        file::ensure_folder(&self.path).map_err(|error| StoreError::unwritable(&self.path, error))?;
        Lock::acquire(&self.path.join(Self::LOCK), Self::PATIENCE)
    }

    /// Locks the folder; `None` when there is none.
    fn lock_existing(&self) -> Result<Option<Lock>, StoreError> {
        match fs::metadata(&self.path) {
            Ok(_) => self.lock().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::unwritable(&self.path, error)),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.path).finish()
    }
}
