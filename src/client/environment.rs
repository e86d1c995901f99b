use std::path::PathBuf;

/// What the person who runs the host decides comes before what the plug-in says: `SEATLOCK_MACHINE_ID`. Empty counts
/// as not set.
pub(super) fn machine_id(option: Option<&str>) -> Option<String> {
    let set = std::env::var("SEATLOCK_MACHINE_ID").ok().filter(|id| !id.is_empty());
    set.or_else(|| option.map(str::to_owned))
}

/// `SEATLOCK_STATE_DIR`, an absolute path. A relative one would depend on where the host was started, and is ignored.
pub(super) fn state_folder(option: Option<PathBuf>) -> Option<PathBuf> {
    std::env::var_os("SEATLOCK_STATE_DIR").map(PathBuf::from).filter(|path| path.is_absolute()).or(option)
}
