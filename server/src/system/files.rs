//! Files that only the server reads, whoever makes them, and those that people edit.
//!
//! The server has a user of its own, and its commands are often run by root. What is made in
//! the server's folder must be the server's, or it could not be read when it is needed.

use crate::system::cause::of_io;
use seatlock_protocol::edited::{self, EditedError};
use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What the group may in a folder that it shares.
const SHARED: u32 = 0o070;

/// Why a file that people edit cannot be used. Repeats nothing of it, because a secret may stand in
/// it.
#[derive(Debug, thiserror::Error)]
pub enum EditedFileError {
    /// Nobody can read it.
    #[error("{} cannot be read: {}", path.display(), in_words(path, error))]
    Unreadable {
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// It holds something else.
    #[error("{} cannot be used: {error}", path.display())]
    Content {
        path: PathBuf,
        /// What is wrong, and where.
        error: EditedError,
    },
}

/// Reads a file that people edit, in any way that the reader of its content knows:
/// [`edited::text`], [`edited::line`] or [`edited::object`].
pub fn read<T>(
    path: &Path,
    content: impl FnOnce(&[u8]) -> Result<T, EditedError>,
) -> Result<T, EditedFileError> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| EditedFileError::Unreadable { path: path.to_owned(), error })?;
    content(&bytes).map_err(|error| EditedFileError::Content { path: path.to_owned(), error })
}

/// Reads standard input as [`read`] reads a file.
pub fn read_input<T>(content: impl FnOnce(&[u8]) -> Result<T, EditedError>) -> Result<T, EditedFileError> {
    let path = || PathBuf::from("standard input");
    let mut bytes = Zeroizing::new(Vec::new());
    let read = io::stdin().read_to_end(&mut bytes);
    read.map_err(|error| EditedFileError::Unreadable { path: path(), error })?;
    content(&bytes).map_err(|error| EditedFileError::Content { path: path(), error })
}

/// The one value in a file, such as a password or a URL with one in it.
pub fn read_line(path: &Path) -> Result<Zeroizing<String>, EditedFileError> {
    read(path, |bytes| edited::line(bytes).map(|line| Zeroizing::new(line.to_owned())))
}

/// The folder that a file lies in; the present one for a bare name.
#[must_use]
pub fn place_of(file: &Path) -> &Path {
    file.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a file for the user who runs this and nobody else, wherever that may be: what is carried away
/// is not the server's. Never overwrites.
///
/// # Errors
/// When it is there already, or cannot be made.
pub fn create_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a file for the owner of its folder only; also for the group, if that shares the folder.
/// Never overwrites.
///
/// # Errors
/// When it is there already, or cannot be made, or would be somebody's who is not the folder's
/// owner.
pub fn create(path: &Path) -> io::Result<File> {
    let folder = fs::metadata(place_of(path))?;
    let file = create_own(path)?;
    if let Err(error) = give(&file, &folder, 0o600) {
        // Left there, it would be in the way of whoever tries it again as the right user.
        fs::remove_file(path)?;
        return Err(error);
    }
    Ok(file)
}

/// Makes a folder, and those that it lies in, like [`create`] makes a file. One that is there stays
/// as it is.
///
/// # Errors
/// As for [`create`].
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let place = place_of(path);
    create_folder(place)?;
    DirBuilder::new().mode(0o700).create(path)?;
    give(&File::open(path)?, &fs::metadata(place)?, 0o700).inspect_err(|_| drop(fs::remove_dir(path)))
}

/// Gives what was just made to the owner of the folder that it lies in.
fn give(made: &File, folder: &Metadata, mode: u32) -> io::Result<()> {
    let own = made.metadata()?;
    let shared = folder.mode() & SHARED == SHARED;
    let share = || {
        fchown(made, None, Some(folder.gid()))?;
        made.set_permissions(Permissions::from_mode(mode | mode >> 3))
    };
    if own.uid() == folder.uid() {
        // Whoever owns both reads it in any case.
        return if shared { share().or(Ok(())) } else { Ok(()) };
    }
    match fchown(made, Some(folder.uid()), Some(folder.gid())) {
        Ok(()) if shared => share(),
        Ok(()) => Ok(()),
        // Not root: only the group can have it.
        Err(_) if shared && share().is_ok() => Ok(()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "its folder belongs to the user {}, who could not read it. Run this as that user, or as root",
                folder.uid()
            ),
        )),
    }
}

/// Whether something is there. Unlike `exists`, it tells "no" from "nobody lets me look".
///
/// # Errors
/// When it cannot be known.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the operating system said of a file, and, if it lets nobody near it, whose it is:
/// "Permission denied" alone sounds like a file that is broken.
#[must_use]
pub fn in_words(path: &Path, error: &io::Error) -> String {
    // An error of our own says it already.
    let denied = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_some();
    match whose(path).filter(|_| denied) {
        Some(whose) => format!("{}. {whose}", of_io(error)),
        None => of_io(error),
    }
}

/// To whom it belongs, or the first folder on the way to it that cannot be entered.
fn whose(path: &Path) -> Option<String> {
    let (found, metadata) = path.ancestors().find_map(|on_the_way| {
        let on_the_way = if on_the_way.as_os_str().is_empty() { Path::new(".") } else { on_the_way };
        Some((on_the_way, fs::metadata(on_the_way).ok()?))
    })?;
    let (user, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    Some(format!(
        "{} belongs to the user {user} and the group {group}, mode {mode:o}: run this as that user, or give it to the one who \
         runs this (chown)",
        found.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_file_is_for_whoever_shares_its_folder_and_for_nobody_else() {
        for (folder_mode, file, folder) in
            [(0o700, 0o600, 0o700), (0o750, 0o600, 0o700), (0o755, 0o600, 0o700), (0o770, 0o660, 0o770)]
        {
            let place = tempfile::tempdir().unwrap();
            fs::set_permissions(place.path(), Permissions::from_mode(folder_mode)).unwrap();
            create(&place.path().join("file")).unwrap();
            create_folder(&place.path().join("folder/below")).unwrap();
            assert_eq!(mode(&place.path().join("file")), file, "{folder_mode:o}");
            assert_eq!(mode(&place.path().join("folder")), folder, "{folder_mode:o}");
            assert_eq!(mode(&place.path().join("folder/below")), folder, "{folder_mode:o}");
            assert!(create(&place.path().join("file")).is_err(), "never overwritten");
        }
    }
}
