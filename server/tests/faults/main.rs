//! Clocks that are wrong, and disks that are full.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod clock;
#[cfg(unix)]
mod farm;
mod full_disk;
mod owners;
