use crate::{Code, Failure};
use std::ffi::{CStr, c_char};
use std::path::Path;

/// Larger sizes are taken for uninitialised memory, not for a struct of a later version.
const LARGEST_STRUCT: u32 = 64 * 1024;

/// As C calls it.
pub(super) type intptr_t = isize;

/// Result of an export's body: a code that is not an error, or a failure.
pub(super) type CallResult = Result<Code, Failure>;

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

/// Borrows bytes, of which there are at most `most`: more stand for a size that was never set.
///
/// # Safety
/// `pointer` is NULL or has `size` readable bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(
    pointer: *const u8,
    size: usize,
    most: usize,
    too_many: &'static str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Err(Failure::of(Code::NullPointer));
    }
    if size > most {
        return Err(Failure::new(Code::InvalidArgument, too_many));
    }
    // SAFETY: not NULL, and `size` bytes by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, size) })
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
) -> CallResult {
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

/// As [`write_text`], for a text that there need not be: [`Code::NoValue`] without one.
///
/// # Safety
/// As [`write_text`].
pub(super) unsafe fn write_optional_text(
    text: Option<&str>,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> CallResult {
    match text {
        // SAFETY: the caller's promise.
        Some(text) => unsafe { write_text(text, buffer, capacity, needed) },
        None => Ok(Code::NoValue),
    }
}

/// A text for a field of fixed size, always NUL-terminated. Of one that is too long the middle is
/// left out, which is that of a path as a rule: what is wrong with it stands at the end.
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
pub(super) unsafe trait VersionedStruct {
    /// Size in the first version of the interface. Structs only grow, at their end.
    const FIRST_SIZE: u32;
}

/// Checks a caller's struct before any work is done, and answers how many bytes of it may be
/// written.
///
/// # Safety
/// `to` is NULL or points to `struct_size` writable bytes.
pub(super) unsafe fn check_struct<T: VersionedStruct>(to: *const T) -> Result<usize, Failure> {
    if to.is_null() {
        return Err(Failure::of(Code::NullPointer));
    }
    // SAFETY: not NULL, and the first member is a `u32` by `VersionedStruct`.
    let size = unsafe { to.cast::<u32>().read() };
    if (T::FIRST_SIZE..=LARGEST_STRUCT).contains(&size) {
        Ok(size_of::<T>().min(size as usize))
    } else {
        Err(Failure::of(Code::StructSize))
    }
}

/// Copies `value` into the caller's struct, as far as the caller's `struct_size` reaches, and says
/// there how much that is.
///
/// # Safety
/// As [`check_struct`].
pub(super) unsafe fn write_struct<T: VersionedStruct>(value: T, to: *mut T) -> CallResult {
    // SAFETY: the caller's promise.
    let size = unsafe { check_struct(to) }?;
    // SAFETY: `size` bytes are writable, `value` has at least as many, and the first four of them are
    // the size.
    unsafe {
        std::ptr::copy_nonoverlapping(std::ptr::from_ref(&value).cast::<u8>(), to.cast::<u8>(), size);
        to.cast::<u32>().write(size as u32);
    }
    Ok(Code::Ok)
}

/// Buffers are as long as they must be and no longer, so that miri, which runs these in
/// `tests/models`, sees a byte too many.
#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::{Layout, alloc, dealloc};
    use std::ptr::{null, null_mut};

    #[test]
    fn texts_are_borrowed_up_to_their_nul() {
        for (what, bytes, expected) in [
            ("as it is", Some(&b"abc\0"[..]), Ok("abc")),
            ("empty", Some(b"\0"), Ok("")),
            ("more behind its NUL", Some(b"ab\0c"), Ok("ab")),
            ("of several bytes", Some("ä€\0".as_bytes()), Ok("ä€")),
            ("Latin-1", Some(b"\xe4\0"), Err(Code::InvalidUtf8)),
            ("cut within a character", Some(b"\xe2\x82\0"), Err(Code::InvalidUtf8)),
            ("NULL", None, Err(Code::NullPointer)),
        ] {
            let bytes: Option<Box<[u8]>> = bytes.map(Into::into);
            let pointer = bytes.as_ref().map_or(null(), |bytes| bytes.as_ptr().cast());
            // SAFETY: NULL, or NUL-terminated and alive until the end of this round.
            let (required, optional) = unsafe { (text(pointer), optional_text(pointer)) };
            assert_eq!(required.map_err(|failure| failure.code), expected, "{what}");
            let or_none = if bytes.is_none() { Ok(None) } else { expected.map(Some) };
            assert_eq!(optional.map_err(|failure| failure.code), or_none, "{what}, if any");
            let file = match expected {
                Ok("") => Err(Code::InvalidArgument),
                expected => expected.map(Path::new),
            };
            // SAFETY: as above.
            assert_eq!(unsafe { path(pointer) }.map_err(|failure| failure.code), file, "{what}, a path");
        }
    }

    #[test]
    fn pointers_are_used_unless_they_are_null() {
        let mut number = Box::new(7);
        let pointer: *mut i32 = &mut *number;
        // SAFETY: NULL, or the only way to a number that lives as long.
        unsafe {
            *reference_mut(pointer).unwrap() += 1;
            assert_eq!(reference(pointer).copied(), Ok(8));
            assert_eq!(reference::<i32>(null()).unwrap_err().code, Code::NullPointer);
            assert_eq!(reference_mut::<i32>(null_mut()).unwrap_err().code, Code::NullPointer);
        }
        assert_eq!(writable(pointer), Ok(pointer));
        assert_eq!(writable::<i32>(null_mut()).unwrap_err().code, Code::NullPointer);
        assert_eq!([0, 1, 2].map(|value| flag(value).ok()), [Some(false), Some(true), None]);
    }

    #[test]
    fn bytes_are_borrowed_as_many_as_may_be() {
        let held: Box<[u8]> = b"\0ab".as_slice().into();
        for (what, pointer, size, expected) in [
            ("as many as there may be", held.as_ptr(), 3, Ok(&b"\0ab"[..])),
            ("fewer", held.as_ptr(), 1, Ok(b"\0")),
            ("none", held.as_ptr(), 0, Ok(b"")),
            ("too many", held.as_ptr(), 4, Err(Code::InvalidArgument)),
            ("a size that was never set", held.as_ptr(), usize::MAX, Err(Code::InvalidArgument)),
            ("NULL", null(), 0, Err(Code::NullPointer)),
        ] {
            // SAFETY: NULL, or three bytes; what says to have more must be refused.
            let borrowed = unsafe { bytes(pointer, size, 3, "that is too much") };
            assert_eq!(borrowed.map_err(|failure| failure.code), expected, "{what}");
        }
    }

    #[test]
    fn a_text_is_written_whole_or_not_at_all() {
        const OLD: u8 = 0x55;
        let (done, short) = (Ok(Code::Ok), Err(Code::BufferTooSmall));
        for (text, capacity, expected, left) in [
            ("abc", 5, done, &b"abc\0\x55"[..]),
            ("abc", 4, done, b"abc\0"),
            ("abc", 3, short, b"\x55\x55\x55"),
            ("abc", 1, short, b"\x55"),
            ("abc", 0, short, b""),
            ("€", 4, done, b"\xe2\x82\xac\0"),
            ("€", 3, short, b"\x55\x55\x55"),
            ("", 1, done, b"\0"),
            ("", 0, short, b""),
        ] {
            for asks in [false, true] {
                let mut buffer = vec![OLD; capacity].into_boxed_slice();
                let at = if capacity == 0 { null_mut() } else { buffer.as_mut_ptr().cast() };
                let mut needed = Box::new(0);
                let size = if asks { &mut *needed } else { null_mut() };
                let text: Box<str> = text.into();
                // SAFETY: `capacity` bytes, or NULL and zero; NULL, or a number.
                let done = unsafe { write_text(&text, at, capacity, size) };
                assert_eq!(done.map_err(|failure| failure.code), expected, "{text:?} in {capacity}");
                assert_eq!(*buffer, *left, "{text:?} in {capacity}");
                assert_eq!(*needed, if asks { text.len() + 1 } else { 0 }, "{text:?}");
            }
        }
        let mut needed = 0;
        // SAFETY: NULL is what is tried.
        let done = unsafe { write_text("abc", null_mut(), 4, &mut needed) };
        assert_eq!((done.unwrap_err().code, needed), (Code::NullPointer, 0));
    }

    #[test]
    fn fixed_texts_are_shortened_between_characters_and_terminated() {
        let bytes = |field: [c_char; 8]| field.map(|c| c.to_ne_bytes()[0]);
        assert_eq!(&bytes(fixed_text("abc")), b"abc\0\0\0\0\0");
        assert_eq!(&bytes(fixed_text("abcdefg")), b"abcdefg\0");
        assert_eq!(&bytes(fixed_text("abcdefghij")), "ab\u{2026}ij\0".as_bytes());
        assert_eq!(&bytes(fixed_text("abcdef€")), "ab\u{2026}\0\0\0".as_bytes());
        assert_eq!(&bytes(fixed_text("€abcdef")), "\u{2026}ef\0\0\0".as_bytes());
    }

    /// A struct that has grown since its first version, which ended after `code`.
    #[repr(C)]
    struct Grown {
        struct_size: u32,
        code: i32,
        at: i64,
        flag: u8,
    }

    // SAFETY: `repr(C)`, and begins with `struct_size: u32`.
    unsafe impl VersionedStruct for Grown {
        const FIRST_SIZE: u32 = 8;
    }

    /// Offers `length` bytes, each of them `OLD`, as a struct that says to have `size`, and tells
    /// what came of it and what stands there then.
    fn offered(length: usize, size: u32) -> (Result<Code, Code>, Vec<u8>) {
        const OLD: u8 = 0x55;
        let layout = Layout::from_size_align(length, align_of::<Grown>()).unwrap();
        // SAFETY: made, filled, read within its length and freed here. What says to be longer than
        // it is must be refused.
        unsafe {
            let memory = alloc(layout);
            assert!(!memory.is_null());
            memory.write_bytes(OLD, length);
            memory.cast::<u32>().write(size);
            let value = Grown { struct_size: 0, code: -7, at: 0x0102_0304_0506_0708, flag: 9 };
            let done = write_struct(value, memory.cast::<Grown>());
            // The bytes after `flag` are of no kind.
            let known = length.min(17);
            let mut bytes = std::slice::from_raw_parts(memory, known).to_vec();
            bytes.extend((size_of::<Grown>()..length).map(|at| memory.add(at).read()));
            dealloc(memory, layout);
            (done.map_err(|failure| failure.code), bytes)
        }
    }

    #[test]
    fn a_struct_is_written_as_far_as_its_caller_knows_it() {
        let whole = |size: u32| {
            let (code, at) = ((-7i32).to_ne_bytes(), 0x0102_0304_0506_0708i64.to_ne_bytes());
            [&size.to_ne_bytes()[..], &code, &at, &[9]].concat()
        };
        for (what, length, expected) in [
            ("of the first version", 8, whole(8)[..8].to_vec()),
            ("between two members", 12, whole(12)[..12].to_vec()),
            ("of a version before", 16, whole(16)[..16].to_vec()),
            ("of this version", 24, whole(24)),
            ("of a version to come", 40, [&whole(24)[..], &[0x55; 16]].concat()),
        ] {
            assert_eq!(offered(length, length as u32), (Ok(Code::Ok), expected), "{what}");
        }
        for size in [0, 7, 64 * 1024 + 1, u32::MAX] {
            let before = [&size.to_ne_bytes()[..], &[0x55; 4]].concat();
            assert_eq!(offered(8, size), (Err(Code::StructSize), before), "{size}");
        }
        // SAFETY: NULL is what is tried.
        let refused = unsafe { check_struct::<Grown>(null()) };
        assert_eq!(refused.unwrap_err().code, Code::NullPointer);
    }
}
