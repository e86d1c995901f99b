//! Everything that is checked without running anything.

use super::RINGS;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use xtask::{build, repository, run};
use yaml_rust2::{Yaml, YamlLoader};

/// The sources, those of the fuzz targets and models too: workspaces of their own.
pub fn format() -> Result<String> {
    run::output(build::cargo().args(["fmt", "--all", "--check"]))?;
    for own in ["examples/rust/Cargo.toml", "fuzz/Cargo.toml", "tests/models/Cargo.toml"] {
        run::output(build::cargo().args(["fmt", "--manifest-path", own, "--check"]))?;
    }
    Ok("as rustfmt writes them".to_owned())
}

pub fn clippy() -> Result<String> {
    run::output(build::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok("no warnings".to_owned())
}

pub fn doc() -> Result<String> {
    let mut doc = build::cargo();
    run::output(doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    // As docs.rs builds it.
    let mut doc = build::cargo();
    doc.args(["doc", "--package", "seatlock", "--no-deps", "--no-default-features"]);
    run::output(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok("no warnings".to_owned())
}

/// Licenses, bans and sources of every crate that is used. Advisories need a database from the
/// network: `cargo deny check advisories`.
pub fn deny() -> Result<String> {
    run::output(build::cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]))?;
    Ok("licenses, bans and sources".to_owned())
}

/// The files of GitHub can be read, and its workflow runs the rings that there are.
pub fn workflows() -> Result<String> {
    let folder = repository().join(".github");
    let mut read = 0;
    for path in super::files(&folder)? {
        if path.extension().is_some_and(|extension| extension == "yml") {
            yaml(&fs::read_to_string(&path)?).with_context(|| format!("{} is no YAML", path.display()))?;
            read += 1;
        }
    }
    let workflow = yaml(&fs::read_to_string(folder.join("workflows/ci.yml"))?)?;
    let rings = &workflow["jobs"]["ring"]["strategy"]["matrix"]["ring"];
    let named: BTreeSet<&str> = rings.as_vec().into_iter().flatten().filter_map(Yaml::as_str).collect();
    let all: BTreeSet<&str> = RINGS.iter().map(|ring| ring.name).collect();
    ensure!(named == all, ".github/workflows/ci.yml runs {named:?}, and the rings are {all:?}");
    Ok(format!("{read} files"))
}

fn yaml(text: &str) -> Result<Yaml> {
    let documents = YamlLoader::load_from_str(text)?;
    match <[Yaml; 1]>::try_from(documents) {
        Ok([document]) => Ok(document),
        Err(documents) => bail!("it holds {} documents", documents.len()),
    }
}
