//! The server as a process: what comes back by HTTP, and what its commands print.

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
mod suite;

mod admin_api;
mod admin_commands;
mod batches;
mod browser;
mod calls;
mod codes;
mod command_line;
mod company_keys;
mod console;
mod dev;
mod floods;
mod issuers;
mod life_cycle;
mod mail;
mod oauth;
mod odd_requests;
mod operator;
mod owner_page;
mod page_samples;
mod pages;
mod serve;
mod settings;
mod unavailable_database;

/// Where the suite is played.
const ENGINE: harness::database::Engine = harness::database::Engine::Sqlite;
