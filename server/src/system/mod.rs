//! The computer: files, environment, clock and the way out, with its failures in words of our own.

/// Why something failed that others wrote, in words of our own.
pub mod cause;
/// What the computer itself says of the time.
pub mod clock;
/// Files that only the server reads, whoever makes them.
pub mod files;
/// How what the server itself asks gets out.
pub mod outbound;
/// Where a PostgreSQL database is.
pub mod postgres_address;
/// What an operator sets in the environment.
pub mod variable;
