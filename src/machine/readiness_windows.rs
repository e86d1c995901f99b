use std::{io, ptr};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

/// An event object that a loop of the host can watch: signalled while it is set.
#[derive(Debug)]
pub struct Readiness(HANDLE);

// SAFETY: the handle of an event object may be used from any thread.
unsafe impl Send for Readiness {}

impl Readiness {
    /// One that is not set, not inherited by other programs that the host starts.
    ///
    /// # Errors
    /// What `CreateEventW` says.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name; it is reset by hand and not signalled.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(event)) }
    }

    /// Sets or clears it. Never blocks.
    pub fn set(&self, ready: bool) {
        // SAFETY: the handle is open.
        unsafe { if ready { SetEvent(self.0) } else { ResetEvent(self.0) } };
    }

    /// The handle, for as long as this lives.
    pub fn handle(&self) -> isize {
        self.0 as isize
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}
