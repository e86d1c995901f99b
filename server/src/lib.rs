//! The seatlock licensing server: seats, leases and verdicts over SQLite or PostgreSQL.
//!
//! A request enters at `routes`, is put to the `rules` by the `store` in one transaction, and
//! leaves as something signed by a key of `keys`. [`run`] is the whole server; the program
//! `seatlock-server` is its command line.

/// Answers the files of machines without a network.
pub mod airgap;
/// Why something failed that others wrote, in words of our own.
pub mod cause;
/// Signed statements of what the audit trail was.
pub mod checkpoint;
/// What the computer itself says of the time.
pub mod clock;
/// Serves people: what users ask for by page or by API.
pub mod desk;
/// Files that only the server reads, whoever makes them.
pub mod files;
/// Tells who somebody is by the word of an issuer.
pub mod identity;
/// Holds secrets: key files, the pepper, and the key that signs.
pub mod keys;
/// How often one token and one address may ask.
pub mod limits;
/// Writes e-mail, and hands it to a mail server.
pub mod mail;
/// What is counted, for whoever watches the server.
pub mod metrics;
/// Shows: the pages of seat management.
pub mod page;
/// Passwords: hashed and compared, a few at a time.
pub mod password;
/// Renewal secrets: made, and read again.
pub mod renewal;
/// Talks: one file per group of endpoints.
pub mod routes;
/// Decides: the life cycle of a seat, as pure functions.
pub mod rules;
/// Seals what the database keeps but must not be able to show.
pub mod seal;
/// Between a plug-in's request and the rules: what they are told, and what is signed.
pub(crate) mod seat_call;
/// Runs: from the first connection to an orderly end.
pub mod serve;
/// One-time links, by which somebody sees a token once.
pub mod share;
/// Keeps: licenses, seats, tokens and the audit trail.
pub mod store;
/// What an operator sets in the environment.
pub mod variable;
/// Shows: what users and programs are told.
pub mod view;
/// How what the server itself asks gets out.
pub mod way;

pub use routes::{AppState, Cause, Console, Settings};
pub use serve::run;
