//! Plug-ins of one vendor on one computer, each a product of its own: one token, one seat, one
//! computer.

use crate::support::{AGREED, AGREED_FOR_NOW, Computer, end_of, next_second, standing, until};
use seatlock::{Client, Code, Intent, LockState, Options};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use xtask::server::{Running, Seat, Setup};
use xtask::{build, c, repository};

const MAYA: &str = "com.example.bridge";
const BLENDER: &str = "com.example.blender";
const UNREAL: &str = "com.example.unreal";

/// A server that refuses copies, with a license for two of the three products.
fn server() -> Running {
    let more = ["--product", BLENDER, "--clone-policy", "enforce", "--release-window", "1s"];
    let more = [&more[..], &["--entitlement", "export.max=25@2099-12-31"]].concat();
    let more = more.into_iter().map(str::to_owned).collect();
    Running::start_with(&Setup { seats: 40, more, ..Setup::without_token_limit() }).unwrap()
}

fn seat_of(server: &Running, seat: &Seat) -> serde_json::Value {
    let seats = server.administer(&["seat", "list", "--json"]).unwrap();
    let seats: serde_json::Value = serde_json::from_str(&seats).unwrap();
    seats.as_array().unwrap().iter().find(|row| row["id"] == seat.id.as_str()).unwrap().clone()
}

/// How often something stands in the audit trail.
fn audited(server: &Running, event: &str) -> usize {
    server.administer(&["audit"]).unwrap().matches(event).count()
}

/// A plug-in in a process of its own.
struct PlugIn {
    process: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl PlugIn {
    fn start(program: &Path, server: &Running, computer: &Computer, product: &str) -> Self {
        let mut command = Command::new(program);
        command.args([server.url().as_str(), server.issuer(), server.root_key()]);
        command.arg(computer.folder.path()).arg(product).env_remove("SEATLOCK_MACHINE_ID");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, said) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, orders, said: BufReader::new(said) }
    }

    fn does(&mut self, word: &str) -> String {
        writeln!(self.orders, "{word}").unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for PlugIn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The one in C, and the one in C++; where there is no C++ compiler, that in C twice.
fn programs(folder: &Path) -> [std::path::PathBuf; 2] {
    let link = c::link_with(&build::shared_library(false).unwrap()).unwrap();
    let include = repository().join("include");
    let flags = |warnings: &[&'static str]| -> Vec<&str> {
        warnings.iter().copied().chain(link.iter().map(String::as_str)).collect()
    };
    let (maya, blender) = (folder.join("maya"), folder.join("blender"));
    let source = repository().join("tests/c/maya.c");
    c::compile(&[&source], &[&include], &maya, &flags(c::C_WARNINGS)).unwrap();
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if Command::new(compiler).arg("--version").output().is_err() {
        return [maya.clone(), maya];
    }
    let source = repository().join("tests/c/blender.cpp");
    c::cxx(&[&source], &[&include], &blender, &flags(c::CXX_WARNINGS)).unwrap();
    [maya, blender]
}

#[test]
fn the_second_plug_in_starts_licensed_and_a_release_in_one_is_noticed_by_the_other() {
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("family");
    let [in_c, in_cxx] = programs(folder.path());

    let mut maya = PlugIn::start(&in_c, &server, &computer, MAYA);
    let (nothing, limit) = ("export.max -1 until 0, terms -, no token", "export.max 25 until 4102358400");
    let licensed = format!("{limit}, terms 2026-01, remembered");
    assert_eq!(maya.does("ping"), "not_activated: locked (no_token)");
    assert_eq!(maya.does("license"), nothing);
    assert_eq!(maya.does(&seat.token), "ok: licensed (ok)");
    assert_eq!(maya.does("license"), licensed);
    let mut blender = PlugIn::start(&in_cxx, &server, &computer, BLENDER);
    assert_eq!(blender.does("status"), "ok: locked (lease_expired)", "connect once");
    assert_eq!(blender.does("license"), "export.max -1 until 0, terms -, remembered");
    assert_eq!(blender.does("ping"), "ok: licensed (ok)", "no token was typed");
    for _ in 0..3 {
        assert_eq!(maya.does("ping"), "ok: licensed (ok)");
        assert_eq!(blender.does("ping"), "ok: licensed (ok)");
    }
    // Started again, with the lease that is on disk.
    blender = PlugIn::start(&in_cxx, &server, &computer, BLENDER);
    assert_eq!(blender.does("status"), "ok: licensed (ok)");
    assert_eq!(blender.does("license"), licensed);
    assert_eq!(seat_of(&server, &seat)["lock_status"], "in_use");
    assert_eq!(audited(&server, "activated"), 1, "one computer has the seat");
    assert_eq!(audited(&server, "clone_suspected"), 0, "two plug-ins are no copies");
    assert_eq!(computer.files().keys().filter(|path| path.ends_with("state.json")).count(), 1);

    assert_eq!(maya.does("release"), "ok: locked (no_token)");
    assert_eq!(maya.does("license"), nothing);
    assert_ne!(seat_of(&server, &seat)["lock_status"], "in_use");
    assert_eq!(blender.does("ping"), "not_activated: locked (no_token)", "noticed");
    let text: String =
        computer.files().into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert!(!text.contains(&seat.token) && !text.contains("\"lease\""), "{text}");

    next_second();
    assert_eq!(blender.does(&seat.token), "ok: licensed (ok)");
    assert_eq!(maya.does("ping"), "ok: licensed (ok)", "entering it once is enough, wherever");
    assert_eq!(blender.does("forget"), "ok: locked (no_token)");
    assert_eq!(maya.does("ping"), "not_activated: locked (no_token)", "forgotten is forgotten by all");
}

fn options(server: &Running, computer: &Computer, product: &str) -> Options {
    let mut options = computer.options(server);
    options.set_product(product).unwrap();
    options.set_family("com.example").unwrap();
    options
}

fn open(server: &Running, computer: &Computer, product: &str) -> Client {
    Client::open(&options(server, computer, product)).unwrap()
}

/// Two plug-ins of a family that are licensed.
fn two(server: &Running, name: &str) -> (Computer, Seat, Client, Client) {
    let (computer, seat) = (Computer::new(name), server.create_seat("artist@example.com").unwrap());
    let (maya, blender) = (open(server, &computer, MAYA), open(server, &computer, BLENDER));
    assert_eq!(end_of(&maya, maya.activate(&seat.token, AGREED)).code, Code::Ok);
    // Opened before there was a token, it finds that.
    until("the other one finds the token", || {
        end_of(&blender, blender.ping(Intent::Launch)).code == Code::Ok
    });
    assert_eq!(standing(&blender), (LockState::Unlocked, Code::Ok));
    (computer, seat, maya, blender)
}

#[test]
fn what_ends_the_license_of_one_ends_that_of_the_others() {
    let server = server();
    type End = fn(&Running, &Seat, &Client);
    // (what, how it ends, whether the other one is told by the file)
    let ends: [(&str, End, bool); 5] = [
        ("release", |_, _, maya| assert_eq!(end_of(maya, maya.release()).code, Code::Ok), true),
        ("forget", |_, _, maya| assert_eq!(end_of(maya, maya.forget()).code, Code::Ok), true),
        (
            "not to be remembered",
            |_, seat, maya| {
                assert_eq!(end_of(maya, maya.activate(&seat.token, AGREED_FOR_NOW)).code, Code::Ok);
            },
            true,
        ),
        (
            "released by its owner",
            |server, seat, _| drop(server.administer(&["seat", "release", &seat.id]).unwrap()),
            false,
        ),
        (
            "revoked",
            |server, seat, _| drop(server.administer(&["seat", "revoke", &seat.id, "--yes"]).unwrap()),
            false,
        ),
    ];
    for (what, end, by_the_file) in ends {
        let (computer, seat, maya, blender) = two(&server, &what.replace(' ', "-"));
        next_second();
        next_second();
        end(&server, &seat, &maya);
        assert_eq!(standing(&blender).0, LockState::Unlocked, "{what}: not yet");
        if by_the_file {
            computer.time.advance(Duration::from_secs(61));
            until(what, || standing(&blender) == (LockState::Locked, Code::NoToken));
            let blender = open(&server, &computer, BLENDER);
            assert_eq!(standing(&blender), (LockState::Locked, Code::NoToken), "{what}: at the next start");
        } else {
            let code = end_of(&blender, blender.ping(Intent::Renew)).code;
            assert_eq!(code, Code::Ok, "{what}: it is not due");
            let expected = if what == "revoked" { Code::TokenRevoked } else { Code::Ok };
            assert_eq!(
                end_of(&blender, blender.ping(Intent::Launch)).code,
                expected,
                "{what}: launched again"
            );
        }
        assert_eq!(audited(&server, "clone_suspected"), 0, "{what}");
    }
}

/// Entering the token once is enough, also where the host never pings.
#[test]
fn automatic_renewal_takes_the_first_lease_of_a_product_too() {
    let server = server();
    let (computer, seat) = (Computer::new("by-itself"), server.create_seat("artist@example.com").unwrap());
    let maya = open(&server, &computer, MAYA);
    let by_itself = |product: &str| {
        let mut options = options(&server, &computer, product);
        options.set_auto_renew(true);
        Client::open(&options).unwrap()
    };
    let blender = by_itself(BLENDER);
    computer.time.advance(Duration::from_secs(61));
    assert_eq!(end_of(&maya, maya.activate(&seat.token, AGREED)).code, Code::Ok);
    computer.time.advance(Duration::from_secs(61));
    until("it was open already", || standing(&blender) == (LockState::Unlocked, Code::Ok));
    let unreal = by_itself(UNREAL);
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        computer.time.advance(Duration::from_secs(61));
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(standing(&unreal).0, LockState::Locked, "it is not in the license");
    let refused = server.log().matches("code=plan_not_entitled").count();
    assert!((1..=4).contains(&refused), "and asks ever less often: {refused}");
    assert_eq!(audited(&server, "activated"), 1, "the seat was taken once");
}

#[test]
fn a_product_that_the_license_has_not_harms_nobody() {
    let server = server();
    let (computer, seat, maya, blender) = two(&server, "third");
    let unreal = open(&server, &computer, UNREAL);
    assert_eq!(end_of(&unreal, unreal.ping(Intent::Launch)).code, Code::PlanNotEntitled);
    assert_eq!(standing(&unreal).0, LockState::Locked);
    for client in [&maya, &blender] {
        assert_eq!(end_of(client, client.ping(Intent::Launch)).code, Code::Ok);
    }
    // Without a family each product is a computer of its own to the server.
    let mut options = computer.options(&server);
    options.set_product(BLENDER).unwrap();
    let alone = Client::open(&options).unwrap();
    let event = end_of(&alone, alone.activate(&seat.token, AGREED));
    assert_eq!(event.code, Code::SeatInUseElsewhere, "{}", event.message);
    assert_eq!(standing(&maya).0, LockState::Unlocked);
}

#[test]
fn a_token_that_is_entered_in_one_takes_the_others_along() {
    let server = server();
    let (computer, _, maya, blender) = two(&server, "another-token");
    let other = server.create_seat("other@example.com").unwrap();
    assert_eq!(end_of(&maya, maya.activate(&other.token, AGREED)).code, Code::Ok);
    computer.time.advance(Duration::from_secs(61));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(standing(&blender).0, LockState::Unlocked, "its lease goes on");
    assert_eq!(end_of(&blender, blender.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(
        blender.text(seatlock::Text::Seat).unwrap().unwrap(),
        other.id,
        "with the seat of the new token"
    );
}
