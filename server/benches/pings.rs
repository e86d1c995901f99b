//! Placeholder that is replaced in the next change.
fn main() {}
