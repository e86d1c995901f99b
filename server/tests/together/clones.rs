//! Copies of an installation, against a real server: what is one, what is none, and what its owner
//! sees of it.

use crate::relay::relay;
use crate::support::{AGREED, Computer, end_of, next_second, standing};
use seatlock::{Client, Code, Intent, LockState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use xtask::server::{Running, Seat, Setup};

fn server(policy: &str) -> (Running, Seat) {
    let more = ["--clone-policy", policy].map(str::to_owned).to_vec();
    let server = Running::start_with(&Setup { more, ..Setup::without_token_limit() }).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    (server, seat)
}

fn licensed(server: &Running, seat: &Seat, name: &str) -> Computer {
    let computer = Computer::new(name);
    let client = computer.open(server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    computer
}

fn ping(client: &Client) -> Code {
    end_of(client, client.ping(Intent::Launch)).code
}

/// How often the owner is told of a second copy.
fn suspicions(server: &Running, seat: &Seat) -> usize {
    let shown = server.administer(&["audit", "--seat", &seat.id, "--json"]).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let rows = shown.as_array().unwrap();
    assert!(rows.iter().any(|row| row["event"] == "activated"), "the trail is there");
    rows.iter().filter(|row| row["event"] == "clone_suspected").count()
}

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);

/// More often than a late request could explain.
fn ping_often(client: &Client) {
    (0..140).for_each(|_| assert_eq!(ping(client), Code::Ok));
}

#[test]
fn a_copy_of_a_virtual_machine_is_written_down_and_both_go_on() {
    let (server, seat) = server("flag");
    let original = licensed(&server, &seat, "vm");
    let copy = original.cloned();
    let (first, second) = (original.open(&server), copy.open(&server));
    assert_eq!(standing(&second), UNLOCKED, "the files are those of this machine");
    ping_often(&first);
    assert_eq!((ping(&second), ping(&first)), (Code::Ok, Code::Ok));
    assert_eq!((standing(&first), standing(&second)), (UNLOCKED, UNLOCKED));
    assert_eq!(suspicions(&server, &seat), 1, "once a day");
    let table = server.administer(&["audit", "--seat", &seat.id]).unwrap();
    assert!(table.contains("plugin") && table.contains("clone_suspected"), "{table}");
    let seats = server.administer(&["seat", "list"]).unwrap();
    assert!(seats.contains("used on two copies of one computer?"), "{seats}");
}

#[test]
fn where_copies_are_not_allowed_the_older_one_must_enter_the_token_again() {
    let (server, seat) = server("enforce");
    let original = licensed(&server, &seat, "vm");
    let copy = original.cloned();
    let (first, second) = (original.open(&server), copy.open(&server));
    ping_often(&first);
    assert_eq!(ping(&second), Code::LeaseSuperseded);
    assert_eq!(standing(&second), (LockState::Locked, Code::LeaseSuperseded));
    assert_eq!((ping(&first), standing(&first)), (Code::Ok, UNLOCKED));
    assert_eq!(suspicions(&server, &seat), 1);

    next_second();
    assert_eq!(end_of(&second, second.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!((ping(&second), ping(&second), standing(&second)), (Code::Ok, Code::Ok, UNLOCKED));
    assert_eq!(ping(&first), Code::LeaseSuperseded, "now this one is the older copy");
    assert_eq!((ping(&second), standing(&second)), (Code::Ok, UNLOCKED));
}

#[test]
fn answers_that_get_lost_are_no_copy() {
    let (server, seat) = server("enforce");
    let computer = licensed(&server, &seat, "train");
    let tunnel = Arc::new(AtomicBool::new(true));
    let lossy = Arc::clone(&tunnel);
    let url = relay(&server, move |body| (!lossy.load(Ordering::SeqCst)).then_some(body));
    for _ in 0..3 {
        // A new process each time: the one before was killed as well.
        let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
        assert_eq!((ping(&client), ping(&client)), (Code::Unreachable, Code::Unreachable));
        assert_eq!(client.status().unwrap().lock_state, LockState::Grace);
    }
    tunnel.store(false, Ordering::SeqCst);
    let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
    assert_eq!((ping(&client), standing(&client)), (Code::Ok, UNLOCKED));
    assert_eq!((ping(&client), standing(&client)), (Code::Ok, UNLOCKED));
    assert_eq!(suspicions(&server, &seat), 0);
}

#[test]
fn several_users_of_one_machine_are_no_copies() {
    let (server, seat) = server("enforce");
    let users = [(); 3].map(|()| licensed(&server, &seat, "shared-workstation"));
    let clients = users.each_ref().map(|user| user.open(&server));
    for _ in 0..3 {
        for client in &clients {
            assert_eq!((ping(client), standing(client)), (Code::Ok, UNLOCKED));
        }
    }
    assert_eq!(suspicions(&server, &seat), 0);
}
