#[cfg(target_os = "linux")]
use super::fork_page::Page;
use std::{io, process};

/// Tells a forked child from the process that made the guard.
///
/// A child of fork(2) has only the forking thread: the library's worker is gone there and a lock may be held for
/// ever, so every call in a child has to be answered at once with a code.
///
/// On Linux 4.14 and later the check is one load from memory; elsewhere getpid(2), which macOS answers without
/// entering the kernel. Windows has no fork. Dropping the guard frees its page, in parent and child alike.
#[derive(Debug)]
pub struct ForkGuard {
    #[cfg(target_os = "linux")]
    page: Option<Page>,
    process: u32,
}

impl ForkGuard {
    /// Marks the calling process as the parent.
    ///
    /// # Errors
    /// The error of mmap(2) when the page can not be had. A kernel without `MADV_WIPEONFORK` is not an error.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(target_os = "linux")]
            page: Page::new()?,
            process: process::id(),
        })
    }

    /// Whether this process is a child of the one that called [`new`](Self::new). Any thread, never blocks, and safe
    /// in a child of a process with several threads.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(page) = &self.page {
            return page.is_wiped();
        }
        cfg!(unix) && process::id() != self.process
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
        let guard = ForkGuard::new().unwrap();
        assert!(!guard.is_forked());
        assert!(in_child(|| guard.is_forked()));
        assert!(!guard.is_forked());
    }

    #[test]
    fn a_guard_made_in_the_child_belongs_to_the_child() {
        assert!(!in_child(|| ForkGuard::new().is_ok_and(|guard| guard.is_forked())));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn kernels_that_can_not_wipe_compare_the_process() {
        let guard = ForkGuard { page: None, process: process::id() };
        assert!(!guard.is_forked());
        assert!(in_child(|| guard.is_forked()));
    }
}
