//! A machine that never has a network: its seat comes and goes by files, through the C example and
//! a real server.

use crate::support::Computer;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::{Running, Seat, Setup};

const LOCKED: i32 = 3;

struct Scene {
    plugin: Plugin,
    server: Running,
    seat: Seat,
    /// The memory stick that is carried.
    stick: TempDir,
}

impl Scene {
    fn new(seats: u32, more: &[&str]) -> Self {
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        let server = Running::start_with(&Setup { seats, more, ..Setup::default() }).unwrap();
        let seat = server.create_seat("vault@example.com").unwrap();
        Self { plugin: Plugin::build().unwrap(), server, seat, stick: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stick.path().join(name)
    }

    /// The example on a computer that reaches no server.
    fn on(&self, computer: &Computer) -> Command {
        let mut command = self.plugin.command(&self.server, computer.folder.path());
        command.env("EXAMPLE_SERVER", "https://127.0.0.1:1").env("SEATLOCK_OFFLINE", "1");
        command.env("SEATLOCK_MACHINE_ID", &computer.machine);
        command
    }

    fn plug_in(&self, computer: &Computer, words: &[&str], code: i32) -> String {
        let mut command = self.on(computer);
        let (ended, said) = run::status(command.args(words), Some(&self.seat.token)).unwrap();
        assert_eq!(ended, code, "{words:?}: {said}");
        said
    }

    fn request(&self, computer: &Computer, name: &str) -> PathBuf {
        let path = self.path(name);
        self.plug_in(computer, &["request-file", "-", path.to_str().unwrap()], 0);
        path
    }

    /// Has a request answered, and names the lease file.
    fn signed(&self, request: &Path) -> PathBuf {
        self.server.administer(&["airgap", "sign", request.to_str().unwrap()]).unwrap();
        PathBuf::from(format!("{}.lease", request.display()))
    }

    fn import(&self, computer: &Computer, lease: &Path, code: i32) -> String {
        self.plug_in(computer, &["import-file", lease.to_str().unwrap()], code)
    }

    fn status(&self) -> String {
        let seats = self.server.administer(&["seat", "list", "--json"]).unwrap();
        let seats: Value = serde_json::from_str(&seats).unwrap();
        seats.pointer("/0/lock_status").unwrap().as_str().unwrap().to_owned()
    }
}

fn edited(path: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    let to = path.with_extension("edited");
    fs::write(&to, value.to_string()).unwrap();
    to
}

/// What is kept, but for the small change of a launch: lease, token, renewal secret and request.
fn kept(computer: &Computer) -> BTreeMap<&'static str, Option<Value>> {
    let state = computer.file("state.json").map(|path| fs::read(path).unwrap());
    let state: Value = state.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    let of_the_product = ["lease", "requested", "handed_back"]
        .map(|name| (name, state.pointer(&format!("/state/products/com.example.bridge/{name}")).cloned()));
    let of_the_computer =
        ["token", "key_set", "seats"].map(|name| (name, state.pointer(&format!("/state/{name}")).cloned()));
    of_the_product.into_iter().chain(of_the_computer).collect()
}

#[test]
fn a_machine_without_a_network_takes_a_seat_by_two_files() {
    let scene = Scene::new(3, &["--airgap-ttl", "60d"]);
    let vault = Computer::new("vault-1");
    let request = scene.request(&vault, "request");
    assert!(scene.plug_in(&vault, &["status"], LOCKED).contains("no_token"), "asking changes no right");
    let shown = scene.server.administer(&["airgap", "sign", request.to_str().unwrap(), "--dry-run"]).unwrap();
    let name = scene.plug_in(&vault, &["status"], LOCKED);
    let name = name.lines().find_map(|line| line.strip_prefix("computer")).unwrap().trim();
    assert!(shown.contains(name) && shown.contains("vault@example.com"), "{shown}");
    assert_eq!(scene.status(), "never_used", "a dry run binds nothing");

    let lease = scene.signed(&request);
    assert_eq!(scene.status(), "in_use");
    let said = scene.import(&vault, &lease, 0);
    assert!(said.contains("unlocked (ok)") && said.contains(&scene.seat.id), "{said}");
    assert!(said.contains("vault@example.com"), "whose seat it is, without a network: {said}");
    assert!(scene.plug_in(&vault, &["status"], 0).contains("unlocked (ok)"), "after a restart");
    assert!(scene.import(&vault, &lease, 0).contains("unlocked (ok)"), "twice is as good as once");
    let days = |text: &str| {
        let until = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        (u64::try_from(until).unwrap() - now) / 86_400
    };
    let until = said.lines().find_map(|line| line.strip_prefix("valid until")).unwrap().trim().to_owned();
    assert!((59..=60).contains(&days(&until)), "{until}: the lifetime is set per license");

    let body = scene.seat.token.get(4..34).unwrap();
    for file in [&request, &lease] {
        assert!(!fs::read_to_string(file).unwrap().contains(body), "the token is in {}", file.display());
    }
    assert!(!fs::read_to_string(&request).unwrap().contains("renewal"), "a request carries no secret at all");
    assert!(kept(&vault)["requested"].is_none() && vault.stored_token().is_some());
}

#[test]
fn a_lease_file_is_for_one_machine_one_request_and_one_token() {
    let scene = Scene::new(3, &[]);
    let (vault, other) = (Computer::new("vault-1"), Computer::new("vault-2"));
    let first = scene.signed(&scene.request(&vault, "first"));
    scene.request(&other, "of-the-other");
    let second = scene.request(&vault, "second");
    let forged = |name: &str, value: &str| {
        edited(&first, |file| file[name] = Value::from(value))
            .rename_to(&scene.path(&format!("forged-{name}")))
    };
    let lease_text: Value = serde_json::from_slice(&fs::read(&first).unwrap()).unwrap();
    let lease_text = lease_text["lease"].as_str().unwrap();
    let (head, _) = lease_text.rsplit_once('.').unwrap();
    let unsigned = forged("lease", &format!("{head}.{}", "A".repeat(86)));
    let cut = scene.path("cut");
    fs::write(&cut, &fs::read(&first).unwrap()[..200]).unwrap();
    let changed = forged("renewal", &"A".repeat(54));
    let newer = edited(&first, |file| file["version"] = Value::from(2)).rename_to(&scene.path("newer"));
    let nowhere = scene.path("nowhere");
    // (what, who imports it, the file, code)
    let rows: &[(&str, &Computer, &Path, &str)] = &[
        ("answer to an earlier request", &vault, &first, "file_unusable"),
        ("another machine's", &other, &first, "machine_mismatch"),
        ("signature damaged", &vault, &unsigned, "bad_signature"),
        ("its renewal secret changed", &vault, &changed, "file_unusable"),
        ("the request itself", &vault, &second, "file_unusable"),
        ("cut", &vault, &cut, "file_unusable"),
        ("of a newer release", &vault, &newer, "file_unusable"),
        ("not there", &vault, &nowhere, "file_unusable"),
        ("a folder", &vault, scene.stick.path(), "file_unusable"),
    ];
    for (what, computer, file, code) in rows {
        let before = kept(computer);
        let said = scene.import(computer, file, LOCKED);
        assert!(said.contains(&format!("({code})")), "{what}: {said}");
        assert_eq!(kept(computer), before, "{what}");
    }
    let said = scene.import(&vault, &first, LOCKED);
    assert!(said.contains("does not answer the last request of this computer"), "{said}");
    let third = scene.signed(&scene.request(&vault, "third"));
    assert!(scene.import(&vault, &third, 0).contains("unlocked"), "and the right one still works");
}

trait RenameTo {
    fn rename_to(self, to: &Path) -> PathBuf;
}

impl RenameTo for PathBuf {
    fn rename_to(self, to: &Path) -> PathBuf {
        fs::rename(&self, to).unwrap();
        to.to_owned()
    }
}

#[test]
fn a_confirmation_frees_a_seat_that_its_owner_released_before() {
    let scene = Scene::new(1, &[]);
    let (vault, next) = (Computer::new("vault-1"), Computer::new("vault-2"));
    let lease = scene.signed(&scene.request(&vault, "request"));
    scene.import(&vault, &lease, 0);
    scene.server.administer(&["seat", "release", &scene.seat.id]).unwrap();
    let wanted = scene.request(&next, "next");
    let sign = ["airgap", "sign", wanted.to_str().unwrap()];
    let refused = scene.server.administer(&sign).unwrap_err().to_string();
    assert!(refused.contains("In use on"), "its place is taken until the lease ends: {refused}");
    assert!(!scene.path("next.lease").exists(), "nothing is left of a lease that was not made");

    let out = scene.path("confirmation");
    for _ in 0..2 {
        scene.plug_in(&vault, &["release-file", out.to_str().unwrap()], 0);
        assert!(scene.plug_in(&vault, &["status"], LOCKED).contains("no_token"), "given up at once");
    }
    assert!(vault.stored_lease().is_none() && vault.stored_token().is_none());
    let anywhere =
        vault.files().into_values().any(|bytes| String::from_utf8_lossy(&bytes).contains("\"lease\""));
    assert!(!anywhere, "nor in the previous generation");
    assert!(
        scene.import(&vault, &lease, LOCKED).contains("file_unusable"),
        "the old file does not bring it back"
    );

    let forged = edited(&out, |file| file["request"]["renewal"] = Value::from("AAAAAAAAAAAAAAAAAAAAAA"));
    let release = |file: &Path| scene.server.administer(&["airgap", "release", file.to_str().unwrap()]);
    assert!(release(&forged).unwrap_err().to_string().contains("not by the installation"));
    release(&out).unwrap();
    assert!(release(&out).is_err(), "it counts once");
    assert!(scene.import(&next, &scene.signed(&wanted), 0).contains("unlocked"), "at once");
}

#[test]
fn a_confirmation_releases_a_seat_and_an_old_one_does_not() {
    let scene = Scene::new(3, &[]);
    let vault = Computer::new("vault-1");
    scene.import(&vault, &scene.signed(&scene.request(&vault, "one")), 0);
    let out = scene.path("confirmation");
    scene.plug_in(&vault, &["release-file", out.to_str().unwrap()], 0);
    let lease = scene.signed(&scene.request(&vault, "two"));
    scene.import(&vault, &lease, 0);
    let late =
        scene.server.administer(&["airgap", "release", out.to_str().unwrap()]).unwrap_err().to_string();
    assert!(late.contains("older than the seat's present use"), "{late}");
    assert_eq!(scene.status(), "in_use");
    let again = scene.path("again");
    scene.plug_in(&vault, &["release-file", again.to_str().unwrap()], 0);
    scene.server.administer(&["airgap", "release", again.to_str().unwrap()]).unwrap();
    assert_eq!(scene.status(), "released");
}

#[test]
fn a_request_that_was_answered_twice_can_be_given_back() {
    let scene = Scene::new(1, &[]);
    let vault = Computer::new("vault-1");
    let request = scene.request(&vault, "request");
    let first = scene.signed(&request).rename_to(&scene.path("first"));
    let second = scene.signed(&request).rename_to(&scene.path("second"));
    assert!(scene.import(&vault, &first, 0).contains("unlocked"));
    let before = kept(&vault);
    assert!(scene.import(&vault, &second, 0).contains("unlocked"), "it answers the same request");
    assert_eq!(kept(&vault), before, "and brings nothing new");
    let out = scene.path("confirmation");
    scene.plug_in(&vault, &["release-file", out.to_str().unwrap()], 0);
    scene.server.administer(&["airgap", "release", out.to_str().unwrap()]).unwrap();
    assert_eq!(scene.status(), "released");
}

#[test]
fn without_consent_to_remember_nothing_is_kept() {
    let scene = Scene::new(3, &[]);
    let vault = Computer::new("vault-1");
    let path = scene.path("request");
    let words = ["request-file", "-", path.to_str().unwrap(), "--no-remember"];
    scene.plug_in(&vault, &words, 0);
    assert!(vault.files().is_empty());
    let said = scene.import(&vault, &scene.signed(&path), LOCKED);
    assert!(said.contains("file_unusable"), "the request went with the process: {said}");
    let mut no_terms = scene.on(&vault);
    no_terms.args(["request-file", "-", path.to_str().unwrap(), "--no-terms"]);
    assert!(run::status(&mut no_terms, Some(&scene.seat.token)).unwrap().1.contains("terms_required"));
}
