//! A host's switch for the network: while it is off, nothing is sent, and nothing is lost.

use crate::support::{AGREED, Computer, end_of, until};
use seatlock::{Client, Code, Intent, LockState, Options};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use xtask::server::Running;

/// After it a renewal is due, and the license still holds.
const DAY: Duration = Duration::from_secs(24 * 3600);

fn closed(computer: &Computer, server: &Running) -> Options {
    let mut options = computer.options(server);
    options.set_network_allowed(false);
    options
}

/// An address that never answers, and the connections that it has seen. Whoever drops one resets
/// it, which the client would tell as a server out of reach.
fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    (url, listener)
}

#[test]
fn closed_from_the_start_every_operation_says_so_and_the_license_stays() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("closed");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    let lease = computer.stored_lease();

    let (url, listener) = silent();
    let mut options = computer.options_for(&url, server.issuer(), server.root_key());
    options.set_network_allowed(false);
    let client = Client::open(&options).unwrap();
    for started in [
        client.ping(Intent::Launch),
        client.activate(&seat.token, AGREED),
        client.preflight(None),
        client.preflight(Some(&seat.token)),
        client.release(),
    ] {
        let ended = end_of(&client, started);
        assert_eq!(ended.code, Code::NetworkDisallowed);
        assert!(ended.message.contains("The host application has switched it off"), "{}", ended.message);
    }
    assert_eq!(
        end_of(&client, client.ping(Intent::Renew)).code,
        Code::Ok,
        "nothing is due, so nothing is asked"
    );
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
    assert!(listener.accept().is_err(), "nobody connected");
    assert_eq!(end_of(&client, client.forget()).code, Code::Ok, "needs no network");
    drop(client);
    assert!(lease.is_some() && computer.stored_lease().is_none());
}

#[test]
fn closing_it_ends_what_is_on_its_way() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("on-its-way");
    let (url, listener) = silent();
    let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
    let operation = client.activate(&seat.token, AGREED).unwrap();
    let mut connection = None;
    until("it connects", || {
        connection = listener.accept().ok();
        connection.is_some()
    });
    let begin = Instant::now();
    client.allow_network(false).unwrap();
    assert_eq!(end_of(&client, Ok(operation)).code, Code::NetworkDisallowed);
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}: it did not wait for the server",
        begin.elapsed()
    );
}

#[test]
fn opened_again_it_works_without_a_restart() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("switched");
    let client = Client::open(&closed(&computer, &server)).unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::NetworkDisallowed);
    client.allow_network(true).unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    client.allow_network(false).unwrap();
    computer.time.advance(DAY);
    assert_eq!(end_of(&client, client.ping(Intent::Renew)).code, Code::NetworkDisallowed, "now one is due");
    assert_eq!(
        client.status().unwrap().lock_state,
        LockState::Grace,
        "which is no failure, only unconfirmed"
    );
    client.allow_network(true).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Renew)).code, Code::Ok);
}
