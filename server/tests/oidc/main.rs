//! Signing in, before a real OpenID provider.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[cfg(unix)]
mod headless;
mod person;
mod provider;
mod sign_in;
#[cfg(unix)]
mod sign_in_example;
#[path = "../together/support/mod.rs"]
#[allow(dead_code, reason = "`together` uses more of it")]
mod support;
