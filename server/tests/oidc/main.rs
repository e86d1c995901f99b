//! Signing in, before a real OpenID provider.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

mod bad_issuers;
mod provider;
mod sign_in;
#[cfg(unix)]
mod sign_in_example;
#[path = "../together/support/mod.rs"]
mod support;
