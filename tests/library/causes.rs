//! What can stand between a plug-in and its server, each with the code and the words of its own
//! cause.

use seatlock::{Client, Code, Options};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";

/// Answers every connection with the same bytes, and closes it. Nothing is read when there is
/// nothing to answer.
fn serve(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn http(status: u16, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn table_of_causes() {
    let html = "Content-Type: text/html\r\n";
    let later = "Content-Type: text/html\r\nRetry-After: 9\r\n";
    let problem = "Content-Type: application/problem+json\r\n";
    let ours = r#"{"type":"about:blank","title":"t","status":404,"detail":"d","code":"invalid_argument"}"#;
    let (page, gateway) = ("The answer was a web page", "What stands in front of it cannot reach it");
    // (what, scheme, what is answered, code, words)
    let rows: &[(&str, &str, String, Code, &str)] = &[
        (
            "another path of our server",
            "http",
            http(404, problem, ours),
            Code::Unreachable,
            "has nothing at this address",
        ),
        (
            "another method",
            "http",
            http(405, problem, ours),
            Code::Unreachable,
            "has nothing at this address",
        ),
        ("a gateway", "http", http(502, html, "<html>"), Code::ServerError, gateway),
        ("a gateway that waits", "http", http(504, html, "<html>"), Code::ServerError, gateway),
        ("a gateway without a server", "http", http(503, html, "<html>"), Code::ServerError, gateway),
        ("a gateway in maintenance", "http", http(503, later, "<html>"), Code::Maintenance, ""),
        ("a gateway with a limit", "http", http(429, html, "<html>"), Code::RateLimited, "Next at"),
        (
            "another address",
            "http",
            http(301, "Location: https://new.test/\r\n", ""),
            Code::Unreachable,
            "has moved",
        ),
        (
            "a login page",
            "http",
            http(302, "Location: https://login.test/\r\n", ""),
            Code::UnexpectedResponse,
            "sends on",
        ),
        ("a page in its place", "http", http(200, html, "<html>"), Code::UnexpectedResponse, page),
        (
            "a network that wants a sign-in",
            "http",
            http(511, html, "<html>"),
            Code::UnexpectedResponse,
            "wants you to sign in",
        ),
        ("an empty answer", "http", http(200, "", ""), Code::UnexpectedResponse, "The answer was empty"),
        ("no answer", "http", String::new(), Code::Unreachable, "closed without an answer"),
        ("no HTTP", "http", "SSH-2.0-OpenSSH_9.2\r\n".to_owned(), Code::Unreachable, "could not be read"),
        ("no TLS", "https", http(400, html, "<html>"), Code::UnexpectedResponse, "It does not speak TLS"),
    ];
    for (what, scheme, answer, code, words) in rows {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new();
        options.set_product("com.example.bridge").unwrap();
        options.set_server(&format!("{scheme}://127.0.0.1:{}", serve(answer.clone()))).unwrap();
        options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        options.set_state_folder(folder.path().to_str().unwrap()).unwrap();
        options.set_machine_id("test-computer-causes").unwrap();
        let client = Client::open(&options).unwrap();
        let asked = client.preflight(Some(TOKEN)).unwrap();
        let event = client.wait(asked, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(event.code, *code, "{what}: {}", event.message);
        assert!(event.message.contains(words), "{what}: {}", event.message);
        assert!(
            !event.message.contains("html") && !event.message.contains("SSH"),
            "{what}: {}",
            event.message
        );
    }
}
