//! What stays on disk between two starts of the host: one small state file and, if the user wants it, the token.
//!
//! One folder per product and machine, because home directories roam and are shared over NFS. Every change is made
//! under a lock, as a new file that replaces the old one in one step; the generation before it is kept, and a file
//! that can not be understood is set aside, never deleted. What is in the state is the caller's business.

/// The mark of a process that is asking the server.
mod asking;
/// Files that a person carries, wherever they lie.
mod carried;
/// Why the folder could not be used, in words for the person in front of it.
mod error;
/// Reading and replacing single files so that no reader ever sees half of one.
mod file;
/// The side file that keeps two processes from changing the folder at the same time.
mod lock;
/// Where the folder of a product and a machine lies.
mod place;
/// The state file and its generations.
mod state;
/// The token file.
mod token;

/// The promises of the whole room, on real files.
#[cfg(test)]
mod tests;

pub use asking::{Asker, Asking, Turn, Uptime};
pub use carried::{read_carried, write_carried};
pub use error::StoreError;
pub use state::Loaded;

use file::{Content, Kind};
use lock::Lock;
use seatlock_protocol::MachineId;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// How the token file's content is tied to the user's account. The functions are called on the caller's thread.
#[derive(Clone, Copy)]
pub struct Seal {
    /// Seals a secret for storage.
    pub protect: fn(&[u8]) -> io::Result<Vec<u8>>,
    /// Opens what `protect` sealed.
    pub unprotect: fn(&[u8]) -> io::Result<Zeroizing<Vec<u8>>>,
}

/// The folder of one product on one machine.
///
/// Any thread may use it, and so may other processes and other copies of this library at the same time. Reading
/// takes no lock and creates nothing. Changing waits up to two seconds for the lock, so it belongs on the worker.
pub struct Folder {
    path: PathBuf,
    seal: Seal,
}

impl Folder {
    const LOCK: &'static str = "lock";
    /// Longer than any holder needs: the lock is held for one read, one write and their fsync.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Where folders are kept unless the host says otherwise: `$XDG_STATE_HOME/seatlock` or
    /// `~/.local/state/seatlock` (XDG Base Directory Specification), `~/Library/Application Support/seatlock`,
    /// `%LOCALAPPDATA%\seatlock`. Nothing is created.
    ///
    /// # Errors
    /// [`StoreError::NoHome`] when the environment names no absolute folder.
    pub fn default_root() -> Result<PathBuf, StoreError> {
        place::default_root()
    }

    /// The folder `root/<product>/<machine>`, the product spelled so that every file system can hold it and no two
    /// products share a folder. Touches no disk.
    #[must_use]
    pub fn new(root: &Path, product: &str, machine: &MachineId, seal: Seal) -> Self {
        Self { path: root.join(place::folder_name(product)).join(machine.as_str()), seal }
    }

    /// Where it is, whether or not it exists.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is there. [`erase`](Self::erase) leaves it, so its absence means another thing than forgetting.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.join(Self::LOCK).is_file()
    }

    /// Makes the folder, for its owner only, unless it is there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`].
    pub fn create(&self) -> Result<(), StoreError> {
        self.lock().map(drop)
    }

    /// Whether what is kept here can be taken away, looked at by putting every file in its own place once more: not on a
    /// file system that is read-only or has gone away, nor where a file or the folder belongs to somebody else.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Unreadable`] or [`StoreError::Unwritable`].
    pub fn check_replaceable(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        for (name, kind) in
            [(Self::TOKEN, Kind::Token), (Self::STATE, Kind::State), (Self::PREVIOUS, Kind::State)]
        {
            let path = self.path.join(name);
            let done = match file::read(&path, state::LIMIT) {
                Ok(Content::Absent) => Ok(()),
                Ok(Content::Bytes(bytes)) => file::replace(&path, kind, &bytes, || Ok(())),
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

    /// Forgets: removes token, previous state and state, in this order, so that an interrupted call leaves the
    /// newest state or nothing. Corrupt files that were set aside stay. A folder that does not exist is not created.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Unwritable`]; some of the files may be gone then.
    pub fn erase(&self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(()) };
        file::sweep(&self.path, Kind::Token, Duration::ZERO);
        file::sweep(&self.path, Kind::State, Duration::ZERO);
        for name in [Self::ASKING, Self::REQUESTED, Self::TOKEN, Self::PREVIOUS, Self::STATE] {
            self.remove(name)?;
        }
        file::sync_folder(&self.path);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        file::remove(&path).map_err(|error| StoreError::unwritable(path, error))
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
