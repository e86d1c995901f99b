//! What goes wrong in an operator's hands: nothing is left behind, nothing is lost, and the right
//! thing is named.

use crate::harness::{Plugin, Site, http_client};
use seatlock_server::store::{SeatQuery, sqlite::SqliteStore};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

/// Every file below a folder, with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    found
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// As many seats as the file itself has, without what may lie beside it.
async fn seats_in(database: &Path) -> usize {
    let alone = tempfile::tempdir().unwrap();
    let copy = alone.path().join("copy.db");
    fs::copy(database, &copy).unwrap();
    let store = SqliteStore::open(&copy, false).await.unwrap();
    let seats = store.run(SeatQuery { limit: 100, ..SeatQuery::default() }).await.unwrap().rows.len();
    store.close().await;
    seats
}

fn journal(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

#[test]
fn a_restore_that_fails_leaves_nothing_behind_and_names_the_right_file() {
    let site = Site::new(&[]);
    site.seat("ada@example.com");
    let (backup, database) = (site.scratch("rt.bk"), site.data().join("seatlock.db"));
    site.cli(&["backup", text(&backup)]).json();
    let (empty, folder, journaled) = (site.scratch("empty"), site.scratch("folder"), site.scratch("raw.db"));
    fs::write(&empty, "").unwrap();
    fs::create_dir(&folder).unwrap();
    fs::copy(&backup, &journaled).unwrap();
    fs::write(journal(&journaled), "changes").unwrap();
    let before = files(&site.data());
    for (file, names) in [
        (site.scratch("rt.bkk"), "rt.bkk: No such file"),
        (empty, "not a backup of a server"),
        (folder, "folder"),
        (site.root_file().into(), "not a backup of a server"),
        (journaled, "raw.db-wal lies beside it, with changes that are not in it"),
        (database.clone(), "it is the database itself"),
    ] {
        let refused = site.cli(&["restore", text(&file)]);
        assert!(!refused.ok && refused.stderr.contains(names), "{}", refused.stderr);
        let after = files(&site.data());
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{}", file.display());
        assert_eq!(before[&database], after[&database]);
    }
    // Of another one that is at work, or was interrupted.
    let new = site.data().join("seatlock.db.new");
    fs::write(&new, "").unwrap();
    let refused = site.cli(&["restore", text(&backup)]);
    assert!(!refused.ok && refused.stderr.contains("seatlock.db.new is there"), "{}", refused.stderr);
    assert!(new.exists());
    fs::remove_file(&new).unwrap();
    site.cli(&["restore", text(&backup)]).json();
}

/// Whatever lies where the database belongs can be looked at afterwards.
#[test]
fn a_restore_keeps_the_journal_of_what_it_replaces() {
    let site = Site::new(&[]);
    let (backup, database) = (site.scratch("backup.db"), site.data().join("seatlock.db"));
    site.cli(&["backup", text(&backup)]).json();
    fs::remove_file(&database).unwrap();
    fs::write(journal(&database), "the only place where the data is").unwrap();
    site.cli(&["restore", text(&backup)]).json();
    let kept = fs::read_to_string(site.data().join("seatlock.db.replaced-wal")).unwrap();
    assert_eq!(kept, "the only place where the data is");
    let again = site.cli(&["restore", text(&backup)]);
    assert!(!again.ok && again.stderr.contains("seatlock.db.replaced-wal"), "{}", again.stderr);
}

#[tokio::test]
async fn a_database_that_nobody_has_open_is_one_whole_file() {
    let site = Site::new(&["--seats", "9"]);
    let database = site.data().join("seatlock.db");
    assert!(!journal(&database).exists(), "after init");
    let token = site.seat("ada@example.com").1;
    assert_eq!((seats_in(&database).await, journal(&database).exists()), (1, false), "after a command");
    let server = site.serve();
    server.lease("activate", &mut Plugin::new(&token, "a")).await;
    site.seat("bob@example.com");
    server.stop();
    assert_eq!((seats_in(&database).await, journal(&database).exists()), (2, false), "after a server");
    // A server that is killed leaves its journal; the next command brings it in.
    drop(site.serve());
    site.cli(&["export", text(&site.scratch("out.jsonl"))]).json();
    assert!(!journal(&database).exists());
}

#[test]
fn nothing_is_written_over_a_journal_without_its_database() {
    let site = Site::new(&[]);
    site.seat("ada@example.com");
    let (database, export) = (site.data().join("seatlock.db"), site.scratch("out.jsonl"));
    site.cli(&["export", text(&export)]).json();
    fs::rename(&database, site.scratch("before.db")).unwrap();
    let orphan = journal(&database);
    fs::write(&orphan, "the only place where the data is").unwrap();
    for command in
        [&["import", "--dry-run", text(&export)][..], &["import", text(&export)], &["seat", "list"]]
    {
        let refused = site.cli(command);
        assert!(!refused.ok && refused.stderr.contains("seatlock.db-wal"), "{command:?}: {}", refused.stderr);
        assert_eq!(fs::read_to_string(&orphan).unwrap(), "the only place where the data is", "{command:?}");
        assert!(!database.exists(), "{command:?}");
    }
    // The same where nothing else is.
    let data = site.scratch("elsewhere");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("seatlock.db-wal"), "the only place where the data is").unwrap();
    let init = ["init", "--issuer", "https://licenses.example.com", "--product", "com.example.bridge"];
    let refused = site.cli_in(&data, &init);
    assert!(!refused.ok && refused.stderr.contains("seatlock.db-wal"), "{}", refused.stderr);
    assert_eq!(files(&data).len(), 1, "as it was");
    fs::remove_file(&orphan).unwrap();
    // An editor has saved it.
    let marked = [b"\xef\xbb\xbf", &fs::read(&export).unwrap()[..]].concat();
    fs::write(&export, marked).unwrap();
    site.cli(&["import", text(&export)]).json();
}

#[test]
fn an_init_that_fails_can_be_repeated() {
    let site = Site::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let whole = ["init", "--issuer", "https://licenses.example.com", "--product", "com.example.bridge"];
    let key = folder.path().join("mine.json");
    for (more, says) in [
        (&["--plan", "gold"][..], "gold"),
        (&["--plan", "gold", "--root-key-out", text(&key)], "gold"),
        (&["--seats", "0"], "--seats 0"),
        (&["--expires", "2020-01-01"], "--expires is in the past"),
        (&["--root-key-out", text(&data.join("key.json"))], "would lie in the data folder"),
        (&["--root-key", "/nowhere/key.json"], "/nowhere/key.json"),
    ] {
        let refused = site.cli_in(&data, &[&whole, more].concat());
        assert!(!refused.ok && refused.stderr.contains(says), "{more:?}: {}", refused.stderr);
        assert_eq!(files(folder.path()).keys().collect::<Vec<_>>(), [""; 0], "{more:?}");
        assert!(!data.exists(), "{more:?}");
    }
    // What was there before stays there.
    fs::create_dir_all(data.join("lease-keys")).unwrap();
    for kept in ["seatlock.toml", "lease-keys/old.json"] {
        fs::write(data.join(kept), "").unwrap();
    }
    let refused = site.cli_in(&data, &[&whole, &["--plan", "gold"][..]].concat());
    assert!(!refused.ok, "{}", refused.stdout);
    assert_eq!(files(folder.path()).len(), 2);
    site.cli_in(&data, &whole).json();

    let other = folder.path().join("other");
    fs::write(folder.path().join("other-root-key.json"), "").unwrap();
    let refused = site.cli_in(&other, &whole);
    assert!(refused.stderr.contains("other-root-key.json is there already"), "{}", refused.stderr);
}

/// A key that nobody will sign for is no use to anybody.
#[test]
fn a_proposal_that_can_not_be_written_leaves_no_key() {
    let site = Site::new(&[]);
    let before = files(&site.data().join("lease-keys"));
    let refused = site.cli(&["keys", "propose", "--out", text(&site.data())]);
    assert!(!refused.ok && refused.stderr.contains("nothing was proposed"), "{}", refused.stderr);
    assert_eq!(files(&site.data().join("lease-keys")), before);
}

/// As with one that is elsewhere: the key before signs as long as it may.
#[tokio::test]
async fn a_damaged_lease_key_stops_nobody_at_once() {
    let site = Site::new(&[]);
    let token = site.seat("ada@example.com").1;
    let server = site.serve();
    let plugin = Plugin::new(&token, "a");
    let seq = server.call("activate", &plugin).await.lease().ks;
    let rotated = site.cli(&["keys", "rotate", "--root-key", &site.root_file()]).json();
    let kid = rotated["kid"].as_str().unwrap();
    let file = site.data().join("lease-keys").join(format!("{kid}.json"));
    let sound = fs::read(&file).unwrap();
    fs::write(&file, "rust").unwrap();
    assert_eq!(server.call("ping", &plugin).await.lease().ks, seq + 1);
    let ready = async || {
        let answer = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, said) = ready().await;
    assert_eq!(status, 200);
    assert!(
        said.starts_with("ready until ") && said.contains(kid) && said.contains("it is damaged"),
        "{said}"
    );
    let checked = site.cli(&["config", "check"]);
    let found: Value = serde_json::from_str(&checked.stdout).unwrap();
    let told = found.as_array().unwrap().iter().any(|finding| {
        finding["verdict"] == "problem" && finding["text"].as_str().unwrap().contains("it is damaged")
    });
    assert!(told, "{found:#}");
    fs::write(&file, sound).unwrap();
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
}

/// The container's health check has no arguments: it goes by what the server goes by.
#[test]
fn health_finds_the_server_by_the_settings_of_serve() {
    http_client();
    let site = Site::new(&[]);
    let healthy = |site: &Site, variables: &[(&str, &str)], more: &[&str]| {
        let done = site.cli_told(variables, &[&["health", "--ready"], more].concat());
        assert_eq!(done.ok, done.stdout.contains("\"healthy\":true"), "{done:?}");
        (done.ok, done.stderr)
    };
    // By a variable, an option and the file; also where it listens on every address of the computer.
    let server = site.serve();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let listen = format!("0.0.0.0:{port}");
    assert_eq!(healthy(&site, &[("SEATLOCK_LISTEN", &listen)], &[]), (true, String::new()));
    assert!(healthy(&site, &[], &["--listen", &listen]).0);
    assert!(healthy(&site, &[], &["--url", &format!("http://127.0.0.1:{port}")]).0);
    let toml = site.data().join("seatlock.toml");
    fs::write(&toml, format!("listen = \"{listen}\"\n")).unwrap();
    assert!(healthy(&site, &[], &[]).0);
    server.stop();
    let (ok, said) = healthy(&site, &[], &[]);
    assert!(!ok && said.contains(&format!("nobody answers at http://127.0.0.1:{port}/readyz")), "{said}");

    // By TLS, with a certificate for the name by which others know it.
    let signed = rcgen::generate_simple_self_signed(vec!["licenses.example.com".to_owned()]).unwrap();
    fs::write(site.data().join("tls.pem"), signed.cert.pem()).unwrap();
    fs::write(site.data().join("tls-key.pem"), signed.signing_key.serialize_pem()).unwrap();
    fs::write(&toml, "tls_certificate = \"tls.pem\"\ntls_key = \"tls-key.pem\"\n").unwrap();
    let server = site.serve();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let told = [("SEATLOCK_LISTEN", &*format!("127.0.0.1:{port}"))];
    assert_eq!(healthy(&site, &told, &[]), (true, String::new()));
    // A name that was typed is checked.
    let (ok, said) = healthy(&site, &[], &["--url", &format!("https://127.0.0.1:{port}")]);
    assert!(!ok, "{said}");
    server.stop();
    let (ok, said) = healthy(&site, &[], &["--listen", "127.0.0.1:0"]);
    assert!(!ok && said.contains("--url"), "{said}");
}

/// Whoever typed https once is not led back to http (RFC 6797), by whatever path it was.
#[tokio::test]
async fn a_server_with_tls_by_itself_asks_browsers_to_keep_to_it() {
    let site = Site::new(&[]);
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (site.scratch("tls.pem"), site.scratch("tls-key.pem"));
    fs::write(&certificate, signed.cert.pem()).unwrap();
    fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    http_client();
    let trusting = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    for (options, expected) in [
        (vec!["--tls-certificate", text(&certificate), "--tls-key", text(&key)], Some("max-age=63072000")),
        (Vec::new(), None),
    ] {
        let server = site.serve_with(&options);
        for path in ["/sign-in", "/nowhere", "/readyz"] {
            let answer = trusting.get(format!("{}{path}", server.url)).send().await.unwrap();
            let said = answer.headers().get("strict-transport-security");
            assert_eq!(said.map(|said| said.to_str().unwrap()), expected, "{path}");
        }
    }
}

/// What is wrong with the mail server is told when the settings are checked, not when a customer
/// waits for a letter.
#[test]
fn config_check_asks_the_mail_server() {
    let site = Site::new(&[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let finding = |url: &str, from: &str| {
        let mut variables = vec![("SEATLOCK_SMTP_URL", url)];
        variables.extend(Some(("SEATLOCK_MAIL_FROM", from)).filter(|(_, from)| !from.is_empty()));
        let done = site.cli_told(&variables, &["config", "check", "--listen", "127.0.0.1:0"]);
        let found: Value = serde_json::from_str(&done.stdout).unwrap();
        let found = found.as_array().unwrap().clone();
        let about = |finding: &&Value| {
            let about = finding["about"].as_str().unwrap();
            about.starts_with("smtp") || about.starts_with("mail")
        };
        let found = found.iter().find(about).unwrap().clone();
        let member = |name: &str| found[name].as_str().unwrap().to_owned();
        (member("about"), member("verdict"), member("text"))
    };
    let (about, verdict, said) = finding(&format!("smtp://{nobody}"), "licenses@example.com");
    assert_eq!((about.as_str(), verdict.as_str()), ("smtp_url_file (SEATLOCK_SMTP_URL)", "note"), "{said}");
    assert!(said.contains(&format!("the mail server {nobody} cannot be reached")), "{said}");
    let (about, verdict, _) = finding("smtp://mail.example.com", "licenses@example.com");
    assert_eq!((about.as_str(), verdict.as_str()), ("smtp_url_file (SEATLOCK_SMTP_URL)", "problem"));
    let (about, verdict, _) = finding(&format!("smtp://{nobody}"), "nobody");
    assert_eq!((about.as_str(), verdict.as_str()), ("mail_from (SEATLOCK_MAIL_FROM)", "problem"));
}

/// An unreadable folder and an empty one are two things, also for whoever is told which command to
/// run.
#[test]
fn a_database_that_is_no_database_is_told_as_that() {
    let site = Site::new(&[]);
    fs::write(site.data().join("seatlock.db"), "rust ".repeat(1000)).unwrap();
    let refused = site.cli(&["seat", "list"]);
    assert!(!refused.ok && refused.stderr.contains("Restore it from a backup"), "{}", refused.stderr);
    // A folder in the place of the file is not healed by a backup.
    fs::remove_file(site.data().join("seatlock.db")).unwrap();
    fs::create_dir(site.data().join("seatlock.db")).unwrap();
    let refused = site.cli(&["seat", "list"]);
    assert!(!refused.ok && !refused.stderr.contains("backup"), "{}", refused.stderr);
}
