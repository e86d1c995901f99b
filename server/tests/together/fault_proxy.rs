//! Every bad network of `cargo xtask fault-proxy`: the right code and sentence, in time, and the
//! license is still there.

use crate::support::{AGREED, Computer, end_of, until};
use seatlock::{Client, Code, Event, Failure, Intent, LockState, OperationId, Options};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use xtask::fault_proxy::{CASES, Case, FaultProxy, Upstream};
use xtask::server::{Running, Seat};

/// The library's own limit for a call, and room for a computer that is busy with other tests.
const CALL: Duration = Duration::from_secs(15 + 10);
/// What passes at once for those who wait for an answer: not quite the limit, and then the rest of
/// it.
const WAITS: [Duration; 2] = [Duration::from_secs(13), Duration::from_secs(2)];
/// The limit, and room, for a connection that does not come about, and the cases in which it does
/// not.
const CONNECT: Duration = Duration::from_secs(5 + 7);
const NO_CONNECTION: [&str; 2] = ["black-hole", "tls-hangs"];
/// What the host gives a client to close. One that needs it all was not cancelled, but left to
/// itself. Shorter than the library's own limit for a call, and long for a computer whose disk is
/// busy with other tests.
const CLOSE: Duration = Duration::from_secs(10);

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// How long a call and the two closes of a case took.
struct Took {
    call: Duration,
    close: Duration,
}

#[test]
fn no_network_locks_anybody_out() {
    at_once(suffer);
}

#[test]
fn no_network_licenses_or_spoils_a_first_activation() {
    at_once(begin);
}

/// After a request that was answered too, whose way out is kept.
#[test]
fn a_proxy_that_is_set_counts_from_the_next_request_on() {
    let (computer, server) = (Computer::new("proxy"), Running::start().unwrap());
    let seat = server.create_seat("artist@example.com").unwrap();
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    client.set_proxy(Some("http://127.0.0.1:9")).unwrap();
    let refused = end_of(&client, client.ping(Intent::Launch));
    assert!(refused.message.contains("proxy without https"), "{}", refused.message);
    client.set_proxy(None).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
}

#[test]
fn an_authority_that_is_added_counts_from_the_next_request_on() {
    let (computer, upstream) = (Computer::new("authority"), Arc::new(Upstream::start().unwrap()));
    let case = CASES.iter().find(|case| case.name == "tls-other-name").unwrap();
    let proxy = FaultProxy::start(case, &upstream).unwrap();
    let (server, route) = (upstream.server(), proxy.route());
    let options = computer.options_for(&route.server, server.issuer(), server.root_key());
    let client = Client::open(&options).unwrap();
    let said = || {
        let event = end_of(&client, client.activate("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs", AGREED));
        assert_eq!(event.code, Code::TlsUntrusted);
        event.message
    };
    let before = said();
    assert!(before.contains("unknown issuer"), "{before}");
    assert_eq!(client.add_ca_certificates(b"no certificate").unwrap_err().code, Code::InvalidArgument);
    assert_eq!(said(), before);
    client.add_ca_certificates(route.ca.as_deref().unwrap().as_bytes()).unwrap();
    assert!(said().contains("another name"), "its issuer is known now");
}

/// Plays every case at the same time: most of them wait most of the time.
fn at_once(play: fn(&Case, &Arc<Upstream>) -> Took) {
    let upstream = Arc::new(Upstream::start().unwrap());
    let running: Vec<_> = CASES
        .iter()
        .map(|case| {
            let upstream = Arc::clone(&upstream);
            (case, thread::spawn(move || play(case, &upstream)))
        })
        .collect();
    let mut failed = Vec::new();
    let (mut call, mut close) = (Duration::ZERO, Duration::ZERO);
    for (case, thread) in running {
        match thread.join() {
            Ok(took) => (call, close) = (call.max(took.call), close.max(took.close)),
            Err(_) => failed.push(case.name),
        }
    }
    until("no connection keeps the real server", || Arc::strong_count(&upstream) == 1);
    println!("{} cases; the longest call took {call:?}, the longest close {close:?}", CASES.len());
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:?}", failed.len(), CASES.len());
}

/// SQLite lets those who write wait without an order, and sixty commands at once wait for too long.
fn create_seat(server: &Running, name: &str) -> Seat {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    server.create_seat(&format!("{name}@example.com")).unwrap()
}

/// One computer with a license, one case. The name of the case is in every panic's message.
fn suffer(case: &Case, upstream: &Arc<Upstream>) -> Took {
    let name = case.name;
    let server = upstream.server();
    let seat = create_seat(server, name);
    let computer = Computer::new(name);
    let honest = computer.open(server);
    assert_eq!(end_of(&honest, honest.activate(&seat.token, AGREED)).code, Code::Ok, "{name}");
    drop(honest);
    let (lease, token) = (computer.stored_lease().unwrap(), computer.stored_token().unwrap());

    let proxy = FaultProxy::start(case, upstream).unwrap();
    let client = Client::open(&options(&computer, upstream, &proxy)).unwrap();
    let before = client.status().unwrap();
    let (event, call) = ended(case, &client, &computer, client.ping(Intent::Launch));
    assert_eq!(event.code, case.code, "{name}: {}", event.message);
    assert_eq!(event.http_status.unwrap_or(0), case.status, "{name}");
    assert!(event.message.contains(case.says), "{name}: {}", event.message);

    let status = client.status().unwrap();
    let wait = status.next_try.unwrap().seconds() - before.confirmed_at.unwrap().seconds();
    if case.code == Code::Ok {
        assert_eq!(status.lock_state, LockState::Unlocked, "{name}");
    } else {
        assert_eq!((status.lock_state, status.reason), (LockState::Grace, Code::OkOffline), "{name}");
        assert_eq!(status.valid_until, before.valid_until, "{name}");
        // A first failure is tried again after a minute; who asks for ten years gets a day.
        let waits = if case.name.starts_with("retry-after") && case.code != Code::UnexpectedResponse {
            DAY - MINUTE..=DAY + 2 * MINUTE
        } else {
            0..=4 * MINUTE
        };
        assert!(waits.contains(&wait), "{name}: the next try is in {wait} s");
        assert_eq!(computer.stored_lease().unwrap(), lease, "{name}");
    }
    assert_eq!(computer.stored_token().unwrap(), token, "{name}");

    // Closing does not wait: neither when nothing happens, nor in the middle of a call.
    let first = closing(client);
    let client = Client::open(&options(&computer, upstream, &proxy)).unwrap();
    let ping = client.ping(Intent::Launch).unwrap();
    let _ = client.wait(ping, Duration::from_millis(100));
    let close = first.max(closing(client));
    assert!(close < CLOSE, "{name}: closing took {close:?}");
    if case.code != Code::Ok {
        assert_eq!(computer.stored_lease().unwrap(), lease, "{name}");
    }
    Took { call, close }
}

/// What only a computer that was licensed before can know: which epoch its seat had, and which key
/// set is the newest.
const UNKNOWN_AT_FIRST: [&str; 2] = ["older-epoch", "older-key-set"];

/// One computer without a license, one case, and then an honest network.
fn begin(case: &Case, upstream: &Arc<Upstream>) -> Took {
    let name = case.name;
    let server = upstream.server();
    let seat = create_seat(server, name);
    let computer = Computer::new(name);
    let proxy = FaultProxy::start(case, upstream).unwrap();
    let client = Client::open(&options(&computer, upstream, &proxy)).unwrap();
    let (event, call) = ended(case, &client, &computer, client.activate(&seat.token, AGREED));
    let taken = case.code == Code::Ok || UNKNOWN_AT_FIRST.contains(&name);
    assert_eq!(event.code, if taken { Code::Ok } else { case.code }, "{name}: {}", event.message);
    let status = client.status().unwrap();
    if taken {
        assert_eq!(status.lock_state, LockState::Unlocked, "{name}");
    } else {
        assert_eq!((status.lock_state, status.reason), (LockState::Locked, Code::NoToken), "{name}");
        assert_eq!((computer.stored_lease(), computer.stored_token()), (None, None), "{name}");
    }
    let close = closing(client);

    let honest = computer.open(server);
    assert_eq!(end_of(&honest, honest.activate(&seat.token, AGREED)).code, Code::Ok, "{name}");
    assert_eq!(honest.status().unwrap().lock_state, LockState::Unlocked, "{name}");
    Took { call, close }
}

/// Waits for the end, which must come in time, with a sentence for a person.
fn ended(
    case: &Case,
    client: &Client,
    computer: &Computer,
    started: Result<OperationId, Failure>,
) -> (Event, Duration) {
    let (name, operation) = (case.name, started.unwrap());
    let begin = Instant::now();
    if case.says.contains("in time") && !NO_CONNECTION.contains(&name) {
        for wait in WAITS {
            let early = client.wait(operation, Duration::from_millis(100)).unwrap();
            assert!(early.is_none(), "{name}: it ended too early: {early:?}");
            computer.time.advance(wait);
        }
    }
    let event = end_of(client, Ok(operation));
    let call = begin.elapsed();
    let limit = if NO_CONNECTION.contains(&name) { CONNECT } else { CALL };
    assert!(call < limit, "{name}: it took {call:?}");
    assert!(
        event.message.ends_with('.') && !event.message.contains(['{', '\n']),
        "{name}: {}",
        event.message
    );
    assert!(event.code.row().remedy.len() > 10, "{name}: a person can do something");
    (event, call)
}

fn options(computer: &Computer, upstream: &Upstream, proxy: &FaultProxy) -> Options {
    let (server, route) = (upstream.server(), proxy.route());
    let mut options = computer.options_for(&route.server, server.issuer(), server.root_key());
    options.set_proxy(Some(route.proxy.as_deref().unwrap_or_default())).unwrap();
    if let Some(ca) = &route.ca {
        options.add_ca_certificates(ca.as_bytes()).unwrap();
    }
    options
}

fn closing(client: Client) -> Duration {
    let begin = Instant::now();
    client.close(CLOSE);
    begin.elapsed()
}
