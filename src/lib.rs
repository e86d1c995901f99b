//! License activation for 3D plug-ins: submit a token, derive a stable machine id, ping the
//! licensing server, keep an offline grace license and report the lock state, without ever harming
//! the host application.
//!
//! A walk through the crate follows one token: it enters at `ffi/operation.rs` (C) or
//! [`Client::activate`] (Rust), is checked by [`protocol::token`], posted by the worker in
//! [`client`] through [`net`], the answer is judged by [`license`], kept by [`store`], and seen in
//! [`Client::status`]. One way down, one way back.

/// Runs: the client and its worker thread.
pub mod client;
/// What the person who runs the host decides by variables.
mod environment;
/// Speaks C.
#[cfg(feature = "capi")]
mod ffi;
/// Decides: pure licensing rules.
pub mod license;
/// The computer: identity, clocks, and what keeps a guest harmless.
pub mod machine;
/// Talks: HTTP and what came back.
pub mod net;
/// Why the operating system refuses something, in words for people.
mod scarcity;
/// Keeps: state and token on disk.
pub mod store;
/// Says: what a person is told, in their language.
pub mod words;

pub use client::{
    Client, Consent, CredentialDetails, Event, EventKind, Failure, ForeignLog, ForeignWake, Handle,
    LicenseDetails, Log, OperationId, Options, Status, Text, Wake, Words, machine_identity,
};
pub use license::{CredentialKind, Entitlement, LockState};
pub use machine::LogLevel;
pub use seatlock_protocol::{self as protocol, Code, api::Intent};

/// Whatever of a token the HTTP and TLS crates leave in memory that they have freed is wiped.
#[cfg(feature = "wipe")]
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
