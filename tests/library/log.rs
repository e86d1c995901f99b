//! The log function of a host: what it is told, on which thread, and that it harms nobody when it
//! blocks or ends that thread.

use super::c_program;

#[test]
fn a_log_function_is_told_everything_on_a_thread_of_its_own() {
    println!("{}", c_program::run("log", &["return"]));
}

#[test]
fn a_host_thread_that_ends_inside_the_log_function_harms_nobody() {
    println!("{}", c_program::run("log", &["exit"]));
}

#[test]
fn a_host_thread_that_is_cancelled_inside_the_log_function_harms_nobody() {
    println!("{}", c_program::run("log", &["cancel"]));
}
