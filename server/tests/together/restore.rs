//! A server that was restored from an old backup: its users go on working, and nobody keeps a seat
//! that was taken away.

use crate::support::{AGREED, Computer, end_of, next_second, standing, until};
use seatlock::{Client, Code, Intent, LockState};
use xtask::server::{Running, Setup};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);

fn activate(client: &Client, token: &str) -> Code {
    end_of(client, client.activate(token, AGREED)).code
}

fn ping(client: &Client) -> Code {
    end_of(client, client.ping(Intent::Launch)).code
}

fn restore(server: &mut Running, backup: &str) {
    server.stop().unwrap();
    server.administer(&["restore", backup]).unwrap();
    next_second();
    server.start_again().unwrap();
}

#[test]
fn everybody_goes_on_after_a_restore_of_an_old_backup() {
    let more = ["--release-window", "1s", "--relaunch-rebinds", "false", "--clone-policy", "enforce"]
        .map(str::to_owned)
        .to_vec();
    let mut server = Running::start_with(&Setup { more, seats: 4, ..Setup::default() }).unwrap();
    let seats =
        ["works", "moved", "dropped"].map(|name| server.create_seat(&format!("{name}@example.com")).unwrap());
    let [works, moved, dropped] = &seats;
    let computers = ["works", "moved", "dropped", "target"].map(Computer::new);
    let clients = computers.each_ref().map(|computer| computer.open(&server));
    let [worker, source, released, target] = &clients;
    assert_eq!(activate(worker, &works.token), Code::Ok);
    assert_eq!(activate(source, &moved.token), Code::Ok);
    assert_eq!(activate(released, &dropped.token), Code::Ok);
    let backup = server.data().with_file_name("backup.db");
    let backup = backup.to_str().unwrap().to_owned();
    server.administer(&["backup", &backup]).unwrap();

    // What the backup knows nothing of.
    let release = |seat: &str| {
        // One manual release a second.
        until("the seat may be released", || server.administer(&["seat", "release", seat]).is_ok());
    };
    release(&works.id);
    assert_eq!(ping(worker), Code::SeatReleased);
    assert_eq!((activate(worker, &works.token), standing(worker)), (Code::Ok, UNLOCKED));
    release(&moved.id);
    assert_eq!(activate(target, &moved.token), Code::Ok);
    assert_eq!(ping(source), Code::SeatInUseElsewhere);
    release(&dropped.id);
    assert_eq!(ping(released), Code::SeatReleased);
    let token_since = server.create_seat("later@example.com").unwrap();

    let early = server.administer(&["restore", &backup]).unwrap_err();
    assert!(format!("{early:#}").contains("the server is running"), "{early:#}");
    restore(&mut server, &backup);
    // A lease of a later epoch than the database's.
    assert_eq!((ping(worker), standing(worker)), (Code::Ok, UNLOCKED));
    assert_eq!((ping(worker), standing(worker)), (Code::Ok, UNLOCKED));
    // A verdict of a later epoch.
    assert_eq!((activate(released, &dropped.token), standing(released)), (Code::Ok, UNLOCKED));
    // The database believes that the other computer has the seat. The lease proves that it is this
    // one's.
    assert_eq!((ping(target), standing(target)), (Code::Ok, UNLOCKED));
    assert_eq!(activate(source, &moved.token), Code::SeatInUseElsewhere);
    // What was made since is unknown, which takes nothing away.
    let later = Computer::new("later");
    let later = later.open(&server);
    assert_eq!(activate(&later, &token_since.token), Code::TokenUnknown);
    // What the owner takes away now is taken away, also from a lease of a later epoch.
    server.administer(&["seat", "revoke", &works.id, "--yes"]).unwrap();
    assert_eq!(ping(worker), Code::TokenRevoked);
    assert_eq!(standing(worker), (LockState::Locked, Code::TokenRevoked));

    let shown = server.administer(&["audit", "--seat", &works.id]).unwrap();
    assert!(shown.contains("epoch_raised") && !shown.contains("clone_suspected"), "{shown}");
    let shown = server.administer(&["audit", "--seat", &moved.id]).unwrap();
    assert!(shown.contains("recovered") && !shown.contains("clone_suspected"), "{shown}");
}
