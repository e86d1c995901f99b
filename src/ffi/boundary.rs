use crate::{Code, Failure};
use std::ffi::{CStr, c_char};
use std::path::Path;

/// Larger sizes are taken for uninitialised memory, not for a struct of a later version.
const LARGEST_STRUCT: u32 = 64 * 1024;

/// As C calls it.
pub(super) type intptr_t = isize;

/// Result of an export's body: a code that is not an error, or a failure.
pub(super) type Outcome = Result<Code, Failure>;

/// Borrows a text argument.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated text that lives for `'a`.
pub(super) unsafe fn text<'a>(pointer: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(pointer) }?.ok_or(Failure::of(Code::NullPointer))
}

/// Borrows the path of a file.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn path<'a>(pointer: *const c_char) -> Result<&'a Path, Failure> {
    // SAFETY: the caller's promise.
    match unsafe { text(pointer) }? {
        "" => Err(Failure::new(Code::InvalidArgument, "the path is empty")),
        path => Ok(Path::new(path)),
    }
}

/// Borrows a text argument that may be NULL.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn optional_text<'a>(pointer: *const c_char) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and NUL-terminated by the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|_| Failure::of(Code::InvalidUtf8))
}

/// A switch, which C has no type of its own for.
pub(super) fn flag(value: u32) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::new(Code::InvalidArgument, "a switch is 0 or 1")),
    }
}

/// Borrows what a pointer argument points to.
///
/// # Safety
/// `pointer` is NULL or points to a live `T` of this library.
pub(super) unsafe fn reference<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or(Failure::of(Code::NullPointer))
}

/// Borrows what a pointer argument points to, for change.
///
/// # Safety
/// As [`reference`], and nobody else uses it during the call.
pub(super) unsafe fn reference_mut<'a, T>(pointer: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or(Failure::of(Code::NullPointer))
}

/// Refuses a NULL out parameter before any work is done.
pub(super) fn writable<T>(pointer: *mut T) -> Result<*mut T, Failure> {
    if pointer.is_null() { Err(Failure::of(Code::NullPointer)) } else { Ok(pointer) }
}

/// Copies a text and its NUL into the caller's buffer, or reports the size it needs.
///
/// # Safety
/// `buffer` has `capacity` writable bytes or is NULL with a capacity of zero; `needed` is NULL or
/// writable.
pub(super) unsafe fn write_text(
    text: &str,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> Outcome {
    let size = text.len() + 1;
    if buffer.is_null() && capacity > 0 {
        return Err(Failure::of(Code::NullPointer));
    }
    if !needed.is_null() {
        // SAFETY: not NULL, writable by the caller's promise.
        unsafe { needed.write(size) };
    }
    if capacity < size {
        return Err(Failure::of(Code::BufferTooSmall));
    }
    // SAFETY: the buffer has at least `size` bytes, and a text of ours never overlaps it.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, text.len());
        buffer.add(text.len()).write(0);
    }
    Ok(Code::Ok)
}

/// A text for a field of fixed size, always NUL-terminated. Of one that is too long the middle is left out, which is that
/// of a path as a rule: what is wrong with it stands at the end.
pub(super) fn fixed_text<const N: usize>(text: &str) -> [c_char; N] {
    const LEFT_OUT: &str = "\u{2026}";
    let room = N.saturating_sub(1);
    let half = room.saturating_sub(LEFT_OUT.len()) / 2;
    let (begin, end) =
        (text.floor_char_boundary(half), text.ceil_char_boundary(text.len().saturating_sub(half)));
    let parts = match (text.get(..begin), text.get(end..)) {
        (Some(begin), Some(end)) if text.len() > room => [begin, LEFT_OUT, end],
        _ => [text, "", ""],
    };
    let mut field = [0; N];
    let bytes = parts.into_iter().flat_map(str::bytes).take(room);
    field.iter_mut().zip(bytes).for_each(|(to, byte)| *to = c_char::from_ne_bytes([byte]));
    field
}

/// A struct for the caller begins with its size: what an older caller does not know is not written.
///
/// # Safety
/// Implemented only for `repr(C)` structs whose first member is `struct_size: u32`.
pub(super) unsafe trait Sized32 {
    /// Size in the first version of the interface. Structs only grow, at their end.
    const FIRST_SIZE: u32;
}

/// Checks a caller's struct before any work is done, and answers how many bytes of it may be
/// written.
///
/// # Safety
/// `to` is NULL or points to `struct_size` writable bytes.
pub(super) unsafe fn check_struct<T: Sized32>(to: *const T) -> Result<usize, Failure> {
    if to.is_null() {
        return Err(Failure::of(Code::NullPointer));
    }
    // SAFETY: not NULL, and the first member is a `u32` by `Sized32`.
    let size = unsafe { to.cast::<u32>().read() };
    if (T::FIRST_SIZE..=LARGEST_STRUCT).contains(&size) {
        Ok(size_of::<T>().min(size as usize))
    } else {
        Err(Failure::of(Code::StructSize))
    }
}

/// Copies `value` into the caller's struct, as far as the caller's `struct_size` reaches, and says there how much that is.
///
/// # Safety
/// As [`check_struct`].
pub(super) unsafe fn write_struct<T: Sized32>(value: T, to: *mut T) -> Outcome {
    // SAFETY: the caller's promise.
    let size = unsafe { check_struct(to) }?;
    // SAFETY: `size` bytes are writable, `value` has at least as many, and the first four of them are the size.
    unsafe {
        std::ptr::copy_nonoverlapping(std::ptr::from_ref(&value).cast::<u8>(), to.cast::<u8>(), size);
        to.cast::<u32>().write(size as u32);
    }
    Ok(Code::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_texts_are_shortened_between_characters_and_terminated() {
        let bytes = |field: [c_char; 8]| field.map(|c| c.to_ne_bytes()[0]);
        assert_eq!(&bytes(fixed_text("abc")), b"abc\0\0\0\0\0");
        assert_eq!(&bytes(fixed_text("abcdefg")), b"abcdefg\0");
        assert_eq!(&bytes(fixed_text("abcdefghij")), "ab\u{2026}ij\0".as_bytes());
        assert_eq!(&bytes(fixed_text("abcdef€")), "ab\u{2026}\0\0\0".as_bytes());
        assert_eq!(&bytes(fixed_text("€abcdef")), "\u{2026}ef\0\0\0".as_bytes());
    }
}
