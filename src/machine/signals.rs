/// Does `create` while the calling thread takes no signals, for threads that are made in it: a
/// thread begins with the mask of its maker, so a handler of the host never runs on one that the
/// host does not know, not even in its first moment, and `SIGCHLD`, `SIGALRM` or `SIGINT` cannot
/// interrupt network calls there. What comes meanwhile is taken afterwards.
///
/// Signals that report a fault of the thread itself stay open, because a blocked one kills the
/// process before the host's crash reporter sees it (pthread_sigmask(3)). Windows has no signals
/// between threads.
pub fn without_signals<T>(create: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    let _back = Mask::change_to_faults_only();
    create()
}

/// The mask that the calling thread had, put back when it is dropped.
#[cfg(unix)]
struct Mask(libc::sigset_t);

#[cfg(unix)]
impl Mask {
    fn change_to_faults_only() -> Self {
        use std::mem::MaybeUninit;
        const FAULTS: [libc::c_int; 7] = [
            libc::SIGABRT,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGSEGV,
            libc::SIGSYS,
            libc::SIGTRAP,
        ];
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initializes the whole set before anything reads it; the calls that follow only
        // read and change that set and the mask of the calling thread. None can fail with these
        // arguments, so the old mask is filled in.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for fault in FAULTS {
                libc::sigdelset(set.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

#[cfg(unix)]
impl Drop for Mask {
    fn drop(&mut self) {
        // SAFETY: the set was filled by the system, and only the mask of the calling thread is changed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// Takes every signal in the calling thread: for a process that is about to become another program,
/// which a thread of the library has started.
///
/// # Errors
/// What pthread_sigmask(3) says.
#[cfg(unix)]
pub fn take_all_signals() -> std::io::Result<()> {
    use std::mem::MaybeUninit;
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initializes the set before it is read; only the mask of the calling thread is
    // changed. Both are safe between fork and exec.
    let failed = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(failed)) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{mem::MaybeUninit, ptr, thread};

    const HOST: [libc::c_int; 6] =
        [libc::SIGINT, libc::SIGTERM, libc::SIGPIPE, libc::SIGCHLD, libc::SIGALRM, libc::SIGUSR1];

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: without a new mask the call only writes the current one, which sigismember then reads.
        unsafe {
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr()), 0);
            libc::sigismember(set.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn a_thread_begins_without_signals_from_outside_and_its_maker_keeps_its_own() {
        let made = without_signals(|| {
            thread::spawn(|| {
                assert!(HOST.into_iter().all(is_blocked));
                assert!(!is_blocked(libc::SIGSEGV) && !is_blocked(libc::SIGABRT));
                take_all_signals().unwrap();
                assert!(!HOST.into_iter().any(is_blocked));
            })
        });
        assert!(!HOST.into_iter().any(is_blocked));
        made.join().unwrap();
    }

    #[test]
    fn the_mask_comes_back_after_a_panic() {
        thread::spawn(|| {
            let panicked = std::panic::catch_unwind(|| without_signals(|| panic!("a defect")));
            assert!(panicked.is_err() && !HOST.into_iter().any(is_blocked));
        })
        .join()
        .unwrap();
    }
}
