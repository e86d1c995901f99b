//! A database that is locked, read-only, closed or away: everybody is told to come back, and
//! afterwards nothing is lost.

use crate::harness::unavailable::{Bench, Fails, OPTIONS, prepared};
use sqlx::{Connection as _, PgConnection};
use xtask::postgres::{Postgres, name_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_database_in_every_trouble() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let name = name_of(&url).to_owned();
    let (site, secrets) = prepared(Some(url.clone()));
    let bench = Bench::new(site.serve_with(&OPTIONS), secrets).await;

    let all = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'";
    let tables = postgres.sql(&name, all).unwrap();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.trim());
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    bench.are_turned_away("locked", Fails::Everything).await;
    holder.close().await.unwrap();
    bench.works("after a lock").await;

    let ended = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let change = |what: &str| {
        postgres.sql("postgres", &format!("ALTER DATABASE {name} {what}")).unwrap();
        postgres.sql("postgres", &ended).unwrap();
    };
    change("SET default_transaction_read_only = on");
    bench.are_turned_away("read-only", Fails::Writes).await;
    change("RESET default_transaction_read_only");
    bench.works("after it was read-only").await;

    // A password that was changed, a limit of connections: who asks cannot know.
    change("ALLOW_CONNECTIONS false");
    bench.are_turned_away("closed", Fails::Everything).await;
    change("ALLOW_CONNECTIONS true");
    bench.works("after it was closed").await;

    tokio::task::block_in_place(|| postgres.halt());
    bench.are_turned_away("halted", Fails::Everything).await;
    tokio::task::block_in_place(|| postgres.resume()).unwrap();
    bench.works("after a restart").await;
}
