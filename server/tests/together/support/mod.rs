//! What the tests of library and server share: clients of a real server, with a machine and a
//! folder of their own.

/// Runs docs/operations.md.
#[cfg(unix)]
pub mod operations;

use seatlock::machine::clock::{Clock, Shift};
use seatlock::{Client, Code, Consent, Event, Failure, LockState, OperationId, Options};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use xtask::server::Running;

/// Longest wait for an operation. Far beyond the library's own limits, because tests share the
/// computer with builds.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const AGREED: Consent = Consent { terms: true, remember: true };
pub const AGREED_FOR_NOW: Consent = Consent { terms: true, remember: false };

/// A computer of its own: a machine id and a state folder.
pub struct Computer {
    pub folder: TempDir,
    pub machine: String,
    /// Lets time pass for the clients that are opened here.
    pub time: Shift,
}

impl Computer {
    pub fn new(name: &str) -> Self {
        let (folder, time) = (tempfile::tempdir().unwrap(), Shift::default());
        Self { folder, machine: format!("test-computer-{name}"), time }
    }

    pub fn options(&self, server: &Running) -> Options {
        self.options_for(&server.url(), server.issuer(), server.root_key())
    }

    pub fn options_for(&self, url: &str, issuer: &str, root_key: &str) -> Options {
        let mut options = Options::new();
        options.set_product("com.example.bridge").unwrap();
        options.set_server(url).unwrap();
        options.set_license_issuer(issuer).unwrap();
        options.add_root_key(root_key).unwrap();
        options.set_state_folder(self.folder.path().to_str().unwrap()).unwrap();
        options.set_machine_id(&self.machine).unwrap();
        options.set_terms("2026-01").unwrap();
        options.set_clock(Clock::from(&self.time));
        options
    }

    /// Another virtual machine made of a copy of this one: the same machine id, the same files.
    pub fn cloned(&self) -> Self {
        let (folder, time) = (tempfile::tempdir().unwrap(), self.time.clone());
        let copy = Self { folder, machine: self.machine.clone(), time };
        for (path, bytes) in self.files() {
            let to = copy.folder.path().join(path.strip_prefix(self.folder.path()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, bytes).unwrap();
            fs::set_permissions(&to, fs::metadata(&path).unwrap().permissions()).unwrap();
        }
        copy
    }

    pub fn open(&self, server: &Running) -> Client {
        Client::open(&self.options(server)).unwrap()
    }

    /// Every file below the state folder, by its path in it.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), &mut found);
        found
    }

    /// The file with this name, wherever it is below the state folder.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.files().into_keys().find(|path| path.ends_with(name))
    }

    /// The stored lease, as it was signed.
    pub fn stored_lease(&self) -> Option<String> {
        self.stored("/state/products/com.example.bridge/lease")
    }

    /// The remembered token.
    pub fn stored_token(&self) -> Option<String> {
        self.stored("/state/token")
    }

    /// A text in the state file.
    pub fn stored(&self, pointer: &str) -> Option<String> {
        let state = fs::read(self.file("state.json")?).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        Some(state.pointer(pointer)?.as_str().unwrap().to_owned())
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            collect(&entry.path(), found);
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap_or_default());
        }
    }
}

/// Lock state and its reason.
pub fn standing(client: &Client) -> (LockState, Code) {
    let status = client.status().unwrap();
    (status.lock_state, status.reason)
}

/// Waits for the end of an operation.
pub fn end_of(client: &Client, started: Result<OperationId, Failure>) -> Event {
    client.wait(started.unwrap(), PATIENCE).unwrap().expect("the operation ended in time")
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the server's clock, which is this computer's, shows another second: of a lease and a
/// verdict of the same one the verdict holds, and nobody types that fast.
pub fn next_second() {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let before = second();
    until("the next second", || second() != before);
}
