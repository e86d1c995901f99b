//! Names in a static library.

use super::platform::Target;
use crate::layout::Layout;
use crate::run;
use anyhow::{Context, Result};
use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSymbol as _};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Names that others can see: those that a library defines, and those that it asks others for.
#[derive(Debug, Default)]
pub struct Names {
    pub defined: BTreeSet<String>,
    pub needed: BTreeSet<String>,
}

/// Reads them, as the linker sees them.
///
/// # Errors
/// The archive cannot be read.
pub fn of(archive: &Path) -> Result<Names> {
    let bytes = fs::read(archive).with_context(|| format!("{} cannot be read", archive.display()))?;
    let mut names = Names::default();
    for member in ArchiveFile::parse(&*bytes)?.members() {
        let data = member?.data(&*bytes)?;
        // Members that are no objects, such as short import descriptions, define nothing of ours.
        let Ok(object) = object::File::parse(data) else { continue };
        for symbol in object.symbols() {
            let name = symbol.name()?.to_owned();
            if symbol.is_undefined() {
                names.needed.insert(name);
            } else if symbol.is_global() && !name.is_empty() {
                names.defined.insert(name);
            }
        }
    }
    names.needed.retain(|name| !names.defined.contains(name));
    Ok(names)
}

/// Writes a copy in which every name that the library defines is the vendor's own: a program that
/// links the libraries of two vendors has each name once.
///
/// # Errors
/// The library cannot be read, or the tool is missing.
pub fn rename(from: &Path, to: &Path, layout: &Layout, target: &Target) -> Result<()> {
    let mut pairs = String::new();
    let apple = !target.arch.is_empty();
    for name in of(from)?.defined {
        match name.strip_prefix('_').filter(|_| apple) {
            Some(bare) => writeln!(pairs, "{name} _{}", layout.renamed(bare))?,
            None => writeln!(pairs, "{name} {}", layout.renamed(&name))?,
        }
    }
    let list = to.with_extension("names");
    fs::write(&list, pairs)?;
    let (tool, package) = objcopy(target);
    let mut rename = Command::new(tool);
    rename.arg(format!("--redefine-syms={}", list.display())).arg(from).arg(to);
    run::tool(&mut rename, package).map(drop)
}

/// The program that changes objects of a target, and who has it.
#[must_use]
pub fn objcopy(target: &Target) -> (&'static str, &'static str) {
    match target.zig {
        Some(_) => ("llvm-objcopy", "the package `llvm`"),
        None => ("x86_64-w64-mingw32-objcopy", "the package `binutils-mingw-w64-x86-64`"),
    }
}
