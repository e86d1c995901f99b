//! What a library is made of: the crates that are linked into it, their licenses, and both as a
//! bill of materials in the form of CycloneDX.

use super::platform::Target;
use crate::layout::Layout;
use crate::{build, repository, run};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
struct Crate {
    name: String,
    version: String,
    license: String,
    checksum: Option<String>,
    folder: PathBuf,
    needs: BTreeSet<String>,
}

/// The crates by name and version.
#[derive(Debug)]
pub struct Parts(BTreeMap<String, Crate>);

impl Parts {
    /// Those of the library for these targets.
    ///
    /// # Errors
    /// Cargo fails.
    pub fn of(targets: &[&Target]) -> Result<Self> {
        let mut linked = BTreeSet::new();
        for target in targets {
            let mut tree = build::cargo();
            tree.args(["tree", "--package", "seatlock", "--features", "wipe", "--edges", "normal"]);
            tree.args(["--prefix", "none", "--format", "{p}", "--target", target.rust]);
            for line in run::output(&mut tree)?.lines() {
                let mut words = line.split(' ');
                let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                // Procedural macros run in the compiler.
                if !line.contains("(proc-macro)") && !version.is_empty() {
                    linked.insert(format!("{name} {}", version.trim_start_matches('v')));
                }
            }
        }
        let mut metadata = build::cargo();
        metadata.args(["metadata", "--format-version", "1", "--all-features"]);
        Self::read(&serde_json::from_str(&run::output(&mut metadata)?)?, &linked, &lock()?)
    }

    fn read(metadata: &Value, linked: &BTreeSet<String>, lock: &str) -> Result<Self> {
        let text = |value: &Value, member: &str| {
            value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let list = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let (mut crates, mut ids) = (BTreeMap::new(), BTreeMap::new());
        for package in list(metadata, "/packages") {
            let (name, version) = (text(&package, "name"), text(&package, "version"));
            let key = format!("{name} {version}");
            ids.insert(text(&package, "id"), key.clone());
            if linked.contains(&key) {
                let manifest = PathBuf::from(text(&package, "manifest_path"));
                let license = text(&package, "license").replace('/', " OR ").replace("  ", " ");
                let checksum = checksum(lock, &name, &version);
                let folder = manifest.parent().unwrap_or(&manifest).to_owned();
                crates
                    .insert(key, Crate { name, version, license, checksum, folder, needs: BTreeSet::new() });
            }
        }
        for node in list(metadata, "/resolve/nodes") {
            let needs = list(&node, "/dependencies");
            let needs = needs.iter().filter_map(Value::as_str).filter_map(|id| ids.get(id));
            let needs = needs.filter(|key| crates.contains_key(*key)).cloned().collect();
            if let Some(part) = ids.get(&text(&node, "id")).and_then(|key| crates.get_mut(key)) {
                part.needs = needs;
            }
        }
        let missing: Vec<_> = linked.iter().filter(|key| !crates.contains_key(*key)).collect();
        ensure!(missing.is_empty() && !crates.is_empty(), "cargo metadata does not know {missing:?}");
        Ok(Self(crates))
    }

    /// Every license, each text once, with the crates that it is for.
    ///
    /// # Errors
    /// A crate has neither a license text nor the name of a license.
    pub fn notices(&self) -> Result<String> {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut notices = String::from(
            "What the library contains, by others. Where a license is offered at choice, each is shown.\n\n\
             Rust's standard library, MIT OR Apache-2.0: https://www.rust-lang.org/policies/licenses\n\
             LLVM's libunwind on Linux, Apache-2.0 WITH LLVM-exception\n",
        );
        for (key, part) in &self.0 {
            ensure!(!part.license.is_empty(), "{key} says no license");
            writeln!(notices, "{key}, {}", part.license)?;
            for path in license_files(&part.folder)? {
                let text = String::from_utf8_lossy(&fs::read(&path)?).replace("\r\n", "\n");
                texts.entry(text.trim().to_owned()).or_default().push(key.clone());
            }
        }
        for (text, mut crates) in texts {
            crates.dedup();
            write!(notices, "\n{}\n{}\n\n{text}\n", "=".repeat(100), crates.join(", "))?;
        }
        Ok(notices)
    }

    /// The bill of materials. It has no date and no number of its own, so that it is the same for
    /// the same crates.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn bill(&self, layout: &Layout, version: &str) -> Result<String> {
        let address = |part: &Crate| format!("pkg:cargo/{}@{}", part.name, part.version);
        let component = |part: &Crate| {
            let mut component = json!({
                "type": "library", "bom-ref": address(part), "name": part.name, "version": part.version,
                "purl": address(part), "licenses": [{ "expression": part.license }],
            });
            if let (Some(sum), Some(members)) = (&part.checksum, component.as_object_mut()) {
                members.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": sum }]));
            }
            component
        };
        let needs = |part: &Crate| {
            let needs: Vec<String> =
                part.needs.iter().filter_map(|key| self.0.get(key)).map(address).collect();
            json!({ "ref": address(part), "dependsOn": needs })
        };
        let own = |part: &&Crate| part.name == "seatlock";
        let root = self.0.values().find(own).context("the library itself is missing")?;
        let root = json!({
            "type": "library", "bom-ref": address(root), "name": layout.name, "version": version,
            "licenses": [{ "expression": root.license }],
        });
        let others = self.0.values().filter(|part| !own(part));
        let bill = json!({
            "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": { "component": root },
            "components": others.map(component).collect::<Vec<_>>(),
            "dependencies": self.0.values().map(needs).collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&bill)? + "\n")
    }
}

fn lock() -> Result<String> {
    fs::read_to_string(repository().join("Cargo.lock")).context("Cargo.lock cannot be read")
}

/// What Cargo.lock says of the archive that a crate came in.
fn checksum(lock: &str, name: &str, version: &str) -> Option<String> {
    let begin = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    let package = lock.split("[[package]]\n").find(|package| package.starts_with(&begin))?;
    let sum = package.lines().find_map(|line| line.strip_prefix("checksum = \""))?;
    Some(sum.trim_end_matches('"').to_owned())
}

fn license_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let begins = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.file_type()?.is_file() && begins.iter().any(|begin| name.starts_with(begin)) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::platform::PLATFORMS;

    #[test]
    fn the_parts_are_what_is_linked_with_licenses_and_checksums() {
        for platform in PLATFORMS {
            let parts = Parts::of(&platform.targets.iter().collect::<Vec<_>>()).unwrap();
            let names: BTreeSet<&str> = parts.0.values().map(|part| part.name.as_str()).collect();
            assert!(names.contains("ring") && names.contains("rustls"), "{names:?}");
            // Compilers' helpers and the project's own commands are not in the library.
            for other in ["serde_derive", "cbindgen", "clap", "xtask", "anyhow"] {
                assert!(!names.contains(other), "{other}");
            }
            let apple = names.contains("security-framework");
            assert_eq!(apple, platform.name == "macos-universal", "{}", platform.name);
            let layout = Layout::archived("acme", platform.system);
            let bill: Value = serde_json::from_str(&parts.bill(&layout, "1.2.3").unwrap()).unwrap();
            assert_eq!(bill.pointer("/metadata/component/name"), Some(&json!("acme")));
            let components = bill.get("components").and_then(Value::as_array).unwrap();
            assert_eq!(components.len() + 1, parts.0.len());
            let without = components.iter().filter(|part| part.get("hashes").is_none());
            let without: Vec<_> = without.map(|part| part.get("name").unwrap()).collect();
            assert_eq!(without, ["seatlock-protocol"], "what comes from a registry has a checksum");
            let notices = parts.notices().unwrap();
            assert!(notices.contains("ring 0.") && notices.contains("Apache License"), "{notices}");
        }
    }
}
