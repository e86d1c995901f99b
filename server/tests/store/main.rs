//! Rules of the seat life cycle, and the store, on SQLite.

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
#[path = "../suite/store/mod.rs"]
mod suite;

mod audit_tampering;
mod confirmations;
mod restored_properties;
mod rules_clones;
mod rules_properties;
mod rules_support;
mod rules_table;
mod schema;

/// Where the suite is played.
const ENGINE: harness::database::Engine = harness::database::Engine::Sqlite;
