//! The layout that `ARCHITECTURE.md` promises, read from the source text: who may use whom, where
//! `unsafe` may stand, what touches neither disk nor network, and that the page names every room
//! there is.

use crate::source::{Source, files, read, read_crate};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may use, which stand before it.
type Room = (&'static str, &'static [&'static str]);

const LIBRARY: [Room; 9] = [
    ("words", &[]),
    ("scarcity", &["words"]),
    ("environment", &[]),
    ("license", &["words"]),
    ("machine", &["words", "license", "scarcity"]),
    ("store", &["words", "license", "scarcity"]),
    ("net", &["words", "license", "scarcity", "environment"]),
    ("client", &["words", "license", "scarcity", "environment", "machine", "store", "net"]),
    // What is public, at the crate's root, and nothing else.
    ("ffi", &[]),
];

const SERVER: [Room; 10] = [
    ("system", &[]),
    ("domain", &[]),
    ("crypto", &["system", "domain"]),
    ("store", &["system", "domain", "crypto"]),
    ("oidc", &["system", "domain"]),
    ("mail", &["system", "domain", "crypto"]),
    ("service", &["system", "domain", "crypto", "store", "oidc"]),
    ("http", &["system", "domain", "crypto", "oidc", "mail", "service"]),
    ("runtime", &["system", "domain", "service", "http"]),
    ("cli", &["system", "domain", "crypto", "store", "mail", "service", "http", "runtime"]),
];

/// Names that are given twice, and why.
const TWICE: [(&str, &str); 7] = [
    ("Bare", "one for each platform"),
    ("Readiness", "one for each platform"),
    ("StoreError", "the library has a store, and the server has one"),
    ("Plugin", "the project's commands compile one, for tests"),
    ("Provider", "the project's commands run one, for tests"),
    ("Route", "the project's commands have one to their proxy, for tests"),
    ("Seat", "the project's commands have one made, for tests"),
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

/// The rooms that a file uses beside its own. What the crate's root makes public counts as what it
/// comes from, but for the C interface, which uses what is public.
fn used(source: &Source, rooms: &[Room], root: &BTreeMap<String, String>) -> BTreeSet<String> {
    let own = source.module.first();
    let is_room = |name: &str| rooms.iter().any(|(room, _)| *room == name);
    let room = |named: &Vec<String>| {
        let first = named.first().map_or("(the whole crate)", String::as_str);
        match root.get(first) {
            None => Some(first.to_owned()),
            Some(_) if is_room(first) => Some(first.to_owned()),
            Some(from) => (is_room(from) && own.is_none_or(|own| own != "ffi")).then(|| from.clone()),
        }
    };
    source.inside.iter().filter_map(room).filter(|room| Some(room) != own).collect()
}

/// Names that a crate's root makes public, and the room that each comes from.
fn at_root(sources: &[Source]) -> BTreeMap<String, String> {
    let roots = sources.iter().filter(|source| source.module.is_empty());
    let public = roots.flat_map(|source| &source.public);
    public.filter_map(|(name, named)| Some((name.clone(), named.first()?.clone()))).collect()
}

/// Every use of another room that the table does not allow: the file, from the folder of the
/// sources on, and the room.
fn forbidden(sources: &[Source], folder: &Path, rooms: &[Room]) -> BTreeSet<(String, String)> {
    let root = at_root(sources);
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let own = source.module.first().unwrap();
        let allowed = rooms.iter().find(|(room, _)| room == own).map_or(&[][..], |(_, allowed)| allowed);
        let file = source.path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
        let wrong = used(source, rooms, &root).into_iter().filter(|room| !allowed.contains(&&**room));
        found.extend(wrong.map(|room| (file.clone(), room)));
    }
    found
}

fn assert_downwards(rooms: &[Room]) {
    for (at, (room, allowed)) in rooms.iter().enumerate() {
        for below in *allowed {
            let there = rooms.iter().take(at).any(|(room, _)| room == below);
            assert!(there, "{room} may use {below}, which does not stand before it");
        }
    }
}

#[test]
fn use_goes_downwards_only_in_the_library() {
    assert_downwards(&LIBRARY);
    let folder = root().join("src");
    let wrong = forbidden(&read_crate(&folder, "seatlock"), &folder, &LIBRARY);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn use_goes_downwards_only_in_the_server() {
    assert_downwards(&SERVER);
    let folder = root().join("server/src");
    let sources = read_crate(&folder, "seatlock_server");
    let wrong = forbidden(&sources, &folder, &SERVER);
    assert!(wrong.is_empty(), "upwards: {wrong:#?}");
    let there: BTreeSet<&str> =
        sources.iter().filter_map(|source| source.module.first().map(String::as_str)).collect();
    let rooms: BTreeSet<&str> = SERVER.iter().map(|(room, _)| *room).collect();
    assert_eq!(there, rooms, "rooms of the server (left) and the table (right)");
    let root = at_root(&sources);
    for (room, allowed) in SERVER {
        let of_it = sources.iter().filter(|source| source.module.first().is_some_and(|own| own == room));
        let used: BTreeSet<String> = of_it.flat_map(|source| used(source, &SERVER, &root)).collect();
        let idle: Vec<_> = allowed.iter().filter(|room| !used.contains(**room)).collect();
        assert!(idle.is_empty(), "{room} does not use {idle:?} any more: take it out of the table");
    }
}

/// Before there were floors, the files of machines without a network were answered by functions of
/// the endpoints, and the endpoints asked the same services: 36 files in a circle.
#[test]
fn a_service_that_uses_an_endpoint_is_found() {
    let folder = Path::new("src");
    let sources = [
        ("src/service/airgap.rs", "use crate::http::{seat::{caller, recipient}, sign::Signer};"),
        ("src/service/seats.rs", "use super::airgap;"),
        ("src/service/issuers.rs", "use crate::http::api::schema::IssuerChange;"),
        ("src/http/seat.rs", "use crate::service::Service; fn f() { crate::service::airgap::answer() }"),
        ("src/crypto/keys/folder.rs", "use crate::store::postgres::Address;"),
    ]
    .map(|(path, text)| read(text, Path::new(path), folder, "seatlock_server"));
    let wrong = forbidden(&sources, folder, &SERVER);
    let wanted =
        [("crypto/keys/folder.rs", "store"), ("service/airgap.rs", "http"), ("service/issuers.rs", "http")];
    assert_eq!(wrong, wanted.map(|(file, room)| (file.to_owned(), room.to_owned())).into());
}

#[test]
fn a_name_of_a_type_means_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (folder, name) in [
        ("src", "seatlock"),
        ("protocol/src", "seatlock_protocol"),
        ("server/src", "seatlock_server"),
        ("xtask/src", "xtask"),
    ] {
        for source in read_crate(&root().join(folder), name) {
            let file = source.path.strip_prefix(root()).unwrap().display().to_string();
            source.types.into_iter().for_each(|name| places.entry(name).or_default().push(file.clone()));
        }
    }
    assert!(places.len() > 400, "only {} names were found", places.len());
    places.retain(|_, files| files.len() > 1);
    let allowed: BTreeSet<&str> = TWICE.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = places.keys().map(String::as_str).collect();
    assert_eq!(found, allowed, "given twice (left) and allowed to be (right): {places:#?}");
}

#[test]
fn every_way_to_name_another_room_is_seen() {
    let folder = Path::new("src");
    for text in [
        "use crate::net;",
        "use crate::net as other;",
        "use crate::{license, net::{self, Http}};",
        "use crate::{license::{step, judge}, net};",
        "use super::super::net::Http;",
        "use super::{exchange, super::net::Http};",
        "use super::super::*;",
        "use crate as whole;",
        "pub use crate::net::Http;",
        "pub(crate) use crate::net::*;",
        "fn f() { crate::net::get() }",
        "fn f(_: &super::super::net::Http) {}",
        "struct S { http: Option<Box<crate::net::Http>> }",
        "impl crate::net::Way for S {}",
        "fn f() { let x = println!(\"{}\", crate::net::get()); }",
        "macro_rules! m { () => { $crate::net::get() } }",
        "#[serde(with = \"crate::net\")] struct S;",
        "mod inner { use super::super::super::net::Http; }",
        "fn f() { use crate::net::get; get() }",
        "use seatlock::net;",
    ] {
        let source = read(text, Path::new("src/client/worker.rs"), folder, "seatlock");
        let used = used(&source, &LIBRARY, &BTreeMap::new());
        let seen = used.iter().any(|room| room == "net" || room == "(the whole crate)");
        assert!(seen, "{text}: {used:?}");
    }
    for text in [
        "#[cfg(test)] mod tests { use crate::net; }",
        "/// [`crate::net::Http`]\nstruct S;",
        "pub(in crate::client) struct S;",
        "use super::shared::Shared; use std::net::TcpStream;",
        "pub(super) fn net() {}",
    ] {
        let source = read(text, Path::new("src/client/worker.rs"), folder, "seatlock");
        assert_eq!(used(&source, &LIBRARY, &BTreeMap::new()), BTreeSet::new(), "{text}");
    }
}

#[test]
fn rules_touch_nothing_outside() {
    for (folder, name) in [
        ("src/license", "seatlock"),
        ("src/words", "seatlock"),
        ("protocol/src", "seatlock_protocol"),
        ("server/src/domain", "seatlock_server"),
    ] {
        for source in read_crate(&root().join(folder), name) {
            for word in IMPURE.map(|word| word.split("::").map(str::to_owned).collect::<Vec<_>>()) {
                let named =
                    source.outside.iter().find(|named| named.windows(word.len()).any(|part| part == word));
                assert_eq!(named, None, "{}", source.path.display());
            }
        }
    }
}

#[test]
fn unsafe_stays_in_its_rooms() {
    for folder in ["src", "protocol/src", "server/src"] {
        for path in files(&root().join(folder)) {
            let allowed = ["src/ffi", "src/machine"].iter().any(|room| path.starts_with(root().join(room)));
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let mut code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(allowed || !code.any(|line| line.contains("unsafe")), "{} is unsafe", path.display());
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

/// `library/license_rules::leases` is a test of `tests/library/license_rules.rs`, and so for the
/// other programs.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let ci = fs::read_to_string(root().join("xtask/src/ci/rings.rs")).unwrap();
    let mut named = 0;
    let proofs = page.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    for word in proofs.flat_map(|(_, proof)| proof.split('`').skip(1).step_by(2)) {
        if let Some((file, test)) = word.rsplit_once("::") {
            let places = ["tests", "protocol/tests", "server/tests", "server/tests/suite"];
            let file = format!("{}.rs", file.replace("::", "/"));
            let text =
                places.iter().find_map(|place| fs::read_to_string(root().join(place).join(&file)).ok());
            let text = text.unwrap_or_else(|| panic!("{word}: there is no {file}"));
            let found = ["(", "<"].iter().any(|then| text.contains(&format!("fn {test}{then}")));
            assert!(found, "{word}");
            named += 1;
        } else if let Some(check) = word.strip_prefix("ci ") {
            let (ring, step) = check.split_once('/').unwrap();
            let steps = ci.split_once(&format!("name: \"{ring}\"")).expect(word).1;
            let steps = steps.split("Ring {").next().unwrap();
            assert!(steps.contains(&format!("step(\"{step}\"")), "{word}");
            named += 1;
        }
    }
    assert!(named > 50, "only {named} were found");
}
