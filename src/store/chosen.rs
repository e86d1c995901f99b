use super::file::{self, Kind};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Reads a file that the user chose: a regular file of at most `limit` bytes, also through a link.
///
/// # Errors
/// What the operating system says; [`io::ErrorKind::FileTooLarge`]; [`io::ErrorKind::InvalidInput`]
/// for a folder, pipe or device, which is not opened.
pub fn read_chosen_file(path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Before opening, because opening a pipe waits for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file::patiently(file::MANY, || File::open(path))?.take(more).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Writes a file where the user chose, for its owner only, in one step: an older file there is
/// replaced or stays whole.
///
/// # Errors
/// What the operating system says; [`io::ErrorKind::InvalidInput`] for what is there and is no
/// file.
pub fn write_chosen_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A device, a pipe or a folder is not to be replaced by a file.
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(io::ErrorKind::InvalidInput.into()),
        _ => {}
    }
    // A bare name has an empty parent.
    let path = if path.parent() == Some(Path::new("")) { &Path::new(".").join(path) } else { path };
    file::replace(path, Kind::Chosen, bytes, || Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_comes_back_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("request");
        for bytes in [&b"one"[..], b"three"] {
            write_chosen_file(&path, bytes).unwrap();
            assert_eq!(*read_chosen_file(&path, 5).unwrap(), bytes);
        }
        assert_eq!(read_chosen_file(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_chosen_file(folder.path(), 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            read_chosen_file(&folder.path().join("no"), 5).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert!(write_chosen_file(&folder.path().join("no").join("file"), b"x").is_err());
        assert_eq!(write_chosen_file(folder.path(), b"x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        #[cfg(unix)]
        {
            // Stands for a device, which only root can make: what is there stays what it was.
            let socket = folder.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert_eq!(write_chosen_file(&socket, b"x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert!(!fs::metadata(&socket).unwrap().is_file());
        }
        #[cfg(unix)]
        assert_eq!(
            read_chosen_file(Path::new("/dev/zero"), 5).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
