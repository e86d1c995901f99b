//! include/ABI.txt lists everything that a program compiles in: functions, types, numbers, macros,
//! and the sizes and offsets of structs, in the order of the header.

use super::header::MADE;
use std::fmt::Write;
use std::process::Command;
use std::{env, fs};
use xtask::{c, repository, run};

const HEAD: &str = "# Everything that a program compiles in from seatlock.h, ABI 1, in its order: kind, name, value,\n\
                    # and the version that introduced it. Rows are only added; `cargo xtask header` adds them.\n";

/// What a row says before its version: kind, name and value. Of a struct the value is its size, of
/// a member its offset.
type Item = (&'static str, String, String);

#[test]
fn the_committed_ledger_is_that_of_the_header() {
    let items = measured(listed(&fs::read_to_string(MADE).unwrap()));
    let path = repository().join("include/ABI.txt");
    let there = fs::read_to_string(&path).unwrap();
    let rows: Vec<(&str, &str)> = there
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .collect();
    let items: Vec<String> =
        items.iter().map(|(kind, name, value)| format!("{kind} {name} {value}")).collect();
    if env::var_os("SEATLOCK_UPDATE").is_some() {
        let version = |item: &str| {
            rows.iter()
                .find(|(row, _)| *row == item)
                .map_or(env!("CARGO_PKG_VERSION"), |(_, version)| *version)
        };
        let lines = items.iter().map(|item| format!("{item} {}\n", version(item)));
        fs::write(&path, HEAD.to_owned() + &lines.collect::<String>()).unwrap();
        return;
    }
    for (row, _) in &rows {
        assert!(items.iter().any(|item| item == row), "in include/ABI.txt, but not in the header: {row}");
    }
    for item in &items {
        assert!(rows.iter().any(|(row, _)| row == item), "in the header, but not in include/ABI.txt: {item}");
    }
    assert!(rows.iter().map(|(row, _)| *row).eq(&items), "include/ABI.txt is not in the order of the header");
    assert!(
        rows.iter()
            .all(|(_, version)| version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3)
    );
    for kind in ["function", "type", "enumerator", "struct", "member", "macro"] {
        assert!(items.iter().any(|item| item.starts_with(kind)), "no {kind} was found in the header");
    }
}

/// The items of a header, in its order.
fn listed(header: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut open = None;
    for line in header.lines() {
        let (kind, name, value) = if let Some(rest) = line.strip_prefix("#define ") {
            ("macro", rest.split(' ').next().unwrap(), "-")
        } else if let Some(rest) = line.strip_prefix("typedef struct ") {
            match rest.strip_suffix(" {") {
                Some(name) => {
                    open = Some(name);
                    ("struct", name, "-")
                }
                None => ("type", rest.trim_end_matches(';').rsplit(' ').next().unwrap(), "struct"),
            }
        } else if let Some((_, rest)) = line.split_once("(SEATLOCK_CALL *") {
            ("type", rest.split(')').next().unwrap(), "function")
        } else if let Some(rest) = line.strip_prefix("typedef ") {
            let (of, name) = rest.trim_end_matches(';').rsplit_once(' ').unwrap();
            ("type", name, of)
        } else if let Some((_, rest)) = line.split_once("SEATLOCK_CALL ") {
            ("function", rest.split('(').next().unwrap(), "-")
        } else if let Some((name, value)) =
            line.strip_prefix("    SEATLOCK_").and_then(|rest| rest.split_once(" = "))
        {
            items.push(("enumerator", format!("SEATLOCK_{name}"), value.trim_end_matches(',').to_owned()));
            continue;
        } else if let (Some(of), Some(rest)) =
            (open, line.strip_prefix("    ").and_then(|rest| rest.strip_suffix(';')))
        {
            let name = rest.rsplit([' ', '*']).next().unwrap().split('[').next().unwrap();
            items.push(("member", format!("{of}.{name}"), "-".to_owned()));
            continue;
        } else {
            if line.starts_with('}') {
                open = None;
            }
            continue;
        };
        let item = (kind, name.to_owned(), value.to_owned());
        // Some macros are defined once for each compiler; the guard is nobody's.
        if name != "SEATLOCK_H" && !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

/// Asks the C compiler for sizes and offsets, and whether it reads the same numbers.
fn measured(items: Vec<Item>) -> Vec<Item> {
    let mut source = "#include <seatlock.h>\n#include <stdio.h>\nint main(void)\n{\n".to_owned();
    for (kind, name, value) in &items {
        let value = match *kind {
            "struct" => format!("sizeof({name})"),
            "member" => format!("offsetof({})", name.replace('.', ", ")),
            "enumerator" => {
                writeln!(source, "    _Static_assert({name} == {value}, \"{name}\");").unwrap();
                continue;
            }
            _ => continue,
        };
        writeln!(source, "    printf(\"%lu\\n\", (unsigned long){value});").unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let (unit, program) = (place.path().join("sizes.c"), place.path().join("sizes"));
    fs::write(&unit, source + "    return 0;\n}\n").unwrap();
    fs::copy(MADE, place.path().join("seatlock.h")).unwrap();
    c::compile(&[&unit], &[place.path()], &program, c::C_WARNINGS).unwrap();
    let printed = run::output(&mut Command::new(program)).unwrap();
    let mut numbers = printed.lines();
    let with_number = |(kind, name, value)| match kind {
        "struct" | "member" => (kind, name, numbers.next().unwrap().to_owned()),
        _ => (kind, name, value),
    };
    items.into_iter().map(with_number).collect()
}
