use super::{waker, without_signals};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::{io, ptr};

/// As much as `std::thread` gives.
const STACK: usize = 2 * 1024 * 1024;

/// A thread of pthread_create(3) itself. One of `std::thread` catches whatever unwinds it, and the
/// C library aborts the process when it cannot unwind a thread that ends to its first frame.
#[derive(Debug)]
pub struct Bare(libc::pthread_t);

// SAFETY: a thread's number may be used from any thread; it is a pointer on some systems, which is
// not followed here.
unsafe impl Send for Bare {}

impl Bare {
    /// Starts a thread that runs the waker with `argument`, and takes no signals.
    ///
    /// # Errors
    /// What pthread_create(3) says.
    pub fn start(argument: *mut c_void) -> io::Result<Self> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        let routine: extern "C-unwind" fn(*mut c_void) -> *mut c_void = first_frame;
        // SAFETY: the two kinds of functions differ in whether they may unwind, and the C library's own
        // caller may be unwound: it is made to end the thread there.
        let routine = unsafe {
            std::mem::transmute::<
                extern "C-unwind" fn(*mut c_void) -> *mut c_void,
                extern "C" fn(*mut c_void) -> *mut c_void,
            >(routine)
        };
        // SAFETY: the attributes are made before they are used and destroyed once. The thread's number is
        // filled in when the call succeeds. The argument is the new thread's from then on.
        let failed = without_signals(|| unsafe {
            let failed = libc::pthread_attr_init(attributes.as_mut_ptr());
            if failed != 0 {
                return failed;
            }
            // Where the size is refused, the usual one will do.
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            let failed = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), routine, argument);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            failed
        });
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        // SAFETY: filled in, see above.
        Ok(Self(unsafe { thread.assume_init() }))
    }

    /// Whether it is the calling thread.
    pub fn is_current(&self) -> bool {
        // SAFETY: neither call has preconditions but a number of a thread that was not given up, which this
        // one is not.
        unsafe { libc::pthread_equal(self.0, libc::pthread_self()) != 0 }
    }

    /// Waits for its end.
    pub fn join(self) {
        // SAFETY: it is waited for once, because `self` is taken, and never by itself.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }

    /// Lets it end by itself.
    pub fn leave(self) {
        // SAFETY: it is given up once, because `self` is taken.
        unsafe { libc::pthread_detach(self.0) };
    }
}

/// May be unwound: it owns nothing and catches nothing.
extern "C-unwind" fn first_frame(argument: *mut c_void) -> *mut c_void {
    waker::run(argument);
    ptr::null_mut()
}
