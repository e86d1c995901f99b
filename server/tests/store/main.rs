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
#[macro_use]
mod harness;
#[macro_use]
mod store_support;

mod audit_chain;
mod checkpoints;
mod confirmations;
mod desk;
mod histories;
mod lists;
mod migrations;
mod people;
mod restored_properties;
mod rules_clones;
mod rules_properties;
mod rules_support;
mod rules_table;
mod stores;
