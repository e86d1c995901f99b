use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

/// A descriptor that a poll loop of the host can watch: readable while it is set.
#[derive(Debug)]
pub struct Readiness {
    read: File,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    write: File,
}

/// What an eventfd is written and read by.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ONE: [u8; 8] = 1u64.to_ne_bytes();
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ONE: [u8; 1] = [1];

impl Readiness {
    /// One that is not set, closed in other programs that the host starts: an eventfd.
    ///
    /// # Errors
    /// What eventfd(2) says.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn new() -> io::Result<Self> {
        use std::os::fd::FromRawFd as _;
        // SAFETY: eventfd has no preconditions.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: made above, and nobody else's.
        Ok(Self { read: unsafe { OwnedFd::from_raw_fd(descriptor) }.into() })
    }

    /// One that is not set, closed in other programs that the host starts: a pipe with a byte in it
    /// or none.
    ///
    /// # Errors
    /// What pipe(2) and fcntl(2) say.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let (read, write) = (File::from(OwnedFd::from(read)), File::from(OwnedFd::from(write)));
        for end in [&read, &write] {
            // SAFETY: the descriptor is open; the call changes nothing but its flags.
            if unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self { read, write })
    }

    /// Sets or clears it. Never blocks; callers take turns, and change it each time.
    pub fn set(&self, ready: bool) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let mut write = &self.read;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let mut write = &self.write;
        // Neither can fail, unless the host has read from it, which then is as it should be.
        let _ = if ready { write.write(&ONE) } else { (&self.read).read(&mut ONE.clone()) };
    }

    /// The descriptor's number, for as long as this lives.
    pub fn handle(&self) -> isize {
        self.read.as_raw_fd() as isize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(readiness: &Readiness) -> bool {
        let mut asked = libc::pollfd { fd: readiness.handle() as i32, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which is valid for the whole call.
        unsafe { libc::poll(&raw mut asked, 1, 0) == 1 && asked.revents & libc::POLLIN != 0 }
    }

    #[test]
    fn it_is_readable_while_it_is_set() {
        let readiness = Readiness::new().unwrap();
        for _ in 0..3 {
            assert!(!is_readable(&readiness));
            readiness.set(true);
            assert!(is_readable(&readiness) && is_readable(&readiness));
            readiness.set(false);
        }
    }
}
