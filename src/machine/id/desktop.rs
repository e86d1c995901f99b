use super::{Answer, Refusal};

/// The `os_tag` under which ids are derived.
pub const OS_TAG: &str = if cfg!(windows) { "windows" } else { "macos" };

const PLACE: &str = if cfg!(windows) {
    "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\\MachineGuid"
} else {
    "gethostuuid"
};

/// What `machine-uid` answers: on Windows the `MachineGuid` of the 64-bit registry view, also for a
/// 32-bit host (`KEY_WOW64_64KEY`); on macOS gethostuuid(3), a system call. Neither starts a
/// process.
pub fn answers() -> impl Iterator<Item = Answer> {
    std::iter::once_with(|| (PLACE, machine_uid::get().map_err(|error| Refusal::of(&*error))))
}
