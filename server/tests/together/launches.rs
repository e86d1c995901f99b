//! The owner sees how often a plug-in was started, and when last without the server.

use crate::support::{AGREED, Computer, end_of};
use seatlock::{Client, Code, Intent};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use xtask::server::Running;

/// "Times started" and "Last offline use", as the owner is told.
fn shown(server: &Running, seat: &str) -> (u64, Option<String>) {
    let list = server.administer(&["seat", "list", "--json"]).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let seat = list.as_array().unwrap().iter().find(|other| other["id"] == seat).unwrap();
    (seat["launches"].as_u64().unwrap(), seat["last_offline_at"].as_str().map(str::to_owned))
}

/// Now, as the owner is told it.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    seatlock_server::domain::timestamp(seatlock::protocol::UnixTime::MIN.plus(now))
}

/// Two moments that the owner could tell apart.
fn next_second() {
    let before = now();
    while now() == before {
        thread::sleep(Duration::from_millis(20));
    }
}

/// One start of the host, whose only ping ends with `code`.
fn launch(computer: &Computer, server: &Running, code: Code) {
    let client = computer.open(server);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, code);
}

#[test]
fn launches_without_the_server_are_reported_once_it_is_back() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    assert_eq!(shown(&server, &seat.id), (1, None));

    server.kill().unwrap();
    let before = now();
    for _ in 0..3 {
        launch(&computer, &server, Code::Unreachable);
    }
    // A computer counts whole seconds since its start, so its time may be one ahead.
    next_second();
    let last = now();
    next_second();
    server.start_again().unwrap();
    launch(&computer, &server, Code::Ok);
    let (launches, offline) = shown(&server, &seat.id);
    assert_eq!(launches, 5);
    let offline = offline.expect("it was used offline");
    assert!((before..=last).contains(&offline), "{offline}: the launches without the server");
    launch(&computer, &server, Code::Ok);
    assert_eq!(shown(&server, &seat.id), (6, Some(offline)), "told once, and an online launch is none");
}

/// The same launch may end online: a laptop that is opened in a train.
#[test]
fn a_host_that_gets_a_network_later_was_used_offline() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("train");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    server.kill().unwrap();
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Unreachable);
    server.start_again().unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let (launches, offline) = shown(&server, &seat.id);
    assert_eq!((launches, offline.is_some()), (2, true));
}

/// Whoever switches the network off is not asked to connect, and still works offline.
#[test]
fn launches_with_the_network_switched_off_count_too() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("off");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    for _ in 0..2 {
        let mut options = computer.options(&server);
        options.set_network_allowed(false);
        let client = Client::open(&options).unwrap();
        assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::NetworkDisallowed);
    }
    launch(&computer, &server, Code::Ok);
    let (launches, offline) = shown(&server, &seat.id);
    assert_eq!((launches, offline.is_some()), (4, true));
}

/// A render farm starts many hosts of one installation at once; none of their launches is lost to
/// another's.
#[test]
fn hosts_that_start_at_the_same_time_are_all_counted() {
    const HOSTS: u64 = 6;
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("many");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    server.kill().unwrap();
    thread::scope(|scope| {
        for _ in 0..HOSTS {
            scope.spawn(|| launch(&computer, &server, Code::Unreachable));
        }
    });
    server.start_again().unwrap();
    launch(&computer, &server, Code::Ok);
    assert_eq!(shown(&server, &seat.id).0, 1 + HOSTS + 1);
}
