//! Servers, networks and disks that lie, hang or break: a code with its text, the host alive, the stored lease as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails is a test that fails")]

mod support;

use seatlock::{Client, Code, Intent, LockState};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use support::{AGREED, Computer, end_of};
use xtask::server::Running;

/// How a listener of this test treats a connection.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Answers with these bytes and closes.
    Says(&'static str),
    /// Answers a body without end.
    Floods,
    /// Reads the request and never answers.
    Hangs,
    /// Closes at once.
    HangsUp,
    /// Sends a header a byte at a time, for ever.
    Dribbles,
}

/// Listens on a port of its own until the test ends.
fn listen(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || treat(stream, manner));
        }
    });
    format!("http://{address}")
}

fn treat(mut stream: TcpStream, manner: Manner) {
    if !matches!(manner, Manner::HangsUp) {
        let _ = stream.read(&mut [0; 16 * 1024]);
    }
    match manner {
        Manner::Says(answer) => {
            let _ = stream.write_all(answer.as_bytes());
        }
        Manner::Floods => {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n{";
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&[b' '; 64 * 1024]).is_ok() {}
        }
        Manner::Hangs => thread::sleep(Duration::from_secs(120)),
        Manner::HangsUp => {}
        Manner::Dribbles => {
            while stream.write_all(b"H").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
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
fn answers_that_are_not_ours_change_nothing() {
    let (computer, server, _) = licensed("hostile");
    let lease = computer.stored_lease().unwrap();
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let proxy = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let portal = "HTTP/1.1 511 Network Authentication Required\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let later = "HTTP/1.1 503 Unavailable\r\nRetry-After: 315360000\r\nContent-Length: 0\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"lease\":";
    let unsigned = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 23\r\n\r\n{\"verdict\":\"a.b.c\",\"x\":1}";
    let cases = [
        (Manner::Says(html), Code::NotOurServer),
        (Manner::Says(redirect), Code::NotOurServer),
        (Manner::Says(proxy), Code::ProxyAuthRequired),
        (Manner::Says(portal), Code::NotOurServer),
        (Manner::Says(later), Code::Maintenance),
        (Manner::Says(cut), Code::Unreachable),
        (Manner::Says(unsigned), Code::NotOurServer),
        (Manner::Says("SSH-2.0-OpenSSH\r\n"), Code::Unreachable),
        (Manner::Floods, Code::NotOurServer),
        (Manner::HangsUp, Code::Unreachable),
    ];
    for (manner, expected) in cases {
        let client = open_at(&computer, &listen(manner), &server);
        let event = end_of(&client, client.ping(Intent::Launch));
        assert_eq!(event.code, expected, "{manner:?}");
        assert!(event.message.len() > 10, "{manner:?}: {}", event.message);
        let status = client.status().unwrap();
        assert_eq!((status.lock_state, status.reason), (LockState::Grace, Code::OkOffline), "{manner:?}");
        drop(client);
        assert_eq!(computer.stored_lease().as_ref(), Some(&lease), "{manner:?}");
    }
}

#[test]
fn somebody_elses_signature_is_not_believed() {
    let (computer, server, _) = licensed("foreign");
    let lease = computer.stored_lease().unwrap();
    let other = Running::start().unwrap();
    let client = open_at(&computer, &other.url(), &server);
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::BadSignature);
    assert_eq!(client.status().unwrap().lock_state, LockState::Grace);
    drop(client);
    assert_eq!(computer.stored_lease(), Some(lease));
}

#[test]
fn closing_does_not_wait_for_a_server_that_hangs() {
    let (computer, server, _) = licensed("hanging");
    for manner in [Manner::Hangs, Manner::Dribbles] {
        let client = open_at(&computer, &listen(manner), &server);
        client.ping(Intent::Launch).unwrap();
        thread::sleep(Duration::from_millis(300));
        let begin = Instant::now();
        client.close(Duration::from_secs(5));
        assert!(begin.elapsed() < Duration::from_secs(3), "{manner:?}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_hanging_operation_can_be_cancelled_and_the_next_one_runs() {
    let (computer, server, token) = licensed("cancelled");
    let client = open_at(&computer, &listen(Manner::Hangs), &server);
    let (first, second) = (client.ping(Intent::Launch).unwrap(), client.activate(&token, AGREED).unwrap());
    assert!(client.wait(first, Duration::from_millis(300)).unwrap().is_none(), "it hangs");
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
    assert_eq!((status.lock_state, status.reason), (LockState::Locked, Code::LeaseExpired), "connect once");
    let notice = client.next_event(support::PATIENCE).unwrap().unwrap();
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

/// Passes one connection on to the server, when it is told to.
fn delay(server: &Running) -> (String, std::sync::mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (go, gone) = std::sync::mpsc::channel();
    let target = server.url().trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        gone.recv().unwrap();
        let mut far = TcpStream::connect(target).unwrap();
        let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
        let _ = std::io::copy(&mut far, &mut near);
    });
    (url, go)
}

#[test]
fn forgetting_wins_over_an_answer_that_is_on_its_way() {
    let (computer, server, _) = licensed("forgetful");
    let (url, go) = delay(&server);
    let slow = open_at(&computer, &url, &server);
    let ping = slow.ping(Intent::Launch).unwrap();
    assert!(slow.wait(ping, Duration::from_millis(300)).unwrap().is_none(), "it is on its way");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.forget()).code, Code::Ok);
    go.send(()).unwrap();
    assert_eq!(end_of(&slow, Ok(ping)).code, Code::Ok);
    assert_eq!(slow.status().unwrap().lock_state, LockState::Locked, "it was told to forget");
    drop((slow, client));
    assert!(
        computer.stored_lease().is_none() && computer.file("token").is_none(),
        "nothing was written again"
    );
}
