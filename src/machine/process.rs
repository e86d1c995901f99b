/// A process, as far as others can tell whether it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// The numbering that it belongs to: containers on one computer count their processes apart. 0
    /// when it cannot be told.
    pub space: u64,
}

impl Process {
    /// This process. Any thread.
    #[must_use]
    pub fn current() -> Self {
        Self { id: std::process::id(), space: space() }
    }

    /// Whether it has certainly ended. One that is out of sight, or whose number was given to
    /// another, has not.
    #[must_use]
    pub fn is_gone(self) -> bool {
        self.space != 0 && self.space == space() && has_no_process(self.id)
    }
}

#[cfg(target_os = "linux")]
fn space() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |space| space.ino())
}

/// One numbering for the whole computer.
#[cfg(all(unix, not(target_os = "linux")))]
fn space() -> u64 {
    1
}

#[cfg(not(unix))]
fn space() -> u64 {
    0
}

#[cfg(unix)]
fn has_no_process(id: u32) -> bool {
    // 0 and negative numbers mean groups.
    let Some(id) = libc::pid_t::try_from(id).ok().filter(|id| *id > 0) else { return false };
    // SAFETY: signal 0 is sent to nobody; only whether it could be is looked at.
    let sent = unsafe { libc::kill(id, 0) };
    sent != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[cfg(not(unix))]
fn has_no_process(_: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_gone_once_it_has_ended_and_was_waited_for() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process { id: child.id(), ..Process::current() };
        assert!(!process.is_gone() && !Process::current().is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.is_gone());
        assert!(!Process { space: process.space + 1, ..process }.is_gone(), "another container's number");
        assert!(!Process { space: 0, ..process }.is_gone());
        assert!(!Process { id: 0, ..process }.is_gone() && !Process { id: u32::MAX, ..process }.is_gone());
    }
}
