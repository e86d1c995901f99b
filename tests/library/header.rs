//! The committed header is the one that the sources make, and it compiles as the oldest C that is
//! promised.

use std::path::{Path, PathBuf};
use std::{env, fs};
use xtask::{c, repository};

/// What build.rs made of src/ffi.
pub const MADE: &str = concat!(env!("OUT_DIR"), "/seatlock.h");

fn committed() -> PathBuf {
    repository().join("include/seatlock.h")
}

#[test]
fn the_committed_header_is_the_one_that_the_sources_make() {
    let made = fs::read_to_string(MADE).unwrap();
    if env::var_os("SEATLOCK_UPDATE").is_some() {
        fs::write(committed(), &made).unwrap();
    }
    let there = fs::read_to_string(committed()).unwrap();
    if let Some((line, (there, made))) =
        there.lines().zip(made.lines()).enumerate().find(|(_, (a, b))| a != b)
    {
        panic!(
            "include/seatlock.h is out of date in line {}: run `cargo xtask header`\n- {there}\n+ {made}",
            line + 1
        );
    }
    assert_eq!(there.len(), made.len(), "include/seatlock.h is out of date: run `cargo xtask header`");
}

#[test]
fn the_header_compiles_alone_and_twice_as_c99() {
    let include = repository().join("include");
    compile("#include <seatlock.h>\n", &include);
    compile("#include <seatlock.h>\n#include <seatlock.h>\n", &include);
}

#[test]
fn every_function_can_be_called_as_it_is_declared() {
    let header = fs::read_to_string(committed()).unwrap();
    assert!(!header.contains("();"), "a C function without arguments is declared with (void)");
    let tagged = ["[any thread", "[one thread"].map(|tag| header.matches(tag).count()).iter().sum::<usize>();
    // The preamble explains two of the tags; the others belong to functions.
    let all = header.lines().filter(|line| line.contains("SEATLOCK_CALL seatlock_"));
    let (all, exported): (Vec<_>, Vec<_>) = all.map(|line| (line, line.contains("SEATLOCK_API "))).unzip();
    assert!(exported.iter().all(|exported| *exported), "every function has SEATLOCK_API");
    let all = all.len();
    assert!(all >= 30, "only {all} functions were found");
    assert_eq!(tagged, all + 2, "every function says from which thread it may be called");
}

#[test]
fn every_struct_can_be_initialised_and_every_result_has_a_name() {
    let header = fs::read_to_string(committed()).unwrap();
    let structs: Vec<&str> =
        header.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {")).collect();
    assert!(structs.len() >= 3, "only {structs:?} were found");
    for name in structs {
        let macro_name = format!("{}_INIT", name.to_uppercase());
        assert!(
            header.contains(&format!("#define {macro_name} {{sizeof({name}), ")),
            "there is no {macro_name}"
        );
    }
    assert!(!header.contains("SEATLOCK_API int"), "results are a seatlock_result");
}

#[test]
fn the_headers_are_narrow_and_say_cannot() {
    for name in ["seatlock.h", "seatlock.hpp"] {
        let header = fs::read_to_string(repository().join("include").join(name)).unwrap();
        for line in header.lines() {
            assert!(line.chars().count() <= 100, "{name} is wider than 100 columns: {line}");
            assert!(!line.contains("can not"), "{name}: {line}");
        }
    }
}

fn compile(includes: &str, folder: &Path) {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("unit.c");
    fs::write(&source, format!("{includes}int unit(void);\nint unit(void) {{ return SEATLOCK_OK; }}\n"))
        .unwrap();
    let flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror", "-c"];
    c::compile(&[&source], &[folder], &place.path().join("unit.o"), &flags).unwrap();
}
