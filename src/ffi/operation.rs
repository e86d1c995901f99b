use super::boundary;
use super::client::{seatlock_client, with_client};
use super::code::seatlock_result;
use super::error::seatlock_error;
use crate::{Client, Code, Consent, Failure, Intent, OperationId};
use std::ffi::c_char;
use std::time::Duration;

/// Number of an operation, whose end is an event with the same number. 0 is never one.
pub type seatlock_operation = u64;

/// What the user ticked when entering a token; combine with `|`.
pub type seatlock_consent_flags = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_consent_value {
    /// "I have read and agree": without it nothing is sent.
    SEATLOCK_CONSENT_TERMS = 1,
    /// "Use token for future sessions": without it nothing is ever written to disk.
    SEATLOCK_CONSENT_REMEMBER = 2,
}

/// Why a host pings.
pub type seatlock_intent = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_intent_value {
    /// The host was started; may take a released seat back if the license allows it.
    SEATLOCK_INTENT_LAUNCH = 1,
    /// The lease may be due; never takes a seat, and asks the server only when it is due.
    SEATLOCK_INTENT_RENEW = 2,
}

/// Starts an operation and hands its number out.
unsafe fn start(
    client: *mut seatlock_client,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
    begin: impl FnOnce(&Client) -> Result<OperationId, Failure>,
) -> seatlock_result {
    // SAFETY: the promises of every operation's caller.
    unsafe {
        with_client(client, error, |client| {
            let started = begin(client)?;
            // NULL is fine for a host that only looks at events.
            if !operation.is_null() {
                operation.write(started.number());
            }
            Ok(Code::Ok)
        })
    }
}

/// Submits a token. Returns at once; the outcome is an event of the operation whose number goes to
/// `operation` (NULL allowed). Operations are carried out in turn. One that asks the server ends
/// within 15 seconds of its turn, and within a minute where other processes of the plug-in ask too
/// or a sign-in is renewed. At most 64 wait; more are refused with SEATLOCK_ERROR_BUSY.
///
/// White space, quotes and zero-width characters around and in the token are removed. Refused at
/// once and before any network request: SEATLOCK_ERROR_TOKEN_MALFORMED,
/// SEATLOCK_ERROR_TOKEN_WRONG_KIND, SEATLOCK_ERROR_TERMS_REQUIRED. The stored license is replaced
/// only by a better one. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_activate(
    client: *mut seatlock_client,
    token: *const c_char,
    consent: seatlock_consent_flags,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        start(client, operation, error, |client| client.activate(boundary::text(token)?, ticked(consent)?))
    }
}

fn ticked(consent: seatlock_consent_flags) -> Result<Consent, Failure> {
    let (terms, remember) = (
        seatlock_consent_value::SEATLOCK_CONSENT_TERMS as u32,
        seatlock_consent_value::SEATLOCK_CONSENT_REMEMBER as u32,
    );
    if consent & !(terms | remember) != 0 {
        return Err(Failure::new(Code::InvalidArgument, "unknown consent flag"));
    }
    Ok(Consent { terms: consent & terms != 0, remember: consent & remember != 0 })
}

/// Tells the server that this machine uses its seat, and renews the lease. Returns at once; see
/// `seatlock_client_activate`. A failure never takes the license away: only a signed verdict of the
/// server, the end of the lease or the user does. A launch ping where there is neither
/// a token nor a sign-in ends with SEATLOCK_NOT_ACTIVATED, which is no error, and sends nothing.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_ping(
    client: *mut seatlock_client,
    intent: seatlock_intent,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    let known = match intent {
        _ if intent == seatlock_intent_value::SEATLOCK_INTENT_LAUNCH as u32 => Some(Intent::Launch),
        _ if intent == seatlock_intent_value::SEATLOCK_INTENT_RENEW as u32 => Some(Intent::Renew),
        _ => None,
    };
    // SAFETY: the caller's promises in the header.
    unsafe {
        start(client, operation, error, |client| {
            client.ping(known.ok_or(Failure::new(Code::InvalidArgument, "unknown intent"))?)
        })
    }
}

/// Gives the seat back to the account, so that another computer can use it, and forgets the token
/// here. Returns at once; see `seatlock_client_activate`. The license says how often a seat may be
/// released. The operation ends with SEATLOCK_ERROR_STORE_UNWRITABLE, and the seat stays this
/// computer's, when the license cannot be taken off the disk. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_release(
    client: *mut seatlock_client,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, Client::release) }
}

/// Asks what activating would say, without changing anything: seat limits, other computers, waiting
/// times. `token` may be NULL for the token in use. Returns at once; see
/// `seatlock_client_activate`. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_preflight(
    client: *mut seatlock_client,
    token: *const c_char,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, |client| client.preflight(boundary::optional_text(token)?)) }
}

/// Lets a person sign in with a browser of this computer, and then takes a seat as
/// `seatlock_client_activate` does with a token. An issuer must be set. With `open` 1 the browser
/// is opened here; with 0 the host opens the page of SEATLOCK_TEXT_SIGN_IN_URL when a
/// SEATLOCK_EVENT_SIGN_IN comes. A `timeout_ms` of 0 stands for five minutes. Consent as for
/// `seatlock_client_activate`; with SEATLOCK_CONSENT_REMEMBER the sign-in outlasts the host.
///
/// Returns at once; everything else goes on meanwhile, one sign-in at a time. The operation ends as
/// an activation does, or with SEATLOCK_ERROR_SIGN_IN_REFUSED (not allowed, closed, too late) or
/// SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_sign_in_browser(
    client: *mut seatlock_client,
    consent: seatlock_consent_flags,
    open: u32,
    timeout_ms: u32,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        start(client, operation, error, |client| {
            client.sign_in_browser(ticked(consent)?, boundary::flag(open)?, patience(timeout_ms))
        })
    }
}

/// Lets a person sign in at another device, such as a telephone. The SEATLOCK_EVENT_SIGN_IN says in
/// words which page to open there (SEATLOCK_TEXT_SIGN_IN_URL) and what to type
/// (SEATLOCK_TEXT_SIGN_IN_CODE). Otherwise as `seatlock_client_sign_in_browser`. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_sign_in_device(
    client: *mut seatlock_client,
    consent: seatlock_consent_flags,
    timeout_ms: u32,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        start(client, operation, error, |client| {
            client.sign_in_device(ticked(consent)?, patience(timeout_ms))
        })
    }
}

fn patience(timeout_ms: u32) -> Option<Duration> {
    Some(Duration::from_millis(timeout_ms.into())).filter(|timeout| !timeout.is_zero())
}

/// Forgets sign-in and license on this computer, as `seatlock_client_forget` does, and tells the
/// issuer that the sign-in is over, if it can be told. Release the seat first if another computer
/// should have it. Returns at once; see `seatlock_client_activate`. The operation ends with
/// SEATLOCK_ERROR_STORE_UNWRITABLE when the license is still on disk. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_sign_out(
    client: *mut seatlock_client,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, Client::sign_out) }
}

/// Forgets token and license on this computer. The seat stays bound to it on the server: release it
/// first if another computer should have it. Returns at once; see `seatlock_client_activate`. The
/// operation ends with SEATLOCK_ERROR_STORE_UNWRITABLE when the license is still on disk.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_forget(
    client: *mut seatlock_client,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, Client::forget) }
}

/// Asks for a lease by a file at `path`, for a machine without a network: somebody carries it to
/// the server, and `seatlock_client_airgap_import` takes the file that comes back. Token and
/// consent as for `seatlock_client_activate`; with SEATLOCK_CONSENT_REMEMBER the host may be
/// closed meanwhile. The token is not in the file. A file at `path` is replaced, a folder, a pipe
/// or a device is not; the present license stays as it is. Returns at once; see
/// `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_FILE_UNUSABLE when the file
/// cannot be written. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_airgap_request(
    client: *mut seatlock_client,
    token: *const c_char,
    consent: seatlock_consent_flags,
    path: *const c_char,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        start(client, operation, error, |client| {
            client.airgap_request(boundary::text(token)?, ticked(consent)?, boundary::path(path)?)
        })
    }
}

/// Takes the lease file that answers the last request file. Returns at once; see
/// `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_FILE_UNUSABLE, or with what
/// is wrong with the lease: SEATLOCK_ERROR_REPLAYED_RESPONSE when it answers another request,
/// SEATLOCK_ERROR_MACHINE_MISMATCH, SEATLOCK_ERROR_BAD_SIGNATURE, SEATLOCK_ERROR_LEASE_EXPIRED,
/// SEATLOCK_ERROR_NO_TOKEN when the host was closed since a request whose token was not to be
/// remembered. Nothing has changed then. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_airgap_import(
    client: *mut seatlock_client,
    path: *const c_char,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, |client| client.airgap_import(boundary::path(path)?)) }
}

/// Gives the license up and writes a file at `path` that confirms it: brought to the server, it
/// frees the seat. May be repeated when the file was lost. Returns at once; see
/// `seatlock_client_activate`. The operation ends with SEATLOCK_ERROR_NO_TOKEN when there is no
/// license to give up, with SEATLOCK_ERROR_STORE_UNWRITABLE when it cannot be given up, and with
/// SEATLOCK_ERROR_FILE_UNUSABLE when it was but the file cannot be written. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_airgap_release(
    client: *mut seatlock_client,
    path: *const c_char,
    operation: *mut seatlock_operation,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { start(client, operation, error, |client| client.airgap_release(boundary::path(path)?)) }
}

/// Cancels an operation that has not ended: it ends at once with SEATLOCK_ERROR_CANCELLED. The
/// server may have acted already; trying again is always safe. Errors:
/// SEATLOCK_ERROR_UNKNOWN_OPERATION. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_cancel(
    client: *mut seatlock_client,
    operation: seatlock_operation,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            client.cancel(OperationId::from_number(operation))?;
            Ok(Code::Ok)
        })
    }
}
