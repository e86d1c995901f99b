//! An operating system that refuses descriptors, sockets, threads or memory fails a try, and takes
//! no license away.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use xtask::server::{Running, Setup};
use xtask::{build, c, repository, run};

/// A provider that only says what it is, and gives codes to devices; nobody ever signs in there. It
/// ends with the test.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = serde_json::json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device"),
        "device_code": "device",
        "user_code": "ABCD-EFGH",
        "verification_uri": format!("{url}/activate"),
        "expires_in": 600,
    });
    let answer = answer.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(&stream, "{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        }
    });
    url
}

#[test]
fn what_the_system_refuses_is_a_failed_try() {
    let server = Running::start_with(&Setup::without_token_limit()).unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("refusals");
    let link = c::link_with(&build::shared_library(false).unwrap()).unwrap();
    let flags: Vec<&str> = c::C_WARNINGS
        .iter()
        .copied()
        .chain(["-g", "-pthread", "-rdynamic", "-ldl"])
        .chain(link.iter().map(String::as_str))
        .collect();
    let source = repository().join("tests/c/refusals.c");
    c::compile(&[&source], &[&repository().join("include")], &program, &flags).unwrap();
    let url = server.url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let mut command = Command::new(program);
    command.args([port, server.issuer(), server.root_key()]).arg(folder.path().join("state")).arg(provider());
    // An account file that says nothing is read all the same.
    fs::write(folder.path().join("credentials.json"), "{}").unwrap();
    command.arg(folder.path());
    // Reading the computer's own identity is among what is refused; most containers have none to read.
    let own = fs::metadata("/etc/machine-id").is_ok_and(|found| found.len() > 0);
    command.env("SEATLOCK_MACHINE_ID", if own { "" } else { "a-container-without-one" });
    command.env_remove("SEATLOCK_STATE_DIR").env("NO_PROXY", "*");
    let (code, said) = run::status(&mut command, Some(&format!("{}\n", seat.token))).unwrap();
    println!("{said}");
    assert_eq!(code, 0, "{said}");
    let rows = said.lines().filter(|line| line.starts_with("ok")).count();
    assert!(rows > 80, "only {rows} were looked at");
}
