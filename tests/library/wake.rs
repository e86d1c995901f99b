//! A wake function that ends its thread, and signals of the host: neither harms the other.

use std::process::Command;
use xtask::{build, c, repository, run};

/// Compiles a program of tests/c against the library, and runs it with an argument and a folder for
/// its state.
fn play(name: &str, argument: &str) -> String {
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
    let mut command = Command::new(program);
    command.arg(argument).arg(folder.path().join("state"));
    command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    run::output(&mut command).unwrap()
}

#[test]
fn a_wake_function_that_returns_is_called_for_every_event() {
    println!("{}", play("wake", "return"));
}

#[test]
fn a_host_thread_that_ends_inside_wake_harms_nobody() {
    println!("{}", play("wake", "exit"));
}

#[test]
fn a_host_thread_that_is_cancelled_inside_wake_harms_nobody() {
    println!("{}", play("wake", "cancel"));
}

#[test]
fn a_client_may_be_closed_under_32_threads() {
    println!("{}", play("closing", "50"));
}

#[test]
fn no_handler_of_the_host_runs_on_a_thread_of_the_library() {
    println!("{}", play("signals", "200"));
}
