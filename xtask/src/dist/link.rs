//! The shared library, linked from the static one: so its names are chosen here, in one place for
//! every system, and another name costs seconds.

use super::compile::{Compiled, zig};
use super::platform::Target;
use super::symbols::{self, objcopy};
use crate::layout::{ABI, Layout, System};
use crate::run;
use anyhow::{Context, Result, ensure};
use object::macho;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A shared library without debug information, and what belongs to it.
#[derive(Debug, Default)]
pub struct Linked {
    pub shared: PathBuf,
    /// The debug information, as far as the system's tools can set it apart.
    pub debug: Option<PathBuf>,
    /// Windows only: the import library of GNU, and that of Microsoft.
    pub imports: Vec<PathBuf>,
}

/// Links it in `folder`, with these functions of the interface as its only names.
///
/// # Errors
/// The linker is missing or fails.
pub fn link(
    layout: &Layout,
    target: &Target,
    from: &Compiled,
    functions: &BTreeSet<String>,
    folder: &Path,
) -> Result<Linked> {
    let exported: Vec<String> = functions.iter().map(|function| layout.renamed(function)).collect();
    let shared = layout.shared.as_ref().context("there is no shared library")?;
    let to = folder.join(Path::new(shared).file_name().context("the layout names no file")?);
    match layout.system {
        System::Linux | System::Musl => linux(layout, target, from, &exported, &to),
        System::MacOs => macos(layout, target, from, &exported, &to),
        System::Windows { .. } => windows(layout, target, from, &exported, &to),
    }
}

fn linux(
    layout: &Layout,
    target: &Target,
    from: &Compiled,
    exported: &[String],
    to: &Path,
) -> Result<Linked> {
    let list = to.with_extension("map");
    fs::write(&list, format!("{{\n  global: {};\n  local: *;\n}};\n", exported.join("; ")))?;
    let mut linker = Command::new(zig()?);
    // What Zig compiles itself remembers where it was started.
    linker.current_dir("/");
    linker.args(["cc", "-target", target.zig.context("Zig links for Linux")?, "-shared", "-g", "-o"]);
    linker.arg(to).args(exported.iter().map(|name| format!("-Wl,-u,{name}"))).arg(&from.archive);
    linker.arg(format!("-Wl,--version-script={}", list.display()));
    linker.arg(format!("-Wl,-soname,{}", layout.soname));
    linker.args(["-Wl,--gc-sections", "-Wl,-z,nodelete", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,--as-needed"]);
    run::output(linker.args(&from.system))?;
    split(target, to)
}

fn windows(
    layout: &Layout,
    target: &Target,
    from: &Compiled,
    exported: &[String],
    to: &Path,
) -> Result<Linked> {
    let file = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (definition, resource) = (to.with_extension("def"), to.with_extension("res.o"));
    fs::write(&definition, format!("LIBRARY {file}\nEXPORTS\n{}\n", exported.join("\n")))?;
    let script = to.with_extension("rc");
    fs::write(&script, version_resource(layout, &file))?;
    let mut compiler = Command::new("x86_64-w64-mingw32-windres");
    run::output(compiler.arg("-i").arg(&script).arg("-o").arg(&resource))?;

    let folder = to.parent().unwrap_or(to);
    let gnu = folder.join(format!("lib{}.dll.a", layout.name));
    let msvc = folder.join(format!("{}.lib", layout.name));
    let mut linker = Command::new("x86_64-w64-mingw32-gcc");
    linker.args(["-shared", "-static-libgcc", "-o"]).arg(to).arg(&definition).arg(&resource);
    linker.arg(&from.archive).args(["-Wl,--gc-sections", "-Wl,--no-insert-timestamp", "-Wl,--nxcompat"]);
    linker.args(["-Wl,--dynamicbase", "-Wl,--high-entropy-va"]);
    run::output(linker.arg(format!("-Wl,--out-implib,{}", gnu.display())).args(&from.system))?;
    let mut tool = Command::new("llvm-dlltool");
    tool.args(["-m", "i386:x86-64", "-D", &file, "-d"]).arg(&definition).arg("-l").arg(&msvc);
    run::output(&mut tool)?;
    Ok(Linked { imports: vec![gnu, msvc], ..split(target, to)? })
}

/// What Explorer shows of the file.
fn version_resource(layout: &Layout, file: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let numbers = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
        "0",
    ]
    .join(",");
    let mut text = format!(
        "1 VERSIONINFO\nFILEVERSION {numbers}\nPRODUCTVERSION {numbers}\nFILEOS 0x40004\nFILETYPE 2\nBEGIN\n\
         BLOCK \"StringFileInfo\"\nBEGIN\nBLOCK \"040904B0\"\nBEGIN\n"
    );
    for (name, value) in [
        ("CompanyName", env!("CARGO_PKG_AUTHORS")),
        ("FileDescription", "License activation for plug-ins"),
        ("FileVersion", version),
        ("InternalName", &layout.name),
        ("LegalCopyright", "MIT OR Apache-2.0"),
        ("OriginalFilename", file),
        ("ProductName", "seatlock"),
        ("ProductVersion", version),
    ] {
        let _ = writeln!(text, "VALUE \"{name}\", \"{value}\"");
    }
    text + "END\nEND\nBLOCK \"VarFileInfo\"\nBEGIN\nVALUE \"Translation\", 0x409, 1200\nEND\nEND\n"
}

/// Sets the debug information apart; debuggers find it by name and checksum.
fn split(target: &Target, library: &Path) -> Result<Linked> {
    let (tool, package) = objcopy(target);
    let mut debug = library.as_os_str().to_owned();
    debug.push(".debug");
    let debug = PathBuf::from(debug);
    let mut keep = Command::new(tool);
    run::tool(keep.arg("--only-keep-debug").arg(library).arg(&debug), package)?;
    let mut strip = Command::new(tool);
    strip.arg("--strip-all").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(library);
    run::output(&mut strip)?;
    Ok(Linked { shared: library.to_owned(), debug: Some(debug), imports: Vec::new() })
}

/// By the linker that comes with Rust, against descriptions of the system's libraries, so that no
/// Mac is needed. It signs the library as Apple's processors ask for: for nobody in particular.
fn macos(
    layout: &Layout,
    target: &Target,
    from: &Compiled,
    exported: &[String],
    to: &Path,
) -> Result<Linked> {
    let folder = to.parent().unwrap_or(to);
    let needed = symbols::of(&from.archive)?.needed;
    describe_system(folder, needed.iter().map(String::as_str))?;
    let list = to.with_extension("exports");
    let names: Vec<String> = exported.iter().map(|name| format!("_{name}")).collect();
    fs::write(&list, names.join("\n") + "\n")?;
    let mut linker = Command::new(rusts_linker()?);
    linker.args(["-dylib", "-arch", target.arch, "-platform_version", "macos", "11.0", "11.0"]);
    linker.args(["-install_name", &format!("@rpath/{}", layout.soname), "-compatibility_version"]);
    linker.args([&format!("{ABI}.0.0"), "-current_version", env!("CARGO_PKG_VERSION")]);
    linker.args(["-dead_strip", "-dead_strip_dylibs", "-x", "-S", "-exported_symbols_list"]).arg(&list);
    linker.args(names.iter().flat_map(|name| ["-u", name.as_str()]));
    linker.arg("-o").arg(to).arg(&from.archive).arg("-F").arg(folder).arg("-L").arg(folder);
    run::output(linker.args(&from.system).arg("-lSystem"))?;
    Ok(Linked { shared: to.to_owned(), debug: None, imports: Vec::new() })
}

fn rusts_linker() -> Result<PathBuf> {
    let folder = run::output(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let linker = Path::new(folder.trim()).with_file_name("bin/gcc-ld/ld64.lld");
    ensure!(linker.exists(), "{} is missing: it comes with Rust's toolchains of rustup", linker.display());
    Ok(linker)
}

/// Frameworks, and how their names begin.
const FRAMEWORKS: [(&str, &[&str]); 3] = [
    ("Security", &["_Sec", "_kSec", "_SSL", "_Authorization", "_CMS"]),
    ("CoreFoundation", &["_CF", "_kCF", "___CF"]),
    ("SystemConfiguration", &["_SC", "_kSC"]),
];

/// Writes descriptions of the frameworks, with the names that are needed of them, and of the C
/// library, which Zig has.
fn describe_system<'a>(folder: &Path, needed: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
    let targets = "x86_64-macos, arm64-macos";
    let describe = |path: &Path, install: &str, names: &[&str]| -> Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let text = format!(
            "--- !tapi-tbd\ntbd-version: 4\ntargets: [ {targets} ]\ninstall-name: '{install}'\nexports:\n  \
             - targets: [ {targets} ]\n    symbols: [ {} ]\n...\n",
            names.join(", ")
        );
        Ok(fs::write(path, text)?)
    };
    for (framework, begins) in FRAMEWORKS {
        let names: Vec<&str> =
            needed.clone().filter(|name| begins.iter().any(|begin| name.starts_with(begin))).collect();
        let path = folder.join(format!("{framework}.framework/{framework}.tbd"));
        let install = format!("/System/Library/Frameworks/{framework}.framework/Versions/A/{framework}");
        describe(&path, &install, &names)?;
    }
    let iconv: Vec<&str> = needed.clone().filter(|name| name.starts_with("_iconv")).collect();
    describe(&folder.join("libiconv.tbd"), "/usr/lib/libiconv.2.dylib", &iconv)?;
    let own = "import ziglang, os; print(os.path.dirname(ziglang.__file__))";
    let own = run::output(Command::new(zig()?.with_file_name("python")).args(["-c", own]))?;
    let library = Path::new(own.trim()).join("lib/libc/darwin/libSystem.tbd");
    let text =
        fs::read_to_string(&library).with_context(|| format!("{} cannot be read", library.display()))?;
    let text = known_targets(&text);
    for name in ["System", "c", "m"] {
        fs::write(folder.join(format!("lib{name}.tbd")), &text)?;
    }
    Ok(())
}

/// A description without the targets that Rust's linker does not know, and with `arm64` for the
/// variant that Apple's own libraries have.
fn known_targets(text: &str) -> String {
    let mut known = String::new();
    for (number, piece) in text.split(',').enumerate() {
        match piece.trim_start().strip_prefix("arm64e.x1-mac") {
            Some(rest) => known += rest.trim_start_matches(|c: char| c.is_ascii_lowercase()),
            None => {
                known += if number == 0 { "" } else { "," };
                known += piece;
            }
        }
    }
    known.replace("arm64e-", "arm64-")
}

/// A universal file of these halves, for processors in Apple's names of them.
///
/// # Errors
/// A half cannot be read, or has 4 GiB.
pub fn universal(halves: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    /// Halves begin where a page of memory can: 2 to this power.
    const ALIGN: u32 = 14;
    let mut whole = 0xCAFE_BABE_u32.to_be_bytes().to_vec();
    whole.extend(u32::try_from(halves.len())?.to_be_bytes());
    let next_page = |at: usize| at.next_multiple_of(1 << ALIGN);
    let mut at = next_page(1);
    for (processor, half) in halves {
        let (kind, variant) = match *processor {
            "arm64" => (macho::CPU_TYPE_ARM64, macho::CPU_SUBTYPE_ARM64_ALL),
            _ => (macho::CPU_TYPE_X86_64, macho::CPU_SUBTYPE_X86_64_ALL),
        };
        for word in [kind, variant, u32::try_from(at)?, u32::try_from(half.len())?, ALIGN] {
            whole.extend(word.to_be_bytes());
        }
        at = next_page(at + half.len());
    }
    for (_, half) in halves {
        whole.resize(next_page(whole.len()), 0);
        whole.extend(half);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::macho::{FatArch as _, MachOFatFile32};

    #[test]
    fn targets_that_the_linker_does_not_know_are_left_out() {
        let text = "targets: [ x86_64-macos, arm64e-macos, \n  arm64e.x1-macos, arm64e.x1-maccatalyst ]\nsymbols: [ _a, _b ]\n";
        let wanted = "targets: [ x86_64-macos, arm64-macos ]\nsymbols: [ _a, _b ]\n";
        assert_eq!(known_targets(text), wanted);
    }

    #[test]
    fn a_universal_file_has_its_halves() {
        let halves = [("arm64", vec![1; 20_000]), ("x86_64", vec![2; 3])];
        let whole = universal(&halves).unwrap();
        let read = MachOFatFile32::parse(&*whole).unwrap();
        for (half, (_, bytes)) in read.arches().iter().zip(&halves) {
            assert_eq!(half.data(&*whole).unwrap(), bytes);
            assert_eq!(half.file_range().0 % 16_384, 0);
        }
        assert_eq!(read.arches().len(), 2);
    }
}
