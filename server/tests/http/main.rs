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
#[macro_use]
mod harness;
mod admin_api;
mod admin_commands;
mod admin_support;
mod calls;
mod codes;
mod command_line;
mod dev;
mod durability;
mod issuer_support;
mod issuers;
mod life_cycle;
mod mail;
mod oauth;
mod owner_page;
mod page_samples;
mod pages;
mod serve;
