//! What a log function and a support report say of a client, and what neither ever does.

use crate::support::{AGREED, Computer, PATIENCE, end_of, until};
use seatlock::machine::clock::Clock;
use seatlock::protocol::UnixTime;
use seatlock::{Client, Code, Intent, LogLevel, Options};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;
use uuid::Uuid;
use xtask::server::{Running, Setup};

/// What a log function was told, and on which threads.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(LogLevel, String, ThreadId)>>>);

impl Told {
    fn listen(&self, options: &mut Options, most: LogLevel) {
        let to = Arc::clone(&self.0);
        let log = move |level, line: &str| {
            to.lock().unwrap().push((level, line.to_owned(), thread::current().id()));
        };
        options.set_log(most, Arc::new(log));
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, line, _)| line.clone()).collect()
    }

    /// The one line that begins so. Lines come a moment after what they say.
    fn line(&self, begin: &str) -> String {
        until(begin, || self.lines().iter().any(|line| line.starts_with(begin)));
        let lines = self.lines();
        let found: Vec<_> = lines.iter().filter(|line| line.starts_with(begin)).collect();
        assert_eq!(found.len(), 1, "{begin}: {lines:#?}");
        found[0].clone()
    }
}

/// The value of a name in a line of the log.
fn value<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name}: {line}"));
    rest.split(' ').next().unwrap()
}

/// The value of a name in a report.
fn said<'a>(report: &'a str, name: &str) -> &'a str {
    let found = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("{name}: {report}"))
}

fn assert_none_of(secrets: &[&str], texts: &[String]) {
    for secret in secrets {
        assert!(secret.len() >= 4, "not much of a canary");
        let found = texts.iter().find(|text| text.contains(secret));
        assert_eq!(found, None, "has {secret}");
    }
}

/// The part of a token that says nothing of its kind.
fn body(token: &str) -> &str {
    token.get(4..34).unwrap()
}

#[test]
fn a_life_is_told_and_reported_without_its_secrets() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let (computer, told) = (Computer::new("told"), Told::default());
    let mut options = computer.options(&server);
    options.set_plugin("2.4.1", UnixTime::new(1_790_000_000)).unwrap();
    options.set_host("blender", "5.0").unwrap();
    told.listen(&mut options, LogLevel::Debug);
    let client = Client::open(&options).unwrap();

    let report = client.report().unwrap();
    assert_eq!((said(&report, "token"), said(&report, "status")), ("none", "locked, no_token"));
    assert_eq!((said(&report, "state"), said(&report, "  state.json")), ("none", "os_not_found"));
    assert!(report.ends_with('\n') && report.contains("\nanswers:\n\nwhat else happened:\n"), "{report}");

    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let renewal = computer.stored("/state/seats/0/renewal").unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let report = client.report().unwrap();
    let state = computer.file("state.json").unwrap();
    for (name, expected) in [
        ("library", env!("CARGO_PKG_VERSION")),
        ("product", "com.example.bridge"),
        ("family", "com.example.bridge"),
        ("plug-in", "2.4.1"),
        ("plug-in released", "2026-09-21T14:13:20Z"),
        ("host", "blender 5.0"),
        ("machine id is", "supplied"),
        ("server", &server.url()),
        ("license issuer", server.issuer()),
        ("network", "allowed"),
        ("proxy", "none (loopback)"),
        ("token", "token, remembered"),
        ("status", "unlocked, ok"),
        ("seat", &seat.id),
        ("clock finding", "none"),
        ("state folder", state.parent().unwrap().to_str().unwrap()),
        ("state", "whole"),
    ] {
        assert_eq!(said(&report, name), expected, "{name}");
    }
    let size = format!("{} bytes, 20", fs::metadata(&state).unwrap().len());
    assert!(said(&report, "  state.json").starts_with(&size), "{report}");
    assert!(said(&report, "machine").starts_with("m1_"));
    assert_eq!(said(&report, "lease signed"), said(&report, "last signed answer"));

    // What server and client say of a request has one name.
    let activated = told.line("request what=activate ");
    assert_eq!((value(&activated, "code"), value(&activated, "http")), ("ok", "201"));
    assert_eq!(value(&activated, "to"), server.url());
    let id: Uuid = value(&activated, "id").parse().unwrap();
    assert!(server.log().contains(&id.to_string()), "the server's log has {id}");
    assert!(report.contains(&activated), "{report}");
    value(&activated, "ms").parse::<u64>().unwrap();

    assert_eq!(
        end_of(&client, client.preflight(Some("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs"))).code,
        Code::TokenUnknown
    );
    assert_eq!(value(&told.line("request what=status "), "code"), "token_unknown");
    let last = computer.stored("/state/seats/0/renewal").unwrap();
    assert_eq!(end_of(&client, client.release()).code, Code::Ok);
    let released = client.report().unwrap();
    assert_eq!((said(&released, "token"), said(&released, "status")), ("none", "locked, no_token"));
    let folder = computer.files();
    assert_eq!(client.close(PATIENCE), Code::Ok);

    let lines = told.lines();
    assert!(lines[0].starts_with("opened library=") && lines[0].contains(" plug-in=2.4.1 "), "{}", lines[0]);
    assert_eq!(lines.last().unwrap(), "closed");
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("status code=ok next_try=20")), "{lines:#?}");
    assert!(told.line("begin operation=1 ").ends_with("=activate"));
    let threads: Vec<_> = told.0.lock().unwrap().iter().map(|(_, _, thread)| *thread).collect();
    assert!(threads.iter().all(|id| *id == threads[0] && *id != thread::current().id()), "one, and not ours");
    let texts = [lines, vec![report, released]].concat();
    let secrets =
        [body(&seat.token), "8uVq2ZtYw0LkSx", &renewal, &last, "artist@example.com", "test-computer-told"];
    assert_none_of(&secrets, &texts);
    assert!(!folder.is_empty(), "what was kept is on disk, and nothing of it was told");
}

#[test]
fn neither_a_proxys_password_nor_a_client_secret_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2000]);
            let _ = stream.write_all(b"HTTP/1.1 407 Say hunter2\r\nContent-Length: 7\r\n\r\nhunter2");
        }
    });
    let issuer = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", issuer.local_addr().unwrap());
    let own = url.clone();
    thread::spawn(move || {
        for mut stream in issuer.incoming().flatten() {
            let mut asked = [0; 4000];
            let length = stream.read(&mut asked).unwrap_or(0);
            let description = format!(r#"{{"issuer":"{own}","token_endpoint":"{own}/token"}}"#);
            let (status, body) = match String::from_utf8_lossy(&asked[..length]).starts_with("GET") {
                true => (200, description),
                // Whatever an issuer repeats of what it was sent.
                false => (401, r#"{"error":"invalid_client","error_description":"farm-secret"}"#.to_owned()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
            );
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    let (computer, told) = (Computer::new("secrets"), Told::default());
    let mut options = computer.options_for(
        "https://127.0.0.1:9",
        "https://license.example.com",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    );
    told.listen(&mut options, LogLevel::Debug);
    options.set_proxy(Some(&format!("http://ada:hunter2@{proxy}"))).unwrap();
    let token = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.activate(token, AGREED)).code, Code::ProxyAuthRequired);
    let by_proxy = client.report().unwrap();
    assert_eq!(said(&by_proxy, "proxy"), format!("http://{proxy} (option)"));
    assert_eq!(client.close(PATIENCE), Code::Ok);
    assert_eq!(value(&told.line("request "), "code"), "proxy_auth_required");

    options.set_proxy(Some("")).unwrap();
    options.set_oidc_issuer(&url).unwrap();
    options.set_client_id("farm").unwrap();
    options.set_client_secret("farm-secret").unwrap();
    let told = Told::default();
    told.listen(&mut options, LogLevel::Debug);
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::SignInRefused);
    let by_issuer = client.report().unwrap();
    assert_eq!(said(&by_issuer, "proxy"), "none (option)");
    assert_eq!(said(&by_issuer, "sign-in issuer"), url);
    assert_eq!(said(&by_issuer, "token"), "client secret, set up beside the plug-in");
    assert_eq!(client.close(PATIENCE), Code::Ok);
    let line = told.line("request what=renew_sign_in ");
    assert_eq!((value(&line, "to"), value(&line, "error")), (&*url, "invalid_client"));
    assert_eq!(value(&line, "reason"), "oidc_client");

    let texts = [told.lines(), vec![by_proxy, by_issuer]].concat();
    assert_none_of(&["hunter2", "ada:", "farm-secret", body(token)], &texts);
}

#[test]
fn a_clock_that_was_set_back_is_told() {
    let more = ["--clock-action", "lock"].map(str::to_owned).to_vec();
    let server = Running::start_with(&Setup { more, ..Setup::default() }).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let computer = Computer::new("clock");
    let client = computer.open(&server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    drop(client);
    computer.time.advance(Duration::from_secs(40 * 3600));
    drop(computer.open(&server));

    let (mut options, told) = (computer.options(&server), Told::default());
    options.set_clock(Clock::default());
    told.listen(&mut options, LogLevel::Warning);
    let client = Client::open(&options).unwrap();
    let report = client.report().unwrap();
    assert_eq!(
        (said(&report, "clock finding"), said(&report, "status")),
        ("set_back", "locked, clock_error")
    );
    let ahead: i64 = said(&report, "clock ahead by seconds").parse().unwrap();
    assert!((-40 * 3600 - 60..=-39 * 3600).contains(&ahead), "{report}");
    assert!(said(&report, "latest time seen") > said(&report, "clock of the computer"), "{report}");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok, "the server knows the time");
    assert_eq!(said(&client.report().unwrap(), "clock finding"), "none");
    drop(client);
    assert!(told.line("clock ").starts_with("clock finding=set_back computer=20"), "once, when it opened");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let (computer, told) = (Computer::new("no-folder"), Told::default());
    let file = computer.folder.path().join("file");
    fs::write(&file, "artist@example.com sit_").unwrap();
    let mut options = computer.options(&server);
    options.set_state_folder(file.to_str().unwrap()).unwrap();
    told.listen(&mut options, LogLevel::Error);
    let client = Client::open(&options).unwrap();
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    let report = client.report().unwrap();
    assert_eq!(said(&report, "token"), "token, in memory");
    assert_eq!(said(&report, "state"), "store_no_read", "{report}");
    assert_eq!(said(&report, "  state.json"), "os_no_folder", "{report}");
    drop(client);
    let lines = told.lines();
    let unwritable =
        |line: &&String| line.starts_with("notice code=store_unwritable reason=os_no_folder path=");
    assert_eq!(lines.iter().filter(unwritable).count(), 2, "read and written: {lines:#?}");
    assert!(report.contains("notice code=store_unwritable"), "{report}");
    assert_none_of(&["artist@example.com"], &[lines, vec![report]].concat());
}

/// Without a log function a report has what happened, and of a long life the last of it.
#[test]
fn a_report_tells_the_last_of_a_long_life() {
    let computer = Computer::new("long-life");
    let mut options = computer.options_for(
        "http://127.0.0.1:9",
        "https://license.example.com",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    );
    options.set_network_allowed(false);
    let client = Client::open(&options).unwrap();
    let token = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    assert_eq!(end_of(&client, client.preflight(Some(token))).code, Code::NetworkDisallowed);
    assert_eq!(said(&client.report().unwrap(), "network"), "off");
    client.allow_network(true).unwrap();
    for _ in 0..40 {
        assert_eq!(end_of(&client, client.preflight(Some(token))).code, Code::Unreachable);
    }
    let report = client.report().unwrap();
    let (_, happened) = report.split_once("\nanswers:\n").unwrap();
    let (answers, others) = happened.split_once("\nwhat else happened:\n").unwrap();
    assert_eq!((answers.lines().count(), others.lines().count()), (16, 16), "{report}");
    assert!(
        answers
            .lines()
            .all(|line| line.contains("Z request what=status to=http://127.0.0.1:9 code=unreachable "))
    );
    assert!(others.lines().last().unwrap().contains(" end operation=41 code=unreachable "), "{report}");
    assert!(report.len() < 16 * 1024, "{}", report.len());
}
