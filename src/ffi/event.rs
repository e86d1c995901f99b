use super::boundary::{self, intptr_t};
use super::client::{seatlock_client, with_client};
use super::code::{self, seatlock_result};
use super::error::seatlock_error;
use super::guard::guard;
use super::operation::seatlock_operation;
use super::seconds;
use crate::protocol::plain;
use crate::{Code, Event, EventKind, Failure, OperationId};
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::time::Duration;

/// Kind of an event. Ignore kinds that you do not know: later versions may add some.
///
/// What an operation changes is told first, by a SEATLOCK_EVENT_STATUS in the same words as its own
/// end. Show the status where the license is shown, and the end of an operation where the user has
/// asked for it; that of a ping needs to be shown nowhere.
pub type seatlock_event_kind = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_event_kind_value {
    /// An operation ended; `operation` says which, `code` how.
    SEATLOCK_EVENT_OPERATION = 1,
    /// The lock state or its reason changed; `code` is the new reason.
    SEATLOCK_EVENT_STATUS = 2,
    /// Something the user should know that does not change the license; `code` says what, such as
    /// SEATLOCK_ERROR_STORE_UNWRITABLE.
    SEATLOCK_EVENT_NOTICE = 3,
    /// A person is to sign in: open the page of SEATLOCK_TEXT_SIGN_IN_URL, or show it with
    /// SEATLOCK_TEXT_SIGN_IN_CODE. The message says so in words.
    SEATLOCK_EVENT_SIGN_IN = 4,
}

/// One event. Initialise it with SEATLOCK_EVENT_INIT.
#[repr(C)]
pub struct seatlock_event {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// What happened.
    pub kind: seatlock_event_kind,
    /// The operation that ended, 0 for other kinds.
    pub operation: seatlock_operation,
    /// How it ended, what changed, or what to notice.
    pub code: seatlock_result,
    /// HTTP status that was received, 0 for none.
    pub http_status: u32,
    /// Unix seconds from which a new try makes sense, 0 when unknown.
    pub available_at: i64,
    /// One or more sentences for a person: UTF-8, always NUL-terminated. Where a long path leaves
    /// no room, the middle is left out; SEATLOCK_TEXT_EVENT is the whole. Never holds a token.
    pub message: [c_char; 512],
    /// What the message is about: names and values, each with its NUL, and another NUL at the end.
    /// `seatlock_event_value` reads one.
    pub values: [c_char; 480],
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_event {
    const FIRST_SIZE: u32 = 1024;
}

impl seatlock_event {
    fn of(event: &Event) -> Self {
        Self {
            struct_size: 0,
            kind: match event.kind {
                EventKind::Operation => seatlock_event_kind_value::SEATLOCK_EVENT_OPERATION,
                EventKind::Status => seatlock_event_kind_value::SEATLOCK_EVENT_STATUS,
                EventKind::Notice => seatlock_event_kind_value::SEATLOCK_EVENT_NOTICE,
                EventKind::SignIn => seatlock_event_kind_value::SEATLOCK_EVENT_SIGN_IN,
            } as u32,
            operation: event.operation.map_or(0, OperationId::number),
            code: code::number(event.code),
            http_status: event.http_status.map_or(0, u32::from),
            available_at: seconds(event.available_at),
            message: boundary::fixed_text(&event.message),
            values: packed(&event.values),
        }
    }
}

/// Names and values one after another. One that has no room is left out.
fn packed<const N: usize>(values: &BTreeMap<String, String>) -> [c_char; N] {
    let mut bytes = Vec::with_capacity(N);
    for (name, value) in values {
        let value = plain(value);
        if bytes.len() + name.len() + value.len() + 3 <= N {
            bytes.extend(
                [name.as_bytes(), value.as_bytes()].into_iter().flat_map(|text| [text, b"\0"].concat()),
            );
        }
    }
    let mut field = [0; N];
    field.iter_mut().zip(bytes).for_each(|(to, byte)| *to = c_char::from_ne_bytes([byte]));
    field
}

/// The value of a name.
fn unpacked<'a>(bytes: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut texts = bytes.split(|byte| *byte == 0);
    loop {
        let (name, value) = (texts.next().filter(|name| !name.is_empty())?, texts.next()?);
        if name == wanted.as_bytes() {
            return Some(value);
        }
    }
}

/// Copies a value of what an event's message says, by its name, to `buffer`, with its NUL, so that
/// nobody has to read sentences; `needed` (NULL allowed) receives its size. Pass a capacity of 0 to
/// ask for the size. Names are those of the blanks of `seatlock_code_text`, and of the blanks of
/// what stands in them: "date" and "time" are Unix seconds, or a day such as 2026-11-22; "reason"
/// and "fault" are ids, such as "net_refused", which the catalogues have; "n", "machine", "path",
/// "scope", "status", "window", "url", "code" and others are as the message shows them.
/// SEATLOCK_NO_VALUE when it has none of that name, or had no room for it. Errors:
/// SEATLOCK_ERROR_BUFFER_TOO_SMALL. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_event_value(
    event: *const seatlock_event,
    name: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> seatlock_result {
    guard(std::ptr::null_mut(), || {
        // SAFETY: the caller's promises in the header; the size is checked before anything else is read.
        let (values, name) = unsafe {
            boundary::check_struct(event)?;
            (&(*event).values, boundary::text(name)?)
        };
        let bytes: Vec<u8> = values.iter().flat_map(|byte| byte.to_ne_bytes()).collect();
        let value = unpacked(&bytes, name).map(std::str::from_utf8).transpose();
        let value = value.map_err(|_| Failure::of(Code::InvalidUtf8))?;
        // SAFETY: the caller's promises in the header.
        unsafe { boundary::write_optional_text(value, buffer, capacity, needed) }
    })
}

/// Takes the oldest event that no other thread waits for in `seatlock_client_wait`. A timeout of 0
/// never blocks: call it so from a timer of the host until it returns SEATLOCK_NO_EVENT. Of events
/// that nobody takes the newest 256 are kept. Errors: SEATLOCK_ERROR_CLOSED when the client is
/// closed meanwhile. [any thread, blocks]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_next_event(
    client: *mut seatlock_client,
    timeout_ms: u32,
    event: *mut seatlock_event,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            boundary::check_struct(event)?;
            match client.next_event(Duration::from_millis(timeout_ms.into()))? {
                Some(taken) => boundary::write_struct(seatlock_event::of(&taken), event),
                None => Ok(Code::NoEvent),
            }
        })
    }
}

/// Waits until an operation has ended, and returns how: its own code, SEATLOCK_OK when it did what
/// it was for. For programs without a UI thread. SEATLOCK_PENDING when the time went by first; then
/// it goes on. The event of the operation belongs to the thread that waits, and goes to `event`
/// (NULL allowed) whatever the code is; `seatlock_client_next_event` shows it to no other thread.
/// Errors of the call itself leave `event` alone: SEATLOCK_ERROR_UNKNOWN_OPERATION,
/// SEATLOCK_ERROR_CLOSED when the client is closed meanwhile. [any thread, blocks]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_wait(
    client: *mut seatlock_client,
    operation: seatlock_operation,
    timeout_ms: u32,
    event: *mut seatlock_event,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, std::ptr::null_mut(), |client| {
            if !event.is_null() {
                boundary::check_struct(event)?;
            }
            let operation = OperationId::from_number(operation);
            let Some(end) = client.wait(operation, Duration::from_millis(timeout_ms.into()))? else {
                return Ok(Code::Pending);
            };
            if !event.is_null() {
                boundary::write_struct(seatlock_event::of(&end), event)?;
            }
            Ok(end.code)
        })
    }
}

/// Answers what a poll loop can watch in place of a wake function: a file descriptor that is
/// readable, on Windows a HANDLE that is signalled, for as long as `seatlock_client_next_event` has
/// something to return. For poll(2), GLib, Qt, asyncio or WaitForMultipleObjects. It is the same in
/// every call and belongs to the client: never read, reset or close it, and take it out of the loop
/// before the client is closed. Errors: SEATLOCK_ERROR_INTERNAL when the operating system refuses
/// one. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_event_handle(
    client: *mut seatlock_client,
    handle: *mut intptr_t,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header.
    unsafe {
        with_client(client, error, |client| {
            let out = boundary::writable(handle)?;
            out.write(client.event_handle()?);
            Ok(Code::Ok)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_name() {
        let long = "x".repeat(100);
        let values =
            [("date", "1795338000"), ("long", &long), ("n", "3\n4"), ("reason", "net_none"), ("z", "")];
        let values: BTreeMap<_, _> = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let bytes = packed::<64>(&values).map(|byte| byte.to_ne_bytes()[0]);
        for (name, value) in [
            ("date", Some("1795338000")),
            ("long", None),
            ("n", Some("3 4")),
            ("reason", Some("net_none")),
            ("z", Some("")),
            ("net_none", None),
            ("", None),
        ] {
            assert_eq!(unpacked(&bytes, name), value.map(str::as_bytes), "{name}");
        }
        assert_eq!(unpacked(&[], "n"), None);
        assert_eq!(unpacked(b"n", "n"), None, "cut off");
        assert_eq!(unpacked(&[b'n'; 64], "n"), None, "without an end");
    }
}
