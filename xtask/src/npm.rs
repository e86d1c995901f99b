use crate::{build, run};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of `from`, with the packages of its `package-lock.json` beside them, in a folder of
/// this name in the target folder. The packages are installed once for each list of them.
///
/// # Errors
/// Node.js or npm is missing, or a package cannot be had.
pub fn install(from: &Path, name: &str) -> Result<PathBuf> {
    let folder = build::target_folder().join(name);
    fs::create_dir_all(&folder)?;
    // Two programs at once must not install into one folder.
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    for entry in fs::read_dir(from)? {
        let file = entry?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
    }
    let (listed, marker) = (fs::read(from.join("package-lock.json"))?, folder.join("installed"));
    if !fs::read(&marker).is_ok_and(|installed| installed == listed) {
        let mut ci = Command::new("npm");
        ci.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        run::tool(&mut ci, "Node.js and npm (Debian: apt-get install nodejs npm)")?;
        fs::write(marker, listed)?;
    }
    Ok(folder)
}
