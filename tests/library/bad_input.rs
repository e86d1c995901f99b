//! Hosts that pass nonsense, or fork, get codes and not crashes.

use super::c_program;

#[test]
fn every_bad_argument_has_its_code() {
    let said = c_program::run("bad_input", &[]);
    println!("{said}");
    assert!(said.ends_with("\n0 wrong\n"));
    let calls = said.lines().filter(|line| line.starts_with("ok")).count();
    assert!(calls > 100, "only {calls} calls were made");
}

#[test]
fn a_poll_loop_can_watch_a_client() {
    println!("{}", c_program::run("poll", &[]));
}

#[test]
fn a_forked_child_is_refused_and_opens_its_own_client() {
    println!("{}", c_program::run("fork", &[]));
}
