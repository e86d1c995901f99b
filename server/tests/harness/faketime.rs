//! Clocks that are wrong, by Debian's faketime. Elapsed time stays true, so that timeouts do.

use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// A clock that programs see, and that can be changed while they run.
pub struct FakeClock {
    folder: TempDir,
    library: String,
}

impl FakeClock {
    /// A clock that is right.
    pub fn new() -> Self {
        let library = Command::new("faketime").args(["-f", "+0", "sh", "-c", "echo $LD_PRELOAD"]).output();
        let library = library.expect("this needs faketime (Debian: apt-get install faketime)").stdout;
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
            library: String::from_utf8(library).unwrap().trim().to_owned(),
        };
        // A database runs as another user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(clock.folder.path(), mode).unwrap();
        clock.set("+0");
        clock
    }

    /// As faketime takes it: `+365d`, `-1d`, `-4m`.
    pub fn set(&self, offset: &str) {
        // In one step: nobody reads half of it.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// For the programs that are to see it.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().to_str().unwrap().to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
