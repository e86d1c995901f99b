//! Bringing a database up to date: all of it, or nothing.

use crate::harness::{Plugin, Site, stores::Place};
use seatlock_server::store::{
    StoreError, postgres::PostgresAddress, postgres::PostgresStore, sqlite::SqliteStore,
};
use sqlx::{Connection as _, PgConnection};
use std::{process::Stdio, time::Duration};

/// Takes the third migration back.
async fn undo(place: &Place) {
    for statement in [
        "DROP TABLE clock",
        "ALTER TABLE server DROP COLUMN pepper_check",
        "DROP INDEX seat_newest",
        "DELETE FROM _sqlx_migrations WHERE version = 3",
    ] {
        place.run(statement).await;
    }
}

async fn open(place: &Place) -> Result<(), StoreError> {
    match place {
        Place::Sqlite(folder) => SqliteStore::open(&folder.path().join("seatlock.db"), false).await.map(drop),
        Place::Postgres(url) => PostgresStore::open(&PostgresAddress::parse(url).unwrap()).await.map(drop),
    }
}

async fn applied(place: &Place) -> i64 {
    place.number("SELECT count(*) FROM _sqlx_migrations WHERE success").await
}

#[tokio::test]
async fn a_statement_that_fails_takes_back_all_of_its_migration() {
    for place in [Place::sqlite(), Place::postgres()] {
        drop(place.open().await);
        undo(&place).await;
        let before = applied(&place).await;
        // In the way of the last statement.
        place.run("CREATE INDEX seat_newest ON seat (id)").await;
        assert!(matches!(open(&place).await, Err(StoreError::Migration(_))));
        assert_eq!(applied(&place).await, before);
        let tables = match place {
            Place::Sqlite(_) => "SELECT count(*) FROM sqlite_schema WHERE name = 'clock'",
            Place::Postgres(_) => "SELECT count(*) FROM pg_tables WHERE tablename = 'clock'",
        };
        assert_eq!(place.number(tables).await, 0, "nothing of it is there");
        place.run("DROP INDEX seat_newest").await;
        open(&place).await.unwrap();
        assert_eq!((applied(&place).await, place.number(tables).await), (before + 1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_leaves_it_to_the_next() {
    let place = Place::postgres();
    let Place::Postgres(url) = &place else { panic!("it is one") };
    let site = Site::at(Some(url.clone()), &[]);
    let (_, token) = site.seat("ada@example.com");
    undo(&place).await;
    let before = applied(&place).await;
    // Holds up the index, when the table is made already.
    let mut holder = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE seat IN ROW EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let mut starting =
        site.command(&["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).spawn().unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(&place, waiting, 1).await;
    starting.kill().unwrap();
    starting.wait().unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    until(&place, others, 0).await;
    assert_eq!(applied(&place).await, before);
    assert_eq!(place.number("SELECT count(*) FROM pg_tables WHERE tablename = 'clock'").await, 0);
    let server = site.serve();
    assert_eq!(server.call("activate", &Plugin::new(&token, "a")).await.status, 201);
    assert_eq!(applied(&place).await, before + 1);
}

async fn until(place: &Place, query: &str, wanted: i64) {
    for _ in 0..600 {
        if place.number(query).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query} is not {wanted}");
}
