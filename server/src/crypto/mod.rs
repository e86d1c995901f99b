//! Keeps secrets: what is hashed, sealed and signed, and with which key.

/// Key sets and the private keys in the data folder.
pub mod keys;
/// One-time links, by which somebody sees a token once.
pub mod one_time_link;
/// Passwords: hashed and compared, a few at a time.
pub mod password;
/// Renewal secrets: made, and read again.
pub mod renewal;
/// Seals what the database keeps but must not be able to show.
pub mod seal;
