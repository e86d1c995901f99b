//! docs/operations.md on SQLite.

use crate::support::operations::{fits, play};

#[test]
fn nobody_is_locked_out_by_what_the_page_says() {
    play(None);
}

#[test]
fn what_the_page_says_is_compared() {
    assert!(fits("a <x>. b\nc", "a 1.5. b\nc\n") && fits("<n> rows", "12 rows"));
    for printed in ["a 1. b", "a . b\nc", "a 1. b\nd", "a 1. b c\nc", "x a 1. b\nc"] {
        assert!(!fits("a <x>. b\nc", printed), "{printed}");
    }
}
