use std::{
    ffi::{CStr, c_void},
    io,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, Ordering},
};

/// Keeps this library's image mapped until the process ends, even if the host unloads it.
///
/// Rust's standard library registers thread-exit destructors in the image, and a resolver thread
/// may outlive the last client: unmapping their code would crash the host. Finds the image by
/// dladdr(3) and opens it once more by dlopen(3) with `RTLD_NOLOAD | RTLD_NODELETE`. Where the
/// library is linked into the main program there is nothing to pin. Any thread, any number of
/// times; the work is done once per process.
///
/// # Errors
/// The loader's own words, when it does not know the image that this code runs in.
pub fn pin_image() -> io::Result<()> {
    static PINNED: AtomicBool = AtomicBool::new(false);
    // Two threads that get here together pin it twice, which does no harm.
    if !PINNED.load(Ordering::Relaxed) {
        pin_image_of(pin_image as *const c_void)?;
        PINNED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

fn pin_image_of(code: *const c_void) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `code` is only looked up, never followed; `info` is writable.
    let found = unsafe { libc::dladdr(code, info.as_mut_ptr()) };
    if found == 0 && has_no_loader() {
        return Ok(());
    }
    if found == 0 {
        return Err(io::Error::other("the loader does not know the image of this library"));
    }
    // SAFETY: dladdr answered non-zero, so it filled the structure.
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() || is_main_program(&info) {
        return Ok(());
    }
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name is the loader's own, NUL-terminated, and valid while the image is loaded, which
    // it is: this code runs in it. NOLOAD runs no initializer. The handle is kept for ever on
    // purpose: a loader that ignores NODELETE still sees one more reference.
    let handle = unsafe { libc::dlopen(info.dli_fname, flags) };
    if handle.is_null() { Err(loader_error()) } else { Ok(()) }
}

/// A program that is linked statically has no loader, and musl's dladdr knows nothing in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_no_loader() -> bool {
    // SAFETY: getauxval has no preconditions; AT_BASE is where the loader lies, or zero.
    unsafe { libc::getauxval(libc::AT_BASE) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_no_loader() -> bool {
    false
}

/// dladdr calls the main program by the text of its command line, which dlopen may not find again.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_main_program(info: &libc::Dl_info) -> bool {
    // SAFETY: getauxval has no preconditions and answers zero for an unknown entry.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as *const c_void;
    let mut main = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `headers` is only looked up, never followed; `main` is writable and read only when it was
    // filled.
    unsafe {
        !headers.is_null()
            && libc::dladdr(headers, main.as_mut_ptr()) != 0
            && main.assume_init().dli_fbase == info.dli_fbase
    }
}

/// A Mach-O image says itself whether it is a main program: the fourth word of its header,
/// `MH_EXECUTE`.
#[cfg(target_vendor = "apple")]
fn is_main_program(info: &libc::Dl_info) -> bool {
    const MH_EXECUTE: u32 = 2;
    let header = info.dli_fbase.cast::<u32>();
    // SAFETY: dladdr gives the address of the image's mach header, which is mapped, aligned and longer
    // than 16 bytes.
    !header.is_null() && unsafe { header.add(3).read() } == MH_EXECUTE
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn is_main_program(_info: &libc::Dl_info) -> bool {
    false
}

fn loader_error() -> io::Error {
    // SAFETY: the text belongs to the calling thread until its next dl call, and is copied before that.
    let text = unsafe {
        let text = libc::dlerror();
        if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
    };
    io::Error::other(text.unwrap_or_else(|| "the library cannot be pinned".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinning_the_main_program_does_nothing_and_twice_is_as_good_as_once() {
        pin_image().unwrap();
        pin_image().unwrap();
    }

    #[test]
    fn a_shared_library_is_pinned_and_a_foreign_address_refused() {
        pin_image_of(libc::getpid as *const c_void).unwrap();
        let here = 0u8;
        assert!(pin_image_of((&raw const here).cast()).is_err(), "the stack belongs to no image");
    }
}
