//! What is on the wire: documents, golden vectors and properties.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

mod docs;
mod pasted;
mod properties;
mod vectors;
