//! Giving a license up ends with "ok" only when it is off the disk, and the server is not told
//! before it can be.

use crate::support::{AGREED, AGREED_FOR_NOW, Computer, end_of, next_second, standing};
use seatlock::{Client, Code, Failure, Intent, LockState, OperationId};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::server::{Running, Seat, Setup};

/// Something that keeps files from being taken away: how it comes, and how it goes. What this
/// computer does not know, or forbids, does not come.
struct Obstacle {
    name: &'static str,
    put: fn(&Path) -> bool,
    take: fn(&Path),
}

fn away(folder: &Path) -> PathBuf {
    folder.with_extension("away")
}

fn mode(folder: &Path, mode: &str) {
    assert!(Command::new("chmod").arg(mode).arg(folder).status().unwrap().success());
}

fn flagged(file: &Path, flag: &str) -> bool {
    Command::new("chattr").arg(flag).arg(file).output().is_ok_and(|done| done.status.success())
}

const OBSTACLES: [Obstacle; 6] = [
    Obstacle {
        name: "the disk went away",
        put: |folder| fs::rename(folder, away(folder)).is_ok(),
        take: |folder| fs::rename(away(folder), folder).unwrap(),
    },
    Obstacle {
        name: "the lock cannot be taken",
        put: |folder| {
            fs::remove_file(folder.join("lock")).unwrap();
            fs::create_dir(folder.join("lock")).is_ok()
        },
        take: |folder| {
            fs::remove_dir(folder.join("lock")).unwrap();
            fs::write(folder.join("lock"), "").unwrap();
        },
    },
    Obstacle {
        name: "the folder is read-only",
        // Root writes there all the same.
        put: |folder| {
            mode(folder, "500");
            let holds = fs::write(folder.join("probe"), "").is_err();
            if !holds {
                mode(folder, "700");
            }
            holds
        },
        take: |folder| mode(folder, "700"),
    },
    Obstacle {
        name: "the state is immutable",
        put: |folder| flagged(&folder.join("state.json"), "+i"),
        take: |folder| assert!(flagged(&folder.join("state.json"), "-i")),
    },
    Obstacle {
        name: "the generation before is immutable",
        put: |folder| flagged(&folder.join("state.previous.json"), "+i"),
        take: |folder| assert!(flagged(&folder.join("state.previous.json"), "-i")),
    },
    Obstacle {
        name: "the folder is immutable",
        put: |folder| flagged(folder, "+i"),
        take: |folder| assert!(flagged(folder, "-i")),
    },
];

type Start = fn(&Client, &Path) -> Result<OperationId, Failure>;

/// Every way to give a license up, and whether the server is told.
const WAYS: [(&str, Start, bool); 4] = [
    ("release", |client, _| client.release(), true),
    ("forget", |client, _| client.forget(), false),
    ("sign-out", |client, _| client.sign_out(), false),
    ("airgap-release", |client, out| client.airgap_release(out), false),
];

fn server() -> Running {
    let more = ["--release-window", "1s"].map(str::to_owned).into();
    Running::start_with(&Setup { seats: 40, more, ..Setup::without_token_limit() }).unwrap()
}

fn activated(server: &Running, name: &str) -> (Computer, Client, Seat, PathBuf) {
    let (computer, seat) = (Computer::new(name), server.create_seat("artist@example.com").unwrap());
    let client = computer.open(server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let folder = computer.file("state.json").unwrap().parent().unwrap().to_owned();
    (computer, client, seat, folder)
}

fn is_in_use(server: &Running, seat: &Seat) -> bool {
    let seats = server.administer(&["seat", "list", "--json"]).unwrap();
    let seats: serde_json::Value = serde_json::from_str(&seats).unwrap();
    let found = seats.as_array().unwrap().iter().find(|row| row["id"] == seat.id.as_str()).unwrap();
    found["lock_status"] == "in_use"
}

fn is_on_disk(computer: &Computer) -> bool {
    let holds = |bytes: &Vec<u8>| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("\"lease\"") || text.contains("sit_")
    };
    computer.files().values().any(holds)
}

#[test]
fn what_cannot_be_taken_off_the_disk_is_not_given_up() {
    let server = server();
    let stick = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for Obstacle { name, put, take } in OBSTACLES {
        for (way, start, tells) in WAYS {
            let what = format!("{way}, {name}");
            let (computer, client, seat, folder) = activated(&server, &what.replace([' ', ','], "-"));
            let out = stick.path().join(&what);
            if !put(&folder) {
                continue;
            }
            tried += 1;
            for again in [false, true] {
                let event = end_of(&client, start(&client, &out));
                assert_eq!(event.code, Code::StoreUnwritable, "{what}, again: {again}: {}", event.message);
                assert!(event.message.contains(&folder.display().to_string()), "{what}: {}", event.message);
            }
            assert!(!out.exists(), "{what}: nothing is confirmed");
            assert_eq!(standing(&client).0, LockState::Unlocked, "{what}: it goes on");
            assert!(is_in_use(&server, &seat), "{what}: the seat is still this computer's");
            take(&folder);
            assert!(is_on_disk(&computer), "{what}");
            let client = computer.open(&server);
            assert_eq!(standing(&client).0, LockState::Unlocked, "{what}: the license is what it was");

            if tells {
                // One release in a second is possible.
                (0..2).for_each(|_| next_second());
            }
            let event = end_of(&client, start(&client, &out));
            assert_eq!(event.code, Code::Ok, "{what}, afterwards: {}", event.message);
            assert!(!is_on_disk(&computer), "{what}, afterwards: {:?}", computer.files().keys());
            assert_eq!(is_in_use(&server, &seat), !tells, "{what}, afterwards");
            assert_eq!(standing(&computer.open(&server)), (LockState::Locked, Code::NoToken), "{what}");
        }
    }
    assert!(tried >= 8, "only {tried} were tried");
}

#[test]
fn what_was_left_when_the_user_no_longer_wanted_it_kept_goes_with_the_release() {
    let server = server();
    let (computer, client, seat, folder) = activated(&server, "kept-too-long");
    let lock = &OBSTACLES[1];
    assert!((lock.put)(&folder));
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED_FOR_NOW)).code, Code::Ok);
    assert_eq!(end_of(&client, client.release()).code, Code::StoreUnwritable);
    assert!(is_in_use(&server, &seat));
    (lock.take)(&folder);
    assert!(is_on_disk(&computer));
    assert_eq!(end_of(&client, client.release()).code, Code::Ok);
    assert!(!is_on_disk(&computer), "{:?}", computer.files().keys());
    assert!(!is_in_use(&server, &seat));
}

#[test]
fn a_license_in_memory_is_given_up_beside_a_folder_of_another_one() {
    let server = server();
    let (computer, client, _, folder) = activated(&server, "beside");
    drop(client);
    let mut options = computer.options(&server);
    let seat = server.create_seat("farm@example.com").unwrap();
    let accounts = tempfile::tempdir().unwrap();
    let account = serde_json::json!({ "token": seat.token }).to_string();
    fs::write(accounts.path().join("credentials.json"), account).unwrap();
    options.set_account_folder(accounts.path().to_str().unwrap()).unwrap();
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let lock = &OBSTACLES[1];
    assert!((lock.put)(&folder));
    assert_eq!(end_of(&client, client.release()).code, Code::Ok, "nothing of it lies there");
    (lock.take)(&folder);
    assert!(is_on_disk(&computer) && !is_in_use(&server, &seat));
}
