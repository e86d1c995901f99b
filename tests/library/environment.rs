//! What people set in variables, and what they save in files: one table of each, every row with the
//! code and the words that come of it. Variables are set for a process of its own, because those of
//! this one are every test's.

use seatlock::{Client, Code, Consent, Failure, Intent, Options};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const ROOT_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const SERVER: &str = "https://license.test:8443";
/// Names the folder of a process that is to open a client and to say what comes of it.
const FOLDER: &str = "SEATLOCK_TEST_FOLDER";
/// What it does after that.
const ACTION: &str = "SEATLOCK_TEST_ACTION";
const MARK: &str = "it said: ";

fn options(folder: &Path) -> Options {
    let mut options = Options::new();
    options.set_product("com.example.bridge").unwrap();
    options.set_server(SERVER).unwrap();
    options.add_root_key(ROOT_KEY).unwrap();
    options.set_state_folder(folder.join("state").to_str().unwrap()).unwrap();
    options.set_account_folder(folder.to_str().unwrap()).unwrap();
    // A container has no identity of its own.
    options.set_machine_id("a-computer-of-the-tests").unwrap();
    options
}

/// The process that is begun by [`said`]. By itself it does nothing.
#[test]
fn a_process_with_variables() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let action = std::env::var(ACTION).unwrap();
    let words = |code: Code, message: &str| format!("{code} {message}");
    let done =
        |done: Result<String, Failure>| done.unwrap_or_else(|failure| words(failure.code, &failure.message));
    let said = match Client::open(&options(Path::new(&folder))) {
        _ if action == "machine-id" => done(
            seatlock::machine_identity("com.example.bridge", Some("of-the-host"))
                .map(|found| found.id.short()),
        ),
        Err(failure) => words(failure.code, &failure.message),
        Ok(client) if action == "open" => {
            let short = client.text(seatlock::Text::MachineShort).unwrap().unwrap();
            format!("ok {short} {}", client.text(seatlock::Text::StateFolder).unwrap().unwrap())
        }
        Ok(client) if action == "allow" => done(client.allow_network(true).map(|()| "ok".to_owned())),
        Ok(client) => {
            let started = match action.as_str() {
                "preflight" => client.preflight(Some(TOKEN)).unwrap(),
                _ => client.ping(Intent::Launch).unwrap(),
            };
            let event = client.wait(started, Duration::from_secs(60)).unwrap().unwrap();
            words(event.code, &event.message)
        }
    };
    println!("{MARK}{said}");
}

fn said(folder: &Path, action: &str, variables: &[(&str, &[u8])]) -> String {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "--nocapture", "environment::a_process_with_variables"]);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if upper.starts_with("SEATLOCK_") || upper.ends_with("_PROXY") || upper.starts_with("SSL_CERT") {
            process.env_remove(name);
        }
    }
    process.env(FOLDER, folder).env(ACTION, action);
    process.envs(variables.iter().map(|(name, value)| (name, OsStr::from_bytes(value))));
    let output = String::from_utf8(process.output().unwrap().stdout).unwrap();
    let line = output.lines().find_map(|line| line.split_once(MARK)).unwrap_or_else(|| panic!("{output}"));
    line.1.to_owned()
}

#[test]
fn table_of_variables() {
    const ID: &str = "SEATLOCK_MACHINE_ID";
    let folder = tempfile::tempdir().unwrap();
    let plain = said(folder.path(), "open", &[]);
    let farm = said(folder.path(), "open", &[(ID, b"farm-node-0017")]);
    assert!(plain.starts_with("ok ") && farm.starts_with("ok ") && farm != plain);
    // Below another folder, for another computer: only what stands before it is the same.
    let elsewhere = farm.replace(&folder.path().join("state").display().to_string(), "/tmp/lic");
    let latin = elsewhere.replace("/tmp/lic", "/tmp/\u{fffd}");
    let shown = |text: &str| text.split(' ').nth(1).unwrap().to_owned();
    // (variables, code and words, or for "ok" whose machine id)
    type Row<'a> = (&'a [(&'a str, &'a [u8])], &'a str);
    let rows: &[Row<'_>] = &[
        (&[(ID, b"")], &plain),
        (&[(ID, b" \t")], &plain),
        (&[(ID, b"\"\"")], &plain),
        (&[(ID, b"\"farm-node-0017\"")], &farm),
        (&[(ID, b"'farm-node-0017'\n")], &farm),
        (&[(ID, b"\xef\xbb\xbffarm-node-0017\r\n")], &farm),
        (&[(ID, b"rendu-\xe9-0017")], "invalid_utf8 SEATLOCK_MACHINE_ID is not UTF-8"),
        (&[(ID, b"short")], "invalid_argument SEATLOCK_MACHINE_ID: the supplied machine id is not 8 to 256"),
        (&[(ID, b"farm-node-0017"), ("SEATLOCK_STATE_DIR", b"/tmp/lic")], &elsewhere),
        (&[(ID, b"farm-node-0017"), ("SEATLOCK_STATE_DIR", b" \"/tmp/lic\"\n")], &elsewhere),
        (&[("SEATLOCK_STATE_DIR", b"")], &plain),
        (
            &[("SEATLOCK_STATE_DIR", b"~/lic")],
            "invalid_argument SEATLOCK_STATE_DIR: the state folder must be an absolute",
        ),
        (
            &[("SEATLOCK_STATE_DIR", b"$HOME/lic")],
            "invalid_argument SEATLOCK_STATE_DIR: the state folder must be",
        ),
        (&[("SEATLOCK_STATE_DIR", b"lic")], "invalid_argument SEATLOCK_STATE_DIR: the state folder must be"),
        // Names of folders need not be text.
        (&[(ID, b"farm-node-0017"), ("SEATLOCK_STATE_DIR", b"/tmp/\xe9")], &latin),
        (&[("SEATLOCK_STATE_DIR", b"\xe9")], "invalid_argument SEATLOCK_STATE_DIR: the state folder must be"),
        (&[("SEATLOCK_SERVER", b"\"https://other.test/\"")], &plain),
        (
            &[("SEATLOCK_SERVER", b"other.test")],
            "invalid_argument SEATLOCK_SERVER: the server's address: https:// is missing",
        ),
        (
            &[("SEATLOCK_SERVER", b"http://other.test")],
            "invalid_argument SEATLOCK_SERVER: the server's address: https is req",
        ),
        (&[("SEATLOCK_TOKEN", b"Token: <sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs>.")], &plain),
        (&[("SEATLOCK_TOKEN", b"sit_8uVq")], "token_malformed SEATLOCK_TOKEN: The token looks incomplete"),
        (&[("SEATLOCK_TOKEN", b"\xff")], "invalid_utf8 SEATLOCK_TOKEN is not UTF-8"),
        (
            &[("SEATLOCK_OFFLINE", b"perhaps")],
            "invalid_argument SEATLOCK_OFFLINE: write 1 or 0, true or false",
        ),
        (&[("SEATLOCK_OIDC_ISSUER", b"https://login.test"), ("SEATLOCK_CLIENT_ID", b"\"farm\"\n")], &plain),
        (
            &[("SEATLOCK_OIDC_ISSUER", b"https://login.test?x=1")],
            "invalid_argument SEATLOCK_OIDC_ISSUER: the issuer's address",
        ),
        (
            &[("SEATLOCK_CLIENT_ID", b"fa\nrm")],
            "invalid_argument SEATLOCK_CLIENT_ID: the client id has a character",
        ),
        (
            &[("SEATLOCK_CLIENT_SECRET", b"xy\nzzy")],
            "invalid_argument SEATLOCK_CLIENT_SECRET: the client secret has a",
        ),
        (&[("SEATLOCK_SCOPES", b"a\"b")], "invalid_argument SEATLOCK_SCOPES: the scopes are names"),
        (
            &[
                ("SEATLOCK_OIDC_ISSUER", b"https://login.test/\n"),
                ("SEATLOCK_CLIENT_ID", b"farm"),
                ("SEATLOCK_CLIENT_SECRET", b"'xyzzy'\r\n"),
                ("SEATLOCK_SCOPES", b" \"seat:use\" "),
                ("SEATLOCK_AUDIENCE", b"\t"),
            ],
            &plain,
        ),
        (&[("SEATLOCK_AUDIENCE", b"\xe9")], "invalid_utf8 SEATLOCK_AUDIENCE is not UTF-8"),
        (
            &[("SEATLOCK_CLIENT_ID", b"farm")],
            "invalid_argument the issuer's address is missing: set it, or SEATLOCK_OIDC_ISSUER",
        ),
    ];
    for (variables, expected) in rows {
        let said = said(folder.path(), "open", variables);
        assert!(said.starts_with(expected), "{variables:?}: {said}, not {expected}");
        assert!(!said.contains("8uVq") && !said.contains("zzy"), "{said}");
    }
    assert_ne!(shown(&plain), shown(&farm));
    for (variable, expected) in [
        (&b""[..], shown(&said(folder.path(), "open", &[(ID, b"of-the-host")]))),
        (b"\"farm-node-0017\"\n", shown(&farm)),
        (
            b"rendu-\xe9-0017",
            "invalid_utf8 SEATLOCK_MACHINE_ID is not UTF-8; correct it or take it away".to_owned(),
        ),
    ] {
        assert_eq!(said(folder.path(), "machine-id", &[(ID, variable)]), expected);
    }
}

#[test]
fn table_of_network_variables() {
    const PROXY: &str = "HTTPS_PROXY";
    let folder = tempfile::tempdir().unwrap();
    let (asked, direct) = ("The proxy cannot be reached", "The server's name, or the proxy's, was not found");
    let by_variable = "The environment variable SEATLOCK_OFFLINE is set";
    let form = "The environment variable HTTPS_PROXY does not name a proxy: it is not like http://user:password@host";
    let kind = "The environment variable HTTPS_PROXY does not name a proxy: it is no HTTP proxy";
    // (variables, code, words)
    type Row<'a> = (&'a [(&'a str, &'a [u8])], Code, &'a str);
    let rows: &[Row<'_>] = &[
        (&[], Code::Unreachable, direct),
        (&[(PROXY, b"")], Code::Unreachable, direct),
        (&[(PROXY, b"http://127.0.0.1:1")], Code::Unreachable, asked),
        (&[("https_proxy", b"127.0.0.1:1")], Code::Unreachable, asked),
        (&[("ALL_PROXY", b"http://127.0.0.1:1")], Code::Unreachable, asked),
        (&[(PROXY, b" \"http://127.0.0.1:1\"\n")], Code::Unreachable, asked),
        (&[(PROXY, b"http://ada:p%40ss%23@127.0.0.1:1")], Code::Unreachable, asked),
        (&[(PROXY, b"http://ada:p@ss@127.0.0.1:1")], Code::Unreachable, asked),
        (&[(PROXY, b"http://ada:p@ss:w%rd#1@127.0.0.1:1")], Code::Unreachable, form),
        (&[(PROXY, b"http://DOMAIN\\ada:hunter2@127.0.0.1:1")], Code::Unreachable, form),
        (&[(PROXY, b"//127.0.0.1:1")], Code::Unreachable, form),
        (&[(PROXY, b"PROXY 127.0.0.1:1; DIRECT")], Code::Unreachable, form),
        (&[(PROXY, b"socks5://127.0.0.1:1")], Code::Unreachable, kind),
        (&[(PROXY, b"http://\xe9")], Code::Unreachable, "The environment variable HTTPS_PROXY is not UTF-8"),
        (&[(PROXY, b"http://127.0.0.1:1"), ("NO_PROXY", b"*.test")], Code::Unreachable, direct),
        (&[(PROXY, b"http://127.0.0.1:1"), ("NO_PROXY", b"license.test:8443")], Code::Unreachable, direct),
        (
            &[(PROXY, b"http://127.0.0.1:1"), ("no_proxy", b"other.example license.test.")],
            Code::Unreachable,
            direct,
        ),
        (&[(PROXY, b"http://127.0.0.1:1"), ("NO_PROXY", b"license.test:443")], Code::Unreachable, asked),
        (
            &[("SSL_CERT_FILE", b"/nonexistent"), ("SSL_CERT_DIR", b"/nonexistent")],
            Code::TlsUntrusted,
            "no list of certificate authorities; install its package ca-certificates",
        ),
        (&[("SEATLOCK_OFFLINE", b"1")], Code::NetworkDisallowed, by_variable),
        (&[("SEATLOCK_OFFLINE", b" TRUE ")], Code::NetworkDisallowed, by_variable),
        (&[("SEATLOCK_OFFLINE", b"yes")], Code::NetworkDisallowed, by_variable),
        (&[("SEATLOCK_OFFLINE", b"0 ")], Code::Unreachable, direct),
        (&[("SEATLOCK_OFFLINE", b"false")], Code::Unreachable, direct),
        (&[("SEATLOCK_OFFLINE", b"No")], Code::Unreachable, direct),
        (&[("SEATLOCK_OFFLINE", b"\"off\"")], Code::Unreachable, direct),
    ];
    let stays =
        "network_disallowed networking stays off, because the environment variable SEATLOCK_OFFLINE is set";
    for (value, expected) in [(&b"1"[..], stays), (b"off", "ok"), (b"", "ok")] {
        assert_eq!(said(folder.path(), "allow", &[("SEATLOCK_OFFLINE", value)]), expected);
    }
    for (variables, code, words) in rows {
        let said = said(folder.path(), "preflight", variables);
        assert!(said.starts_with(code.name()) && said.contains(words), "{variables:?}: {said}, not {words}");
        assert!(!said.contains("ss%") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn table_of_account_files() {
    let token = format!(r#"{{"token":"{TOKEN}"}}"#);
    let (marked, goes_on) = (format!("\u{feff}{token}\r\n"), format!("{token}\r\n,"));
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(token.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let cut = &token.as_bytes()[..token.len() - 1];
    // (what, content, code and words)
    let rows: &[(&str, &[u8], &str)] = &[
        ("as written", token.as_bytes(), "ok"),
        ("with a byte order mark", marked.as_bytes(), "ok"),
        ("UTF-16", &utf16, "invalid_argument FILE: it is UTF-16; save it as UTF-8"),
        ("Latin-1", b"{\n\"token\":\"\xe9\"}", "invalid_argument FILE: it is not text in UTF-8 at line 2"),
        ("empty", b"", "invalid_argument FILE: it is empty"),
        ("cut", cut, "invalid_argument FILE: it is not JSON at line 1"),
        (
            "something after its end",
            goes_on.as_bytes(),
            "invalid_argument FILE: it goes on after its end, at line 2, column 1",
        ),
        ("the bare token", TOKEN.as_bytes(), "invalid_argument FILE: it is not JSON at line 1, column 1"),
        ("a number", b"{\"token\":8}", "invalid_argument FILE: it is not an object with the texts"),
        ("half a token", b"{\"token\":\"sit_8uVq\"}", "token_malformed FILE: The token looks incomplete"),
    ];
    for (what, content, expected) in rows {
        for name in ["rpd_account.json", "credentials.json"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            let said = opened(folder.path());
            let expected = expected.replace("FILE", &file.display().to_string());
            assert!(said.starts_with(&expected), "{name}, {what}: {said}, not {expected}");
            assert!(!said.contains("8uVq"), "{name}, {what}: {said}");
        }
    }
    // The one of them names a server, the other has none of its own.
    let elsewhere = format!(r#"{{"token":"{TOKEN}","host":"http://evil.example"}}"#);
    for (name, expected) in [("credentials.json", "ok"), ("rpd_account.json", "https is required")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), &elsewhere).unwrap();
        let said = opened(folder.path());
        assert!(said.contains(expected), "{name}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(opened(folder.path()), "ok", "there is none");
    std::fs::create_dir(folder.path().join("credentials.json")).unwrap();
    let said = opened(folder.path());
    assert!(said.contains("credentials.json: it is no file of a token"), "{said}");
    let said = opened(&folder.path().join("x".repeat(300)));
    assert!(said.contains("it cannot be read: its name is too long or not allowed"), "{said}");
}

fn opened(folder: &Path) -> String {
    match Client::open(&options(folder)) {
        Ok(_) => "ok".to_owned(),
        Err(failure) => format!("{} {failure}", failure.code),
    }
}

/// What is read is a table of the protocol; here is what comes of it before anything is sent.
#[test]
fn table_of_pasted_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.set_network_allowed(false);
    let client = Client::open(&options).unwrap();
    let isolated = format!("Token: \u{2066}<{TOKEN}>\u{2069}.");
    let api = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
    let incomplete = "token_malformed The token looks incomplete or mistyped";
    for (what, pasted, words) in [
        ("as made", TOKEN, ""),
        ("found in what surrounds it", &isolated, ""),
        ("nothing", "", incomplete),
        ("half of it", &TOKEN[..20], incomplete),
        ("one letter too many", &format!("{TOKEN}x"), incomplete),
        ("two that differ", &format!("{TOKEN} sit_00000000000000000000000000000043mIkN"), incomplete),
        (
            "an API token",
            api,
            "token_wrong_kind This is an API token; this plug-in needs an integration token",
        ),
    ] {
        let consent = Consent { terms: true, remember: false };
        for started in [client.activate(pasted, consent), client.preflight(Some(pasted))] {
            let said = match started {
                Ok(operation) => {
                    let event = client.wait(operation, Duration::from_secs(60)).unwrap().unwrap();
                    assert_eq!(event.code, Code::NetworkDisallowed, "{what}: it was taken");
                    assert!(
                        event.message.contains("The host application has switched it off"),
                        "{}",
                        event.message
                    );
                    String::new()
                }
                Err(failure) => format!("{} {failure}", failure.code),
            };
            assert!(said.starts_with(words) && said.is_empty() == words.is_empty(), "{what}: {said}");
            assert!(!said.contains("8uVq"), "{what}: {said}");
        }
    }
}

/// The words of what a host hands on from a field of its own.
#[test]
fn table_of_proxies() {
    let form = "the proxy's address: it is not like http://user:password@host:port";
    let kind = "the proxy's address: it is no HTTP proxy";
    for (text, words) in [
        ("", ""),
        (" http://proxy.test:3128\n", ""),
        ("proxy.test:3128", ""),
        ("http://ada:hunter2@proxy.test:3128", ""),
        ("http://ada:hun#ter2@proxy.test:3128", form),
        ("http://DOMAIN\\ada:hunter2@proxy.test", form),
        ("//proxy.test", form),
        ("socks5://ada:hunter2@proxy.test", kind),
    ] {
        let said =
            Options::new().set_proxy(text).err().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(said.starts_with(words) && said.is_empty() == words.is_empty(), "{text:?}: {said}");
        assert!(!said.contains("ter2"), "{said}");
    }
}

/// A request is written where nothing is, or a file; a device, a pipe and a folder stay what they
/// are.
#[test]
fn table_of_places_for_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::open(&options(folder.path())).unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    // Root alone may make one; a link to one is refused for everybody.
    let device = Command::new("mknod").arg(at("device")).args(["c", "1", "3"]).output();
    let device = device.is_ok_and(|made| made.status.success());
    std::os::unix::fs::symlink("/dev/null", at("link")).unwrap();
    std::fs::write(at("file"), "older").unwrap();
    for (name, words) in [
        ("new", ""),
        ("file", ""),
        ("folder", "it is no ordinary file"),
        ("socket", "it is no ordinary file"),
        ("pipe", "it is no ordinary file"),
        ("link", "it is no ordinary file"),
        ("device", if device { "it is no ordinary file" } else { "" }),
        ("nowhere/request", "it is not there"),
        ("file/request", "its path leads through what is no folder"),
    ] {
        let before = std::fs::symlink_metadata(at(name)).map(|found| found.file_type()).ok();
        let consent = Consent { terms: true, remember: false };
        let started = client.airgap_request(TOKEN, consent, &at(name)).unwrap();
        let event = client.wait(started, Duration::from_secs(60)).unwrap().unwrap();
        let code = if words.is_empty() { Code::Ok } else { Code::FileUnusable };
        assert_eq!(event.code, code, "{name}: {}", event.message);
        assert!(event.message.contains(words), "{name}: {}", event.message);
        let after = std::fs::symlink_metadata(at(name)).map(|found| found.file_type()).ok();
        assert!(words.is_empty() || before == after, "{name}");
    }
}

/// The words of every address that a plug-in is given; what they mean is a table of the protocol.
#[test]
fn table_of_addresses() {
    let refused = |set: fn(&mut Options, &str) -> Result<(), Failure>, text: &str| {
        set(&mut Options::new(), text).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    for (text, words) in [
        (" https://LICENSE.example.com/ ", ""),
        ("http://127.0.0.1:8787//", ""),
        ("license.example.com", "https:// is missing before it"),
        ("http://license.example.com", "https is required, except for loopback addresses"),
        ("https://ada:sesame@license.example.com", "a host without user name or password is required"),
        ("https://license.example.com/?x", "no query and no fragment can be part of it"),
        ("https://license .example.com", "there is white space or an invisible character in it"),
        ("https://license\u{200b}.example.com", "there is white space or an invisible character in it"),
        ("https://", "that is no address such as https://licenses.example.com"),
    ] {
        for set in [Options::set_server, Options::set_oidc_issuer] {
            let said = refused(set, text);
            assert!(said.ends_with(words) && said.is_empty() == words.is_empty(), "{text:?}: {said}");
            assert!(!said.contains("sesame"), "{said}");
        }
    }
    assert!(refused(Options::set_license_issuer, "").contains("is empty"));
    assert!(refused(Options::set_license_issuer, "Example\u{202e}Licenses").contains("invisible character"));
}
