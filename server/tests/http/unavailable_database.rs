//! A database that somebody else keeps locked.

use crate::harness::unavailable::{Bench, Fails, OPTIONS, prepared};

#[tokio::test]
async fn a_file_that_somebody_locks() {
    let (site, secrets) = prepared(None);
    let bench = Bench::new(site.serve_with(&OPTIONS), secrets).await;
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    bench.are_turned_away("locked", Fails::WritesByOthers).await;
    sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    bench.works("after a lock").await;
}
