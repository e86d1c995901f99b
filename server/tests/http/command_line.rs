//! What an operator can do, and is kept from doing by mistake.

use crate::harness::{Plugin, Site};
use seatlock_protocol::Code;
use seatlock_server::system::postgres_address::PostgresAddress;
use sqlx::Connection as _;
use std::{os::unix::fs::PermissionsExt as _, path::Path};

#[test]
fn a_folder_is_set_up_once_and_for_its_owner_only() {
    let site = Site::new(&["--seats", "3"]);
    let root = site.root_file();
    let key = std::fs::read(&root).unwrap();
    let again = site.cli(&["init", "--issuer", "https://x.example", "--product", "y"]);
    assert!(!again.ok && again.stderr.contains("set up already"), "{}", again.stderr);
    assert_eq!(std::fs::read(&root).unwrap(), key);

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.data()), 0o700);
    let lease_keys = std::fs::read_dir(site.data().join("lease-keys")).unwrap();
    let files = [site.data().join("pepper"), site.data().join("seatlock.db"), root.into()];
    let all: Vec<_> = files.into_iter().chain(lease_keys.map(|entry| entry.unwrap().path())).collect();
    assert_eq!(all.len(), 4);
    for path in all {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn the_root_key_is_written_beside_the_data_folder_or_read_and_never_into_it() {
    let site = Site::new(&[]);
    let new = site.scratch("another");
    let init = |options: &[&str]| {
        site.cli_in(&new, &[&["init", "--issuer", "https://x.example", "--product", "y"], options].concat())
    };
    let (inside, beside) = (new.join("root.json"), site.scratch("another-root-key.json"));
    let refused = init(&["--root-key-out", inside.to_str().unwrap()]);
    assert!(!refused.ok && refused.stderr.contains("in the data folder"), "{}", refused.stderr);
    std::fs::write(&beside, "somebody's").unwrap();
    let refused = init(&[]);
    assert!(!refused.ok && refused.stderr.contains("another-root-key.json"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&beside).unwrap(), b"somebody's");
    assert!(!new.join("seatlock.db").exists());

    let own = site.scratch("own.json");
    let own = own.to_str().unwrap();
    let made = site.cli(&["keys", "new-root", "--out", own]).json();
    let again = site.cli(&["keys", "new-root", "--out", own]);
    assert!(!again.ok && again.stderr.contains("own.json"), "{}", again.stderr);
    let done = init(&["--root-key", own]).json();
    assert_eq!(done["root_key"]["x"], made["x"]);
    assert_eq!(done["root_key_file"], own);
    let found = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        found(&new).chain(found(&new.join("lease-keys"))).filter(|path| path.is_file()).collect();
    let secret = std::fs::read_to_string(own).unwrap();
    let secret: serde_json::Value = serde_json::from_str(&secret).unwrap();
    let secret = secret["d"].as_str().unwrap().as_bytes();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{}", file.display());
    }
}

#[test]
fn serve_says_when_the_root_key_lies_in_the_data_folder() {
    for (name, warned) in
        [(None, false), (Some("data/old.json"), true), (Some("data/lease-keys/old.json"), true)]
    {
        let site = Site::new(&[]);
        if let Some(name) = name {
            std::fs::rename(site.scratch("data-root-key.json"), site.scratch(name)).unwrap();
        }
        drop(site.serve());
        let log = std::fs::read_to_string(site.log()).unwrap();
        assert_eq!(log.contains("the root key lies in the data folder"), warned, "{name:?}: {log}");
    }
}

#[test]
fn a_key_set_that_does_not_fit_is_not_installed() {
    let site = Site::new(&[]);
    let path = |name: &str| site.scratch(name).to_str().unwrap().to_owned();
    let root = site.root_file();
    let (proposal, signed) = (path("proposal.json"), path("keyset.json"));
    site.cli(&["keys", "propose", "--out", &proposal]).json();
    let sign = |key: &str, out: &str, yes: &[&str]| {
        site.cli(&[&["keys", "sign", &proposal, "--root-key", key, "--out", out], yes].concat())
    };
    let refused = sign(&root, &signed, &[]);
    assert!(!refused.ok && refused.stderr.contains("--yes"), "{}", refused.stderr);
    site.cli(&["keys", "new-root", "--out", &path("other.json")]).json();
    let refused = sign(&path("other.json"), &signed, &["--yes"]);
    assert!(!refused.ok && refused.stderr.contains("another one"), "{}", refused.stderr);
    assert!(!Path::new(&signed).exists());
    sign(&root, &signed, &["--yes"]).json();

    // Meanwhile the keys are changed in another way.
    let install = |file: &str| site.cli(&["keys", "install", file]);
    let elsewhere = Site::new(&["--root-key", &root]);
    let refused = elsewhere.cli(&["keys", "install", &signed]);
    assert!(!refused.ok && refused.stderr.contains("private half"), "{}", refused.stderr);
    let refused = Site::new(&[]).cli(&["keys", "install", &signed]);
    assert!(!refused.ok && refused.stderr.contains("not signed by"), "{}", refused.stderr);
    site.cli(&["keys", "rotate", "--root-key", &root]).json();
    let refused = install(&signed);
    assert!(!refused.ok && refused.stderr.contains("has 2 already"), "{}", refused.stderr);
    assert!(!install(&proposal).ok);
    let keys = site.cli(&["keys", "list"]).json();
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert!(!site.cli(&["keys", "rotate", "--root-key", &path("other.json")]).ok);
}

#[test]
fn a_folder_that_was_never_set_up_is_named() {
    let site = Site::new(&[]);
    let empty = site.scratch("empty");
    for command in [&["serve"][..], &["seat", "list"], &["keys", "list"], &["license", "show"]] {
        let done = site.cli_in(&empty, command);
        assert!(!done.ok && done.stderr.contains("is not set up. Run:"), "{}", done.stderr);
    }
    assert!(!empty.exists());
}

#[test]
fn revoke_asks_first_and_a_dry_run_changes_nothing() {
    let site = Site::new(&[]);
    let (seat, _) = site.seat("ada@example.com");
    let before = site.show(&seat);
    let refused = site.cli(&["seat", "revoke", &seat]);
    assert!(!refused.ok && refused.stderr.contains("--yes") && refused.stderr.contains("ada@example.com"));
    for act in ["refresh", "revoke", "release"] {
        let tried = site.cli(&["seat", act, &seat, "--dry-run"]).json();
        assert_eq!((&tried["dry_run"], &tried["changed"]), (&true.into(), &false.into()));
        assert_eq!(tried.get("token"), None);
    }
    assert_eq!(site.show(&seat), before);
    let unknown = "00000000-0000-4000-8000-000000000000";
    for act in [&["revoke", unknown, "--yes"][..], &["revoke", unknown], &["release", unknown]] {
        let done = site.cli(&[&["seat"], act].concat());
        assert!(!done.ok && done.stderr.contains(unknown), "{}", done.stderr);
    }
}

#[test]
fn a_backup_takes_the_place_of_a_database_that_is_lost_damaged_or_whole() {
    let site = Site::new(&["--seats", "2"]);
    let (seat, _) = site.seat("ada@example.com");
    let (backup, database) = (site.scratch("backup.db"), site.data().join("seatlock.db"));
    let backup = backup.to_str().unwrap();
    site.cli(&["backup", backup]).json();
    site.seat("bob@example.com");
    let whole = std::fs::read(&database).unwrap();

    let no_backup = site.scratch("no-backup");
    std::fs::write(&no_backup, "not a database, and longer than the header of one has to be to be looked at")
        .unwrap();
    let refused = site.cli(&["restore", no_backup.to_str().unwrap()]);
    assert!(!refused.ok && refused.stderr.contains("not a backup"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&database).unwrap(), whole);

    for what in ["whole", "damaged", "lost"] {
        match what {
            "damaged" => std::fs::write(&database, "rust").unwrap(),
            "lost" => std::fs::remove_file(&database).unwrap(),
            _ => {}
        }
        let done = site.cli(&["restore", backup]).json();
        assert_eq!(done["replaced"].is_null(), what == "lost", "{what}");
        let seats = site.cli(&["seat", "list"]).json();
        assert_eq!(seats.as_array().unwrap().len(), 1, "{what}");
        assert_eq!(seats[0]["id"], seat.as_str(), "{what}");
        if what != "lost" {
            let again = site.cli(&["restore", backup]);
            assert!(!again.ok && again.stderr.contains("move it away"), "{}", again.stderr);
            std::fs::remove_file(site.data().join("seatlock.db.replaced")).unwrap();
        }
        let left = std::fs::read_dir(site.data()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains(".new")).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

#[test]
fn as_many_tokens_as_seats() {
    let site = Site::new(&["--seats", "1"]);
    let (seat, _) = site.seat("ada@example.com");
    let second = site.cli(&["seat", "create", "--email", "bob@example.com"]);
    assert!(!second.ok && second.stderr.contains("bob@example.com"), "{}", second.stderr);
    assert!(second.stderr.contains(&Code::SeatLimitReached.text(|_| Some("1"))), "{}", second.stderr);
    site.cli(&["seat", "revoke", &seat, "--yes"]).json();
    site.seat("bob@example.com");
    site.cli(&["license", "create", "--product", "com.example.other", "--seats", "2"]).json();
    let which = site.cli(&["seat", "create", "--email", "eve@example.com"]);
    assert!(!which.ok && which.stderr.contains("--license"), "{}", which.stderr);
    assert_eq!(site.cli(&["seat", "list"]).json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_backup_of_a_running_server_opens_and_has_the_seats() {
    let site = Site::new(&[]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let mut plugin = Plugin::new(&token, "a");
    server.lease("activate", &mut plugin).await;
    let copy = site.scratch("copy.db");
    let copy = copy.to_str().unwrap();
    site.cli(&["backup", copy]).json();
    let again = site.cli(&["backup", copy]);
    assert!(!again.ok && again.stderr.contains("exists"), "{}", again.stderr);

    // Restored to its place, a new server goes on where the old one was.
    server.stop();
    for name in ["seatlock.db", "seatlock.db-wal", "seatlock.db-shm"] {
        let _ = std::fs::remove_file(site.data().join(name));
    }
    std::fs::copy(copy, site.data().join("seatlock.db")).unwrap();
    let server = site.serve();
    let (status, lease) = server.lease("ping", &mut plugin).await;
    assert_eq!((status, lease.epoch, site.show(&seat)["lock_status"].as_str()), (200, 1, Some("in_use")));
}

#[tokio::test]
async fn the_audit_trail_can_not_be_changed() {
    let site = Site::new(&[]);
    site.seat("ada@example.com");
    let mut database = site.database().await;
    for statement in ["UPDATE audit SET event = 'x'", "DELETE FROM audit"] {
        let refused = sqlx::query(statement).execute(&mut database).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    database.close().await.unwrap();
}

/// The token of a seat is printed once, and is nowhere else: not in a log, a file or an answer.
#[tokio::test]
async fn a_token_is_printed_once_and_kept_nowhere() {
    let site = Site::new(&["--clone-policy", "enforce"]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let mut plugin = Plugin::new(&token, "a");
    server.lease("activate", &mut plugin).await;
    let mut secrets = vec![token.clone(), plugin.renewal.clone().unwrap()];
    server.lease("ping", &mut plugin).await;
    secrets.push(plugin.renewal.clone().unwrap());
    let mut said = String::new();
    let misplaced = plugin.with(serde_json::json!({ "nonce": token, "terms": token }));
    let thief = Plugin::new(&token, "b");
    let copy = Plugin { renewal: Some(format!("old{}", secrets[1])), ..plugin.clone() };
    secrets.push(copy.renewal.clone().unwrap());
    for (call, plugin) in [("ping", &misplaced), ("activate", &thief), ("ping", &copy), ("status", &plugin)] {
        said += &server.call(call, plugin).await.body;
    }
    let refreshed = site.cli(&["seat", "refresh", &seat]).json();
    secrets.push(refreshed["token"].as_str().unwrap().to_owned());
    said += &server.call("ping", &plugin).await.body;
    for command in
        [&["seat", "list"][..], &["seat", "release", &seat], &["license", "show"], &["keys", "list"]]
    {
        let done = site.cli(command);
        said += &(done.stdout + &done.stderr);
    }
    site.cli(&["backup", site.scratch("copy.db").to_str().unwrap()]).json();

    let mut files = vec![site.log(), site.scratch("copy.db")];
    files.extend(std::fs::read_dir(site.data()).unwrap().map(|entry| entry.unwrap().path()));
    files.retain(|path| path.is_file());
    assert!(files.len() >= 6, "{files:?}");
    let mut places: Vec<(String, Vec<u8>)> =
        files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    places.push(("answers".to_owned(), said.into_bytes()));
    places.push(("standard output".to_owned(), server.stop().into_bytes()));
    let found =
        |place: &[u8], needle: &str| place.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(found(&places[0].1, &seat), "the log was looked at");
    for (name, place) in &places {
        for secret in &secrets {
            assert!(!found(place, secret) && !found(place, &secret[4..16]), "a secret is in {name}");
        }
    }
}

#[test]
fn a_password_in_an_argument_is_refused_and_never_shown() {
    let site = Site::new(&[]);
    for args in [
        ["--database", "postgres://ada:hunter2@localhost/x", "seat", "list"],
        ["--database", "postgres://ada@localhost/x?password=hunter2", "seat", "list"],
    ] {
        let done = site.cli(&args);
        assert!(!done.ok && done.stderr.contains("takes no password"), "{}", done.stderr);
        assert!(!done.stderr.contains("hunter2"));
    }
    let address = PostgresAddress::parse("postgres://ada:hunter2@127.0.0.1:1/x").unwrap();
    assert!(!format!("{address} {address:?}").contains("hunter2"));
    let file = site.scratch("url");
    std::fs::write(&file, "postgres://ada:hunter2@127.0.0.1:1/x\n").unwrap();
    let done = site.cli(&["--database-file", file.to_str().unwrap(), "seat", "list"]);
    assert!(!done.ok && done.stderr.contains("database x at 127.0.0.1:1"), "{}", done.stderr);
    assert!(!done.stderr.contains("hunter2"));
}
