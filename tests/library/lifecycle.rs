//! Loading, using and unloading the library again and again leaves nothing behind in the host.

use std::process::Command;
use xtask::{build, c, repository, run};

#[test]
fn two_thousand_lives_leave_no_thread_descriptor_or_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("lifecycle");
    let tests = repository().join("tests/c");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-g", "-pthread", "-ldl"]).collect();
    c::compile(&[&tests.join("lifecycle.c")], &[&repository().join("include")], &program, &flags).unwrap();
    let mut command = Command::new(program);
    command.arg(build::shared_library(false).unwrap()).arg("2000");
    // Port 9 refuses at once.
    command.arg(folder.path().join("state")).arg("http://127.0.0.1:9");
    println!("{}", run::output(&mut command).unwrap());
}
