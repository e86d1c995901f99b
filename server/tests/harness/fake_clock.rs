//! Clocks that are wrong, by Debian's faketime. Elapsed time stays true, so that timeouts do.

use super::{Plugin, Server};
use seatlock_protocol::Code;
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

/// What a clock leads to: nothing, or words of the sentence about it.
pub type Told = Option<&'static str>;

const CALLS: [&str; 5] = ["activate", "ping", "release", "status", "airgap"];

/// Refused, with the sentence where an operator looks for it; or answered.
pub async fn expect(server: &Server<'_>, plugin: &mut Plugin, clock: &str, told: Told) {
    let readiness = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    let (status, headers) = (readiness.status().as_u16(), readiness.headers().clone());
    let text = readiness.text().await.unwrap();
    let Some(words) = told else {
        assert_eq!((status, text.as_str()), (200, "ready\n"), "{clock}");
        let (_, lease) = server.lease("ping", plugin).await;
        assert_eq!(lease.epoch, 1, "{clock}: nobody lost the seat");
        return;
    };
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "5"), "{clock}: {text}");
    assert!(text.contains(words), "{clock}: {text}");
    for call in CALLS {
        let answer = server.call(call, plugin).await;
        let problem = answer.problem();
        assert_eq!(
            (answer.status, problem.code),
            (503, Code::Maintenance),
            "{clock}, {call}: {}",
            answer.body
        );
        assert_eq!(answer.headers["retry-after"], "5", "{clock}, {call}");
        assert!(problem.detail.starts_with("The server's clock is wrong"), "{}", problem.detail);
        assert!(problem.verdict.is_none(), "{clock}, {call}: nothing is signed");
    }
}
