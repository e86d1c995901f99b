use super::{Folder, StoreError, file};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// More than a mark has; above it the file is not ours.
const LIMIT: u64 = 1024;

/// Seconds for which a mark counts, unless its owner removes it before. Longer than any request
/// takes, so only the mark of a process that was killed out of sight lasts as long.
const LIFETIME: u64 = 20;

/// A moment by the clock that cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// Which start of the computer; 0 when it cannot be told.
    pub boot: u64,
    /// Whole seconds since then.
    pub seconds: u64,
}

/// The process that asks: its number, and the numbering that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Number of the process.
    pub process: u32,
    /// Containers on one computer count their processes apart.
    pub space: u64,
}

/// What the mark's file says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    owner: Uuid,
    holder: Holder,
    since: Uptime,
}

impl Mark {
    /// Whether its owner may still be asking. A mark from another start of the computer, or from
    /// the future, is dead.
    fn is_alive(&self, now: Uptime) -> bool {
        let age = now.seconds.checked_sub(self.since.seconds);
        self.since.boot == now.boot && age.is_some_and(|age| age < LIFETIME)
    }
}

/// Who may ask the server.
#[derive(Debug)]
pub enum LockAttempt {
    /// This process, until the value is dropped.
    Acquired(RequestLock),
    /// Another process is asking; its answer will be in the state.
    HeldElsewhere,
}

/// Says to other processes of this installation that one is asking the server, so that they do not
/// ask the same with the same renewal secret. Not a lock: nobody is kept from reading or saving,
/// and it ends by itself.
#[derive(Debug)]
pub struct RequestLock {
    path: PathBuf,
    owner: Uuid,
}

impl Folder {
    pub(super) const ASKING: &'static str = "asking";

    /// Takes the turn to ask the server, unless another process has it. Writes no more than a mark
    /// that need not survive a power failure, and waits for the lock as every change does.
    ///
    /// `None` when the mark cannot be made, on a full disk or without permission: asking is then
    /// everybody's risk.
    ///
    /// `is_gone` tells whether a process has certainly ended; the mark of one that was killed does
    /// not count.
    pub fn try_lock_requests(
        &self,
        now: Uptime,
        holder: Holder,
        is_gone: impl Fn(Holder) -> bool,
    ) -> Option<LockAttempt> {
        let _lock = match self.lock_existing() {
            // Many hosts save at this moment; asking among them would be a risk without need.
            Err(StoreError::Busy { .. }) => return Some(LockAttempt::HeldElsewhere),
            lock => lock.ok()??,
        };
        let path = self.path.join(Self::ASKING);
        if read(&path).is_some_and(|mark| mark.is_alive(now) && !is_gone(mark.holder)) {
            return Some(LockAttempt::HeldElsewhere);
        }
        let owner = Uuid::new_v4();
        write(&path, &Mark { owner, holder, since: now }).ok()?;
        Some(LockAttempt::Acquired(RequestLock { path, owner }))
    }
}

impl Drop for RequestLock {
    fn drop(&mut self) {
        // After its lifetime another process may have put its own mark there.
        if read(&self.path).is_some_and(|mark| mark.owner == self.owner) {
            let _ = file::remove(&self.path);
        }
    }
}

/// What is half written, or not a mark, is none.
fn read(path: &Path) -> Option<Mark> {
    match file::read(path, LIMIT).ok()? {
        file::Content::Bytes(bytes) => serde_json::from_slice(&bytes).ok(),
        file::Content::Absent | file::Content::Foreign => None,
    }
}

fn write(path: &Path, mark: &Mark) -> io::Result<()> {
    let mut options = file::open_options();
    options.write(true).create(true).truncate(true);
    let mut file = file::patiently(file::MANY, || options.open(path))?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let written = file.write_all(&serde_json::to_vec(mark)?);
    written.inspect_err(|_| drop(fs::remove_file(path)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{folder, names, save};
    use super::*;

    const NOW: Uptime = Uptime { boot: 7, seconds: 1000 };
    const ME: Holder = Holder { process: 1, space: 1 };

    fn turn(folder: &Folder, now: Uptime) -> Option<LockAttempt> {
        folder.try_lock_requests(now, ME, |_| false)
    }

    fn is_ours(turn: &Option<LockAttempt>) -> bool {
        matches!(turn, Some(LockAttempt::Acquired(_)))
    }

    #[test]
    fn one_has_the_turn_until_it_gives_it_back() {
        let (_root, folder) = folder();
        assert!(turn(&folder, NOW).is_none(), "nothing is kept here, so nobody else can be asking");
        save(&folder, 1);
        let first = turn(&folder, NOW);
        assert!(is_ours(&first));
        assert!(matches!(turn(&folder, NOW), Some(LockAttempt::HeldElsewhere)));
        save(&folder, 1);
        drop(first);
        assert!(!names(&folder).contains(&"asking".to_owned()));
        assert!(is_ours(&turn(&folder, NOW)));
    }

    #[test]
    fn the_mark_of_a_killed_process_ends_by_itself() {
        let (_root, folder) = folder();
        save(&folder, 1);
        // (what, boot, seconds, whether the old mark still counts)
        for (what, boot, seconds, counts) in [
            ("at once", 7, 1000, true),
            ("a second before its end", 7, 1019, true),
            ("at its end", 7, 1020, false),
            ("after another start", 8, 1001, false),
            ("from the future: another computer, or no boot id", 7, 999, false),
        ] {
            let killed = turn(&folder, NOW);
            let other = turn(&folder, Uptime { boot, seconds });
            assert_eq!(matches!(other, Some(LockAttempt::HeldElsewhere)), counts, "{what}");
            if !counts {
                drop(killed);
                assert!(
                    names(&folder).contains(&"asking".to_owned()),
                    "{what}: not the late one's to remove"
                );
            }
            drop(other);
            let _ = fs::remove_file(folder.path().join("asking"));
        }
    }

    #[test]
    fn the_mark_of_a_process_that_is_gone_does_not_count() {
        let (_root, folder) = folder();
        save(&folder, 1);
        let _killed = turn(&folder, NOW);
        assert!(matches!(
            folder.try_lock_requests(NOW, ME, |holder| holder != ME),
            Some(LockAttempt::HeldElsewhere)
        ));
        assert!(is_ours(&folder.try_lock_requests(NOW, ME, |holder| holder == ME)));
    }

    #[test]
    fn a_damaged_mark_is_none() {
        let (_root, folder) = folder();
        save(&folder, 1);
        for content in [&b""[..], b"{", b"{}", &[b'x'; 5000]] {
            fs::write(folder.path().join("asking"), content).unwrap();
            assert!(is_ours(&turn(&folder, NOW)));
        }
        fs::create_dir(folder.path().join("asking")).unwrap();
        assert!(turn(&folder, NOW).is_none(), "a folder in its place: ask at one's own risk");
    }
}
