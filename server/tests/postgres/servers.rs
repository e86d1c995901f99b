//! What only servers that share a PostgreSQL database meet: each other, and its failures.

use crate::harness::{
    Plugin, Server, Site, join_all,
    stores::{Fresh, Install, Place},
};
use seatlock_protocol::UnixTime;
use seatlock_server::{
    keys::DataFolder,
    rules::{Call, OwnerAct},
    store::{
        Actor, AnyStore, Made, OwnerOrder, Store as _, StoreError,
        postgres::{PostgresAddress, PostgresStore},
    },
};
use sqlx::{Connection as _, PgConnection};
use std::{
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use xtask::postgres::{Postgres, name_of};

const SEATS: usize = 200;
const CONNECTIONS: usize = 12;

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&PostgresAddress::parse(url).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_make_the_tables_once() {
    let url = Postgres::shared().unwrap().database().unwrap();
    let opened = join_all((0..8).map(|_| open(&url)).collect()).await;
    assert!(opened.iter().all(Result::is_ok));
    let applied = Place::Postgres(url).number("SELECT count(*) FROM _sqlx_migrations WHERE success").await;
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    assert_eq!(applied, i64::try_from(std::fs::read_dir(migrations).unwrap().count()).unwrap());
}

#[tokio::test]
async fn a_newer_structure_is_refused_in_words() {
    let place = Place::postgres();
    let Place::Postgres(url) = &place else { panic!("it is one") };
    drop(open(url).await.unwrap());
    place
        .run("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', true, '', 0)")
        .await;
    let Err(error) = open(url).await else { panic!("it was opened") };
    assert!(error.to_string().contains("newer version of this server (structure 99)"), "{error}");
}

#[tokio::test]
async fn half_a_migration_is_taken_back() {
    let place = Place::postgres();
    let Place::Postgres(url) = &place else { panic!("it is one") };
    // It is in the way of the last table of the second migration.
    place.run("CREATE TABLE remembered (other TEXT)").await;
    assert!(matches!(open(url).await, Err(StoreError::Migration(_))));
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename IN ('seat', 'person', 'session', 'share')";
    assert_eq!(place.number(tables).await, 1, "the first one whole, of the second one nothing");
    place.run("DROP TABLE remembered").await;
    open(url).await.unwrap();
    assert_eq!(place.number(tables).await, 4);
}

/// Something that answers by what time it was decided.
type Work<'a> = Pin<Box<dyn Future<Output = UnixTime> + 'a>>;

/// Whoever waited for a lock must not write a time before that of whoever had it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_that_after_the_lock() {
    let fresh = Fresh::postgres(2).await;
    let Place::Postgres(url) = &fresh.place else { panic!("it is one") };
    let (seat, token) = fresh.seat().await;
    let (store, mut install) = (&fresh.store, Install::new(&token, "a"));
    let release = OwnerOrder {
        seat,
        act: OwnerAct::Release,
        new_token: None,
        shared_with: None,
        dry_run: false,
        remember: None,
        by: Actor::Console,
    };
    let work: [(&str, Work<'_>); 3] = [
        (
            "create",
            Box::pin(async {
                let new = crate::harness::stores::new_seat(fresh.license, &crate::harness::stores::token());
                let Made::New(made) = store.create_seat(new).await.unwrap() else { panic!("made before") };
                made.now
            }),
        ),
        ("activate", Box::pin(async { install.ask(store, Call::Activate).await.unwrap().now })),
        (
            "release",
            Box::pin(async {
                let Made::New(made) = store.owner(release).await.unwrap() else { panic!("done before") };
                made.now
            }),
        ),
    ];
    for (what, work) in work {
        let mut holder = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("BEGIN; SELECT 1 FROM license FOR UPDATE").execute(&mut holder).await.unwrap();
        let hold = async {
            tokio::time::sleep(Duration::from_millis(2100)).await;
            let now = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint";
            let now: i64 = sqlx::query_scalar(now).fetch_one(&mut holder).await.unwrap();
            sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
            now
        };
        let (decided, held_until) = tokio::join!(work, hold);
        assert!(decided.seconds() >= held_until, "{what}: {decided:?} before {held_until}");
    }
}

#[test]
fn a_password_in_an_argument_is_refused_and_never_shown() {
    let site = Site::at(None, &[]);
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

/// A server's site on a database, with seats.
async fn site_with_tokens(url: &str) -> (Site, Vec<String>) {
    let site = Site::at(Some(url.to_owned()), &["--seats", &SEATS.to_string()]);
    let store = AnyStore::from(open(url).await.unwrap());
    let pepper = DataFolder::new(site.data()).pepper().unwrap();
    let license = site.license.parse().unwrap();
    let mut tokens = Vec::new();
    for _ in 0..SEATS {
        let token = crate::harness::stores::token();
        let mut new = crate::harness::stores::new_seat(license, &token);
        new.token = seatlock_server::store::TokenHashes::of(&token, &pepper);
        seatlock_server::store::Store::create_seat(&store, new).await.unwrap();
        tokens.push(token.expose_secret().to_owned());
    }
    (site, tokens)
}

/// Activates every seat over any of the servers, as a plug-in does that tries again. `meanwhile` runs when a quarter is
/// done. Answers what was acknowledged, and how often one had to try again.
async fn activate_all(
    servers: &[Server<'_>],
    tokens: &[String],
    meanwhile: impl AsyncFnOnce(),
) -> (Vec<(Plugin, u64)>, usize) {
    let (next, again) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let acknowledged = Mutex::new(Vec::new());
    let worker = async |number: usize| {
        while let Some(token) = tokens.get(next.fetch_add(1, Ordering::SeqCst)) {
            let plugin = Plugin::new(token, "a");
            let begin = Instant::now();
            for turn in number.. {
                let server = &servers[turn % servers.len()];
                match server.try_call("activate", &plugin).await {
                    Ok(answer) if matches!(answer.status, 200 | 201) => {
                        acknowledged.lock().unwrap().push((plugin, answer.lease().epoch));
                        break;
                    }
                    Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                    Err(_) => {}
                }
                again.fetch_add(1, Ordering::SeqCst);
                assert!(begin.elapsed() < Duration::from_secs(60), "nobody answers");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let all = join_all((0..CONNECTIONS).map(worker).collect());
    let trouble = async {
        while acknowledged.lock().unwrap().len() < tokens.len() / 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        meanwhile().await;
    };
    tokio::join!(all, trouble);
    (acknowledged.into_inner().unwrap(), again.into_inner())
}

async fn all_are_kept(server: &Server<'_>, place: &Place, acknowledged: &[(Plugin, u64)]) {
    assert_eq!(acknowledged.len(), SEATS);
    for (plugin, epoch) in acknowledged {
        let renewal = plugin.with(serde_json::json!({ "intent": "renew" }));
        let answer = server.call("ping", &renewal).await;
        assert_eq!((answer.status, answer.lease().epoch), (200, *epoch), "{}", answer.body);
    }
    let held = place.number("SELECT count(*) FROM seat WHERE state = 'in_use'").await;
    assert_eq!(held, place.number("SELECT in_use FROM license").await);
    assert_eq!(place.number("SELECT count(*) FROM audit WHERE event = 'activated'").await, held);
    let whole = server.site.cli(&["audit", "verify"]);
    assert!(whole.ok, "{}", whole.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_servers_is_killed_under_load() {
    let url = Postgres::shared().unwrap().database().unwrap();
    let (site, tokens) = site_with_tokens(&url).await;
    let servers = [site.serve(), site.serve(), site.serve()];
    let (acknowledged, again) = activate_all(&servers, &tokens, async || servers[1].signal("KILL")).await;
    assert!(again > 0, "it was killed under load");
    all_are_kept(&servers[0], &Place::Postgres(url), &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_restarted_under_load() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let (site, tokens) = site_with_tokens(&url).await;
    let servers = [site.serve(), site.serve()];
    let (acknowledged, _) = activate_all(&servers, &tokens, async || {
        tokio::task::block_in_place(|| {
            postgres.halt();
            postgres.resume().unwrap();
        });
    })
    .await;
    all_are_kept(&servers[1], &Place::Postgres(url.clone()), &acknowledged).await;
    assert!(!name_of(&url).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_changes_no_index() {
    let url = Postgres::shared().unwrap().database().unwrap();
    let site = Site::at(Some(url.clone()), &["--seats", "1"]);
    let (_, token) = site.seat("ada@example.com");
    let (server, mut plugin) = (site.serve(), Plugin::new(&token, "a"));
    server.lease("activate", &mut plugin).await;
    for _ in 0..5 {
        server.lease("ping", &mut plugin).await;
    }
    // A connection that ends tells what it counted, but not at once.
    server.stop();
    let place = Place::Postgres(url);
    let counted = async |what| {
        let sum = format!(
            "SELECT sum({what})::bigint FROM pg_stat_user_tables WHERE relname IN ('seat', 'install')"
        );
        place.number(&sum).await
    };
    let begin = Instant::now();
    while counted("n_tup_upd").await < 10 {
        assert!(begin.elapsed() < Duration::from_secs(60), "a seat and an installation for each ping");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(counted("n_tup_upd - n_tup_hot_upd").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_signs_with_a_new_key_at_once() {
    let url = Postgres::shared().unwrap().database().unwrap();
    let site = Site::at(Some(url), &["--seats", "2"]);
    let (_, token) = site.seat("ada@example.com");
    let servers = [site.serve(), site.serve()];
    let plugin = Plugin::new(&token, "a");
    let before = servers[0].call("activate", &plugin).await.lease().ks;
    let root = site.root_file();
    let rotated = site.cli(&["keys", "rotate", "--root-key", &root]);
    assert!(rotated.ok, "{}", rotated.stderr);
    for server in &servers {
        assert_eq!(server.call("ping", &plugin).await.lease().ks, before + 1);
    }
}
