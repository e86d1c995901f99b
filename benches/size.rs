//! How large the shipped library is, and what it asks of the loader.

/// The library, its hosts, and the table.
mod support;

use anyhow::{Context, Result};
use object::elf::{DT_NEEDED, FileHeader64, SHT_RELA};
use object::read::elf::{Dyn, ElfFile64, FileHeader, SectionHeader};
use object::{Endianness, Object, ObjectSymbol};
use std::fs;
use std::process::ExitCode;

const LIMIT: f64 = 3_200_000.0;

fn main() -> Result<ExitCode> {
    let bytes = fs::read(support::library()?)?;
    let file = ElfFile64::<Endianness>::parse(&*bytes)?;
    let exported = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && !symbol.is_local());
    let names: Vec<&str> = exported.map(|symbol| symbol.name()).collect::<Result<_, _>>()?;
    let (needed, relocations) = loader(&bytes)?;

    let mut table = support::Table::new("size: the release cdylib, stripped");
    table.limit("file", bytes.len() as f64, "bytes", LIMIT, 1.0);
    table.row("exports", names.len() as f64, "names");
    table.holds("every export is named seatlock_*", names.iter().all(|name| name.starts_with("seatlock_")));
    table.holds("there are no symbols but the dynamic ones", file.symbols().next().is_none());
    table.row("relocations", relocations as f64, "entries");
    table.row("libraries that it needs", needed.len() as f64, "");
    needed.iter().for_each(|name| table.note(name));
    Ok(table.end())
}

/// The libraries that are loaded along, and how many relocations the loader applies.
fn loader(bytes: &[u8]) -> Result<(Vec<String>, u64)> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let (entries, strings) = sections.dynamic(endian, bytes)?.context("a shared library is dynamic")?;
    let strings = sections.strings(endian, bytes, strings)?;
    let mut needed = Vec::new();
    for entry in entries.iter().filter(|entry| entry.d_tag(endian) as u32 == DT_NEEDED as u32) {
        needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
    }
    let tables = sections.iter().filter(|section| section.sh_type(endian) == SHT_RELA);
    let entries = tables.map(|table| table.sh_size(endian) / table.sh_entsize(endian).max(1));
    Ok((needed, entries.sum()))
}
