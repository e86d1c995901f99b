use super::boundary;
use super::code::{number, seatlock_result};
use super::error::seatlock_error;
use super::guard::guard;
use crate::{Code, Failure};
use std::ffi::c_char;

fn row(number: i32) -> Option<&'static CStrings> {
    TEXTS.iter().find(|texts| texts.number == number)
}

/// The table's texts with a NUL at the end, made once; constants for the life of the library.
static TEXTS: once_cell::sync::Lazy<Vec<CStrings>> =
    once_cell::sync::Lazy::new(|| Code::TABLE.iter().map(CStrings::of).collect());

struct CStrings {
    number: i32,
    name: String,
    text: String,
    remedy: String,
    url: String,
}

impl CStrings {
    fn of(row: &crate::protocol::code::Row) -> Self {
        let terminated = |text: &str| format!("{text}\0");
        Self {
            number: number(row.code),
            name: terminated(row.name),
            text: terminated(row.text),
            remedy: terminated(row.remedy),
            url: terminated(row.url),
        }
    }
}

fn static_text(number: i32, pick: fn(&CStrings) -> &str) -> *const c_char {
    let look_up = || row(number).map_or(c"unknown".as_ptr(), |texts| pick(texts).as_ptr().cast());
    std::panic::catch_unwind(look_up).unwrap_or(c"unknown".as_ptr())
}

/// Version of the library that is loaded, such as "0.1.0". Static, never NULL. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// ABI number of the library that is loaded; compare it with SEATLOCK_ABI_VERSION. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_abi_version() -> u32 {
    1
}

/// Name of a code, such as "seat_limit_reached", for logs. Static, never NULL; "unknown" for a
/// number that is not a code. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_code_name(code: seatlock_result) -> *const c_char {
    static_text(code, |texts| &texts.name)
}

/// What to tell a user of a code, with blanks such as {date} not filled; events carry the filled
/// text. Static UTF-8, never NULL. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_code_text(code: seatlock_result) -> *const c_char {
    static_text(code, |texts| &texts.text)
}

/// What a user can do about a code. Static UTF-8, never NULL. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_code_remedy(code: seatlock_result) -> *const c_char {
    static_text(code, |texts| &texts.remedy)
}

/// Address of the page that explains a code; the server's answers name the same one. Static, never
/// NULL; "unknown" for a number that is not a code. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_code_url(code: seatlock_result) -> *const c_char {
    static_text(code, |texts| &texts.url)
}

/// How many codes this library has, for tables of them, such as a translator's. [any thread]
#[unsafe(no_mangle)]
pub extern "C" fn seatlock_code_count() -> u32 {
    Code::TABLE.len() as u32
}

/// Answers one of the `seatlock_code_count` codes: SEATLOCK_OK first, errors after what is none.
/// Errors: SEATLOCK_ERROR_INVALID_ARGUMENT when `index` is not below the count. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_code_at(index: u32, code: *mut seatlock_result) -> seatlock_result {
    guard(std::ptr::null_mut(), || {
        let out = boundary::writable(code)?;
        let row = usize::try_from(index).ok().and_then(|index| Code::TABLE.get(index));
        let row = row.ok_or(Failure::of(Code::InvalidArgument))?;
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { out.write(number(row.code)) };
        Ok(Code::Ok)
    })
}

/// Derives this computer's machine id for `product`, or for the family that it belongs to, without
/// a client, file or network: "m1_" and 43 characters.
///
/// `supplied` may be NULL; otherwise it is used in place of the operating system's identifier, as
/// `seatlock_options_set_machine_id` would. The environment variable SEATLOCK_MACHINE_ID comes
/// before both. The text, with its NUL, goes to `buffer`; `needed` (NULL allowed) receives its
/// size. Errors: SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE, SEATLOCK_ERROR_INVALID_ARGUMENT,
/// SEATLOCK_ERROR_BUFFER_TOO_SMALL. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seatlock_machine_id(
    product: *const c_char,
    supplied: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    error: *mut seatlock_error,
) -> seatlock_result {
    // SAFETY: the caller's promises in the header: texts end with NUL, the buffer has `capacity` bytes.
    guard(error, || unsafe {
        let product = boundary::text(product)?;
        let supplied = boundary::optional_text(supplied)?;
        let identity = crate::machine_identity(product, supplied)?;
        boundary::write_text(identity.id.as_str(), buffer, capacity, needed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn every_number_has_a_text_and_others_are_unknown() {
        // SAFETY: the functions answer static texts that end with NUL.
        let read = |pointer| unsafe { CStr::from_ptr(pointer) }.to_str().unwrap();
        for row in Code::TABLE {
            assert_eq!(read(seatlock_code_name(number(row.code))), row.name);
            assert_eq!(read(seatlock_code_text(number(row.code))), row.text);
            assert_eq!(read(seatlock_code_remedy(number(row.code))), row.remedy);
            assert_eq!(read(seatlock_code_url(number(row.code))), row.url);
        }
        for other in [8, 9, -1, i32::MIN, i32::MAX] {
            assert_eq!(read(seatlock_code_name(other)), "unknown");
        }
        let at = |index| {
            let mut code = 77;
            // SAFETY: `code` is writable.
            let found = unsafe { seatlock_code_at(index, &raw mut code) };
            (found, code)
        };
        let count = seatlock_code_count();
        assert!((0..count).map(at).eq(Code::TABLE.iter().map(|row| (0, number(row.code)))));
        assert_eq!(at(count), (number(Code::InvalidArgument), 77));
    }
}
