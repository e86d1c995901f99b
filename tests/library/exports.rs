//! The shared library exports the functions of include/ABI.txt, and nothing else: a plug-in lives
//! in one process with many libraries, and every further name could be taken for theirs.

use object::{Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use xtask::build;

#[test]
fn the_library_exports_exactly_the_functions_of_the_ledger() {
    let exported = exported();
    let declared = xtask::functions().unwrap();
    let more: Vec<_> = exported.difference(&declared).collect();
    let less: Vec<_> = declared.difference(&exported).collect();
    assert!(more.is_empty(), "exported, but not in include/ABI.txt: {more:?}");
    assert!(less.is_empty(), "in include/ABI.txt, but not exported: {less:?}");
    assert!(declared.len() >= 30, "only {} functions were found", declared.len());
}

#[test]
fn the_library_is_named_after_its_interface_and_never_unloaded() {
    let path = build::shared_library(false).unwrap();
    let bytes = fs::read(path).unwrap();
    let text = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(text(format!("libseatlock.so.{}\0", xtask::layout::ABI).as_bytes()), "there is no SONAME");
    assert!(has_flag(&bytes), "the library is not marked as one that stays loaded");
}

/// `DF_1_NODELETE` in the dynamic section.
fn has_flag(bytes: &[u8]) -> bool {
    use object::elf::{DF_1_NODELETE, DT_FLAGS_1, FileHeader64};
    use object::read::elf::{Dyn, FileHeader};
    let header = FileHeader64::<object::Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let (entries, _) = sections.dynamic(endian, bytes).unwrap().unwrap();
    entries.iter().any(|entry| {
        entry.d_tag(endian) as u32 == DT_FLAGS_1 as u32 && entry.d_val(endian) as u32 & DF_1_NODELETE != 0
    })
}

fn exported() -> BTreeSet<String> {
    let bytes = fs::read(build::shared_library(false).unwrap()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && !symbol.is_local());
    defined.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}
