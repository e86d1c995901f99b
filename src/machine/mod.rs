//! The computer this process runs on: who it is, what time it is, and what a guest in a host
//! process must arrange.
//!
//! Besides `ffi` the only room with `unsafe`, and every block of it wraps one call of the operating
//! system. Nothing here starts a process but the browser's, installs a handler or changes the
//! environment, the locale or the working directory.

/// A thread with nothing of ours on its stack, on Unix systems.
#[cfg(unix)]
#[path = "bare_unix.rs"]
mod bare;
/// A thread with nothing of ours on its stack, on Windows.
#[cfg(windows)]
#[path = "bare_windows.rs"]
mod bare;
/// Shows a web page.
mod browser;
/// The wall clock and a clock that goes on while the computer sleeps.
pub mod clock;
/// Notices that this process is a forked child of the one that made the guard.
mod fork;
/// The mark in memory that the kernel wipes in a forked child.
#[cfg(target_os = "linux")]
mod fork_page;
/// Which computer this is: sources, validation and the derived id.
mod id;
/// Keeps the library mapped until the process ends, with the loader of Unix systems.
#[cfg(unix)]
#[path = "image_unix.rs"]
mod image;
/// Keeps the library mapped until the process ends, with the loader of Windows.
#[cfg(windows)]
#[path = "image_windows.rs"]
mod image;
/// Tells the host what happens, line by line.
mod logger;
/// Whether a process or a thread has ended, or is about to.
mod process;
/// What this user's settings of Windows say of proxies.
#[cfg(windows)]
#[path = "proxy_windows.rs"]
mod proxy;
/// What a poll loop of the host watches, on Unix systems.
#[cfg(unix)]
#[path = "readiness_unix.rs"]
mod readiness;
/// What a poll loop of the host watches, on Windows.
#[cfg(windows)]
#[path = "readiness_windows.rs"]
mod readiness;
/// Ties a secret to the user's account, where the operating system offers that without asking the
/// user.
#[cfg(windows)]
#[path = "seal_windows.rs"]
pub mod seal;
/// The place of sealing on systems where file permissions alone guard a secret.
#[cfg(not(windows))]
#[path = "seal_plain.rs"]
pub mod seal;
/// Keeps the host's signals away from the library's own threads.
mod signals;
/// Calls the host where nothing is harmed if the host ends the thread.
mod waker;

pub use browser::open_browser;
pub use fork::ForkGuard;
pub use id::{IdentityError, MachineIdentity, Refusal, Refused, identify};
pub use image::pin_image;
pub use logger::{LogCall, LogLevel, Logger};
pub use process::{BEGINNING, CAN_JOIN, Process, is_dead, is_ending};
pub use readiness::Readiness;
pub use signals::without_signals;
pub use waker::Waker;

/// Tells the operating system's proxies for an address, and what is reached without them; with
/// setup scripts of the network or without.
type SystemProxy = fn(&str, bool) -> Option<(String, String)>;

/// What asks the operating system for proxies: see `proxy_windows.rs`. None where the HTTP library
/// reads them.
pub const SYSTEM_PROXY: Option<SystemProxy> = {
    #[cfg(windows)]
    let ask = Some(proxy::system_proxy as SystemProxy);
    #[cfg(not(windows))]
    let ask = None;
    ask
};
