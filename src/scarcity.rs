use crate::words::{Message, Phrase};
use std::io::{self, ErrorKind};

/// What the operating system, or the host's own limits, had too little of, `None` for every other
/// error. It passes: whatever was refused is tried again, and says nothing about a license, a file
/// or a computer.
#[must_use]
pub fn scarce(error: &io::Error) -> Option<Phrase> {
    let Some(code) = error.raw_os_error() else {
        return error.get_ref()?.downcast_ref().and_then(scarce);
    };
    SHORTAGES.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, words)| *words)
}

/// Why the operating system refused something, in words for a person: its own are for programmers,
/// and a library's error may hold whatever that library has seen.
#[must_use]
pub fn reason(error: &io::Error) -> Message {
    if let Some(short) = scarce(error) {
        return short.into();
    }
    let phrase = match error.kind() {
        _ if is_held(error) => Phrase::OS_IN_USE,
        ErrorKind::NotFound => Phrase::OS_NOT_FOUND,
        ErrorKind::PermissionDenied => Phrase::OS_NO_RIGHT,
        ErrorKind::ReadOnlyFilesystem => Phrase::OS_READ_ONLY,
        ErrorKind::StorageFull => Phrase::OS_FULL,
        ErrorKind::QuotaExceeded => Phrase::OS_QUOTA,
        ErrorKind::FileTooLarge => Phrase::OS_TOO_LARGE,
        ErrorKind::IsADirectory => Phrase::OS_FOLDER,
        ErrorKind::NotADirectory => Phrase::OS_NO_FOLDER,
        ErrorKind::InvalidData => Phrase::OS_NOT_UTF8,
        ErrorKind::InvalidInput => Phrase::OS_NO_FILE,
        ErrorKind::InvalidFilename => Phrase::OS_NAME,
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => Phrase::OS_IN_USE,
        ErrorKind::StaleNetworkFileHandle | ErrorKind::TimedOut => Phrase::OS_DRIVE,
        _ => {
            return match error.raw_os_error() {
                Some(number) => Message::from(Phrase::OS_REFUSED_ERROR).with("number", number),
                None => Phrase::OS_REFUSED.into(),
            };
        }
    };
    phrase.into()
}

/// Whether another program holds the file and lets nobody in meanwhile: virus scanners and indexers
/// do that on Windows to files that were just written. Elsewhere an open file stops nobody.
#[must_use]
pub fn is_held(error: &io::Error) -> bool {
    // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
    cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33))
}

/// The error of a thread that could not be made, for libraries that do not hand it on.
#[must_use]
pub fn no_thread() -> io::Error {
    // ERROR_MAX_THRDS_REACHED
    #[cfg(not(unix))]
    const NONE: i32 = 164;
    #[cfg(unix)]
    const NONE: i32 = libc::EAGAIN;
    io::Error::from_raw_os_error(NONE)
}

/// What is short at this moment, if the room for one more open file is; for libraries that do not
/// tell their errors.
#[must_use]
pub fn shortage() -> Option<Phrase> {
    // Any folder can be opened on Unix; elsewhere files are not counted.
    if cfg!(unix) { std::fs::File::open("/").err().as_ref().and_then(scarce) } else { None }
}

const FILES: Phrase = Phrase::SHORT_OF_FILES;
const ALL_FILES: Phrase = Phrase::SHORT_OF_ALL_FILES;
const MEMORY: Phrase = Phrase::SHORT_OF_MEMORY;

#[cfg(unix)]
const SHORTAGES: [(&[i32], Phrase); 3] = [
    (&[libc::EMFILE], FILES),
    (&[libc::ENFILE], ALL_FILES),
    // What pthread_create, mmap and socket say when there is no room for one more.
    (&[libc::EAGAIN, libc::ENOMEM, libc::ENOBUFS], MEMORY),
];

/// ERROR_TOO_MANY_OPEN_FILES, WSAEMFILE; ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY,
/// ERROR_MAX_THRDS_REACHED, ERROR_NO_SYSTEM_RESOURCES, ERROR_COMMITMENT_LIMIT, WSAENOBUFS.
#[cfg(not(unix))]
const SHORTAGES: [(&[i32], Phrase); 3] =
    [(&[4, 10024], FILES), (&[], ALL_FILES), (&[8, 14, 164, 1450, 1455, 10055], MEMORY)];

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(windows)]
    #[test]
    fn a_file_that_is_held_is_in_use() {
        // (code, whether it is held, its words)
        for (code, held, words) in [
            (5, false, "this user has no right to it"),
            (32, true, "another program uses it"),
            (33, true, "another program uses it"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!((is_held(&error), &*reason(&error).to_string()), (held, words), "{code}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn reasons_are_in_words_of_our_own() {
        let odd = io::Error::other("<!-- sit_8uVq -->");
        for (error, expected) in [
            (io::Error::from_raw_os_error(libc::ENOENT), "it is not there"),
            (io::Error::from_raw_os_error(libc::EACCES), "this user has no right to it"),
            (io::Error::from_raw_os_error(libc::EPERM), "this user has no right to it"),
            (io::Error::from_raw_os_error(libc::EROFS), "its disk is read-only"),
            (io::Error::from_raw_os_error(libc::ENOSPC), "its disk is full"),
            (io::Error::from_raw_os_error(libc::EDQUOT), "this user has no room left on its disk"),
            (io::Error::from_raw_os_error(libc::EISDIR), "it is a folder"),
            (io::Error::from_raw_os_error(libc::ENOTDIR), "its path leads through what is no folder"),
            (io::Error::from_raw_os_error(libc::ENAMETOOLONG), "its name is too long or not allowed"),
            (io::Error::from_raw_os_error(libc::EMFILE), FILES.english),
            (io::Error::from_raw_os_error(libc::EIO), "the operating system refuses it (error 5)"),
            (odd, "the operating system refuses it"),
        ] {
            assert_eq!(reason(&error).to_string(), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn shortages_are_told_from_faults() {
        for (code, expected) in [
            (libc::EMFILE, Some(FILES)),
            (libc::ENFILE, Some(ALL_FILES)),
            (libc::EAGAIN, Some(MEMORY)),
            (libc::ENOMEM, Some(MEMORY)),
            (libc::ENOBUFS, Some(MEMORY)),
            (libc::ENOENT, None),
            (libc::EACCES, None),
            (libc::ENOSPC, None),
            (libc::ECONNREFUSED, None),
        ] {
            assert_eq!(scarce(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
        assert_eq!(scarce(&ErrorKind::OutOfMemory.into()), None, "nobody refused anything");
        let wrapped = io::Error::other(io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(scarce(&wrapped), Some(FILES));
        assert!(scarce(&no_thread()).is_some());
        assert_eq!(shortage(), None);
    }
}
