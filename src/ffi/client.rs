use super::boundary::{self, CallResult};
use super::code::{self, seatlock_result};
use super::error::seatlock_error;
use super::guard::guard;
pub(super) use super::options::seatlock_client;
use super::options::{certificates, seatlock_options};
use super::seconds;
use crate::{Client, Code, CredentialKind, Entitlement, Failure, Handle, Text};
use std::ffi::c_char;
use std::time::Duration;

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
    /// The whole message of the event that was taken last, of which `seatlock_event` may lack some.
    SEATLOCK_TEXT_EVENT = 10,
    /// Name of the account that holds the license.
    SEATLOCK_TEXT_ACCOUNT = 11,
    /// E-mail address of whoever has the seat, or what their sign-in service calls them.
    SEATLOCK_TEXT_EMAIL = 12,
    /// Your own data in the license, a JSON object, signed by the server. None while it is locked.
    SEATLOCK_TEXT_DATA = 13,
    /// Version of the terms that the seat's user accepted last, as the server has it.
    SEATLOCK_TEXT_TERMS = 14,
    /// Who is signed in, as their sign-in service calls them (its "sub"). None with a token.
    SEATLOCK_TEXT_SUBJECT = 15,
}

/// The client that a host means. What it holds is no address but a number.
pub(super) fn handle(client: *const seatlock_client) -> Result<Handle, Failure> {
    if client.is_null() {
        Err(Failure::of(Code::NullPointer))
    } else {
        Ok(Handle::from_number(client.addr()))
    }
}

/// A handle as C knows it.
pub(super) fn pointer(handle: Handle) -> *mut seatlock_client {
    std::ptr::without_provenance_mut(handle.number())
}

/// Body of every export that uses a client.
///
/// # Safety
/// `error` is NULL or the caller's struct.
pub(super) unsafe fn with_client(
    client: *const seatlock_client,
    error: *mut seatlock_error,
    body: impl FnOnce(&Client) -> CallResult,
) -> seatlock_result {
    guard(error, || handle(client)?.with(|client| body(client).map_err(|failure| client.in_words(failure))))
}

/// Body of every export that fills a struct of the caller's; SEATLOCK_NO_VALUE where `read` finds
/// nothing. What is wrong with the struct comes first.
///
/// # Safety
/// `to` is NULL or the caller's struct.
unsafe fn read_struct<T: boundary::VersionedStruct>(
    client: *const seatlock_client,
    to: *mut T,
    read: impl FnOnce(&Client) -> Result<Option<T>, Failure>,
) -> seatlock_result {
    // SAFETY: the caller's promise.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            boundary::check_struct(to)?;
            match read(client)? {
                Some(value) => boundary::write_struct(value, to),
                None => Ok(Code::NoValue),
            }
        })
    }
}

/// Opens a client: derives the machine id, reads and verifies the stored license, and starts one
/// worker thread; one more follows if there is a wake function, and one if there is a log function.
/// It reads two small files and never touches the network. The lock state is known when it returns,
/// even offline.
///
/// A stored license that cannot be used is no error here: the status says why. The image that holds
/// the library stays loaded from now on, because unloading code that has run threads is not sound.
/// Errors: SEATLOCK_ERROR_INVALID_ARGUMENT when something required is not set,
/// SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE, SEATLOCK_ERROR_BUSY when 1024 clients are open;
/// SEATLOCK_ERROR_INTERNAL when the operating system refuses
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
        // SAFETY: not NULL, and writable by the caller's promise.
        Handle::open(&options.options, |opened| unsafe { out.write(pointer(opened)) })?;
        Ok(Code::Ok)
    })
}

/// Closes a client, whatever other threads do with it; NULL does nothing. Calls that sleep in
/// `seatlock_client_next_event` or `seatlock_client_wait` return SEATLOCK_ERROR_CLOSED before this
/// one returns, and so does every later use of the client, a second closing too. Network work is
/// cancelled, operations that wait are given up. The log function is told the rest; from then on
/// neither it nor the wake function is called.
///
/// Returns within `timeout_ms`, even when the network or name resolution hangs: SEATLOCK_OK, or
/// SEATLOCK_STILL_RUNNING when one of these functions, or a call on another thread, has not
/// returned. The client is closed all the same, and is freed when they do; the contexts of the
/// functions, and the library in memory, have to stay until then. Called by one of these functions
/// itself, it does not wait for that. In a child process after fork() it does nothing.
/// [any thread, blocks]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_close(
    client: *mut seatlock_client,
    timeout_ms: u32,
) -> seatlock_result {
    guard(std::ptr::null_mut(), || match handle(client) {
        Ok(client) => client.close(Duration::from_millis(timeout_ms.into())),
        Err(_) => Ok(Code::Ok),
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

/// Sets another proxy, as `seatlock_options_set_proxy` does, such as one that the user has just
/// typed: the next request takes it, one that is on its way goes on as it is. NULL: what the
/// environment and the operating system say. Returns at once. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_set_proxy(
    client: *mut seatlock_client,
    url: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, error, |client| {
            client.set_proxy(boundary::optional_text(url)?)?;
            Ok(Code::Ok)
        })
    }
}

/// Trusts further certificate authorities, as `seatlock_options_add_ca_certificates` does, from the
/// next request on. Returns at once. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_add_ca_certificates(
    client: *mut seatlock_client,
    pem: *const u8,
    size: usize,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, error, |client| {
            client.add_ca_certificates(certificates(pem, size)?)?;
            Ok(Code::Ok)
        })
    }
}

/// Copies a text about the client to `buffer`, with its NUL; `needed` (NULL allowed) receives its
/// size. Pass a capacity of 0 to ask for the size. SEATLOCK_NO_VALUE when there is no such text
/// now, such as a plan without a license. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL,
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
        with_client(client, std::ptr::null_mut(), |client| {
            let text = client.text(which_text(what)?)?;
            boundary::write_optional_text(text.as_deref(), buffer, capacity, needed)
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
        (SEATLOCK_TEXT_EVENT, Text::Event),
        (SEATLOCK_TEXT_ACCOUNT, Text::Account),
        (SEATLOCK_TEXT_EMAIL, Text::Email),
        (SEATLOCK_TEXT_DATA, Text::Data),
        (SEATLOCK_TEXT_TERMS, Text::Terms),
        (SEATLOCK_TEXT_SUBJECT, Text::Subject),
    ]
    .into_iter()
    .find(|(number, _)| *number as u32 == what)
    .map(|(_, text)| text)
    .ok_or(Failure::new(Code::InvalidArgument, "no such text"))
}

/// Copies a value of what SEATLOCK_TEXT_STATUS says, by its name, as `seatlock_event_value` does
/// for an event. SEATLOCK_NO_VALUE when it has none of that name. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_status_value(
    client: *const seatlock_client,
    name: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            let value = client.status_value(boundary::text(name)?)?;
            boundary::write_optional_text(value.as_deref(), buffer, capacity, needed)
        })
    }
}

/// Copies what to tell a user of a code, as `seatlock_code_text` has it, in the language of the
/// client. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL, SEATLOCK_ERROR_INVALID_ARGUMENT for a number
/// that is no code. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_code_text(
    client: *const seatlock_client,
    code: seatlock_result,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            boundary::write_text(client.code_text(code::known(code)?)?, buffer, capacity, needed)
        })
    }
}

/// Copies what a user can do about a code, as `seatlock_code_remedy` has it, in the language of the
/// client. Otherwise as `seatlock_client_code_text`. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_code_remedy(
    client: *const seatlock_client,
    code: seatlock_result,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            boundary::write_text(client.code_remedy(code::known(code)?)?, buffer, capacity, needed)
        })
    }
}

/// Copies a support report to `buffer`, with its NUL; `needed` (NULL allowed) receives its size. It
/// is plain text for a mail, in English: versions, machine id, addresses, the proxy and who named
/// it, state folder and files, lock state and its times, what the clock is found to be, the last
/// answers with their request ids, and what else has happened. It holds no token, no other secret
/// and no e-mail address; paths in it may name the user.
///
/// It looks at a few small files, as `seatlock_client_open` does, and never touches the network:
/// call it where the user asks for it, not while drawing. It may have grown at the next call, so
/// ask until it fits: 16 KiB are enough as a rule. Errors: SEATLOCK_ERROR_BUFFER_TOO_SMALL.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_report(
    client: *const seatlock_client,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            boundary::write_text(&client.report()?, buffer, capacity, needed)
        })
    }
}

/// What the license says of an entitlement. Initialise it with SEATLOCK_ENTITLEMENT_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct seatlock_entitlement {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// 1 when the license includes it now; 0 when it does not, and when the client is locked.
    pub included: u32,
    /// 1 when it has a value, such as a limit; 0 when it has none, and when it is not included.
    pub has_value: u32,
    /// Always 0.
    pub reserved: u32,
    /// The value, 0 when it has none.
    pub value: i64,
    /// Unix seconds from which it is no longer included, which may have passed; 0 when it lasts as
    /// long as the license, and when the client is locked.
    pub valid_until: i64,
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_entitlement {
    const FIRST_SIZE: u32 = 32;
}

/// Asks for an entitlement by its name, such as "cad" or "export.max". The answer is in
/// `entitlement`, not in the result: that is SEATLOCK_OK for a name that nobody knows, too.
/// [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_entitlement(
    client: *const seatlock_client,
    name: *const c_char,
    entitlement: *mut seatlock_entitlement,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        read_struct(client, entitlement, |client| {
            let Entitlement { included, value, until } = client.entitlement(boundary::text(name)?)?;
            Ok(Some(seatlock_entitlement {
                struct_size: 0,
                included: u32::from(included),
                has_value: u32::from(value.is_some()),
                reserved: 0,
                value: value.unwrap_or(0),
                valid_until: seconds(until),
            }))
        })
    }
}

/// What the license says of itself, beside SEATLOCK_TEXT_ACCOUNT, _EMAIL, _DATA and _TERMS.
/// Initialise it with SEATLOCK_LICENSE_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct seatlock_license {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// Always 0.
    pub reserved: u32,
    /// Unix seconds at which the subscription ends, 0 when it has no end.
    pub subscription_end: i64,
    /// Unix seconds; versions of the plug-in that were released later are not included. 0: all are.
    pub updates_until: i64,
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_license {
    const FIRST_SIZE: u32 = 24;
}

/// Reads what the server said of the license when it was last reached, also while the client is
/// locked. SEATLOCK_NO_VALUE when there is no license here. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_license(
    client: *const seatlock_client,
    license: *mut seatlock_license,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        read_struct(client, license, |client| {
            Ok(client.license()?.map(|details| seatlock_license {
                struct_size: 0,
                reserved: 0,
                subscription_end: seconds(details.ends),
                updates_until: seconds(details.updates_until),
            }))
        })
    }
}

/// What kind of credential a client has.
pub type seatlock_credential_kind = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_credential_kind_value {
    /// A token.
    SEATLOCK_CREDENTIAL_TOKEN = 1,
    /// The sign-in of a person; SEATLOCK_TEXT_SUBJECT names them.
    SEATLOCK_CREDENTIAL_PERSON = 2,
    /// The sign-in of the machine itself, with a client secret.
    SEATLOCK_CREDENTIAL_MACHINE = 3,
}

/// What the client asks the server with. Initialise it with SEATLOCK_CREDENTIAL_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct seatlock_credential {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// What kind it is.
    pub kind: seatlock_credential_kind,
    /// 1 when it is kept here for the next start of the host; 0 when it is not, or could not be,
    /// and when it was set up beside the plug-in.
    pub remembered: u32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_credential {
    const FIRST_SIZE: u32 = 16;
}

/// Reads what the client asks the server with, also while it is locked. SEATLOCK_NO_VALUE when no
/// token was entered here and nobody has signed in, and after it was forgotten. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_credential(
    client: *const seatlock_client,
    credential: *mut seatlock_credential,
) -> seatlock_result {
    use seatlock_credential_kind_value::*;
    // SAFETY: the caller's promises in the header.
    unsafe {
        read_struct(client, credential, |client| {
            let Some(details) = client.credential()? else { return Ok(None) };
            let kind = match details.kind {
                CredentialKind::Token => SEATLOCK_CREDENTIAL_TOKEN,
                CredentialKind::Person => SEATLOCK_CREDENTIAL_PERSON,
                CredentialKind::Machine => SEATLOCK_CREDENTIAL_MACHINE,
            } as u32;
            let remembered = u32::from(details.remembered);
            Ok(Some(seatlock_credential { struct_size: 0, kind, remembered, reserved: 0 }))
        })
    }
}
