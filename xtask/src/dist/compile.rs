//! The static library for a target, with the C compiler that the target needs.

use super::platform::Target;
use crate::{build, python, run};
use anyhow::{Context, Result, ensure};
use object::Object as _;
use object::read::archive::ArchiveFile;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A static library, and what it needs of the system.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The library, with debug information and all its names.
    pub archive: PathBuf,
    /// Linker flags of the system's libraries.
    pub system: Vec<String>,
}

/// Zig, which compiles C and links for every system but Windows. It is installed once.
///
/// # Errors
/// It cannot be installed.
pub fn zig() -> Result<PathBuf> {
    python::program("dist-tools", "xtask/dist-requirements.txt", "python-zig")
}

/// What is missing before anything can be made for these targets.
///
/// # Errors
/// A program or the standard library of a target is missing; the message says what to install.
pub fn check(targets: &[&Target]) -> Result<()> {
    for target in targets {
        ensure!(
            build::has_target(target.rust),
            "Rust's standard library for {0} is missing: `rustup target add {0}`",
            target.rust
        );
        if target.zig.is_none() {
            run::require("x86_64-w64-mingw32-gcc", "the package `gcc-mingw-w64-x86-64-win32`")?;
            run::require("x86_64-w64-mingw32-windres", "the package `binutils-mingw-w64-x86-64`")?;
            run::require("llvm-dlltool", "the package `llvm`")?;
        } else {
            run::require("python3", "the packages `python3` and `python3-venv`")?;
            run::require("llvm-objcopy", "the package `llvm`")?;
        }
    }
    Ok(())
}

/// Compiles the library of the checkout `sources` below `folder`.
///
/// # Errors
/// The build fails.
pub fn compile(target: &Target, quick: bool, sources: &Path, folder: &Path) -> Result<Compiled> {
    let mut cargo = build::cargo();
    cargo.current_dir(sources).args([
        "rustc",
        "--package",
        "seatlock",
        "--lib",
        "--features",
        "wipe",
        "--crate-type",
        "staticlib",
    ]);
    cargo.args(["--profile", if quick { "dist-quick" } else { "dist" }, "--target", target.rust]);
    let variable = target.rust.replace('-', "_");
    if let Some(name) = target.zig {
        let zig = zig()?;
        let tool = |what: &str| folder.join(format!("{what}-{}", target.rust));
        // The C compiler is told Rust's name of the target, which is not Zig's.
        let known = r#"for word; do shift; case $word in --target=*|-mmacosx-version-min=*) ;; *) set -- "$@" "$word" ;; esac; done"#;
        let cc = format!("#!/bin/sh\n{known}\nexec '{}' cc -target {name} \"$@\"\n", zig.display());
        script(&tool("cc"), &cc)?;
        script(&tool("ar"), &format!("#!/bin/sh\nexec '{}' ar \"$@\"\n", zig.display()))?;
        cargo.env(format!("CC_{variable}"), tool("cc")).env(format!("AR_{variable}"), tool("ar"));
    }
    // Nothing of the paths of this computer, and the lines of Rust's sources only. Zig would have
    // unoptimized C check itself, by functions that the library does not bring along.
    cargo
        .env(format!("CFLAGS_{variable}"), "-g0 -fno-sanitize=undefined")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(sources)?);
    cargo.env("MACOSX_DEPLOYMENT_TARGET", "11.0").env_remove("RUSTFLAGS");
    let (mut archive, mut system) = build::static_library(&mut cargo, &folder.join("cargo"))?;
    if target.zig.is_none() {
        archive = for_gnu(&archive, folder)?;
    }
    if system.iter().any(|flag| flag == "-lunwind") {
        archive = with_unwinder(&archive, target, folder)?;
        system.retain(|flag| flag != "-lunwind");
    }
    Ok(Compiled { archive, system })
}

/// A copy with the unwinder that Rust has for musl: that of a compiler for glibc does not link, and
/// `musl-gcc` has no other.
fn with_unwinder(archive: &Path, target: &Target, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("with-unwinder.a");
    let mut find = Command::new("rustc");
    let libraries = run::output(find.args(["--print", "target-libdir", "--target", target.rust]))?;
    let unwinder = Path::new(libraries.trim()).join("self-contained/libunwind.a");
    fs::copy(archive, &copy)?;
    run::output(Command::new("llvm-ar").arg("qLD").arg(&copy).arg(unwinder))?;
    Ok(copy)
}

/// A copy that GNU's objcopy takes: it refuses members without sections, and takes those that hold
/// Rust's intermediate code for such.
fn for_gnu(archive: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("for-gnu.a");
    let mut remove = Command::new("llvm-objcopy");
    remove.args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"]).arg(archive).arg(&copy);
    run::output(&mut remove)?;
    let bytes = fs::read(&copy)?;
    let mut empty = Vec::new();
    for member in ArchiveFile::parse(&*bytes)?.members() {
        let member = member?;
        let object = object::File::parse(member.data(&*bytes)?);
        if object.is_ok_and(|object| object.sections().next().is_none()) {
            empty.push(String::from_utf8_lossy(member.name()).into_owned());
        }
    }
    if !empty.is_empty() {
        run::output(Command::new("llvm-ar").arg("dD").arg(&copy).args(empty))?;
    }
    Ok(copy)
}

fn flags(sources: &Path) -> Result<String> {
    let home = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let registry = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let registry = registry
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("this account has no home folder")?;
    let folders =
        [(sources.to_owned(), "/seatlock"), (registry, "/cargo"), (PathBuf::from(home.trim()), "/rust")];
    let remap = folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(remap.collect::<Vec<_>>().join("\u{1f}"))
}

#[cfg(unix)]
fn script(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn script(_path: &Path, _text: &str) -> Result<()> {
    anyhow::bail!("archives for other systems than Windows are made on Linux")
}
