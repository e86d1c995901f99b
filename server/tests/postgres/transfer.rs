//! A server that moves to PostgreSQL, and one that moves back.

use crate::{
    harness::database::Engine::{Postgres, Sqlite},
    store_suite::transfer::goes_over,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_a_file_is_brought_in_as_it_was() {
    goes_over(Sqlite, Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_brought_into_a_file_as_it_was() {
    goes_over(Postgres, Sqlite).await;
}
