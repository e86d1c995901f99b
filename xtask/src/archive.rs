use anyhow::{Context, Result};
use object::read::archive::ArchiveFile;
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};
use object::read::macho::{FatArch as _, MachOFatFile32};
use object::{Endianness, FileKind, elf, macho};

/// Hides every name that a static library defines: a plug-in that links it can call them and
/// exports none, so that two plug-ins in one host, of different versions or not, never bind to each
/// other's. Answers how many were hidden.
///
/// Nothing but one byte for each name changes, so every linker takes the archive as before. In ELF
/// it is the visibility, in Mach-O the bit for private externals. Windows exports what is asked for
/// and nothing else.
///
/// # Errors
/// The archive cannot be read.
pub fn hide_names(archive: &mut [u8]) -> Result<usize> {
    let changes = changes(archive).context("the static library cannot be read")?;
    for (at, value) in &changes {
        *archive.get_mut(*at).context("a name lies outside of the archive")? = *value;
    }
    Ok(changes.len())
}

/// Places in the archive, and what comes there.
type Changes = Vec<(usize, u8)>;

fn changes(archive: &[u8]) -> Result<Changes> {
    let mut changes = Changes::new();
    if let Ok(FileKind::MachOFat32) = FileKind::parse(archive) {
        for half in MachOFatFile32::parse(archive)?.arches() {
            let start = usize::try_from(half.file_range().0)?;
            let found = self::changes(half.data(archive)?)?;
            changes.extend(found.into_iter().map(|(at, value)| (start + at, value)));
        }
        return Ok(changes);
    }
    for member in ArchiveFile::parse(archive)?.members() {
        let member = member?;
        let (start, _) = member.file_range();
        let object = member.data(archive)?;
        let found = match FileKind::parse(object) {
            Ok(FileKind::Elf64) => elf_changes(object)?,
            Ok(FileKind::MachO64) => macho_changes(object)?,
            _ => Changes::new(),
        };
        let start = usize::try_from(start)?;
        changes.extend(found.into_iter().map(|(at, value)| (start + at, value)));
    }
    Ok(changes)
}

fn elf_changes(object: &[u8]) -> Result<Changes> {
    /// Place of `st_other` in an entry of the table.
    const OTHER: usize = 5;
    let header = elf::FileHeader64::<Endianness>::parse(object)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, object)?;
    let symbols = sections.symbols(endian, object, elf::SHT_SYMTAB)?;
    let mut changes = Changes::new();
    if symbols.is_empty() {
        return Ok(changes);
    }
    let table = usize::try_from(sections.section(symbols.section())?.sh_offset(endian))?;
    for (number, symbol) in symbols.symbols().iter().enumerate() {
        let is_seen = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE)
            && symbol.st_shndx(endian) != elf::SHN_UNDEF
            && matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
        if is_seen {
            let at = table + number * size_of::<elf::Sym64<Endianness>>() + OTHER;
            changes.push((at, (symbol.st_other() & !3) | elf::STV_HIDDEN));
        }
    }
    Ok(changes)
}

fn macho_changes(object: &[u8]) -> Result<Changes> {
    use object::read::macho::{MachHeader as _, Nlist as _};
    /// Place of `n_type` in an entry of the table.
    const TYPE: usize = 4;
    let header = macho::MachHeader64::<Endianness>::parse(object, 0)?;
    let endian = header.endian()?;
    let mut commands = header.load_commands(endian, object, 0)?;
    let mut changes = Changes::new();
    while let Some(command) = commands.next()? {
        let Some(table) = command.symtab()? else { continue };
        let symbols = table.symbols::<macho::MachHeader64<Endianness>, _>(endian, object)?;
        let start = table.symoff.get(endian) as usize;
        for (number, symbol) in symbols.iter().enumerate() {
            let kind = symbol.n_type();
            let is_seen = kind & macho::N_STAB == 0
                && kind & macho::N_EXT != 0
                && kind & macho::N_TYPE != macho::N_UNDF;
            if is_seen {
                changes.push((start + number * size_of_val(symbol) + TYPE, kind | macho::N_PEXT));
            }
        }
    }
    Ok(changes)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::c;
    use crate::run::output;
    use object::{Object as _, ObjectSymbol as _};
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    /// Names that a plug-in exports which calls the only function of an archive.
    fn exported(folder: &Path, archive: &Path) -> Vec<String> {
        let (source, plugin) = (folder.join("plugin.c"), folder.join("plugin.so"));
        fs::write(&source, "int part(void);\nint plugin(void);\nint plugin(void) { return part(); }\n")
            .unwrap();
        c::compile(&[&source, archive], &[], &plugin, &["-shared", "-fPIC"]).unwrap();
        let bytes = fs::read(plugin).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && !symbol.is_local());
        let mut names: Vec<_> = defined.map(|symbol| symbol.name().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_plugin_calls_hidden_names_and_exports_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Two objects that need each other, data, and a name that the plug-in's host may have too.
        let first = "int other(void);\nint data = 1;\n__attribute__((weak)) int weak(void) { return 2; }\n\
                     int part(void) { return other() + data + weak(); }\n";
        fs::write(path("first.c"), first).unwrap();
        fs::write(path("other.c"), "extern int data;\nint other(void) { return data; }\n").unwrap();
        let mut pack = Command::new("ar");
        pack.arg("crs").arg(path("libpart.a"));
        for name in ["first", "other"] {
            let object = path(&format!("{name}.o"));
            c::compile(&[&path(&format!("{name}.c"))], &[], &object, &["-c", "-fPIC"]).unwrap();
            pack.arg(object);
        }
        output(&mut pack).unwrap();
        let archive = path("libpart.a");
        assert_eq!(exported(folder.path(), &archive), ["data", "other", "part", "plugin", "weak"]);
        let mut bytes = fs::read(&archive).unwrap();
        assert_eq!(hide_names(&mut bytes).unwrap(), 4);
        fs::write(&archive, &bytes).unwrap();
        assert_eq!(exported(folder.path(), &archive), ["plugin"]);
        assert_eq!(hide_names(&mut bytes).unwrap(), 0, "there is nothing left to hide");
        assert!(hide_names(&mut b"no archive".to_vec()).is_err());
    }
}
