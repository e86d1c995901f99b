use std::time::Duration;

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

/// One numbering for the whole computer.
#[cfg(windows)]
fn space() -> u64 {
    1
}

#[cfg(unix)]
fn has_no_process(id: u32) -> bool {
    // 0 and negative numbers mean groups.
    let Some(id) = libc::pid_t::try_from(id).ok().filter(|id| *id > 0) else { return false };
    // SAFETY: signal 0 is sent to nobody; only whether it could be is looked at.
    let sent = unsafe { libc::kill(id, 0) };
    sent != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// A number stays taken while anybody holds a handle of the process, so one that can be opened may
/// have ended all the same.
#[cfg(windows)]
fn has_no_process(id: u32) -> bool {
    use windows_sys::Win32::Foundation::{CloseHandle, ERROR_INVALID_PARAMETER, WAIT_OBJECT_0};
    use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject};
    // 0 is the system's idle process, which cannot be opened.
    if id == 0 {
        return false;
    }
    // SAFETY: has no preconditions; the handle is not inherited.
    let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, id) };
    if process.is_null() {
        // Another user's process is refused in other words.
        return std::io::Error::last_os_error().raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32);
    }
    // SAFETY: the handle is open, and closed once.
    unsafe {
        let ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
        CloseHandle(process);
        ended
    }
}

/// Whether a thread may be waited for to its very end. On Windows it ends, and begins, with the
/// lock of the loader, which the host holds while it unloads a plug-in.
pub const CAN_JOIN: bool = cfg!(not(windows));

/// How long a thread takes to begin at most, where it may be that it cannot: without
/// [`CAN_JOIN`].
pub const BEGINNING: Duration = Duration::from_millis(15);

/// Whether this process is ending, and every other thread has been killed: then nothing is left to
/// wait for, and a lock that one of them held is held for ever.
#[cfg(windows)]
pub fn is_ending() -> bool {
    #[link(name = "ntdll", kind = "raw-dylib")]
    unsafe extern "system" {
        fn RtlDllShutdownInProgress() -> u8;
    }
    // SAFETY: has no preconditions.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// Elsewhere threads run until the process is gone.
#[cfg(not(windows))]
pub fn is_ending() -> bool {
    false
}

/// Whether somebody has killed the thread: it will say nothing more.
#[cfg(windows)]
pub fn is_dead<T>(thread: &std::thread::JoinHandle<T>) -> bool {
    use std::os::windows::io::AsRawHandle as _;
    use windows_sys::Win32::{Foundation::WAIT_OBJECT_0, System::Threading::WaitForSingleObject};
    // SAFETY: the handle is open for as long as it is borrowed.
    unsafe { WaitForSingleObject(thread.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

/// Elsewhere a thread cannot be killed by itself.
#[cfg(not(windows))]
pub fn is_dead<T>(_: &std::thread::JoinHandle<T>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A process that lasts.
    fn sleeper() -> Command {
        let mut command = Command::new(if cfg!(windows) { "ping" } else { "sleep" });
        command.args(if cfg!(windows) { &["-n", "60", "127.0.0.1"][..] } else { &["60"] });
        command.stdout(std::process::Stdio::null());
        command
    }

    #[test]
    fn a_process_is_gone_once_it_has_ended_and_was_waited_for() {
        let mut child = sleeper().spawn().unwrap();
        let process = Process { id: child.id(), ..Process::current() };
        assert!(!process.is_gone() && !Process::current().is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.is_gone());
        assert!(!Process { space: process.space + 1, ..process }.is_gone(), "another container's number");
        assert!(!Process { space: 0, ..process }.is_gone());
        assert!(!Process { id: 0, ..process }.is_gone());
        // On Unix a negative number; on Windows one that no process has.
        assert_eq!(Process { id: u32::MAX, ..process }.is_gone(), cfg!(windows));
    }
}
