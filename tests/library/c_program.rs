use std::process::Command;
use xtask::{build, c, repository, run};

/// Compiles a program of tests/c against the library, runs it with these arguments and a folder for
/// its state, and answers what it printed.
pub fn run(name: &str, arguments: &[&str]) -> String {
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
    command.args(arguments).arg(folder.path().join("state"));
    // The variables would come before what the program sets.
    command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    run::output(&mut command).unwrap()
}
