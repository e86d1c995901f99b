use super::{StoreError, file};
use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// The exclusive right to change a folder, given back on drop.
///
/// flock(2) or `LockFileEx` on a side file, through std. The side file stays for ever: removing a
/// lock file that somebody waits for gives two processes the lock. It is released by the system
/// when its holder dies.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Waits at most `patience` for the lock. On a file system without locks (some network mounts)
    /// goes on without: the replacement of files is atomic anyway, so the worst case is one
    /// lost update.
    ///
    /// # Errors
    /// [`StoreError::Busy`] after `patience`; [`StoreError::Unwritable`] when the side file cannot
    /// be opened.
    pub fn acquire(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let unwritable = |error| StoreError::unwritable(path, error);
        let mut options = file::open_options();
        options.read(true).write(true).create(true).truncate(false);
        let file = file::patiently(file::MANY, || options.open(path)).map_err(unwritable)?;
        if !file.metadata().map_err(unwritable)?.is_file() {
            return Err(unwritable(io::ErrorKind::InvalidInput.into()));
        }
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) if is_unsupported(&error) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(unwritable(error));
                }
                Err(_) if started.elapsed() >= patience => {
                    return Err(StoreError::Busy { path: path.to_owned() });
                }
                Err(_) => {}
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that the host forked meanwhile shares the descriptor and would
        // keep the lock.
        let _ = self.0.unlock();
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    // ERROR_INVALID_FUNCTION and ERROR_NOT_SUPPORTED, as network redirectors answer.
    #[cfg(windows)]
    const CODES: [i32; 2] = [1, 50];
    #[cfg(unix)]
    const CODES: [i32; 3] = [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS];
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_its_time_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let patience = Duration::from_millis(60);
        let first = Lock::acquire(&path, patience).unwrap();
        let started = Instant::now();
        assert!(matches!(Lock::acquire(&path, patience), Err(StoreError::Busy { .. })));
        assert!(started.elapsed() >= patience);
        drop(first);
        Lock::acquire(&path, Duration::ZERO).unwrap();
        assert!(path.exists(), "the side file must stay");
    }

    #[test]
    fn a_waiting_holder_gets_the_lock_as_soon_as_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::acquire(&path, Duration::ZERO).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| Lock::acquire(&path, Duration::from_secs(60)));
            drop(first);
            assert!(second.join().unwrap().is_ok());
        });
    }

    #[test]
    fn dropping_gives_the_lock_back_although_the_descriptor_is_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::acquire(&path, Duration::ZERO).unwrap();
        // What a forked child holds: another descriptor of the same open file.
        let _shared = first.0.try_clone().unwrap();
        drop(first);
        assert!(Lock::acquire(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn file_systems_without_locks_are_recognised() {
        assert!(is_unsupported(&io::ErrorKind::Unsupported.into()));
        assert!(!is_unsupported(&io::ErrorKind::PermissionDenied.into()));
        #[cfg(unix)]
        assert!(is_unsupported(&io::Error::from_raw_os_error(libc::ENOLCK)));
    }

    #[test]
    fn a_folder_in_the_place_of_the_lock_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::acquire(folder.path(), Duration::ZERO).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
    }
}
