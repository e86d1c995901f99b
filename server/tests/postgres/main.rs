//! What needs PostgreSQL: the suites of the programs `store` and `http` once more, and what only
//! servers that share a database meet.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../suite/http/mod.rs"]
mod http_suite;
#[path = "../suite/store/mod.rs"]
mod store_suite;

mod audit_tampering;
mod clock;
mod config;
mod lease_keys;
mod migrations;
#[cfg(unix)]
mod operations_page;
mod servers;
#[path = "../together/support/mod.rs"]
#[allow(dead_code, reason = "`together` uses more of it")]
mod support;
mod tls;
mod transfer;
mod unavailable_database;

/// Where the suites are played.
const ENGINE: harness::database::Engine = harness::database::Engine::Postgres;
