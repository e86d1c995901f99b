use super::boundary;
use super::client;
use super::code::seatlock_result;
use super::error::seatlock_error;
use super::guard::guard;
use crate::protocol::UnixTime;
use crate::{Code, Failure, ForeignLog, ForeignWake, LogLevel, Options};
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

/// More is not taken for certificates, but for a size that was never set.
const MOST_PEM: usize = 1024 * 1024;

/// Borrows certificates in PEM.
///
/// # Safety
/// As [`boundary::bytes`].
pub(super) unsafe fn certificates<'a>(pem: *const u8, size: usize) -> Result<&'a [u8], Failure> {
    // SAFETY: the caller's promise.
    unsafe { boundary::bytes(pem, size, MOST_PEM, "the certificates have more than 1 MiB") }
}

/// How a client is to be opened. Setters copy and check their arguments at once;
/// `seatlock_client_open` only borrows it, so one set of options opens any number of clients. Use
/// it from one thread at a time.
pub struct seatlock_options {
    pub(super) options: Options,
}

/// An open license of one product on one computer. Every function may be called from any thread at
/// the same time, also while and after one of them closes the client: then it returns
/// SEATLOCK_ERROR_CLOSED. It is not an address: never look into it.
pub struct seatlock_client {
    _private: (),
}

/// Called when an event of `client` is waiting, on a thread of the library that does nothing else;
/// one call may stand for several events, and for one that somebody has taken already. It never
/// comes before `seatlock_client_open` has written the client. It may set a flag or post a message
/// to the host's own loop. It must not block, call this library, or let an exception out: one that
/// leaves it ends the process, as one that leaves the function of any thread does. A host that ends
/// the thread itself, as Python does at its exit, harms nobody; another thread takes its place.
///
/// Signals are blocked on that thread. A runtime that stops threads by signals while it collects,
/// as Mono does, must not be entered on it: take the events from a timer there, in Unity too.
pub type seatlock_wake =
    Option<unsafe extern "C-unwind" fn(client: *mut seatlock_client, context: *mut c_void)>;

/// How much a line of the log matters. Later versions may add levels between these.
pub type seatlock_log_level = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_log_level_value {
    /// Somebody has to mend something here: a file that cannot be written, a defect.
    SEATLOCK_LOG_ERROR = 1,
    /// Something failed: a request, an operation, the license; or the clock is wrong.
    SEATLOCK_LOG_WARNING = 2,
    /// What happened: requests, changes of the license, the end of operations, steps of a sign-in.
    SEATLOCK_LOG_INFO = 3,
    /// What else helps to find out why: the begin of operations.
    SEATLOCK_LOG_DEBUG = 4,
}

/// Called with a line of the log of `client`, on a thread of the library that does nothing else,
/// one call at a time, in the order in which things happened and a moment later; never before
/// `seatlock_client_open` has written the client. `text` is UTF-8 without a line break, and stays
/// until the call returns: a word, and then names and values, such as
/// "request what=ping to=https://license.example.com code=ok http=200 ms=31". It is for engineers,
/// in English; words and names may change.
///
/// It may take its time: nothing but later lines waits for it, and when 256 of them do, more are
/// left out, which a line says. It must not call this library. Exceptions and the end of its thread
/// are as for `seatlock_wake`.
pub type seatlock_log = Option<
    unsafe extern "C-unwind" fn(
        client: *mut seatlock_client,
        level: seatlock_log_level,
        text: *const c_char,
        context: *mut c_void,
    ),
>;

/// Makes options with nothing set. Free them with `seatlock_options_free`. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_new(options: *mut *mut seatlock_options) -> seatlock_result {
    guard(std::ptr::null_mut(), || {
        let out = boundary::writable(options)?;
        let made = Box::new(seatlock_options { options: Options::new() });
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { out.write(Box::into_raw(made)) };
        Ok(Code::Ok)
    })
}

/// Frees options; NULL does nothing. Clients that were opened with them live on.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_free(options: *mut seatlock_options) {
    guard(std::ptr::null_mut(), || {
        if !options.is_null() {
            // SAFETY: made by `seatlock_options_new` and given up by the caller.
            drop(unsafe { Box::from_raw(options) });
        }
        Ok(Code::Ok)
    });
}

/// Body of every setter.
unsafe fn set(
    options: *mut seatlock_options,
    error: *mut seatlock_error,
    change: impl FnOnce(&mut Options) -> Result<(), Failure>,
) -> seatlock_result {
    guard(error, || {
        // SAFETY: NULL or live, by the promise of every setter's caller.
        let options = unsafe { boundary::reference_mut(options) }?;
        change(&mut options.options)?;
        Ok(Code::Ok)
    })
}

/// Sets the product, such as "com.example.bridge": 1 to 128 characters of a-z, A-Z, 0-9, '.', '-',
/// '_'. Required. Machine ids and state folders of two products never meet, unless they are of one
/// family. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_product(
    options: *mut seatlock_options,
    product: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_product(boundary::text(product)?)) }
}

/// Sets the family of the product, such as "com.example", written as a product is: the plug-ins of
/// one vendor on one computer, each a product of its own. They share machine id, seat and
/// remembered token, so a token that was entered in one is enough for all; each gets its own lease
/// with its first `seatlock_client_ping`, or by `seatlock_options_set_auto_renew`. All of them name
/// the same server and keys. A release in one locks the others when they next look at the file,
/// within a minute; forgetting the token, or activating without SEATLOCK_CONSENT_REMEMBER, forgets
/// it and the licenses of the whole family. Not set, it is the product alone. [one thread at a
/// time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_family(
    options: *mut seatlock_options,
    family: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_family(boundary::text(family)?)) }
}

/// Sets the server's base address, such as "https://license.example.com". Required. Plain http is
/// accepted for loopback addresses only; an address without a scheme, with user or password, "?" or
/// "#" is not. In the environment SEATLOCK_SERVER comes before it.
///
/// Every SEATLOCK_ variable of the environment is read in one way: as UTF-8, but for the name of a
/// folder, without white space around it and one pair of quotes; an empty one is not set. One that
/// cannot be used makes `seatlock_client_open` fail, with a message that names it.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_server(
    options: *mut seatlock_options,
    url: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_server(boundary::text(url)?)) }
}

/// Sets the issuer's name that leases must carry. The default is the server's address; set it when
/// the server moves or has several addresses. Letter case of the host, the usual port and slashes
/// at its end do not count. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_license_issuer(
    options: *mut seatlock_options,
    issuer: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_license_issuer(boundary::text(issuer)?)) }
}

/// Pins a root key, the JWK member "x" that `seatlock-server init` prints: it signs the server's
/// lease keys, which can then be rotated without a new plug-in. At least one root or lease key is
/// required, at most 8 of both. Compile keys in; never read them from a file that the licensed user
/// can change. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_add_root_key(
    options: *mut seatlock_options,
    x: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.add_root_key(boundary::text(x)?)) }
}

/// Pins a lease key directly, for vendors who do not rotate. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_add_lease_key(
    options: *mut seatlock_options,
    x: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.add_lease_key(boundary::text(x)?)) }
}

/// Sets the folder below which state is kept, an absolute path. The default is "seatlock" in
/// $XDG_STATE_HOME (~/.local/state), ~/Library/Application Support or %LOCALAPPDATA%. The variable
/// SEATLOCK_STATE_DIR of the environment, an absolute path too, comes before both. Choose a folder
/// of one user: what is kept there belongs to everybody who can read it. On Unix it is closed to
/// others; on Windows the token is sealed for its user, and the rest as safe as the folder.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_state_folder(
    options: *mut seatlock_options,
    path: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_state_folder(boundary::text(path)?)) }
}

/// Supplies the machine's identity, 8 to 256 printable characters, for containers and render farms
/// whose own changes with every start. SEATLOCK_MACHINE_ID comes before it. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_machine_id(
    options: *mut seatlock_options,
    id: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_machine_id(boundary::text(id)?)) }
}

/// Sets the proxy's address, user and password included where needed, or "" for no proxy at all:
/// "http://user:password@host:port", "https://..." or "host:port". In user and password, what is
/// neither letter nor digit is written as % and two hexadecimal digits. NULL, the default, stands
/// for the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and the operating system's setting, on
/// Windows with its setup scripts; a variable that names no HTTP proxy ends requests with
/// SEATLOCK_ERROR_UNREACHABLE, whose message names it. Passwords are Basic: a proxy that signs in
/// by Windows only (NTLM, Negotiate) has to let the server through. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_proxy(
    options: *mut seatlock_options,
    url: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_proxy(boundary::optional_text(url)?)) }
}

/// Trusts further certificate authorities beside the operating system's: one or more certificates
/// in PEM, `size` bytes, 1 MiB at most, with or without a byte order mark. One that cannot be an
/// authority is refused, with its number. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_add_ca_certificates(
    options: *mut seatlock_options,
    pem: *const u8,
    size: usize,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.add_ca_certificates(certificates(pem, size)?)) }
}

/// Names the host application, such as "blender" and "5.0", for the owner's seat page.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_host(
    options: *mut seatlock_options,
    name: *const c_char,
    version: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_host(boundary::text(name)?, boundary::text(version)?)) }
}

/// Sets the texts of another language, such as one of the files that are installed in
/// share/seatlock/catalogues: embed it in the plug-in, or read it. German, Spanish, French,
/// Japanese, Korean, Portuguese and Simplified Chinese come with the library, and en.json to make
/// others from. The text is JSON in UTF-8 of at most 256 KiB, an object of ids and texts; `size` is
/// without a NUL. What it lacks is said in English, and what it has beyond that does not count, so
/// one of another version does no harm. Without one everything is said in English; in any case so
/// is what is wrong with an argument, and what keeps a client from being opened.
/// Errors: SEATLOCK_ERROR_INVALID_ARGUMENT for what is no catalogue, or has a text with a control
/// character or with a blank that the English one has not. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_catalogue(
    options: *mut seatlock_options,
    json: *const c_char,
    size: usize,
    error: *mut seatlock_error,
) -> seatlock_result {
    let too_many = "the catalogue: it is larger than 256 KiB";
    // SAFETY: the caller's promises in the header.
    unsafe {
        set(options, error, |o| {
            o.set_catalogue(boundary::bytes(json.cast(), size, Options::LARGEST_CATALOGUE, too_many)?)
        })
    }
}

/// Sets the time zone in which messages say moments, in minutes ahead of UTC: -840 to 840, such as
/// 60, and "2026-11-22 10:00 UTC+1" is said. The default is UTC, and says so: the computer's own
/// zone may be what is wrong with its clock. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_utc_offset(
    options: *mut seatlock_options,
    minutes: i32,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_utc_offset(minutes)) }
}

/// Names the version of your plug-in, 1 to 64 characters beginning with a number such as "2.4.1",
/// and the Unix time in seconds at which that version was released; compile both in. A license may
/// ask for a later version (SEATLOCK_ERROR_PLUGIN_TOO_OLD), and include no version that was
/// released after its updates ended (SEATLOCK_ERROR_UPDATE_NOT_INCLUDED, also without a network).
/// 0 in `released_at`: every license includes this version. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_plugin(
    options: *mut seatlock_options,
    version: *const c_char,
    released_at: i64,
    error: *mut seatlock_error,
) -> seatlock_result {
    let set_plugin = |options: &mut Options| {
        let released = UnixTime::new(released_at)
            .ok_or(Failure::new(Code::InvalidArgument, "the release time is Unix seconds in 0..2^53"))?;
        // SAFETY: the caller's promises in the header.
        let version = unsafe { boundary::text(version)? };
        options.set_plugin(version, Some(released).filter(|released| *released > UnixTime::MIN))
    };
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, set_plugin) }
}

/// Sets the version of the license terms that the host shows, such as "2026-01", 1 to 255 bytes.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_terms(
    options: *mut seatlock_options,
    version: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_terms(boundary::text(version)?)) }
}

/// 1: the client pings in the background when its lease is due, once an hour at most after
/// failures, and for its first lease when its family has a token already. 0, the default: it pings
/// only when asked. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_auto_renew(
    options: *mut seatlock_options,
    enabled: u32,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        set(options, error, |o| {
            o.set_auto_renew(boundary::flag(enabled)?);
            Ok(())
        })
    }
}

/// 1, the default: the network may be used. 0: it may not, from the first moment on, until
/// `seatlock_client_allow_network` says otherwise. For hosts with a switch of their own, such as
/// Blender's "Allow Online Access". SEATLOCK_OFFLINE=1 (or true, yes, on) in the environment keeps
/// it off in any case. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_network_allowed(
    options: *mut seatlock_options,
    allowed: u32,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        set(options, error, |o| {
            o.set_network_allowed(boundary::flag(allowed)?);
            Ok(())
        })
    }
}

/// Names a folder, an absolute path, in which `rpd_account.json` ({"host", "token"}) and
/// `credentials.json` ({"token"}) may lie, which set up many machines without a person, in UTF-8,
/// with or without a byte order mark. They are read by `seatlock_client_open`, which fails when one
/// is there and cannot be used; its message names the place in it. SEATLOCK_TOKEN and
/// SEATLOCK_SERVER in the environment come before both.
///
/// A token that was set up so comes before a remembered one and is never written down. The first
/// ping of intent SEATLOCK_INTENT_LAUNCH activates it: whoever sets it up submits it, and agrees to
/// the terms that the plug-in names. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_account_folder(
    options: *mut seatlock_options,
    path: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_account_folder(boundary::text(path)?)) }
}

/// Sets the address of the issuer, an OpenID provider, at which people sign in instead of entering
/// a token, or this machine does. Plain http is accepted for loopback addresses only. In the
/// environment SEATLOCK_OIDC_ISSUER comes before it, and SEATLOCK_CLIENT_ID,
/// SEATLOCK_CLIENT_SECRET, SEATLOCK_SCOPES and SEATLOCK_AUDIENCE before the options below. Who
/// signs leases is another one: `seatlock_options_set_license_issuer`. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_oidc_issuer(
    options: *mut seatlock_options,
    url: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_oidc_issuer(boundary::text(url)?)) }
}

/// Sets what the issuer calls this product, or this machine. Required with an issuer.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_client_id(
    options: *mut seatlock_options,
    id: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_client_id(boundary::text(id)?)) }
}

/// Sets the secret of a machine that signs in by itself and then needs no token and no person: a
/// first ping of intent SEATLOCK_INTENT_LAUNCH activates it. It is never written down. Whoever sets
/// it up agrees to the terms that the plug-in names. Never compile it into a plug-in that is handed
/// out. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_client_secret(
    options: *mut seatlock_options,
    secret: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_client_secret(boundary::text(secret)?)) }
}

/// Sets the scopes to ask for, separated by spaces. The default is "seat:use", and for people also
/// what makes a sign-in last ("openid offline_access") where the issuer has it.
/// [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_scopes(
    options: *mut seatlock_options,
    scopes: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_scopes(boundary::text(scopes)?)) }
}

/// Sets for whom the access tokens are to be, for issuers that want to be told: it is sent as
/// `audience`, and as `resource` (RFC 8707) when it is a URI. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_audience(
    options: *mut seatlock_options,
    audience: *const c_char,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, |o| o.set_audience(boundary::text(audience)?)) }
}

/// What the host wants to be handed to its function.
struct Context(*mut c_void);

// SAFETY: the header tells the caller that the function is called on another thread.
unsafe impl Send for Context {}

// SAFETY: as above; only one thread of a client ever calls it.
unsafe impl Sync for Context {}

/// Sets the function to call when an event is waiting, or NULL for none. `context` is handed to it
/// as it is and must stay valid until `seatlock_client_close` has returned SEATLOCK_OK for every
/// client that was opened with these options. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_wake(
    options: *mut seatlock_options,
    wake: seatlock_wake,
    context: *mut c_void,
    error: *mut seatlock_error,
) -> seatlock_result {
    let change = |options: &mut Options| {
        let context = Context(context);
        options.set_foreign_wake(wake.map(|wake| {
            let call = move |handle| {
                let context = &context;
                // SAFETY: function and context are valid until the client is closed, by the caller's promise.
                unsafe { wake(client::pointer(handle), context.0) };
            };
            Arc::new(call) as ForeignWake
        }));
        Ok(())
    };
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, change) }
}

/// Sets the function that is told what happens, as far as it matters as much as `level` or more;
/// NULL for none, which is the default: then nothing is told to anybody, and nothing is printed in
/// any case. No line holds a token, another secret, an e-mail address or a byte of somebody's file;
/// paths and addresses of servers stand in some. `context` as for `seatlock_options_set_wake`.
/// Errors: SEATLOCK_ERROR_INVALID_ARGUMENT for a level that is none. [one thread at a time]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_options_set_log(
    options: *mut seatlock_options,
    log: seatlock_log,
    level: seatlock_log_level,
    context: *mut c_void,
    error: *mut seatlock_error,
) -> seatlock_result {
    let change = |options: &mut Options| {
        let (level, context) = (which_level(level)?, Context(context));
        options.set_foreign_log(log.map(|log| {
            let call = move |handle, level: LogLevel, text: &CStr| {
                let context = &context;
                // SAFETY: function and context are valid until the client is closed, by the caller's promise,
                // and the text is until the call returns.
                unsafe { log(client::pointer(handle), level as u32, text.as_ptr(), context.0) };
            };
            (level, Arc::new(call) as ForeignLog)
        }));
        Ok(())
    };
    // SAFETY: the caller's promises in the header.
    unsafe { set(options, error, change) }
}

fn which_level(number: seatlock_log_level) -> Result<LogLevel, Failure> {
    use seatlock_log_level_value::*;
    [
        (SEATLOCK_LOG_ERROR, LogLevel::Error),
        (SEATLOCK_LOG_WARNING, LogLevel::Warning),
        (SEATLOCK_LOG_INFO, LogLevel::Info),
        (SEATLOCK_LOG_DEBUG, LogLevel::Debug),
    ]
    .into_iter()
    .find(|(known, _)| *known as u32 == number)
    .map(|(_, level)| level)
    .ok_or(Failure::new(Code::InvalidArgument, "no such level of the log"))
}
