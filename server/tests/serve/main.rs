//! `serve` as whoever runs it wants it: limits, metrics, log, TLS, configuration, service manager.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that stops has failed"
)]

/// `--config`, variables, `config check` and `config show`.
mod config;
/// Slow clients, and more than there is room for.
mod connections;
/// Too many requests.
mod limits;
/// What is logged, and what never is.
mod log;
/// What Prometheus reads.
mod metrics;
/// What a service manager is told.
mod service;
/// Starts the program and calls it as a plug-in does.
#[path = "../support/mod.rs"]
mod support;
/// Certificates, and new ones.
mod tls;
