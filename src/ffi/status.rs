use super::boundary;
use super::client::{self, seatlock_client};
use super::code::{self, seatlock_result};
use super::guard::guard;
use super::seconds;
use crate::LockState;

/// Whether a client is licensed. Take a number that you do not know for locked.
pub type seatlock_state = u32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum seatlock_state_value {
    /// The server confirmed the license within its renewal interval.
    SEATLOCK_STATE_UNLOCKED = 1,
    /// The license is valid, but the server was not reached since.
    SEATLOCK_STATE_GRACE = 2,
    /// No valid license; `reason` says why.
    SEATLOCK_STATE_LOCKED = 3,
}

/// What is known of the license at this moment, as plain numbers. Initialise it with
/// SEATLOCK_STATUS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct seatlock_status {
    /// Size of the struct, set by the caller; after a call, how much of it was filled.
    pub struct_size: u32,
    /// Whether there is a license.
    pub state: seatlock_state,
    /// Why it is locked, or SEATLOCK_OK, SEATLOCK_OK_OFFLINE, SEATLOCK_OK_WARN.
    pub reason: seatlock_result,
    /// 1 when the user should be told that the offline period ends soon, else 0.
    pub warn: u32,
    /// Unix seconds at which the license ends unless it is renewed, 0 when locked.
    pub valid_until: i64,
    /// When locked: Unix seconds from which a new try makes sense. Else: when the next ping is due.
    /// 0 when unknown.
    pub next_try: i64,
    /// Unix seconds of the last signed answer of the server, 0 for never.
    pub confirmed_at: i64,
    /// While it is the same as before, nothing has changed but the time.
    pub generation: u64,
}

// SAFETY: `repr(C)`, and begins with `struct_size: u32`.
unsafe impl boundary::VersionedStruct for seatlock_status {
    const FIRST_SIZE: u32 = 48;
}

/// Reads the lock state. Never blocks, never allocates, touches neither disk nor network: call it
/// as often as you like, from a draw callback if need be. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_client_status(
    client: *const seatlock_client,
    status: *mut seatlock_status,
) -> seatlock_result {
    guard(std::ptr::null_mut(), || {
        let client = client::handle(client)?;
        // SAFETY: the caller's promises in the header.
        unsafe { boundary::check_struct(status) }?;
        let now = client.status()?;
        let value = seatlock_status {
            struct_size: 0,
            state: match now.lock_state {
                LockState::Unlocked => seatlock_state_value::SEATLOCK_STATE_UNLOCKED,
                LockState::Grace => seatlock_state_value::SEATLOCK_STATE_GRACE,
                LockState::Locked => seatlock_state_value::SEATLOCK_STATE_LOCKED,
            } as u32,
            reason: code::number(now.reason),
            warn: u32::from(now.warn),
            valid_until: seconds(now.valid_until),
            next_try: seconds(now.next_try),
            confirmed_at: seconds(now.confirmed_at),
            generation: now.generation,
        };
        // SAFETY: as above.
        unsafe { boundary::write_struct(value, status) }
    })
}
