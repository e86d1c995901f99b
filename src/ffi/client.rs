use super::boundary::{self, Outcome};
use super::code::seatlock_result;
use super::error::seatlock_error;
use super::guard::guard;
use super::options::seatlock_options;
use crate::{Client, Code, Failure, Text};
use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An open license of one product on one computer. Every function may be called from any thread at
/// the same time, except `seatlock_client_close`, which must be the last.
pub struct seatlock_client {
    client: Client,
    /// Set when a call panicked: what it left behind is not to be trusted.
    poisoned: AtomicBool,
}

/// The header lets any thread use a client.
const _: fn() = || {
    fn usable_from_any_thread<T: Send + Sync>() {}
    usable_from_any_thread::<seatlock_client>();
};

/// Which text `seatlock_client_text` answers.
pub type seatlock_text = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_text_value {
    /// The machine id, "m1_" and 43 characters.
    SEATLOCK_TEXT_MACHINE_ID = 1,
    /// Its short form for people, such as "YBWE-SEZM", which the seat page shows too.
    SEATLOCK_TEXT_MACHINE_SHORT = 2,
    /// UUID of the seat.
    SEATLOCK_TEXT_SEAT = 3,
    /// Name of the plan.
    SEATLOCK_TEXT_PLAN = 4,
    /// Entitlements, separated by single spaces.
    SEATLOCK_TEXT_ENTITLEMENTS = 5,
    /// The lock state in words for a person, dates included.
    SEATLOCK_TEXT_STATUS = 6,
    /// Folder in which state is kept.
    SEATLOCK_TEXT_STATE_FOLDER = 7,
    /// The page to open, while a person is signing in.
    SEATLOCK_TEXT_SIGN_IN_URL = 8,
    /// What to type on that page, when it is opened on another device.
    SEATLOCK_TEXT_SIGN_IN_CODE = 9,
}

/// Body of every export that uses a client.
///
/// # Safety
/// `client` is NULL or live.
pub(super) unsafe fn with_client(
    client: *const seatlock_client,
    error: *mut seatlock_error,
    body: impl FnOnce(&Client) -> Outcome,
) -> seatlock_result {
    guard(error, || {
        // SAFETY: the caller's promise.
        let handle = unsafe { boundary::reference(client) }?;
        if handle.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::of(Code::Internal));
        }
        let sentry = Sentry(&handle.poisoned);
        let outcome = body(&handle.client);
        std::mem::forget(sentry);
        outcome
    })
}

/// Poisons the client when it is dropped, which happens only while unwinding.
struct Sentry<'a>(&'a AtomicBool);

impl Drop for Sentry<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens a client: derives the machine id, reads and verifies the stored license, and starts one
/// worker thread; a second one follows with the first event if there is a wake function. It reads
/// two small files and never touches the network. The lock state is known when it returns, even
/// offline.
///
/// A stored license that cannot be used is no error here: the status says why. The image that holds
/// the library stays loaded from now on, because unloading code that has run threads is not sound.
/// Errors: SEATLOCK_ERROR_INVALID_ARGUMENT when something required is not set,
/// SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE; SEATLOCK_ERROR_INTERNAL when the operating system refuses
/// a file descriptor, a thread or memory, and the message says which: close what is not needed and
/// open again. An open client that is refused one of them goes on: what it was about to do has
/// failed, and is tried again. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_open(
    options: *const seatlock_options,
    client: *mut *mut seatlock_client,
    error: *mut seatlock_error,
) -> seatlock_result {
    guard(error, || {
        let out = boundary::writable(client)?;
        // SAFETY: NULL or live, by the caller's promise.
        let options = unsafe { boundary::reference(options) }?;
        let client = Client::open(&options.options)?;
        let handle = Box::new(seatlock_client { client, poisoned: AtomicBool::new(false) });
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(Code::Ok)
    })
}

/// Closes a client and frees it, whatever happens; NULL does nothing. No callback begins any more;
/// one that is running is waited for within the time limit. Network work is cancelled, operations
/// that wait are given up, and it returns within `timeout_ms` even when the network or name
/// resolution hangs. Call it from any thread but the one that runs the wake function, as the last
/// use of the client. In a child process after fork() it only frees. [one thread, blocks]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_close(
    client: *mut seatlock_client,
    timeout_ms: u32,
) -> seatlock_result {
    guard(std::ptr::null_mut(), || {
        if !client.is_null() {
            // SAFETY: made by `seatlock_client_open` and given up by the caller.
            let handle = unsafe { Box::from_raw(client) };
            handle.client.close(Duration::from_millis(timeout_ms.into()));
        }
        Ok(Code::Ok)
    })
}

/// 0 forbids all use of the network, 1 allows it, from now on: for a host whose user can switch it
/// off. Forbidding ends operations that use it with SEATLOCK_ERROR_NETWORK_DISALLOWED and takes no
/// license away. Once allowed again, a renewal that is due follows within a minute. Returns at
/// once. Errors: SEATLOCK_ERROR_NETWORK_DISALLOWED when SEATLOCK_OFFLINE in the environment keeps
/// it off. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_allow_network(
    client: *mut seatlock_client,
    allowed: u32,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, error, |client| {
            client.allow_network(boundary::flag(allowed)?)?;
            Ok(Code::Ok)
        })
    }
}

/// Copies a text about the client to `buffer`, with its NUL; `needed` (NULL allowed) receives its
/// size. Pass a capacity of 0 to ask for the size. SEATLOCK_NOTHING when there is no such text now,
/// such as a plan without a license. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL,
/// SEATLOCK_ERROR_INVALID_ARGUMENT. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_text(
    client: *const seatlock_client,
    what: seatlock_text,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| match client.text(which_text(what)?)? {
            Some(text) => boundary::write_text(&text, buffer, capacity, needed),
            None => Ok(Code::Nothing),
        })
    }
}

fn which_text(what: seatlock_text) -> Result<Text, Failure> {
    use seatlock_text_value::*;
    [
        (SEATLOCK_TEXT_MACHINE_ID, Text::MachineId),
        (SEATLOCK_TEXT_MACHINE_SHORT, Text::MachineShort),
        (SEATLOCK_TEXT_SEAT, Text::Seat),
        (SEATLOCK_TEXT_PLAN, Text::Plan),
        (SEATLOCK_TEXT_ENTITLEMENTS, Text::Entitlements),
        (SEATLOCK_TEXT_STATUS, Text::Status),
        (SEATLOCK_TEXT_STATE_FOLDER, Text::StateFolder),
        (SEATLOCK_TEXT_SIGN_IN_URL, Text::SignInUrl),
        (SEATLOCK_TEXT_SIGN_IN_CODE, Text::SignInCode),
    ]
    .into_iter()
    .find(|(number, _)| *number as u32 == what)
    .map(|(_, text)| text)
    .ok_or(Failure::new(Code::InvalidArgument, "no such text"))
}

/// Asks whether the license includes an entitlement, such as "cad", right now: SEATLOCK_OK when it
/// does, SEATLOCK_NOTHING when it does not or when the client is locked. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_has_entitlement(
    client: *const seatlock_client,
    entitlement: *const c_char,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            let entitled = client.entitlement(boundary::text(entitlement)?)?.included;
            Ok(if entitled { Code::Ok } else { Code::Nothing })
        })
    }
}
