//! Hosts that pass nonsense, or fork, get codes and not crashes.

use std::process::Command;
use xtask::{build, c, repository, run};

/// Compiles a program of tests/c against the library, and runs it with a folder for its state.
fn play(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(name);
    let source = repository().join("tests/c").join(format!("{name}.c"));
    let link = c::link_with(&build::shared_library(false).unwrap()).unwrap();
    let flags: Vec<&str> = c::C_WARNINGS
        .iter()
        .copied()
        .chain(["-g", "-pthread"])
        .chain(link.iter().map(String::as_str))
        .collect();
    c::compile(&[&source], &[&repository().join("include")], &program, &flags).unwrap();
    // The variable would come before what the program sets.
    let mut command = Command::new(program);
    command
        .arg(folder.path().join("state"))
        .env_remove("SEATLOCK_MACHINE_ID")
        .env_remove("SEATLOCK_STATE_DIR");
    run::output(&mut command).unwrap()
}

#[test]
fn every_bad_argument_has_its_code() {
    let said = play("bad_input");
    println!("{said}");
    assert!(said.ends_with("\n0 wrong\n"));
    let calls = said.lines().filter(|line| line.starts_with("ok")).count();
    assert!(calls > 100, "only {calls} calls were made");
}

#[test]
fn a_poll_loop_can_watch_a_client() {
    println!("{}", play("poll"));
}

#[test]
fn a_forked_child_is_refused_and_opens_its_own_client() {
    println!("{}", play("fork"));
}
