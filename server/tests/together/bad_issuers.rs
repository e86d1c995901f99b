//! Issuers that are not there, lie, or are slow: a code with its reason, the stored license as it
//! was, and a next try later.

use crate::support::{AGREED, Computer, end_of, until};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock::{
    Client, Code, CredentialDetails, CredentialKind, EventKind, Intent, LockState, Options, Text,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xtask::fault_proxy::{CASES, FaultProxy, Upstream};
use xtask::mock_server::MockServer;

/// What an issuer answers to a path: status, type and body. `{url}` becomes its own address.
type Script = dyn Fn(&str) -> (u16, &'static str, String) + Send + Sync;

const JSON: &str = "application/json";
const DESCRIPTION: &str = r#"{"issuer":"{url}","token_endpoint":"{url}/token","authorization_endpoint":"{url}/auth",
 "device_authorization_endpoint":"{url}/device"}"#;

/// An issuer that follows a script, until the test ends.
fn issuer(script: impl Fn(&str) -> (u16, &'static str, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (own, script): (String, Arc<Script>) = (url.clone(), Arc::new(script));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &own, &*script);
        }
    });
    url
}

fn answer(mut stream: TcpStream, url: &str, script: &Script) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let (status, kind, body) = script(&path?);
    let body = body.replace("{url}", url);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()
}

fn options(computer: &Computer, server: &MockServer, issuer: &str) -> Options {
    let mut options = computer.options_for(server.url(), server.name(), &server.root_key());
    options.set_oidc_issuer(issuer).unwrap();
    options.set_client_id("farm").unwrap();
    options
}

fn machine(computer: &Computer, server: &MockServer, issuer: &str) -> Client {
    let mut options = options(computer, server, issuer);
    options.set_client_secret("farm-secret").unwrap();
    Client::open(&options).unwrap()
}

/// A description with one thing changed.
fn described(from: &'static str, to: &'static str) -> impl Fn(&str) -> (u16, &'static str, String) {
    move |_| (200, JSON, DESCRIPTION.replace(from, to))
}

/// A sound description, and this answer of the token endpoint.
fn grants(
    status: u16,
    kind: &'static str,
    body: &'static str,
) -> impl Fn(&str) -> (u16, &'static str, String) {
    move |path| if path == "/token" { (status, kind, body.to_owned()) } else { described("", "")(path) }
}

/// An issuer without fault. Nobody here looks at the signature.
fn sound(path: &str) -> (u16, &'static str, String) {
    if path != "/token" {
        return described("", "")(path);
    }
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let (head, claims) =
        (part(r#"{"alg":"RS256"}"#), part(r#"{"iss":"https://login.example","sub":"farm"}"#));
    let token = format!("{head}.{claims}.{}", part("signature"));
    (200, JSON, format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":300}}"#))
}

#[test]
fn no_issuer_locks_anybody_out() {
    let (computer, server) = (Computer::new("issuers"), MockServer::start().unwrap());
    let client = machine(&computer, &server, &issuer(sound));
    let held = |subject: Option<&str>| {
        let subject = subject.map(str::to_owned);
        Some(CredentialDetails {
            kind: CredentialKind::Machine,
            remembered: false,
            provisioned: true,
            subject,
        })
    };
    assert_eq!(client.credential().unwrap(), held(None));
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(client.credential().unwrap(), held(Some("farm")));
    assert_eq!(client.text(Text::Subject).unwrap().as_deref(), Some("farm"));
    drop(client);
    let (lease, _) = (computer.stored_lease().unwrap(), server.seen());
    let (unusable, refused) = (Code::IdentityProviderUnavailable, Code::SignInRefused);
    // (what, issuer, code, part of the reason)
    let cases = [
        ("nobody there", "http://127.0.0.1:1".to_owned(), unusable, "The connection was refused"),
        (
            "another name",
            issuer(described("\"{url}\"", "\"https://evil.example\"")),
            unusable,
            "another address",
        ),
        (
            "no https",
            issuer(described("{url}/token", "http://login.example/token")),
            unusable,
            "begin with https",
        ),
        ("a web page", issuer(|_| (200, "text/html", "<html>".to_owned())), unusable, "cannot be used"),
        ("not found", issuer(|_| (404, "text/html", "<html>".to_owned())), unusable, "HTTP status: 404"),
        ("a redirect", issuer(|_| (302, "text/html", String::new())), unusable, "HTTP status: 302"),
        ("too much", issuer(|_| (200, JSON, "x".repeat(70_000))), unusable, "too long"),
        ("a page for a token", issuer(grants(200, "text/html", "<html>")), unusable, "HTTP status: 200"),
        ("its own fault", issuer(grants(503, "text/html", "<html>")), unusable, "HTTP status: 503"),
        ("no JSON", issuer(grants(200, JSON, "{")), unusable, "cannot be understood. HTTP status: 200"),
        (
            "an opaque token",
            issuer(grants(200, JSON, r#"{"access_token":"opaque-canary","token_type":"Bearer"}"#)),
            unusable,
            "not a JWT",
        ),
        (
            "a refusal that repeats what it was sent",
            issuer(grants(
                401,
                JSON,
                r#"{"error":"invalid_client","error_description":"farm-secret is wrong"}"#,
            )),
            refused,
            "(invalid_client)",
        ),
        (
            "no permission",
            issuer(grants(400, JSON, r#"{"error":"invalid_scope"}"#)),
            refused,
            "(invalid_scope)",
        ),
    ];
    for (what, url, code, reason) in cases {
        let client = machine(&computer, &server, &url);
        let event = end_of(&client, client.ping(Intent::Launch));
        assert_eq!(event.code, code, "{what}: {}", event.message);
        assert!(event.message.contains(reason) && event.message.ends_with('.'), "{what}: {}", event.message);
        assert!(!event.message.contains(['{', '<', '\n']), "{what}: {}", event.message);
        for secret in ["farm-secret", "canary"] {
            assert!(!event.message.contains(secret), "{what}: {}", event.message);
        }
        let status = client.status().unwrap();
        assert_eq!(status.lock_state, LockState::Grace, "{what}");
        assert!(status.next_try > status.confirmed_at, "{what}: it is paced");
        assert_eq!(computer.stored_lease().unwrap(), lease, "{what}");
        assert!(server.seen().is_empty(), "{what}");
    }
}

#[test]
fn an_issuer_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (computer, server) = (Computer::new("silent"), MockServer::start().unwrap());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = machine(&computer, &server, &url);
    let begin = Instant::now();
    let ping = client.ping(Intent::Launch).unwrap();
    let connection = listener.accept().unwrap();
    for wait in [13, 2] {
        let early = client.wait(ping, Duration::from_millis(100)).unwrap();
        assert!(early.is_none(), "it was given up too early: {early:?}");
        computer.time.advance(Duration::from_secs(wait));
    }
    let event = end_of(&client, Ok(ping));
    assert_eq!(event.code, Code::IdentityProviderUnavailable, "{}", event.message);
    assert!(
        event.message.contains("in time") && begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
    drop(connection);
    client.ping(Intent::Launch).unwrap();
    let _connection = listener.accept().unwrap();
    let begin = Instant::now();
    client.close(crate::support::PATIENCE);
    assert!(begin.elapsed() < Duration::from_secs(8), "it waited for the issuer: {:?}", begin.elapsed());
}

/// The issuer is asked as the license server is: nothing of it is believed when its certificate is
/// not.
#[test]
fn a_certificate_that_nobody_vouches_for_is_not_talked_to() {
    let (computer, server) = (Computer::new("self-signed"), MockServer::start().unwrap());
    let upstream = Arc::new(Upstream::start().unwrap());
    let case = CASES.iter().find(|case| case.name == "tls-self-signed").unwrap();
    let proxy = FaultProxy::start(case, &upstream).unwrap();
    let client = machine(&computer, &server, &proxy.route().server);
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::IdentityProviderUnavailable, "{}", event.message);
    assert!(
        event.message.contains("Its certificate is not trusted (") && event.message.contains("127.0.0.1")
    );
}

/// An issuer of device codes, and how often it was asked whether somebody has typed one.
fn device_issuer(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let url = issuer(move |path| match path {
        "/device" => {
            let codes = r#"{"device_code":"device-canary","user_code":"WDJB-MJHT","expires_in":60,"interval":1,
                "verification_uri":"{url}/type"}"#;
            (200, JSON, codes.to_owned())
        }
        "/token" => {
            let answer = answers.get(count.fetch_add(1, Ordering::SeqCst)).or(answers.last()).unwrap();
            (400, JSON, format!(r#"{{"error":"{answer}"}}"#))
        }
        other => described("", "")(other),
    });
    (url, asked)
}

#[test]
fn a_device_code_is_asked_for_as_slowly_as_the_issuer_wants() {
    let (computer, server) = (Computer::new("slow-down"), MockServer::start().unwrap());
    let (url, asked) = device_issuer(&["authorization_pending", "slow_down", "expired_token"]);
    let client = Client::open(&options(&computer, &server, &url)).unwrap();
    let operation = client.sign_in_device(AGREED, None).unwrap();
    let asked = || asked.load(Ordering::SeqCst);
    until("it is asked once, and again after a second", || {
        computer.time.advance(Duration::from_millis(20));
        asked() == 2
    });
    // Told to slow down: five seconds more.
    computer.time.advance(Duration::from_secs(5));
    assert!(client.wait(operation, Duration::from_millis(100)).unwrap().is_none());
    assert_eq!(asked(), 2, "six seconds have not passed");
    computer.time.advance(Duration::from_secs(1));
    let mut said = Vec::new();
    while said.last().is_none_or(|(kind, _)| *kind != EventKind::Operation) {
        let Some(event) = client.next_event(crate::support::PATIENCE).unwrap() else { panic!("{said:?}") };
        said.push((event.kind, event.message));
    }
    assert!(client.wait(operation, Duration::ZERO).is_err(), "its event was taken");
    assert!(said[0].1.contains("/type") && said[0].1.contains("WDJB-MJHT"), "{said:?}");
    assert!(said[1].1.contains("not used in time (expired_token)"), "{said:?}");
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    assert_eq!(asked(), 3);
}
