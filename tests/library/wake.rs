//! A wake function that ends its thread, and signals of the host: neither harms the other.

use super::c_program;

#[test]
fn a_wake_function_that_returns_is_called_for_every_event() {
    println!("{}", c_program::run("wake", &["return"]));
}

#[test]
fn a_host_thread_that_ends_inside_wake_harms_nobody() {
    println!("{}", c_program::run("wake", &["exit"]));
}

#[test]
fn a_host_thread_that_is_cancelled_inside_wake_harms_nobody() {
    println!("{}", c_program::run("wake", &["cancel"]));
}

#[test]
fn a_client_may_be_closed_under_32_threads() {
    println!("{}", c_program::run("closing", &["50"]));
}

#[test]
fn no_handler_of_the_host_runs_on_a_thread_of_the_library() {
    println!("{}", c_program::run("signals", &["200"]));
}
