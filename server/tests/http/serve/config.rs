use crate::harness::{Done, Site};
use std::{fs, net::TcpListener};

/// What `config show` says of a setting, and its source.
fn shown(done: &Done, setting: &str) -> (String, String) {
    let all = done.json();
    let one = all.as_array().unwrap().iter().find(|one| one["setting"] == setting).unwrap();
    (one["value"].as_str().unwrap_or("-").to_owned(), one["source"].as_str().unwrap().to_owned())
}

#[test]
fn an_option_comes_before_a_variable_before_the_file_before_the_default() {
    let site = Site::new(&[]);
    let file = site.configure(
        "# what holds\nlisten = \"127.0.0.3:1\"\nlog = \"debug\"\nrequest_timeout = \"5s\"\n\n\
        trusted_proxy = [\"10.0.0.0/8\", \"192.0.2.7/32\"]\ntoken_limit = 7\ntls_key = \"key.pem\"\n",
    );
    let line = |number: usize| format!("{}:{number}", file.display());
    let variables = [
        ("SEATLOCK_LOG", "warn"),
        ("SEATLOCK_LISTEN", "127.0.0.2:1"),
        ("SEATLOCK_SMTP_URL", "smtps://a:hunter2@b"),
    ];
    let done = site.cli_told(&variables, &["config", "show", "--listen", "127.0.0.1:1"]);
    let is = |setting: &str, value: &str, source: &str| {
        assert_eq!(shown(&done, setting), (value.to_owned(), source.to_owned()));
    };
    is("listen", "127.0.0.1:1", "--listen");
    is("log", "warn", "SEATLOCK_LOG");
    is("request_timeout", "5s", &line(4));
    is("trusted_proxy", "10.0.0.0/8, 192.0.2.7/32", &line(6));
    is("token_limit", "7", &line(7));
    is("tls_key", site.data().join("key.pem").to_str().unwrap(), &line(8));
    is("idle_timeout", "65s", "default");
    is("public_url", "-", "default");
    is("smtp_url_file", "(hidden)", "SEATLOCK_SMTP_URL");
    assert!(!done.stdout.contains("hunter2"));
}

#[tokio::test]
async fn serve_does_what_the_file_says() {
    let site = Site::new(&[]);
    let file = site.scratch("elsewhere.toml");
    fs::write(&file, "token_limit = 1\nlog_format = \"json\"\n").unwrap();
    let token = site.seat("ada@example.com").1;
    let ada = crate::harness::Plugin::new(&token, "a");
    let server = site.serve_told(&[("SEATLOCK_CONFIG", file.to_str().unwrap())], &[]);
    assert_eq!(server.call("activate", &ada).await.status, 201);
    assert_eq!(server.call("ping", &ada).await.status, 429);
    let log = fs::read_to_string(site.log()).unwrap();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
}

#[test]
fn a_file_with_mistakes_is_refused_with_all_of_them() {
    let site = Site::new(&[]);
    let file = site.configure("listen = \"everywhere\"\nrequest_timeot = \"5s\"\nlog = \"chatty\"\ntoken_limit = -1\n\n\
        database = \"postgres://ada:hunter2@localhost/x\"\nmail_form = \"x\"\nfoo-bar = true\nidle_timeout = true\n\
        log_format = \"xml\"\n",
    );
    let at = |number: usize| format!("{}:{number}: ", file.display());
    let expected = [
        (1, "listen: write an address and a port"),
        (2, "there is no setting request_timeot; did you mean request_timeout?"),
        (3, "log: write one of error, warn, info, debug"),
        (4, "token_limit: write a whole number from 0 to 1000000"),
        (6, "no place for a password"),
        (7, "did you mean mail_from?"),
        (8, "there is no setting foo-bar; seatlock-server config show lists them"),
        (9, "idle_timeout is a text or a number, not a boolean"),
        (10, "log_format: write one of text, json"),
    ];
    let found = site.cli(&["config", "check"]).problems();
    for (line, says) in expected {
        let found = found.iter().filter(|problem| problem.starts_with(&at(line)));
        assert!(
            found.clone().any(|problem| problem.contains(says)),
            "{line}: {:?}",
            found.collect::<Vec<_>>()
        );
    }
    // Whatever is done with the folder: nobody should believe that a setting holds which does not.
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["seat", "list"], &["config", "show"]] {
        let done = site.cli(command);
        assert!(!done.ok && done.stdout.is_empty(), "{command:?}: {done:?}");
        for (line, says) in expected {
            assert!(
                done.stderr.contains(&at(line)) && done.stderr.contains(says),
                "{command:?}: {}",
                done.stderr
            );
        }
        assert!(!done.stderr.contains("hunter2"));
    }
    site.configure("listen = \"127.0.0.1:0\"\nlog = \"info\nidle_timeout = \"1s\"\n");
    let found = site.cli(&["config", "check"]).problems();
    assert!(found[0].starts_with(&(at(2) + "this is not TOML; write one setting in a line")), "{found:?}");
    site.configure("log = \"info\"\nlog = \"warn\"\n");
    let found = site.cli(&["config", "check"]).problems();
    assert!(found[0].starts_with(&(at(2) + "this setting stands twice")), "{found:?}");
    let named = site.cli(&["--config", "/nowhere.toml", "seat", "list"]);
    assert!(!named.ok && named.stderr.contains("/nowhere.toml cannot be read: No such file"), "{named:?}");
}

#[test]
fn check_finds_everything_at_once_and_changes_nothing() {
    let site = Site::new(&[]);
    assert_eq!(site.cli(&["config", "check", "--listen", "127.0.0.1:0"]).problems(), [""; 0]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    assert_eq!(
        site.cli(&["config", "check", "--listen", &taken]).problems(),
        [""; 0],
        "it may be this server"
    );
    let file = site.configure(
        "listen = \"192.0.2.1:80\"\ntls_certificate = \"none.pem\"\ntls_key = \"none.pem\"\n\
        mail_from = \"licenses@example.com\"\nsmtp_url_file = \"url\"\n",
    );
    fs::write(site.data().join("url"), "smtp://ada:hunter2@mail.example.com").unwrap();
    let key = fs::read_dir(site.data().join("lease-keys")).unwrap().next().unwrap().unwrap().path();
    fs::rename(&key, site.scratch("away")).unwrap();
    fs::rename(site.data().join("pepper"), site.scratch("pepper")).unwrap();
    let before = fs::read(site.data().join("seatlock.db")).unwrap();
    let done = site.cli(&["config", "check"]);
    let found = done.problems();
    for says in [
        format!("listen ({}:1): 192.0.2.1:80 cannot be listened on", file.display()),
        format!("tls_certificate ({}:2): {}", file.display(), site.data().join("none.pem").display()),
        format!("smtp_url_file ({}:5): mail to mail.example.com would not be encrypted", file.display()),
        "data: ".to_owned() + site.data().join("pepper").to_str().unwrap(),
        "data: the lease key ".to_owned(),
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(&says)), "{says}: {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(!done.stdout.contains("hunter2") && !done.stderr.contains("hunter2"));
    assert_eq!(fs::read(site.data().join("seatlock.db")).unwrap(), before);
}

#[test]
fn check_says_what_is_wrong_with_a_database() {
    let empty = tempfile::tempdir().unwrap();
    let site = Site::new(&[]);
    let found = site.cli_in(empty.path(), &["config", "check", "--listen", "127.0.0.1:0"]).problems();
    assert!(found.iter().any(|problem| problem.contains("is not set up. Run:")), "{found:?}");
    for journal in ["seatlock.db-wal", "seatlock.db-shm"] {
        // They are left by whoever read last, or not.
        let _ = fs::remove_file(site.data().join(journal));
    }
    fs::write(site.data().join("seatlock.db"), "this is no database, whatever its name says").unwrap();
    let found = site.cli(&["config", "check", "--listen", "127.0.0.1:0"]).problems();
    assert!(found.iter().any(|problem| problem.contains("seatlock.db cannot be used")), "{found:?}");
}
