//! Clocks that are wrong, disks that are full, databases that go away.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[path = "../harness/mod.rs"]
#[macro_use]
mod harness;
mod clock;
mod owners;
mod troubles;
