use super::boundary;
use super::code::{self, seatlock_result};
use super::seconds;
use crate::Failure;
use std::ffi::c_char;

/// Detail of a failed call, in memory of the caller. Initialise it with SEATLOCK_ERROR_INIT.
/// Untouched on success. Never holds a token.
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
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_error {
    const FIRST_SIZE: u32 = 536;
}

impl seatlock_error {
    /// Fills the caller's struct. A wrong `struct_size` leaves it alone: there is nowhere to
    /// complain to.
    ///
    /// # Safety
    /// `to` is NULL or points to `struct_size` writable bytes.
    pub(super) unsafe fn fill(to: *mut Self, failure: &Failure) {
        let value = Self {
            struct_size: 0,
            code: code::number(failure.code),
            http_status: failure.http_status.map_or(0, u32::from),
            reserved: 0,
            available_at: seconds(failure.available_at),
            message: boundary::fixed_text(&failure.to_string()),
        };
        // SAFETY: the caller's promise above; write_struct checks NULL and the size.
        let _ = unsafe { boundary::write_struct(value, to) };
    }
}
