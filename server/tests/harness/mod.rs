//! What the test programs share: data folders, servers and databases, and whoever asks them.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

/// A caller of the admin API.
pub mod admin;
/// A clean database of either engine, and ways around its store.
pub mod database;
/// Clocks that are wrong.
pub mod fake_clock;
/// An issuer of access tokens.
pub mod issuer;
/// What a plug-in sends, and what it is answered.
mod plugin;
/// What was handed out, for a search that comes later.
mod secrets;
/// A server process.
mod server;
/// A data folder.
mod site;
/// Users, seats and calls, straight in a store.
pub mod store;
/// A server whose database cannot be used.
pub mod unavailable;

pub use self::{
    plugin::{Answer, Plugin},
    server::{Server, logged},
    site::{Done, PROGRAM, Site},
};
pub use futures_util::future::join_all;

use seatlock_protocol::MachineId;
use std::time::Duration;

pub const PRODUCT: &str = "com.example.bridge";
pub const ISSUER: &str = "http://localhost:8787";
pub const DAY: u64 = 86_400;
/// In which whatever is waited for happens, on a computer that has much to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn machine(name: &str) -> MachineId {
    MachineId::derive(PRODUCT, "linux", name)
}

/// The workspace builds reqwest with TLS and leaves the choice of its provider to each program.
pub fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub fn send_signal(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}
