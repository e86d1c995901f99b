use super::boundary;
use super::code::{self, seatlock_result};
use super::seconds;
use crate::Failure;
use std::ffi::c_char;

/// Detail of a failed call, in memory of the caller. Initialise it with SEATLOCK_ERROR_INIT.
/// Untouched on success. Never holds a token.
///
/// Who wants long messages whole, such as those that name a path, hands over a buffer of their own
/// with it: `error.buffer = whole; error.capacity = sizeof whole;`. One that is too small is left
/// alone, and `message` has the shortened text in any case.
#[repr(C)]
pub struct seatlock_error {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// The code that the function returned.
    pub code: seatlock_result,
    /// HTTP status that was received, 0 for none.
    pub http_status: u32,
    /// Always 0.
    pub reserved: u32,
    /// Unix seconds from which a new try makes sense, 0 when unknown.
    pub available_at: i64,
    /// One or more sentences for a person: UTF-8, always NUL-terminated. Where a long path leaves
    /// no room, its middle is left out.
    pub message: [c_char; 512],
    /// Where the whole message is to go, NULL for nowhere. Set by the caller.
    pub buffer: *mut c_char,
    /// Size of that buffer. Set by the caller.
    pub capacity: usize,
    /// Size of the whole message, with its NUL.
    pub needed: usize,
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_error {
    const FIRST_SIZE: u32 = size_of::<Self>() as u32;
}

impl seatlock_error {
    /// Fills the caller's struct. A wrong `struct_size` leaves it alone: there is nowhere to
    /// complain to.
    ///
    /// # Safety
    /// `to` is NULL or points to `struct_size` writable bytes, which name a buffer of theirs or
    /// NULL.
    pub(super) unsafe fn fill(to: *mut Self, failure: &Failure) {
        // SAFETY: the caller's promise; what is as large as this struct has all its members.
        let (buffer, capacity) = unsafe {
            if boundary::check_struct(to).is_err() {
                return;
            }
            ((*to).buffer, (*to).capacity)
        };
        let message = failure.to_string();
        // SAFETY: the caller's promise.
        let _ = unsafe { boundary::write_text(&message, buffer, capacity, std::ptr::null_mut()) };
        let value = Self {
            struct_size: 0,
            code: code::number(failure.code),
            http_status: failure.http_status.map_or(0, u32::from),
            reserved: 0,
            available_at: seconds(failure.available_at),
            message: boundary::fixed_text(&message),
            buffer,
            capacity,
            needed: message.len() + 1,
        };
        // SAFETY: the caller's promise above.
        let _ = unsafe { boundary::write_struct(value, to) };
    }
}
