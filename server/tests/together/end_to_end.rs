//! The main job, through the Rust interface, against a real server with a real database.

use crate::support::{AGREED, AGREED_FOR_NOW, Computer, end_of, standing, until};
use seatlock::protocol::{Token, TokenKind};
use seatlock::{Client, Code, Consent, Intent, LockState, Text};
use std::fs;
use std::time::{Duration, Instant};
use xtask::server::{Running, Setup};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);
const GRACE: (LockState, Code) = (LockState::Grace, Code::OkOffline);

fn locked(code: Code) -> (LockState, Code) {
    (LockState::Locked, code)
}

#[test]
fn activating_twice_uses_one_seat_and_survives_a_restart_of_the_host() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(standing(&client), locked(Code::NoToken));
    for _ in 0..2 {
        assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
        assert_eq!(standing(&client), UNLOCKED);
    }
    assert_eq!(client.text(Text::Seat).unwrap(), Some(seat.id.clone()));
    assert_eq!(client.text(Text::Plan).unwrap().as_deref(), Some("pro"));
    let list = server.administer(&["seat", "list", "--json"]).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let in_use: Vec<_> =
        list.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").collect();
    assert_eq!(in_use.len(), 1);
    assert_eq!(in_use[0]["epoch"], 1, "the second activation bound nothing");
    drop(client);
    assert_eq!(standing(&computer.open(&server)), UNLOCKED, "known at once, without a request");
}

#[test]
fn offline_is_grace_and_the_way_back_is_a_ping() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let until = client.status().unwrap().valid_until;

    server.kill().unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Unreachable);
    assert_eq!(standing(&client), GRACE);
    assert_eq!(client.status().unwrap().valid_until, until, "the lease is what it was");
    assert!(client.text(Text::Status).unwrap().unwrap().contains("Connect before 20"));
    drop(client);
    let client = computer.open(&server);
    assert_eq!(standing(&client), GRACE, "after a restart of the host too");

    server.start_again().unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&client), UNLOCKED);
}

#[test]
fn a_revoked_token_stays_revoked() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    server.administer(&["seat", "revoke", &seat.id, "--yes"]).unwrap();
    assert_eq!(standing(&client), UNLOCKED, "nobody has told this computer yet");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::TokenRevoked);
    assert_eq!(standing(&client), locked(Code::TokenRevoked));
    drop(client);
    server.stop().unwrap();
    let client = computer.open(&server);
    assert_eq!(standing(&client), locked(Code::TokenRevoked), "offline, after a restart");
    server.start_again().unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::TokenRevoked);
}

#[test]
fn one_seat_serves_one_computer_until_it_is_released() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let (here, there) = (Computer::new("here"), Computer::new("there"));
    let (first, second) = (here.open(&server), there.open(&server));
    assert_eq!(end_of(&first, first.activate(&seat.token, AGREED)).code, Code::Ok);

    let refused = end_of(&second, second.activate(&seat.token, AGREED));
    assert_eq!(refused.code, Code::SeatInUseElsewhere);
    assert!(
        refused.message.contains(&first.text(Text::MachineShort).unwrap().unwrap()),
        "{}",
        refused.message
    );
    assert!(there.stored_token().is_none(), "a refused token is not remembered");
    let asked = end_of(&second, second.preflight(Some(&seat.token)));
    assert_eq!(asked.code, Code::SeatInUseElsewhere);
    assert_eq!(standing(&first), UNLOCKED);

    assert_eq!(end_of(&first, first.release()).code, Code::Ok);
    assert_eq!(standing(&first), locked(Code::NoToken));
    assert!(here.stored_token().is_none(), "the token is forgotten");
    let leases =
        here.files().into_values().filter(|bytes| String::from_utf8_lossy(bytes).contains("\"lease\""));
    assert_eq!(leases.count(), 0, "nor is the lease left in the previous generation");
    assert_eq!(end_of(&first, first.ping(Intent::Launch)).code, Code::NotActivated);
    assert_eq!(end_of(&second, second.activate(&seat.token, AGREED)).code, Code::Ok);

    let again = end_of(&second, second.release());
    assert_eq!(again.code, Code::ReleaseRateLimited, "one release in 24 hours");
    assert!(again.available_at.is_some());
    assert_eq!(standing(&second), UNLOCKED);
}

#[test]
fn a_seat_released_by_its_owner_is_taken_back_at_the_next_launch() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    server.administer(&["seat", "release", &seat.id]).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&client), UNLOCKED);
}

#[test]
fn nothing_is_written_without_the_users_consent() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED_FOR_NOW)).code, Code::Ok);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&client), UNLOCKED);
    drop(client);
    assert!(computer.files().is_empty(), "{:?}", computer.files().keys());
    assert_eq!(standing(&computer.open(&server)), locked(Code::NoToken));

    // Unticking the box later removes what was written before.
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    assert!(computer.stored_token().is_some());
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED_FOR_NOW)).code, Code::Ok);
    drop(client);
    assert!(computer.stored_token().is_none() && computer.file("state.json").is_none());
}

#[test]
fn what_is_plainly_wrong_never_reaches_the_network() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let client = Computer::new("one").open(&server);
    let api_token = Token::generate(TokenKind::Api, |bytes| {
        bytes.fill(7);
        Ok::<(), ()>(())
    })
    .unwrap();
    let refuse = |token: &str, consent| client.activate(token, consent).unwrap_err();
    assert_eq!(refuse(&seat.token, Consent { terms: false, remember: true }).code, Code::TermsRequired);
    assert_eq!(refuse(&seat.token[..39], AGREED).code, Code::TokenMalformed);
    assert_eq!(refuse("", AGREED).code, Code::TokenMalformed);
    let wrong = refuse(api_token.expose_secret(), AGREED);
    assert_eq!(wrong.code, Code::TokenWrongKind);
    assert!(wrong.to_string().contains("API token"), "{wrong}");
    assert_eq!(server.administer(&["seat", "list"]).unwrap().matches("never_used").count(), 1);
}

#[test]
fn an_unknown_token_is_refused_and_leaves_the_license_alone() {
    let (server, other) = (Running::start().unwrap(), Running::start().unwrap());
    let seat = server.create_seat("artist@example.com").unwrap();
    let foreign = other.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let before = computer.stored_lease();
    assert_eq!(end_of(&client, client.activate(&foreign.token, AGREED)).code, Code::TokenUnknown);
    assert_eq!(standing(&client), UNLOCKED);
    assert_eq!(computer.stored_lease(), before);
}

#[test]
fn keys_are_rotated_without_a_new_plug_in() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let signer = |computer: &Computer| computer.stored_lease().unwrap().split('.').next().unwrap().to_owned();
    let before = signer(&computer);
    server.rotate_keys(&[]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while signer(&computer) == before {
        assert!(Instant::now() < deadline, "the running server goes on with the old key");
        assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    }
    assert_eq!(standing(&client), UNLOCKED);
}

#[test]
fn a_renewal_that_is_not_due_asks_nobody() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let client = Computer::new("one").open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    server.kill().unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Renew)).code, Code::Ok);
    assert_eq!(standing(&client), UNLOCKED);
}

#[test]
fn the_background_renews_a_lease_by_itself() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let mut options = computer.options(&server);
    options.set_auto_renew(true);
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let first = computer.stored_lease();
    let due = client.status().unwrap().next_try.unwrap();
    let wait = due.since(client.status().unwrap().confirmed_at.unwrap());
    assert!(wait > 3600, "a new lease is good for hours, and not for {wait} s");
    computer.time.advance(Duration::from_secs(wait / 2));
    assert_eq!(end_of(&client, client.ping(Intent::Renew)).code, Code::Ok);
    assert_eq!(computer.stored_lease(), first, "nothing is due yet");
    computer.time.advance(Duration::from_secs(wait / 2 + 1));
    until("somebody renews the lease", || computer.stored_lease() != first);
    until("the host is told", || standing(&client) == UNLOCKED);
}

#[test]
fn forgetting_leaves_nothing_behind() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(end_of(&client, client.forget()).code, Code::Ok);
    assert_eq!(standing(&client), locked(Code::NoToken));
    assert!(computer.stored_token().is_none() && computer.stored_lease().is_none());
}

#[test]
fn a_copied_folder_is_of_no_use_on_another_computer_and_stays_as_it_was() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let (here, there) = (Computer::new("here"), Computer::new("there"));
    let client = here.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);

    let other = there.open(&server);
    let target = std::path::PathBuf::from(other.text(Text::StateFolder).unwrap().unwrap());
    drop(other);
    fs::create_dir_all(&target).unwrap();
    for (path, bytes) in here.files() {
        fs::write(target.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let before = there.files();
    let other = there.open(&server);
    assert_eq!(standing(&other), locked(Code::MachineMismatch));
    drop(other);
    assert_eq!(there.files(), before, "not a byte was changed");
    let other = there.open(&server);
    assert_eq!(end_of(&other, other.ping(Intent::Launch)).code, Code::SeatInUseElsewhere);
    assert_eq!(there.stored_lease(), here.stored_lease());
}

#[test]
fn a_token_is_found_in_its_file_and_nowhere_else() {
    let mut server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("one");
    let client = computer.open(&server);
    let mut said = vec![end_of(&client, client.activate(&seat.token, AGREED))];
    said.push(end_of(&client, client.preflight(None)));
    server.administer(&["seat", "revoke", &seat.id, "--yes"]).unwrap();
    said.push(end_of(&client, client.ping(Intent::Launch)));
    said.push(end_of(&client, client.activate(&seat.token, AGREED)));
    while let Some(event) = client.next_event(Duration::ZERO).unwrap() {
        said.push(event);
    }
    drop(client);
    server.stop().unwrap();
    let secret = &seat.token[4..34];
    assert!(!format!("{said:?}").contains(secret), "an event holds the token");
    assert!(!server.log().contains(secret), "the server's log holds the token");
    let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    for (path, bytes) in computer.files() {
        assert_eq!(holds(&bytes), path.ends_with("state.json"), "{}", path.display());
    }
    for entry in
        fs::read_dir(server.data()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file())
    {
        assert!(!holds(&fs::read(entry.path()).unwrap()), "{}", entry.path().display());
    }
}

#[test]
fn what_one_process_does_the_others_take_over() {
    let server = Running::start().unwrap();
    let computer = Computer::new("one");
    let early = computer.open(&server);
    let (seat, other) =
        (server.create_seat("a@example.com").unwrap(), server.create_seat("b@example.com").unwrap());
    let first = computer.open(&server);
    assert_eq!(end_of(&first, first.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(end_of(&early, early.ping(Intent::Launch)).code, Code::Ok, "opened before there was a token");
    drop(early);
    let second = computer.open(&server);
    assert_eq!(standing(&second), UNLOCKED);

    // Another token: the process that still has the old one goes over to it, instead of writing it
    // back.
    assert_eq!(end_of(&second, second.activate(&other.token, AGREED)).code, Code::Ok);
    assert_eq!(end_of(&first, first.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(first.text(Text::Seat).unwrap(), Some(other.id));

    // Forgotten in one process is forgotten in all, and nothing is written again.
    assert_eq!(end_of(&second, second.forget()).code, Code::Ok);
    assert_eq!(end_of(&first, first.ping(Intent::Launch)).code, Code::NotActivated);
    assert_eq!(standing(&first), locked(Code::NoToken));
    drop((first, second));
    assert!(computer.stored_token().is_none() && computer.stored_lease().is_none());
}

#[test]
fn hosts_that_ping_at_the_same_moment_are_not_taken_for_copies() {
    let setup = Setup { more: vec!["--clone-policy".into(), "enforce".into()], ..Setup::default() };
    let server = Running::start_with(&setup).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("many");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let hosts: Vec<Client> = (0..8).map(|_| computer.open(&server)).collect();
    for _ in 0..5 {
        let pings: Vec<_> = hosts.iter().map(|host| host.ping(Intent::Launch).unwrap()).collect();
        for (host, ping) in hosts.iter().zip(pings) {
            assert_eq!(end_of(host, Ok(ping)).code, Code::Ok);
            assert_eq!(standing(host), UNLOCKED);
        }
    }
    assert!(computer.file("asking").is_none(), "nobody asks any more");
}
