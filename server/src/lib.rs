//! The seatlock licensing server: seats, leases and verdicts over SQLite or PostgreSQL.
//!
//! A request enters at `http`, is put to the rules of `domain` by the `store` in one transaction, and
//! leaves as something signed by a key of `crypto`. [`run`] is the whole server; the program
//! `seatlock-server` is its command line.

#![allow(missing_docs, reason = "these are parts of a program; what is not obvious is said")]

/// Keeps secrets: what is hashed, sealed and signed.
pub mod crypto;
/// Decides: the life cycle of a seat, as pure functions.
pub mod domain;
/// Talks: the calls of plug-ins, the admin API and the pages.
pub mod http;
/// Writes e-mail, and hands it to a mail server.
pub mod mail;
/// Tells who somebody is by the word of an issuer.
pub mod oidc;
/// Runs: from the first connection to an orderly end.
pub mod runtime;
/// Serves people and plug-ins: what they ask for, with their own authority.
pub mod service;
/// Keeps: licenses, seats, tokens and the audit trail.
pub mod store;
/// The computer: files, environment, clock and the way out.
pub mod system;

pub use http::{AppState, Cause, Console, ServerSettings};
pub use runtime::run;
