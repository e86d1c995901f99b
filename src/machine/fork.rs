#[cfg(target_os = "linux")]
use super::fork_page;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells a forked child from the process that made the guard.
///
/// A child of fork(2) has only the forking thread: the library's worker is gone there and a lock
/// may be held for ever, so every call in a child has to be answered at once with a code.
///
/// On Linux 4.14 and later the check is one load from memory; elsewhere getpid(2), which macOS
/// answers without entering the kernel. Windows has no fork.
#[derive(Debug, Default)]
pub struct ForkGuard(AtomicU64);

impl ForkGuard {
    /// A guard of no process yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Marks the calling process as the parent.
    pub fn mark(&self) {
        #[cfg(target_os = "linux")]
        fork_page::make();
        self.0.store(current(), Ordering::Relaxed);
    }

    /// Whether this process is a child of the one that was marked. Any thread, never blocks, and
    /// safe in a child of a process with several threads.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        cfg!(unix) && self.0.load(Ordering::Relaxed) != current()
    }
}

/// What no process shares with its children.
fn current() -> u64 {
    #[cfg(target_os = "linux")]
    if let Some(mark) = fork_page::read() {
        return mark.into();
    }
    u64::from(process::id()) | 1 << 32
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io;

    fn marked() -> ForkGuard {
        let guard = ForkGuard::new();
        guard.mark();
        guard
    }

    /// What `check` says in a forked child.
    fn in_child(check: impl Fn() -> bool) -> bool {
        // SAFETY: the child calls only `check`, which makes no more than plain system calls, and _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = i32::from(check());
            // SAFETY: ends the child at once, without destructors or buffers of the parent.
            unsafe { libc::_exit(status) }
        }
        assert!(child > 0, "{}", io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: `child` is our own child and `status` is writable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "the child ended with status {status}");
        libc::WEXITSTATUS(status) == 1
    }

    #[test]
    fn a_child_is_forked_and_its_parent_is_not() {
        let guard = marked();
        assert!(!guard.is_forked());
        assert!(in_child(|| guard.is_forked()));
        assert!(!guard.is_forked());
    }

    #[test]
    fn a_guard_made_in_the_child_belongs_to_the_child() {
        let parents = marked();
        assert!(!in_child(|| marked().is_forked()));
        assert!(in_child(|| !marked().is_forked() && parents.is_forked()));
    }
}
