//! Servers that hang and disks that break: a code with its text, the host alive, the stored lease
//! as it was. Networks that lie are in `fault_proxy.rs`.

use crate::support::{AGREED, Computer, end_of};
use seatlock::{Client, Code, Intent, LockState};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use xtask::server::Running;

/// A server that takes connections and never says a word, until the listener is dropped.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A computer with a lease of a real server, which is then of no further use to it.
fn licensed(name: &str) -> (Computer, Running, String) {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new(name);
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    (computer, server, seat.token)
}

fn open_at(computer: &Computer, url: &str, server: &Running) -> Client {
    Client::open(&computer.options_for(url, server.issuer(), server.root_key())).unwrap()
}

#[test]
fn a_hanging_operation_can_be_cancelled_and_the_next_one_runs() {
    let (computer, server, token) = licensed("cancelled");
    let (listener, url) = silent();
    let client = open_at(&computer, &url, &server);
    let (first, second) = (client.ping(Intent::Launch).unwrap(), client.activate(&token, AGREED).unwrap());
    let _connection = listener.accept().unwrap();
    assert!(client.wait(first, Duration::ZERO).unwrap().is_none(), "it hangs");
    client.cancel(second).unwrap();
    assert_eq!(end_of(&client, Ok(second)).code, Code::Cancelled, "though it waits behind one that hangs");
    assert!(client.wait(first, Duration::ZERO).unwrap().is_none(), "which hangs on");
    client.cancel(first).unwrap();
    assert_eq!(end_of(&client, Ok(first)).code, Code::Cancelled);
    assert_eq!(client.cancel(first).unwrap_err().code, Code::UnknownOperation);
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
}

#[test]
fn a_corrupt_state_is_set_aside_and_reported() {
    let (computer, server, token) = licensed("corrupt");
    let state = computer.file("state.json").unwrap();
    fs::write(&state, b"{\"format\":1,\"state\":{").unwrap();
    computer.file("state.previous.json").map(fs::remove_file);
    let client = computer.open(&server);
    let status = client.status().unwrap();
    assert_eq!(
        (status.lock_state, status.reason),
        (LockState::Locked, Code::NoToken),
        "token and lease are one"
    );
    let notice = client.next_event(crate::support::PATIENCE).unwrap().unwrap();
    assert_eq!(notice.code, Code::StoreCorrupt);
    assert!(notice.message.contains("state.json"), "{}", notice.message);
    assert_eq!(end_of(&client, client.activate(&token, AGREED)).code, Code::Ok);
    drop(client);
    let kept = computer.files().into_iter().find(|(path, _)| path.to_string_lossy().contains("corrupt"));
    assert_eq!(kept.unwrap().1, b"{\"format\":1,\"state\":{", "nothing is deleted");
    assert!(computer.stored_lease().is_some());
}

#[test]
fn a_folder_that_can_not_be_written_costs_no_license() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("unwritable");
    // A file stands where the product's folder would be: not even root can write below it.
    fs::write(computer.folder.path().join("com.example.bridge"), "in the way").unwrap();
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
    let mut notices = std::iter::from_fn(|| client.next_event(Duration::from_secs(5)).unwrap());
    let notice = notices.find(|event| event.code == Code::StoreUnwritable).expect("the user is told");
    assert!(notice.message.contains("com.example.bridge"), "{}", notice.message);
}

#[test]
fn foreign_things_in_place_of_the_state_are_harmless() {
    let (computer, server, _) = licensed("odd");
    let state = computer.file("state.json").unwrap();
    computer.file("state.previous.json").map(fs::remove_file);
    for size in [0, 10_000_000] {
        fs::write(&state, vec![b'x'; size]).unwrap();
        let client = computer.open(&server);
        assert_eq!(client.status().unwrap().lock_state, LockState::Locked, "{size} bytes");
    }
    fs::remove_file(&state).unwrap();
    fs::create_dir(&state).unwrap();
    let client = computer.open(&server);
    assert_eq!(client.status().unwrap().lock_state, LockState::Locked, "a folder");
}

#[test]
fn a_folder_that_goes_away_costs_no_license_and_is_not_made_anew() {
    let (computer, server, _) = licensed("unmounted");
    let client = computer.open(&server);
    let (mounted, away) =
        (computer.folder.path().join("com.example.bridge"), computer.folder.path().join("away"));
    fs::rename(&mounted, &away).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
    assert!(!mounted.exists(), "it would lie below a mount point");
    fs::rename(&away, &mounted).unwrap();
    let before = computer.stored_lease();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_ne!(computer.stored_lease(), before, "written again once it is back");
}

/// Passes one connection on to the server: says when it is there, and waits until it is told to.
fn delay(server: &Running) -> (String, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ((come, there), (go, gone)) = (channel(), channel());
    let target = server.url().trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        come.send(()).unwrap();
        gone.recv().unwrap();
        let mut far = TcpStream::connect(target).unwrap();
        let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
        let _ = std::io::copy(&mut far, &mut near);
    });
    (url, there, go)
}

#[test]
fn forgetting_wins_over_an_answer_that_is_on_its_way() {
    let (computer, server, _) = licensed("forgetful");
    let (url, there, go) = delay(&server);
    let slow = open_at(&computer, &url, &server);
    let ping = slow.ping(Intent::Launch).unwrap();
    there.recv_timeout(crate::support::PATIENCE).expect("it is on its way");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.forget()).code, Code::Ok);
    go.send(()).unwrap();
    assert_eq!(end_of(&slow, Ok(ping)).code, Code::Ok);
    assert_eq!(slow.status().unwrap().lock_state, LockState::Locked, "it was told to forget");
    drop((slow, client));
    assert!(
        computer.stored_lease().is_none() && computer.stored_token().is_none(),
        "nothing was written again"
    );
}
