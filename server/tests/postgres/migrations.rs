//! A server that ends while it brings its database up to date.

use crate::{
    ENGINE,
    harness::{PATIENCE, Plugin, Site, database::Place},
    store_suite::migrations::applied,
};
use sqlx::Connection as _;
use std::{
    process::Stdio,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_leaves_it_to_the_next() {
    let site = Site::on(ENGINE, &[]);
    let place = site.place();
    let (_, token) = site.seat("ada@example.com");
    let kept = site.scratch("kept");
    site.cli(&["export", kept.to_str().unwrap()]);
    place.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    // Holds up the last table, when the others are made already.
    let mut holder = place.postgres().await;
    sqlx::raw_sql("BEGIN; CREATE TABLE remembered (other TEXT)").execute(&mut holder).await.unwrap();
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
    assert_eq!(applied(&place).await, 0);
    assert_eq!(place.number("SELECT count(*) FROM pg_tables WHERE tablename = 'clock'").await, 0);
    site.cli(&["import", kept.to_str().unwrap()]);
    let server = site.serve();
    assert_eq!(server.call("activate", &Plugin::new(&token, "a")).await.status, 201);
    assert_eq!(applied(&place).await, 1);
}

async fn until(place: &Place, query: &str, wanted: i64) {
    let begin = Instant::now();
    while place.number(query).await != wanted {
        assert!(begin.elapsed() < PATIENCE, "{query} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
