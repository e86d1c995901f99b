//! What needs PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[path = "../harness/mod.rs"]
#[macro_use]
mod harness;
mod nodes;
#[cfg(unix)]
mod operations_page;
mod postgres_tls;
mod servers;
#[path = "../together/support/mod.rs"]
#[allow(dead_code, reason = "`together` uses more of it")]
mod support;
