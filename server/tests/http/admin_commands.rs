//! The commands over the admin API, and seats for many at once.

use crate::harness::{
    Plugin, Server, Site,
    admin::{UNKNOWN, command},
    send_signal,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn done(server: &Server<'_>, token: &str, args: &[&str]) -> String {
    let (ok, out, err) = said(&command(server, token, args).stdin(Stdio::null()).output().unwrap());
    assert!(ok, "{args:?}: {err}");
    out
}

fn refused(server: &Server<'_>, token: &str, args: &[&str]) -> String {
    let (ok, out, err) = said(&command(server, token, args).stdin(Stdio::null()).output().unwrap());
    assert!(!ok, "{args:?}: {out}");
    assert!(!err.contains(token) || token.is_empty(), "{err}");
    err
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn tables_and_json_are_the_same_by_the_folder_and_by_the_api() {
    let site = Site::new(&["--seats", "20", "--plan", "enterprise", "--entitlement", "sim"]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    let (held, held_token) = site.seat("ada@example.com");
    for at in 0..5 {
        site.seat(&format!("artist{at}@example.com"));
    }
    let login = ["issuer", "add", "https://login.example.com", "--audience", "seats", "--admit", "everybody"];
    site.cli(&login).json();
    let server = site.serve();
    server.lease("activate", &mut Plugin::new(&held_token, "bench")).await;
    let data = site.data().to_str().unwrap().to_owned();
    for args in [
        &["seat", "list"][..],
        &["seat", "list", "--status", "in_use"],
        &["seat", "list", "--status", "never_used"],
        &["seat", "list", "--search", "ARTIST3"],
        &["seat", "list", "--search", &held[..8]],
        &["seat", "list", "--license", &site.license],
        &["seat", "list", "--license", UNKNOWN],
        &["license", "show"],
        &["license", "show", &site.license],
        &["account", "list"],
        &["user", "list"],
        &["plan", "list"],
        &["issuer", "list"],
        &["usage"],
        &["audit"],
        &["audit", "--last", "2"],
        &["audit", "--seat", &held],
        &["audit", "verify"],
        &["seat", "release", &held, "--dry-run"],
        &["seat", "revoke", &held, "--dry-run"],
    ] {
        for json in [false, true] {
            let args = if json { [args, &["--json"]].concat() } else { args.to_vec() };
            let by_api = done(&server, &root, &args);
            // A folder that is named counts more than the server in the environment.
            let by_folder = done(&server, "", &[&["--data", data.as_str()], args.as_slice()].concat());
            assert_eq!(by_api, by_folder, "{args:?}");
            assert!(
                by_api.lines().count() > usize::from(!json && !args.contains(&"--dry-run"))
                    || args.contains(&UNKNOWN),
                "{args:?}: {by_api}"
            );
        }
    }
    let shown = done(&server, &root, &["usage"]);
    assert!(shown.contains("cad sim") && shown.starts_with("LICENSE"), "{shown}");
}

#[tokio::test]
async fn everything_can_be_done_by_the_api() {
    let site = Site::new(&["--seats", "2"]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    let server = site.serve();
    let run = |args: &[&str]| json(&done(&server, &root, &[args, &["--json"]].concat()));
    let account = run(&["account", "create", "Studio <&> 2"])["id"].as_str().unwrap().to_owned();
    let user = run(&["user", "add", "owner@example.com", "--account", &account]);
    assert_eq!((user["role"].as_str(), user["password"].as_str().unwrap().len()), (Some("owner"), 20));
    assert_ne!(run(&["user", "password", "Owner@example.com"])["password"], user["password"]);
    assert_eq!(run(&["user", "role", "owner@example.com", "admin"])["role"], "admin");
    assert!(run(&["user", "disable", "owner@example.com"])["disabled_at"].is_string());
    assert!(run(&["user", "enable", "owner@example.com"])["disabled_at"].is_null());
    let studio = run(&["plan", "set", "studio", "--entitlement", "cad=3@2027-01-31"]);
    assert_eq!(
        studio["entitlements"],
        serde_json::json!({ "cad": { "value": 3, "until": "2027-01-31T00:00:00Z" } })
    );
    let made = run(&[
        "license",
        "create",
        "--account",
        &account,
        "--product",
        "p",
        "--plan",
        "studio",
        "--terms",
        "1",
        "--expires",
        "2030-01-31",
    ]);
    assert_eq!(made["settings"]["expires_at"], "2030-01-31T00:00:00Z");
    let id = made["id"].as_str().unwrap().to_owned();
    let changed =
        run(&["license", "change", &id, "--seats", "2", "--terms", "", "--suspend", "--expires", "never"]);
    let settings = &changed["settings"];
    assert_eq!(
        (&settings["seats_max"], &settings["terms"], &settings["expires_at"]),
        (&2.into(), &Value::Null, &Value::Null)
    );
    assert!(changed["suspended_at"].is_string() && changed["version"] != made["version"]);
    let changed =
        run(&["license", "change", &id, "--resume", "--clock-action", "lock", "--offline-ttl", "2d"]);
    assert_eq!(
        (&changed["suspended_at"], &changed["settings"]["clock"]["act"], &changed["settings"]["offline_ttl"]),
        (&Value::Null, &"lock".into(), &172_800.into())
    );

    let seat = run(&["seat", "create", "--email", "ada@example.com", "--license", &id]);
    let seat_id = seat["id"].as_str().unwrap().to_owned();
    assert!(seat["token"].as_str().unwrap().starts_with("sit_"));
    let refreshed = run(&["seat", "refresh", &seat_id]);
    assert_ne!(refreshed["token"], seat["token"]);
    assert_eq!(run(&["seat", "release", &seat_id])["changed"], false);
    let asks = refused(&server, &root, &["seat", "revoke", &seat_id]);
    assert!(asks.contains("--yes") && asks.contains("ada@example.com"), "{asks}");
    assert_eq!(run(&["seat", "revoke", &seat_id, "--yes"])["lock_status"], "closed");
    let token = run(&["user", "api-token", "root@example.com", "--name", "second"]);
    assert!(token["token"].as_str().unwrap().starts_with("sat_"));
    let others = refused(&server, &root, &["user", "api-token", "owner@example.com", "--name", "x"]);
    assert!(others.contains("for himself only") && others.contains("root@example.com"), "{others}");

    // Refusals, in the server's words.
    for (args, words) in [
        (&["seat", "refresh", &seat_id][..], "revoked, for good. Create another seat"),
        (&["seat", "refresh", UNKNOWN], "There is no seat"),
        (&["seat", "create", "--email", "bob@example.com"], "say which one"),
        (&["license", "change", &id, "--plan", "nothing"], "there is no plan of this name"),
        (&["license", "create", "--account", &account], "a license needs a product"),
        (&["user", "add", "owner@example.com", "--account", &account], "is taken"),
        (&["user", "disable", "root@example.com"], "lock yourself out"),
        (&["user", "role", "nobody@example.com", "admin"], "there is no user nobody@example.com"),
        (&["plan", "set", "a b"], "without blanks"),
    ] {
        let said = refused(&server, &root, args);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let entry = run(&["audit", "--last", "1"])[0].clone();
    assert_eq!(entry["actor_name"], "root@example.com");
    assert_eq!(entry["api_token"], "script");
}

#[tokio::test]
async fn a_wrong_server_or_token_is_told_in_words() {
    let site = Site::new(&[]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    let (_, seat_token) = site.seat("ada@example.com");
    let server = site.serve();
    let list = ["seat", "list"];
    let unknown = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
    for (token, words) in [
        (
            "",
            "an API token is needed: put it into SEATLOCK_API_TOKEN, or name its file with --api-token-file",
        ),
        ("sat_123", "looks incomplete or mistyped"),
        (seat_token.as_str(), "that is no API token; those begin with \"sat_\""),
        (unknown, "does not know this API token"),
    ] {
        let said = refused(&server, token, &list);
        assert!(said.contains(words), "{said}");
    }

    let file = site.scratch("api-token");
    fs::write(&file, format!("{root}\n")).unwrap();
    let with_file = ["--api-token-file", file.to_str().unwrap(), "seat", "list"];
    done(&server, unknown, &with_file);
    let missing = refused(&server, &root, &["--api-token-file", "/nowhere", "seat", "list"]);
    assert!(missing.contains("/nowhere cannot be read"), "{missing}");

    let at = |url: &str, args: &[&str]| refused(&server, &root, &[&["--server", url], args].concat());
    for (url, words) in [
        ("http://licenses.example.com", "https is required"),
        ("licenses.example.com", "https:// is missing before it"),
        ("https://a:b@licenses.example.com", "without user name or password"),
        ("ftp://localhost", "https is required"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9 is not reachable: The connection was refused"),
    ] {
        let said = at(url, &list);
        assert!(said.contains(words), "{url}: {said}");
    }
    let backup = at(&server.url, &["backup", "x"]);
    assert!(backup.contains("works on the data folder only"), "{backup}");
    let both = at(&server.url, &["--data", "x", "seat", "list"]);
    assert!(both.contains("two places"), "{both}");
    let both = at(&server.url, &["--database", "postgres://localhost/x", "seat", "list"]);
    assert!(both.contains("two places"), "{both}");

    for (answer, words) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<h1>Log in</h1>",
            "HTTP status 200, but not as a seatlock server does",
        ),
        ("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\n\r\n", "HTTP status 302"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP status 502"),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n{\"type\":\"\",\"title\":\"\",\"status\":403,\"detail\":\"\\u001b]0;owned\\u0007No.\",\"code\":\"x\"}",
            "]0;ownedNo.",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            asked.take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let said = at(&url, &list);
        thread.join().unwrap();
        assert!(said.contains(words) && !said.contains('\u{1b}'), "{said}");
    }
    let log = fs::read_to_string(site.log()).unwrap();
    assert!(!log.contains(&root), "the log has an API token");
}

/// The tokens in a CSV file of a bulk run, by e-mail address.
fn tokens(file: &Path) -> BTreeMap<String, String> {
    let mut table = csv::Reader::from_path(file).unwrap();
    assert_eq!(table.headers().unwrap(), &["line", "email", "seat", "license", "token"][..]);
    let rows = table.records().map(|row| row.unwrap());
    rows.map(|row| (row[1].to_owned(), row[4].to_owned())).collect()
}

fn run_of(stderr: &str) -> String {
    stderr.split("run ").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

fn addresses(site: &Site, count: usize) -> String {
    let file = site.scratch("emails");
    let list: String = (0..count).map(|at| format!("artist{at:04}@example.com\r\n")).collect();
    fs::write(&file, format!("\u{feff}{list}\n")).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_thousand_seats_whatever_interrupts() {
    const SEATS: usize = 1000;
    let site = Site::new(&["--seats", "1000"]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    let server = site.serve();
    let emails = addresses(&site, SEATS);
    let out = |name: &str| site.scratch(name).to_str().unwrap().to_owned();
    let start = |args: &[&str]| {
        let mut command = command(&server, &root, &[&["seat", "create", "--emails", &emails], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let wait_for = |file: &str, lines: usize| {
        let begin = Instant::now();
        while fs::read_to_string(file).map_or(0, |text| text.lines().count()) < lines {
            assert!(begin.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(2));
        }
    };

    // Killed without a warning.
    let first = out("first.csv");
    let mut killed = start(&["--out", &first]);
    wait_for(&first, 100);
    killed.kill().unwrap();
    let (_, _, stderr) = said(&killed.wait_with_output().unwrap());
    let run = run_of(&stderr);
    let partial = tokens(Path::new(&first));
    assert!((99..SEATS).contains(&partial.len()), "{}", partial.len());
    assert!(!stderr.contains("sit_") && !stderr.contains("sat_"), "{stderr}");

    // Taken up, and interrupted by Ctrl-C.
    let second = out("second.csv");
    let interrupted = start(&["--out", &second, "--resume", &run]);
    wait_for(&second, 300);
    send_signal(interrupted.id(), Signal::INT);
    let (ok, _, stderr) = said(&interrupted.wait_with_output().unwrap());
    assert!(!ok && stderr.contains("stopping") && stderr.contains(&format!("--resume {run}")), "{stderr}");
    let part = tokens(Path::new(&second));
    assert!(stderr.contains(&format!("{} of {SEATS} seats were made", part.len())), "{stderr}");
    assert!((299..SEATS).contains(&part.len()), "{}", part.len());
    assert!(partial.iter().all(|(email, token)| part.get(email) == Some(token)), "the same tokens");

    // The server goes away for good, then comes back; and to the end.
    let third = out("third.csv");
    let (ok, stdout, stderr) =
        said(&start(&["--out", &third, "--resume", &run, "--json"]).wait_with_output().unwrap());
    assert!(ok, "{stderr}");
    let result = json(&stdout);
    assert_eq!((&result["seats"], &result["run"]), (&SEATS.into(), &run.as_str().into()));
    let lines: Vec<Value> = fs::read_to_string(&third).unwrap().lines().map(json).collect();
    let all: BTreeMap<String, String> = lines
        .iter()
        .map(|line| (line["email"].as_str().unwrap().to_owned(), line["token"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!((lines.len(), all.len()), (SEATS, SEATS));
    assert!(part.iter().all(|(email, token)| all.get(email) == Some(token)), "the same tokens");
    assert_eq!(all.values().collect::<BTreeSet<_>>().len(), SEATS);
    assert!(lines.iter().enumerate().all(|(at, line)| line["line"] == at + 1), "in the order of the file");
    let seats = site.cli(&["seat", "list"]).json();
    let listed: BTreeSet<&str> =
        seats.as_array().unwrap().iter().map(|seat| seat["shared_with"].as_str().unwrap()).collect();
    assert_eq!((seats.as_array().unwrap().len(), listed.len()), (SEATS, SEATS), "nothing twice");
    for file in [&first, &second, &third] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let plugin = Plugin::new(&all["artist0999@example.com"], "bench");
    assert_eq!(server.call("activate", &plugin).await.status, 201);

    // Another address in a line of the same run is noticed.
    let mut changed = fs::read_to_string(&emails).unwrap();
    changed = changed.replace("artist0500", "somebody.else");
    fs::write(&emails, changed).unwrap();
    let (ok, _, stderr) =
        said(&start(&["--out", &out("fourth.csv"), "--resume", &run]).wait_with_output().unwrap());
    assert!(!ok && stderr.contains("line 501, somebody.else@example.com"), "{stderr}");
    assert!(stderr.contains("used for another request"), "{stderr}");
}

#[test]
fn many_seats_are_checked_before_the_first_is_made() {
    let site = Site::new(&["--seats", "5"]);
    let out = site.scratch("out.csv");
    let out = out.to_str().unwrap();
    let emails = site.scratch("emails");
    let list = |text: &str| fs::write(&emails, text).unwrap();
    let file = emails.to_str().unwrap();
    let create = |more: &[&str]| site.cli(&[&["seat", "create", "--emails", file], more].concat());
    for (text, words) in [
        ("a@b\nno address\n\nc@d e\n", "2 lines are wrong:\nline 2: \"no address\""),
        ("a@b\nc@d\nA@B\n", "line 3: A@B stands in line 1 already"),
        ("\n\n", "has no e-mail address in it"),
        ("a@b\nc@b\nd@b\ne@b\nf@b\ng@b\n", "has room for 5 more, and 6 are wanted"),
        ("a@\u{1b}[2J\n", "line 1"),
        ("a@b\nc@d,e@f\n", "line 2: \"c@d,e@f\": there is a comma"),
        ("a@b\nCarl,c@d\n", "line 2: \"Carl,c@d\": there is a comma"),
        ("a@b;\n", "line 1: \"a@b;\": there is a comma or a semicolon"),
        ("\u{feff}a@b\n<c@d>\n", "line 2: \"<c@d>\": write the address alone"),
        ("mailto:a@b\n", "line 1: \"mailto:a@b\": write it without"),
        ("a@b..c\n", "there is a dot too many"),
        ("a\u{200b}@b\n", "there is an invisible character in it"),
    ] {
        list(text);
        let refused = create(&["--out", out]);
        assert!(!refused.ok && refused.stderr.contains("no seat was made"), "{}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert!(!refused.stderr.contains('\u{1b}'), "{}", refused.stderr);
        assert!(!create(&["--dry-run"]).ok);
        assert!(!Path::new(out).exists());
    }
    let many: String = (0..30).map(|_| "wrong\n").collect();
    list(&many);
    let refused = create(&["--out", out]).stderr;
    assert!(refused.contains("30 lines are wrong") && refused.contains("... and 20 more"), "{refused}");

    list("a@b\nc@d\n=cmd@x\nq@x\n");
    assert_eq!(create(&["--dry-run"]).json()["seats"], 4);
    assert!(!create(&[]).ok, "--out is needed");
    assert!(!site.cli(&["seat", "create"]).ok);
    assert!(!site.cli(&["seat", "create", "--email", "x@y", "--emails", file, "--out", out]).ok);
    assert!(!site.cli(&["seat", "create", "--email", "x@y", "--out", out]).ok, "for many only");
    assert_eq!(site.cli(&["seat", "create", "--email", "x@y", "--dry-run"]).json()["seats"], 1);
    assert!(!site.cli(&["seat", "create", "--email", "x", "--dry-run"]).ok);
    fs::write(out, "somebody's").unwrap();
    let refused = create(&["--out", out]).stderr;
    assert!(refused.contains("no seat was made") && refused.contains("Name a new file"), "{refused}");
    assert_eq!(fs::read(out).unwrap(), b"somebody's");
    assert_eq!(site.cli(&["seat", "list"]).json().as_array().unwrap().len(), 0);

    // By the data folder as by the API, and from standard input.
    let (first, second) = (site.scratch("1.csv"), site.scratch("2.csv"));
    let made = create(&["--out", first.to_str().unwrap()]);
    let run = run_of(&made.stderr);
    assert_eq!(made.json()["seats"], 4);
    let mut again = Command::new(env!("CARGO_BIN_EXE_seatlock-server"));
    again.arg("--data").arg(site.data()).args(["seat", "create", "--emails", "-", "--resume", &run, "--out"]);
    let mut again = again
        .arg(&second)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    again.stdin.take().unwrap().write_all(&fs::read(&emails).unwrap()).unwrap();
    let (ok, stdout, stderr) = said(&again.wait_with_output().unwrap());
    assert!(ok && stdout.contains("4 seats made"), "{stderr}");
    assert!(!fs::read_to_string(&second).unwrap().is_empty());
    let (one, two) = (tokens_of_lines(&made_lines(&first)), tokens(&second));
    assert_eq!(one.values().collect::<Vec<_>>(), two.values().collect::<Vec<_>>());
    assert!(two.contains_key("'=cmd@x") && two.contains_key("q@x"), "{:?}", two.keys());
    assert_eq!(site.cli(&["seat", "list"]).json().as_array().unwrap().len(), 4);
    for run in ["", "abc", "0.abc", "66000000.abcdef"] {
        assert!(!create(&["--out", out, "--resume", run]).ok, "{run}");
    }
}

fn made_lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(json).collect()
}

fn tokens_of_lines(lines: &[Value]) -> BTreeMap<String, String> {
    let cell = |email: &str| if email.starts_with('=') { format!("'{email}") } else { email.to_owned() };
    lines
        .iter()
        .map(|line| (cell(line["email"].as_str().unwrap()), line["token"].as_str().unwrap().to_owned()))
        .collect()
}
