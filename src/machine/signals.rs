/// Blocks the host's signals in the calling thread: for the library's own worker, before it does anything else.
///
/// A handler of the host then never runs on a thread that the host does not know, and `SIGCHLD`, `SIGALRM` or
/// `SIGINT` can not interrupt network calls there. Signals that report a fault of the thread itself stay open,
/// because a blocked one kills the process before the host's crash reporter sees it (pthread_sigmask(3)).
/// Does nothing on Windows, which has no signals between threads.
pub fn block_signals() {
    #[cfg(unix)]
    block_all_but_faults();
}

#[cfg(unix)]
fn block_all_but_faults() {
    use std::{mem::MaybeUninit, ptr};
    const FAULTS: [libc::c_int; 7] =
        [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initializes the whole set before anything reads it; the calls that follow only read and
    // change that set and the mask of the calling thread. None can fail with these arguments.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{mem::MaybeUninit, ptr, thread};

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: without a new mask the call only writes the current one, which sigismember then reads.
        unsafe {
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr()), 0);
            libc::sigismember(set.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn only_the_calling_thread_and_only_signals_from_outside() {
        let host = [libc::SIGINT, libc::SIGTERM, libc::SIGPIPE, libc::SIGCHLD, libc::SIGALRM, libc::SIGUSR1];
        thread::spawn(move || {
            assert!(!host.into_iter().any(is_blocked));
            block_signals();
            assert!(host.into_iter().all(is_blocked));
            assert!(!is_blocked(libc::SIGSEGV) && !is_blocked(libc::SIGABRT));
        })
        .join()
        .unwrap();
        assert!(!host.into_iter().any(is_blocked));
    }
}
