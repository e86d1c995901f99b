//! `serve` as an operator wants it: limits, metrics, log, TLS, configuration, service manager.

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
/// Certificates, and new ones.
mod tls;
