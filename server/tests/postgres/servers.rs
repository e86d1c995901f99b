//! What only servers that share a PostgreSQL database meet: each other, and its failures.

use crate::{
    ENGINE,
    harness::{
        PATIENCE, Plugin, Server, Site,
        database::{Database, Place},
        join_all,
        store::{Install, new_seat, now, order, seats, token},
    },
};
use rustix::process::Signal;
use seatlock_protocol::UnixTime;
use seatlock_server::domain::{SeatAction, SeatOperation};
use std::{
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use xtask::postgres::Postgres;

const SEATS: usize = 200;
const CONNECTIONS: usize = 12;

fn empty() -> Place {
    Place::Postgres(ENGINE.url().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_make_the_tables_once() {
    let place = empty();
    let opened = join_all((0..8).map(|_| place.open())).await;
    assert!(opened.iter().all(Result::is_ok));
    let applied = place.number("SELECT count(*) FROM _sqlx_migrations WHERE success").await;
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    assert_eq!(applied, i64::try_from(std::fs::read_dir(migrations).unwrap().count()).unwrap());
}

#[tokio::test]
async fn a_newer_structure_is_refused_in_words() {
    let place = empty();
    drop(place.open().await.unwrap());
    place
        .run("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', true, '', 0)")
        .await;
    let Err(error) = place.open().await else { panic!("it was opened") };
    assert!(error.to_string().contains("newer version of this server (structure 99)"), "{error}");
}

/// Something that answers by what time it was decided.
type Work<'a> = Pin<Box<dyn Future<Output = UnixTime> + 'a>>;

/// Whoever waited for a lock must not write a time before that of whoever had it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_that_after_the_lock() {
    let db = Database::with_seats(ENGINE, 2).await;
    let (_, license) = db.first().await;
    let (seat, token_of_seat) = seats(&db, 1).await.remove(0);
    let (store, pepper) = (db.store(), db.pepper());
    let mut install = Install::new(&token_of_seat, &pepper, "a");
    let release = order(&db, seat, SeatAction::Release);
    let work: [(&str, Work<'_>); 3] = [
        (
            "create",
            Box::pin(async {
                let new = new_seat(license.id, "user@example.com", &token(), &pepper);
                now(store.run(new).await.unwrap()).now
            }),
        ),
        ("activate", Box::pin(async { install.ask(store, SeatOperation::Activate).await.unwrap().now })),
        ("release", Box::pin(async { now(store.run(release).await.unwrap()).now })),
    ];
    for (what, work) in work {
        let mut holder = db.place.postgres().await;
        sqlx::raw_sql("BEGIN; SELECT 1 FROM license FOR UPDATE").execute(&mut holder).await.unwrap();
        let hold = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                           wait_event_type = 'Lock'";
            until(async || db.number(waiting).await > 0, "it waits for the lock").await;
            // Until another second than the one in which it began to wait.
            let clock = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint";
            let began = db.number(clock).await;
            until(async || db.number(clock).await > began, "time passes").await;
            sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
            began + 1
        };
        let (decided, held_until) = tokio::join!(work, hold);
        assert!(decided.seconds() >= held_until, "{what}: {decided:?} before {held_until}");
    }
}

async fn until(condition: impl AsyncFn() -> bool, what: &str) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Activates every seat over any of the servers, as a plug-in does that tries again. `meanwhile`
/// runs when a quarter is done. Answers what was acknowledged, and how often one had to try again.
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
                assert!(begin.elapsed() < PATIENCE, "nobody answers");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let all = join_all((0..CONNECTIONS).map(worker));
    let trouble = async {
        while acknowledged.lock().unwrap().len() < tokens.len() / 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        meanwhile().await;
    };
    tokio::join!(all, trouble);
    (acknowledged.into_inner().unwrap(), again.into_inner())
}

async fn all_are_kept(server: &Server<'_>, acknowledged: &[(Plugin, u64)]) {
    let place = server.site.place();
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
    let (site, tokens) = Site::with_tokens(ENGINE, SEATS).await;
    let servers = [site.serve(), site.serve(), site.serve()];
    let (acknowledged, again) =
        activate_all(&servers, &tokens, async || servers[1].signal(Signal::KILL)).await;
    assert!(again > 0, "it was killed under load");
    all_are_kept(&servers[0], &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_restarted_under_load() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let site = Site::at(Some(url), &["--seats", &SEATS.to_string()]);
    let tokens = site.seats(SEATS).await;
    let servers = [site.serve(), site.serve()];
    let (acknowledged, _) = activate_all(&servers, &tokens, async || {
        tokio::task::block_in_place(|| {
            postgres.halt();
            postgres.resume().unwrap();
        });
    })
    .await;
    all_are_kept(&servers[1], &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_changes_no_index() {
    let site = Site::on(ENGINE, &["--seats", "1"]);
    let (_, token) = site.seat("ada@example.com");
    let (server, mut plugin) = (site.serve(), Plugin::new(&token, "a"));
    server.lease("activate", &mut plugin).await;
    for _ in 0..5 {
        server.lease("ping", &mut plugin).await;
    }
    // A connection that ends tells what it counted, but not at once.
    server.stop();
    let place = site.place();
    let counted = async |what| {
        let sum = format!(
            "SELECT sum({what})::bigint FROM pg_stat_user_tables WHERE relname IN ('seat', 'install')"
        );
        place.number(&sum).await
    };
    let all = async || counted("n_tup_upd").await >= 10;
    until(all, "a seat and an installation for each ping").await;
    assert_eq!(counted("n_tup_upd - n_tup_hot_upd").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_signs_with_a_new_key_at_once() {
    let site = Site::on(ENGINE, &["--seats", "2"]);
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
