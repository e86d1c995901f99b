//! The layout that `ARCHITECTURE.md` promises, read from the source text: who may use whom, where `unsafe` may stand,
//! what touches neither disk nor network, and that the page names every room there is.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room of the library and the rooms that it may use.
const ROOMS: [(&str, &[&str]); 6] = [
    ("license", &[]),
    ("machine", &["license"]),
    ("store", &["license"]),
    ("net", &["license"]),
    ("client", &["license", "machine", "store", "net"]),
    ("ffi", &[]),
];

/// What a pure room never names.
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "getrandom",
    "tokio",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its text as far as its tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((path, lines.collect::<Vec<_>>().join("\n")));
        }
    }
    assert!(!found.is_empty(), "{} holds no source", folder.display());
    found
}

#[test]
fn use_goes_downwards_only() {
    for (room, may_use) in ROOMS {
        for (path, code) in sources(&root().join("src").join(room)) {
            let forbidden = ROOMS
                .map(|(name, _)| name)
                .into_iter()
                .filter(|name| *name != room && !may_use.contains(name));
            for name in forbidden {
                for edge in [format!("crate::{name}::"), format!("crate::{{{name}")] {
                    assert!(!code.contains(&edge), "{}: {room} must not use {name}", path.display());
                }
            }
        }
    }
}

#[test]
fn rules_touch_nothing_outside() {
    for folder in ["src/license", "protocol/src", "server/src/rules"] {
        for (path, code) in sources(&root().join(folder)) {
            for word in IMPURE {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn unsafe_stays_in_its_rooms() {
    for folder in ["src", "protocol/src", "server/src"] {
        for (path, code) in sources(&root().join(folder)) {
            let allowed = ["src/ffi", "src/machine"].iter().any(|room| path.starts_with(root().join(room)));
            assert!(allowed || !code.contains("unsafe"), "{} is unsafe", path.display());
        }
    }
}

#[test]
fn the_page_names_every_room() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("/` |"))
        .map(|row| row.0)
        .collect();
    let mut there: Vec<String> = Vec::new();
    for parent in ["", "src", "server/src"] {
        for entry in fs::read_dir(root().join(parent)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let hidden = name.starts_with('.') || matches!(name.as_str(), "target" | "src");
            if entry.path().is_dir() && !hidden {
                there.push(format!("{parent}/{name}").trim_start_matches('/').to_owned());
            }
        }
    }
    listed.sort_unstable();
    there.sort_unstable();
    assert_eq!(listed, there, "rooms in ARCHITECTURE.md (left) and folders (right)");
}

#[test]
fn the_readme_shows_the_example_that_is_built() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, example) = (read("README.md"), read("examples/cpp/main.cpp"));
    assert!(readme.contains(&format!("```cpp\n{example}```")), "examples/cpp/main.cpp and README.md differ");
    let body = example.split_once("int main() {").unwrap().1;
    let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines} lines of user code");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let ci = fs::read_to_string(root().join("xtask/src/ci/mod.rs")).unwrap();
    let mut named = 0;
    let proofs = page.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    for word in proofs.flat_map(|(_, proof)| proof.split('`').skip(1).step_by(2)) {
        if let Some((file, test)) = word.split_once("::") {
            let (package, file) = file.split_once('/').unwrap_or((".", file));
            let text = fs::read_to_string(root().join(format!("{package}/tests/{file}.rs"))).unwrap();
            let found = ["(", "<"].iter().any(|then| text.contains(&format!("fn {test}{then}")));
            assert!(found, "{word}");
            named += 1;
        } else if let Some(check) = word.strip_prefix("ci ") {
            assert!(ci.contains(&format!("(\"{check}")), "{word}");
            named += 1;
        }
    }
    assert!(named > 50, "only {named} were found");
}
