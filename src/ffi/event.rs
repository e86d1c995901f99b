use super::boundary;
use super::client::{seatlock_client, with_client};
use super::code::{self, seatlock_result};
use super::operation::seatlock_operation;
use crate::{Code, Event, EventKind, OperationId};
use std::ffi::c_char;
use std::time::Duration;

/// Kind of an event. Ignore kinds that you do not know: later versions may add some.
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
    /// One or more sentences for a person: UTF-8, NUL-terminated. Never holds a token.
    pub message: [c_char; 512],
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::Sized32 for seatlock_event {
    const FIRST_SIZE: u32 = 544;
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
            available_at: event.available_at.map_or(0, |time| time.seconds()),
            message: boundary::fixed_text(&event.message),
        }
    }
}

/// Fills the caller's struct, or says that there is nothing.
///
/// # Safety
/// As [`boundary::write_struct`].
unsafe fn hand_over(taken: Option<Event>, event: *mut seatlock_event) -> boundary::Outcome {
    match taken {
        // SAFETY: the caller's promise.
        Some(taken) => unsafe { boundary::write_struct(seatlock_event::of(&taken), event) },
        None => Ok(Code::Nothing),
    }
}

/// Takes the oldest event. A timeout of 0 never blocks: call it so from a timer of the host until
/// it returns SEATLOCK_NOTHING. Of events that nobody takes the newest 256 are kept.
/// [any thread, blocks]
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
            hand_over(client.next_event(Duration::from_millis(timeout_ms.into()))?, event)
        })
    }
}

/// Waits until an operation has ended and takes its event, which `seatlock_client_next_event` then
/// never shows. An event is taken once: while one thread waits here, no other should take events.
/// For programs without a UI thread. SEATLOCK_NOTHING when the time went by first. Errors:
/// SEATLOCK_ERROR_UNKNOWN_OPERATION. [any thread, blocks]
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
            boundary::check_struct(event)?;
            let operation = OperationId::from_number(operation);
            hand_over(client.wait(operation, Duration::from_millis(timeout_ms.into()))?, event)
        })
    }
}
