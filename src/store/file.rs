use crate::scarcity::is_held;
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    time::{Duration, SystemTime},
};
use zeroize::Zeroizing;

/// What a temporary file is going to be. Part of its name, so that forgetting finds its leftovers.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A state file.
    State,
    /// A file that a person carries.
    Chosen,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::State => ".state-",
            Self::Chosen => ".seatlock-",
        }
    }
}

const SUFFIX: &str = ".tmp";

/// Tries of a reader, who may be the host's thread.
const FEW: u32 = 3;
/// Tries of the worker: a second.
pub const MANY: u32 = 50;

/// What lies at a path.
#[derive(Debug)]
pub enum Content {
    /// Nothing.
    Absent,
    /// A regular file within the limit.
    Bytes(Zeroizing<Vec<u8>>),
    /// Something that this library never puts there: a folder, a link, a pipe, a device, a file
    /// above the limit.
    Foreign,
}

/// Reads a whole regular file of at most `limit` bytes. Never follows a link and never blocks on a
/// pipe.
pub fn read(path: &Path, limit: u64) -> io::Result<Content> {
    let is_foreign = || fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file());
    let opened = patiently(FEW, || match open_options().read(true).open(path) {
        // A link, socket or folder fails with a different error on each system; what lies there decides.
        Err(error) if error.kind() != io::ErrorKind::NotFound && is_foreign() => Ok(None),
        opened => opened.map(Some),
    });
    let file = match opened {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Content::Foreign),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > limit {
        return Ok(Content::Foreign);
    }
    // One byte of room more than the file has, so that the last read finds the end without growing the
    // buffer: a grown buffer leaves a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Ok(Content::Foreign) } else { Ok(Content::Bytes(bytes)) }
}

/// Options that create with mode 0600 and refuse links and pipes where the system can say so.
pub fn open_options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    }
    options
}

/// Puts `bytes` at `path` in one step: a new file of mode 0600 in the same folder, fsync,
/// rename(2), fsync of the folder. `before` runs between the two, when nothing but the rename can
/// fail any more. A reader sees the old file or the new one.
pub fn replace(
    path: &Path,
    kind: Kind,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(kind.prefix()).suffix(SUFFIX);
    #[cfg(unix)]
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    before()?;
    // Not `persist`: std's rename also works on Windows while a reader has the old file open.
    let temporary = file.into_temp_path().keep().map_err(|kept| kept.error)?;
    patiently(MANY, || fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    sync_folder(folder);
    Ok(())
}

/// Tries `action` again for `tries` times 20 ms while another program holds the file. Virus
/// scanners and indexers do that on Windows to files that were just written; elsewhere an open file
/// stops nobody.
pub fn patiently<T>(mut tries: u32, mut action: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    // A file that is about to be deleted is refused as if its user had no right to it.
    let is_busy = |error: &io::Error| {
        is_held(error) || cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
    };
    loop {
        match action() {
            Err(error) if tries > 0 && is_busy(&error) => tries -= 1,
            done => return done,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes a file. One that is not there is as good as removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match patiently(MANY, || fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes renames in `folder` outlast a power failure. Errors are not reported: the new content is
/// in place, some network file systems refuse it, and Windows has no such call.
pub fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Creates `folder` and its parents with mode 0700. An existing one that others may enter is closed
/// to them; its parents belong to the user and stay as they are.
pub fn ensure_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        builder.mode(0o700).create(folder)?;
        if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            // Only its owner may; for anybody else the files, which are 0600, have to do.
            let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(folder)
}

/// Removes temporary files that a killed process left behind at least `age` ago.
pub fn sweep(folder: &Path, kind: Kind, age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
            SystemTime::now().duration_since(modified).ok()
        };
        if is_temporary(&entry.file_name(), kind) && (age.is_zero() || old().is_some_and(|old| old >= age)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_temporary(name: &OsStr, kind: Kind) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(kind.prefix()) && name.ends_with(SUFFIX))
}
