use std::{io, ptr};
use windows_sys::Win32::{
    Foundation::HMODULE,
    System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    },
};

/// Keeps this library's image mapped until the process ends, even if the host unloads it.
///
/// Rust's standard library registers thread-exit callbacks in the image, and a resolver thread may
/// outlive the last client: unmapping their code would crash the host. `GetModuleHandleExW` with
/// the address of this function and `GET_MODULE_HANDLE_EX_FLAG_PIN`. For the main program it
/// changes nothing. Any thread, any number of times, but not from `DllMain`.
///
/// # Errors
/// The system's error when it does not know the module.
pub fn pin_image() -> io::Result<()> {
    let mut module: HMODULE = ptr::null_mut();
    let address = pin_image as *const u16;
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    // SAFETY: with FROM_ADDRESS the name is an address in the module and is not read; `module` is
    // writable.
    if unsafe { GetModuleHandleExW(flags, address, &raw mut module) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn pinning_twice_is_as_good_as_once() {
        super::pin_image().unwrap();
        super::pin_image().unwrap();
    }
}
