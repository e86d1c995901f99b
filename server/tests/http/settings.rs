//! What operators type, set and edit, in the forms in which they do: each is read as it is meant,
//! or refused with words that say where it stands and repeat nothing of it.

use crate::harness::{Done, PRODUCT, PROGRAM, Plugin, Site};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::claims::KeySetClaims;
use seatlock_server::crypto::keys::{read_key, sign_set};
use seatlock_server::service::key_ring::read_set;
use seatlock_server::store::{Actor, GetKeySet, ReplaceIssuer, StoredKeySet};
use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    net::TcpListener,
    os::unix::ffi::OsStringExt as _,
    process::{Command, Output},
};

/// A password that stands in much of what is refused here.
const SECRET: &str = "hunter2";
const HERE: [&str; 3] = ["check", "--listen", "127.0.0.1:0"];

fn said(output: &Output) -> (bool, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.success(), text.concat())
}

fn whole(done: Done) -> (bool, String) {
    (done.ok, done.stdout + &done.stderr)
}

/// A command for a server that runs elsewhere.
fn elsewhere(url: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--server", url, "seat", "list"]);
    command
}

/// Every variable of the server.
const VARIABLES: [&str; 23] = [
    "SEATLOCK_LISTEN",
    "SEATLOCK_PUBLIC_URL",
    "SEATLOCK_PRODUCT_NAME",
    "SEATLOCK_TRUSTED_PROXY",
    "SEATLOCK_TLS_CERTIFICATE",
    "SEATLOCK_TLS_KEY",
    "SEATLOCK_METRICS_LISTEN",
    "SEATLOCK_LOG",
    "SEATLOCK_LOG_FORMAT",
    "SEATLOCK_REQUEST_TIMEOUT",
    "SEATLOCK_IDLE_TIMEOUT",
    "SEATLOCK_MAX_CONNECTIONS",
    "SEATLOCK_TOKEN_LIMIT",
    "SEATLOCK_ADDRESS_LIMIT",
    "SEATLOCK_WRONG_TOKEN_LIMIT",
    "SEATLOCK_MAIL_FROM",
    "SEATLOCK_SMTP_URL_FILE",
    "SEATLOCK_SMTP_URL",
    "SEATLOCK_DATABASE_FILE",
    "SEATLOCK_DATABASE_URL",
    "SEATLOCK_CONFIG",
    "SEATLOCK_SERVER_URL",
    "SEATLOCK_API_TOKEN",
];

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let site = Site::new(&[]);
    let shown = |value: Option<&str>| {
        let mut command = site.command(&["--json", "config", "show"]);
        for name in VARIABLES {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        said(&command.output().unwrap())
    };
    let unset = shown(None);
    assert!(unset.0, "{unset:?}");
    for nothing in ["", " ", "\n", "\"\"", "' '", "\u{feff}"] {
        assert_eq!(shown(Some(nothing)), unset, "{nothing:?}");
    }
}

#[test]
fn table_of_variables() {
    let site = Site::new(&[]);
    let words = |text: &str| OsString::from(text);
    let latin = || OsString::from_vec(b"hunter2\xe9".to_vec());
    // (variable, value, what is read or part of what is said)
    for (name, value, found) in [
        ("SEATLOCK_LISTEN", words("\"127.0.0.9:1\"\r\n"), Ok("127.0.0.9:1")),
        ("SEATLOCK_LISTEN", words("hunter2"), Err("write an address and a port")),
        ("SEATLOCK_LISTEN", latin(), Err("it is not text in UTF-8")),
        ("SEATLOCK_PUBLIC_URL", words(" 'https://Seats.Example/' "), Ok("https://Seats.Example/")),
        ("SEATLOCK_PUBLIC_URL", words("hunter2.example"), Err("https:// is missing before it")),
        ("SEATLOCK_PUBLIC_URL", words("ftp://hunter2"), Err("https is required")),
        ("SEATLOCK_PUBLIC_URL", words("https://h?hunter2"), Err("no query and no fragment")),
        ("SEATLOCK_PUBLIC_URL", words("https://ada:hunter2@h"), Err("without user name or password")),
        ("SEATLOCK_PUBLIC_URL", words("https://h/hunter2"), Err("no path can be part of it")),
        ("SEATLOCK_PUBLIC_URL", words("https://hunter2 .h"), Err("white space or an invisible character")),
        ("SEATLOCK_TRUSTED_PROXY", words("\"10.0.0.0/8,127.0.0.1\"\n"), Ok("10.0.0.0/8, 127.0.0.1")),
        ("SEATLOCK_TRUSTED_PROXY", words("10.0.0.0/8,hunter2"), Err("write a network such as")),
        ("SEATLOCK_LOG", words("WARN\n"), Ok("WARN")),
        ("SEATLOCK_LOG", words("hunter2"), Err("write one of error, warn, info, debug")),
        ("SEATLOCK_LOG_FORMAT", words("hunter2"), Err("write one of text, json")),
        ("SEATLOCK_TOKEN_LIMIT", words("'7'"), Ok("7")),
        ("SEATLOCK_TOKEN_LIMIT", words("-1"), Err("write a whole number from 0 to 1000000")),
        ("SEATLOCK_REQUEST_TIMEOUT", words("hunter2s"), Err("write a whole number before its unit")),
        ("SEATLOCK_PRODUCT_NAME", words("hunter2"), Err("write PRODUCT=NAME")),
        ("SEATLOCK_TLS_KEY", latin(), Err("it is not text in UTF-8")),
        ("SEATLOCK_SERVER_URL", words("https://ada:hunter2@h"), Err("without user name or password")),
        ("SEATLOCK_SERVER_URL", words("http://hunter2.example"), Err("https is required")),
        ("SEATLOCK_DATABASE_URL", latin(), Err("it is not text in UTF-8")),
    ] {
        let mut command = site.command(&["--json", "config", "show"]);
        let (ok, text) = said(&command.env(name, &value).output().unwrap());
        match found {
            Ok(value) => {
                let all: serde_json::Value = serde_json::from_str(&text).expect(&text);
                let one = all.as_array().unwrap().iter().find(|one| one["source"] == name).expect(name);
                assert_eq!(one["value"], value, "{name}");
            }
            Err(words) => {
                assert!(!ok && text.contains(name) && text.contains(words), "{name} {value:?}: {text}");
                assert!(!text.contains(SECRET), "{name}: {text}");
            }
        }
    }
    let mut command = site.command(&["config", "check"]);
    let (ok, text) = said(&command.args(&HERE[1..]).env("SEATLOCK_SMTP_URL", latin()).output().unwrap());
    assert!(!ok && text.contains("SEATLOCK_SMTP_URL") && !text.contains(SECRET), "{text}");
    let mut command = elsewhere("http://127.0.0.1:1");
    let (ok, text) = said(&command.env("SEATLOCK_API_TOKEN", latin()).output().unwrap());
    assert!(!ok && text.contains("SEATLOCK_API_TOKEN") && !text.contains(SECRET), "{text}");
}

/// A variable names its command's help, and no value of it.
#[test]
fn help_names_variables_and_shows_no_value() {
    let site = Site::new(&[]);
    let mut command = site.command(&["serve", "--help"]);
    let (ok, text) = said(&command.env("SEATLOCK_MAIL_FROM", SECRET).output().unwrap());
    assert!(ok && text.contains("[env: SEATLOCK_MAIL_FROM]") && !text.contains(SECRET), "{text}");
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn table_of_files() {
    let site = Site::new(&["--seats", "9"]);
    let file = site.scratch("edited");
    let name = file.to_str().unwrap();
    let list = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        whole(site.cli(&["seat", "create", "--emails", name, "--dry-run"]))
    };
    let config = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        whole(site.cli(&["--config", name, "config", "show"]))
    };
    let database = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        whole(site.cli(&["--database-file", name, "seat", "list"]))
    };
    let token = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        let mut command = elsewhere("http://127.0.0.1:1");
        said(&command.args(["--api-token-file", name]).output().unwrap())
    };
    let mail = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        let more = ["--smtp-url-file", name, "--mail-from", "a@b.example"];
        whole(site.cli(&[&["config"], &HERE[..], &more].concat()))
    };
    let key = fs::read(site.root_file()).unwrap();
    let root = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        let data = site.scratch("another");
        let done = site.cli_in(
            &data,
            &["init", "--issuer", "https://x.example", "--product", PRODUCT, "--root-key", name],
        );
        let _ = fs::remove_dir_all(&data);
        whole(done)
    };
    let marked = |text: &[u8]| [b"\xef\xbb\xbf", text].concat();
    let api = b"sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
    for (what, (ok, text), words) in [
        ("a list with a mark", list(&marked(b"ada@example.com\r\n")), None),
        ("a list in UTF-16", list(&utf16("ada@example.com\n")), Some("it is UTF-16; save it as UTF-8")),
        ("a list in Latin-1", list(b"ada@example.com\nr\xe9n\xe9@x\n"), Some("not text in UTF-8 at line 2")),
        ("settings with a mark", config(&marked(b"log = \"warn\"\n")), None),
        ("settings in UTF-16", config(&utf16("log = \"warn\"\n")), Some("it is UTF-16")),
        ("settings in Latin-1", config(b"log = \"warn\"\n# \xe9\n"), Some("not text in UTF-8 at line 2")),
        ("a key with a mark", root(&marked(&key)), None),
        ("a key in UTF-16", root(&utf16(&String::from_utf8(key.clone()).unwrap())), Some("it is UTF-16")),
        ("a token with a mark", token(&marked(api)), Some("is not reachable: The connection was refused")),
        (
            "a token in quotes",
            token(b"\"sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r\"\r\n"),
            Some("is not reachable"),
        ),
        ("two tokens", token(b"sat_hunter2\nsat_hunter2\n"), Some("goes on after its first line, at line 2")),
        ("no token", token(b"\n"), Some("it is empty")),
        ("a token in UTF-16", token(&utf16("sat_hunter2")), Some("it is UTF-16")),
        ("a database in UTF-16", database(&utf16("postgres://ada:hunter2@h/x")), Some("it is UTF-16")),
        ("two databases", database(b"postgres://ada:hunter2@h/x\n\npostgres://h"), Some("at line 3")),
        ("a mail server with a mark", mail(&marked(b"smtp://127.0.0.1:1\n")), None),
        ("two mail servers", mail(b"smtp://h\nsmtps://ada:hunter2@h\n"), Some("at line 2")),
    ] {
        match words {
            None => assert!(ok, "{what}: {text}"),
            Some(words) => assert!(!ok && text.contains(words), "{what}: {text}"),
        }
        assert!(!text.contains(SECRET) && !text.contains("os error"), "{what}: {text}");
    }
}

#[test]
fn an_issuer_is_spelled_as_plug_ins_spell_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(&[]);
    for (number, (issuer, found)) in [
        ("https://licenses.example.com/", Ok("https://licenses.example.com")),
        (" https://LICENSES.example.com:443//", Ok("https://licenses.example.com")),
        ("https://h.example/lic/", Ok("https://h.example/lic")),
        ("http://127.0.0.1:8787/", Ok("http://127.0.0.1:8787")),
        ("licenses.example.com", Err("https:// is missing before it")),
        ("licenses.example.com:8787", Err("https:// is missing before it")),
        ("Example Licenses", Err("white space")),
        ("http://licenses.example.com", Err("https is required")),
        ("https://ada:x@licenses.example.com", Err("without user name or password")),
        ("https://licenses.example.com?x", Err("no query")),
        ("https://licenses\u{200b}.example.com", Err("invisible character")),
        ("", Err("that is no address")),
    ]
    .into_iter()
    .enumerate()
    {
        let data = folder.path().join(number.to_string());
        let done = site.cli_in(&data, &["init", "--issuer", issuer, "--product", PRODUCT]);
        match found {
            Ok(spelled) => assert_eq!(done.json()["issuer"], spelled, "{issuer:?}"),
            Err(words) => {
                assert!(!done.ok && done.stderr.contains(words), "{issuer:?}: {}", done.stderr);
                assert!(!data.exists(), "{issuer:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_can_be_changed_while_no_seat_is_bound() {
    let site = Site::new(&[]);
    let (seat, token) = site.seat("ada@example.com");
    let root = site.root_file();
    let set = |issuer: &str, more: &[&str]| {
        site.cli(&[&["server", "set-issuer", issuer, "--root-key", &root], more].concat())
    };
    let shown = || site.cli(&["server", "show"]).json();
    let old = shown()["issuer"].as_str().unwrap().to_owned();
    assert_eq!(shown()["bound_seats"], 0);
    assert_eq!(set("https://new.example/", &["--dry-run"]).json()["issuer"], "https://new.example");
    let asked = set("https://new.example", &[]);
    assert!(!asked.ok && asked.stderr.contains("nothing was changed"), "nobody answers: {asked:?}");
    assert_eq!(shown()["issuer"], *old);
    let other = site.scratch("other-key.json");
    site.cli(&["keys", "new-root", "--out", other.to_str().unwrap()]);
    for (issuer, key, words) in [
        (old.as_str(), root.as_str(), "already"),
        ("new.example", &root, "https:// is missing"),
        ("https://new.example", other.to_str().unwrap(), "is not this server's root key"),
    ] {
        let refused = site.cli(&["server", "set-issuer", issuer, "--root-key", key, "--yes"]);
        assert!(!refused.ok && refused.stderr.contains(words), "{issuer}: {}", refused.stderr);
    }
    set("https://new.example/", &["--yes"]).json();
    assert_eq!(shown()["issuer"], "https://new.example");

    // What is signed from then on has the new name, and so has the key set.
    let server = site.serve();
    let plugin = Plugin::new(&token, "a");
    let lease = server.call("activate", &plugin).await;
    assert_eq!(lease.status, 201, "{}", lease.body);
    for signed in ["lease", "keyset"] {
        let body: serde_json::Value = serde_json::from_str(&lease.body).unwrap();
        let jws = body[signed].as_str().unwrap().to_owned();
        let claims = URL_SAFE_NO_PAD.decode(jws.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "https://new.example", "{signed}");
    }
    let bound = set("https://third.example", &["--yes"]);
    assert!(!bound.ok && bound.stderr.contains("1 seats are bound"), "{}", bound.stderr);
    assert_eq!(shown()["bound_seats"], 1);
    site.cli(&["seat", "revoke", &seat, "--yes"]).json();
    set("https://third.example", &["--yes"]).json();
    site.cli(&["audit", "verify"]).json();
    let trail = site.cli(&["audit", "--last", "50"]).stdout;
    assert_eq!(trail.matches("issuer_replaced").count(), 2, "{trail}");
}

/// Gives a server a name that no command would give it.
async fn misname(site: &Site, issuer: &str) {
    let root = read_key(site.root_file().as_ref()).unwrap();
    let store = site.place().open().await.unwrap();
    let last = read_set(&store.run(GetKeySet).await.unwrap().jws).unwrap();
    let set = KeySetClaims { iss: issuer.to_owned(), seq: last.seq + 1, ..last };
    let keys = StoredKeySet { seq: set.seq, jws: sign_set(&root, &set).unwrap() };
    store.run(ReplaceIssuer { issuer: issuer.to_owned(), keys, by: Actor::Console }).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn check_refuses_what_plug_ins_and_pages_can_not_use() {
    let site = Site::new(&[]);
    let check = |site: &Site, more: &[&str]| {
        let done = site.cli(&[&["config"], &HERE[..], more].concat());
        assert!(!done.stdout.contains("os error"), "{}", done.stdout);
        done
    };
    assert!(check(&site, &["--public-url", "https://h.example"]).ok);
    // A database of another time, whose issuer nobody looked at.
    for (issuer, words) in [
        ("https://licenses.example.com/", "plug-ins spell"),
        ("HTTPS://licenses.example.com", "server set-issuer https://licenses.example.com"),
        ("licenses.example.com", "https:// is missing before it"),
    ] {
        let site = Site::new(&[]);
        misname(&site, issuer).await;
        let done = check(&site, &[]);
        assert!(!done.ok && done.stdout.contains(words), "{issuer}: {}", done.stdout);
    }
    let below = tempfile::tempdir().unwrap();
    let data = below.path().join("data");
    site.cli_in(&data, &["init", "--issuer", "https://h.example/lic", "--product", PRODUCT]).json();
    let of = |more: &[&str]| site.cli_in(&data, &[&["config"], &HERE[..], more].concat());
    let done = of(&[]);
    assert!(!done.ok && done.stdout.contains("pages live below no path"), "{}", done.stdout);
    assert!(of(&["--public-url", "https://seats.example"]).ok);
    let taken = site.cli(&["config", "check", "--listen", "192.0.2.1:80"]);
    assert!(taken.stdout.contains("This computer has no such address"), "{}", taken.stdout);
}

/// Names come from issuers as well, which say what they like.
#[tokio::test]
async fn names_of_others_mean_nothing_to_a_terminal_or_a_browser() {
    let site = Site::new(&[]);
    site.seat_of("ada\u{202e}\u{1b}[31m\u{2066}\nbob@example.com").await;
    let (_, text) = said(&site.command(&["seat", "list"]).output().unwrap());
    assert_eq!(text.lines().count(), 2, "{text:?}");
    assert!(text.contains("ada [31m bob@example.com"), "{text:?}");
    assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{2066}']), "{text:?}");
}

#[test]
fn a_proxy_that_can_not_be_used_is_named_and_never_passed_by() {
    let list = |variables: &[(&str, &str)]| {
        let mut command = elsewhere("https://licenses.invalid");
        command.env("SEATLOCK_API_TOKEN", "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r");
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(name);
        }
        said(&command.envs(variables.iter().copied()).output().unwrap())
    };
    for bad in ["socks5://h:1", "http://ada:hunter2#x@h:1", "http://D\\ada:hunter2@h:1", "PROXY h:1; DIRECT"]
    {
        let (ok, text) = list(&[("HTTPS_PROXY", bad)]);
        assert!(!ok && text.contains("the variable HTTPS_PROXY cannot be used"), "{bad}: {text}");
        assert!(!text.contains(SECRET), "{text}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("\"http://{}\"\n", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 512];
        let read = stream.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let (ok, _) = list(&[("HTTPS_PROXY", &proxy)]);
    assert!(!ok);
    assert!(heard.join().unwrap().starts_with("CONNECT licenses.invalid:443 "));
}
