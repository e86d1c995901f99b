//! Loading the library into a host starts nothing and opens nothing.

use std::process::Command;
use xtask::{build, c, repository, run};

#[test]
fn loading_starts_no_thread_and_opens_no_file_or_socket() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("load");
    let source = repository().join("tests/c/load.c");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-g", "-ldl"]).collect();
    c::compile(&[&source], &[&repository().join("include")], &program, &flags).unwrap();
    let mut command = Command::new(program);
    command.arg(build::shared_library(false).unwrap()).arg(folder.path().join("state"));
    // The variables would come before what the program sets.
    command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    run::output(&mut command).unwrap();
}
