use super::waker;
use std::ffi::c_void;
use std::{io, ptr};
use windows_sys::Win32::{
    Foundation::{CloseHandle, HANDLE},
    System::Threading::{
        CreateThread, GetCurrentThreadId, INFINITE, STACK_SIZE_PARAM_IS_A_RESERVATION, WaitForSingleObject,
    },
};

/// As much as `std::thread` gives.
const STACK: usize = 2 * 1024 * 1024;

/// A thread of `CreateThread` itself. One of `std::thread` cannot be joined when it was ended by
/// `ExitThread`.
#[derive(Debug)]
pub struct Bare {
    handle: HANDLE,
    number: u32,
}

// SAFETY: a handle of a thread may be used from any thread.
unsafe impl Send for Bare {}

impl Bare {
    /// Starts a thread that runs the waker with `argument`.
    ///
    /// # Errors
    /// What `CreateThread` says.
    pub fn start(argument: *mut c_void) -> io::Result<Self> {
        let mut number = 0;
        // SAFETY: the argument is the new thread's from then on; `number` is writable.
        let handle = unsafe {
            CreateThread(
                ptr::null(),
                STACK,
                Some(first_frame),
                argument,
                STACK_SIZE_PARAM_IS_A_RESERVATION,
                &raw mut number,
            )
        };
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self { handle, number }) }
    }

    /// Whether it is the calling thread.
    pub fn is_current(&self) -> bool {
        // SAFETY: has no preconditions.
        self.number == unsafe { GetCurrentThreadId() }
    }

    /// Waits for its end.
    pub fn join(self) {
        // SAFETY: the handle is open until `leave` closes it.
        unsafe { WaitForSingleObject(self.handle, INFINITE) };
        self.leave();
    }

    /// Lets it end by itself.
    pub fn leave(self) {
        // SAFETY: it is closed once, because `self` is taken.
        unsafe { CloseHandle(self.handle) };
    }
}

/// Owns nothing and catches nothing.
unsafe extern "system" fn first_frame(argument: *mut c_void) -> u32 {
    waker::run(argument);
    0
}
