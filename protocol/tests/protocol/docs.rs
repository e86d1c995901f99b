//! Keeps `docs/protocol.md` true: its table of codes and its example of a request.

use seatlock_protocol::{Code, MachineId, api::SeatRequest};
use std::fmt::Write as _;
use std::{env, fs, path::PathBuf};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md")
}

fn page() -> String {
    fs::read_to_string(path()).unwrap()
}

/// The table of `Code::TABLE` as it stands in the page.
fn table() -> String {
    let mut table = "| n | code | HTTP | what the user reads | remedy |\n|---|---|---|---|---|\n".to_owned();
    for row in Code::TABLE {
        let http = if row.http == 0 { "-".to_owned() } else { row.http.to_string() };
        assert!(!row.text.contains('|') && !row.remedy.contains('|'), "{} would break the table", row.name);
        writeln!(table, "| {} | `{}` | {http} | {} | {} |", row.number, row.name, row.text, row.remedy)
            .unwrap();
    }
    table
}

#[test]
fn the_table_of_codes_is_that_of_the_crate() {
    let page = page();
    let (before, rest) = page.split_once("<!-- codes: begin").unwrap();
    let (marker, rest) = rest.split_once("-->\n").unwrap();
    let (written, after) = rest.split_once("<!-- codes: end -->").unwrap();
    if env::var_os("SEATLOCK_UPDATE").is_some_and(|value| value == "1") {
        let page = format!("{before}<!-- codes: begin{marker}-->\n{}<!-- codes: end -->{after}", table());
        fs::write(path(), page).unwrap();
        return;
    }
    for (written, made) in written.lines().zip(table().lines()) {
        assert_eq!(written, made, "run the test with SEATLOCK_UPDATE=1 to rewrite the table");
    }
    assert_eq!(written, table(), "run the test with SEATLOCK_UPDATE=1 to rewrite the table");
}

/// At most 100 columns wide, every line behind `mark`.
fn wrapped(mark: &str, text: &str) -> String {
    let mut lines = vec![mark.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if line == mark {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= 100 {
            *line += &format!(" {word}");
        } else {
            lines.push(format!("{mark}{word}"));
        }
    }
    lines.join("\n")
}

/// `docs/codes.md`: a section for each code, at the address that the code names.
fn sections() -> String {
    let mut page = "# Codes\n\nWhat a plug-in or a server says, and what to do about it. Written by\n\
        `SEATLOCK_UPDATE=1 cargo test --test protocol` from the table of codes\n\
        ([`protocol.md`](protocol.md), section 10).\n"
        .to_owned();
    for row in Code::TABLE {
        let anchor = row.url.split_once("docs/codes.md#").unwrap().1;
        assert_eq!(anchor, row.name, "the heading is the anchor");
        let (sign, prefix) = if row.number < 10 { ("", "") } else { ("-", "ERROR_") };
        let name = row.name.trim_end_matches("_error").to_uppercase();
        let http = if row.http == 0 { String::new() } else { format!(", HTTP status {}", row.http) };
        writeln!(page, "\n## {}\n\n`SEATLOCK_{prefix}{name}` ({sign}{}){http}\n", row.name, row.number)
            .unwrap();
        writeln!(page, "{}\n\n{}", wrapped("> ", row.text), wrapped("", row.remedy)).unwrap();
    }
    page
}

#[test]
fn every_code_has_its_section() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/codes.md");
    if env::var_os("SEATLOCK_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, sections()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), sections(), "SEATLOCK_UPDATE=1 rewrites the page");
}

#[test]
fn every_code_in_the_text_exists() {
    let page = page();
    let starts =
        ["token_", "seat_", "license_", "lease_", "machine_id_", "clock_", "replayed_", "tls_", "proxy_"];
    for word in page.split('`').skip(1).step_by(2) {
        let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        // A member of request files, and an event of the audit trail.
        let other = ["token_hash", "clock_accepted"].contains(&word);
        let looks_like_a_code = plain && !other && starts.iter().any(|start| word.starts_with(start));
        assert!(!looks_like_a_code || Code::from_name(word).is_some(), "{word} is no code");
    }
}

#[test]
fn the_example_request_is_one() {
    let page = page();
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (json, _) = rest.split_once("```").unwrap();
    let request: SeatRequest = serde_json::from_str(json).unwrap();
    let machine = MachineId::derive("com.example.bridge", "linux", "0123456789abcdef0123456789abcdef");
    assert_eq!(request.machine.id, machine);
    assert!(page.contains(&machine.short()));
    // Nothing in the example is left unread: what is written again has the same members.
    let written = serde_json::to_value(&request).unwrap();
    let mut given: serde_json::Value = serde_json::from_str(json).unwrap();
    given.get_mut("clock").and_then(serde_json::Value::as_object_mut).unwrap().remove("anomaly");
    assert_eq!(written, given);
}
