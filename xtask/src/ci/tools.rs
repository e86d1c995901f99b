//! Programs that steps need beside Rust and a C compiler, and how they are installed.

use super::rust_target;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use xtask::{build, run};

/// A program, or what is as good as one.
#[derive(Clone, Copy)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    from: Source,
    is_there: fn(&str) -> bool,
}

#[derive(Clone, Copy)]
enum Source {
    Debian(&'static [&'static str]),
    /// The standard library of a target.
    Target,
    /// A crate, in the version that was tried.
    Crate(&'static str),
    /// Components of nightly Rust.
    Nightly(&'static [&'static str]),
}

/// A program in the search path.
const fn program(name: &'static str, packages: &'static [&'static str]) -> Tool {
    Tool { name, from: Source::Debian(packages), is_there: starts }
}

/// A header where compilers look for it.
const fn header(name: &'static str, packages: &'static [&'static str]) -> Tool {
    Tool { name, from: Source::Debian(packages), is_there: is_included }
}

/// The standard library of a target.
const fn target(name: &'static str) -> Tool {
    Tool { name, from: Source::Target, is_there: build::has_target }
}

pub const ARM: Tool = target("aarch64-unknown-linux-gnu");
pub const BLENDER: Tool = program("blender", &["blender", "libgl1-mesa-dri"]);
/// What Blender as a module of Python is linked with.
pub const BLENDER_MODULE: Tool = Tool {
    name: "libraries of X",
    from: Source::Debian(&[
        "libgl1",
        "libice6",
        "libsm6",
        "libxext6",
        "libxfixes3",
        "libxi6",
        "libxkbcommon0",
        "libxrender1",
    ]),
    is_there: |_| has_libraries(&["libSM.so.6", "libXi.so.6", "libXrender.so.1", "libxkbcommon.so.0"]),
};
pub const CARGO_DENY: Tool = Tool { name: "cargo-deny", from: Source::Crate("0.20.2"), is_there: starts };
pub const CHROMIUM: Tool = program("chromium", &["chromium"]);
pub const CLANG: Tool = program("clang", &["clang"]);
pub const CMAKE: Tool = program("cmake", &["cmake"]);
pub const EXPAT: Tool = header("expat.h", &["libexpat1-dev"]);
pub const FAKETIME: Tool = program("faketime", &["faketime"]);
pub const FREECAD: Tool = program("freecad", &["freecad"]);
pub const GCC: Tool = program("gcc", &["gcc", "libc6-dev"]);
pub const GCORE: Tool = program("gcore", &["gdb"]);
pub const GXX: Tool = program("g++", &["g++"]);
pub const IP: Tool = program("ip", &["iproute2"]);
pub const LLVM: Tool = program("llvm-objcopy", &["llvm"]);
pub const LV2: Tool = program("lv2apply", &["lilv-utils", "lv2-dev"]);
pub const MAC: Tool = target("aarch64-apple-darwin");
pub const MAC_INTEL: Tool = target("x86_64-apple-darwin");
pub const LLD: Tool = program("lld-link", &["lld"]);
pub const MAKE: Tool = program("make", &["make"]);
pub const MINGW: Tool = program("x86_64-w64-mingw32-gcc", &["gcc-mingw-w64-x86-64-win32"]);
pub const MINGW_CXX: Tool = program("x86_64-w64-mingw32-g++", &["g++-mingw-w64-x86-64-win32"]);
pub const MIRI: Tool =
    Tool { name: "cargo miri", from: Source::Nightly(MIRI_PARTS), is_there: |_| has_nightly(MIRI_PARTS) };
const MIRI_PARTS: &[&str] = &["miri", "rust-src"];
pub const MINISIGN: Tool = program("minisign", &["minisign"]);
pub const MCS: Tool = program("mcs", &["mono-mcs"]);
pub const MONO: Tool = program("mono", &["mono-runtime"]);
pub const MUSL: Tool = target("x86_64-unknown-linux-musl");
pub const MUSL_GCC: Tool = program("musl-gcc", &["musl-tools"]);
pub const NM: Tool = program("nm", &["binutils"]);
pub const NODE: Tool = program("node", &["nodejs"]);
pub const NPM: Tool = program("npm", &["npm"]);
pub const NUGET: Tool = program("nuget", &["nuget"]);
pub const PKG_CONFIG: Tool = program("pkg-config", &["pkg-config"]);
pub const POSTGRESQL: Tool =
    Tool { name: "initdb", from: Source::Debian(&["postgresql"]), is_there: |_| has_postgresql() };
pub const PYTHON: Tool = Tool {
    name: "python3 -m venv",
    from: Source::Debian(&["python3", "python3-venv"]),
    is_there: |_| succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
};
pub const QEMU: Tool = program("qemu-aarch64", &["qemu-user"]);
pub const QT: Tool = program("qmake", &["qtbase5-dev", "fonts-dejavu-core"]);
pub const QTTEST: Tool = Tool {
    name: "PySide2.QtTest",
    from: Source::Debian(&["python3-pyside2.qttest", "python3-pyside2.qtwidgets"]),
    is_there: |_| succeeds(Command::new("/usr/bin/python3").args(["-c", "from PySide2 import QtTest"])),
};
pub const SQUID: Tool = program("squid", &["squid"]);
pub const STRACE: Tool = program("strace", &["strace"]);
pub const SYSTEMD: Tool = program("systemd-analyze", &["systemd"]);
pub const TINYPROXY: Tool = program("tinyproxy", &["tinyproxy"]);
pub const UNSHARE: Tool = program("unshare", &["util-linux"]);
pub const VALGRIND: Tool = program("valgrind", &["valgrind"]);
pub const XDOTOOL: Tool = program("xdotool", &["xdotool"]);
pub const UNZIP: Tool = program("unzip", &["unzip"]);
pub const WINDOWS: Tool = target(super::windows::TARGET);
pub const WINE: Tool = Tool {
    name: "wine64",
    from: Source::Debian(&["wine64"]),
    is_there: |_| Path::new(super::windows::wine::LOADER).is_file(),
};
pub const XVFB: Tool = program("xvfb-run", &["xvfb", "xauth"]);

impl Tool {
    pub fn is_there(&self) -> bool {
        (self.is_there)(self.name)
    }

    /// Who has it, in words.
    pub fn source(&self) -> String {
        match self.from {
            Source::Debian([one]) if *one == self.name => format!("Debian: {one}"),
            Source::Debian(packages) => format!("Debian: {}", packages.join(" ")),
            Source::Target => "a target of Rust".to_owned(),
            Source::Crate(version) => format!("a crate, {version}"),
            Source::Nightly(parts) => format!("nightly Rust: {}", parts.join(" ")),
        }
    }
}

/// Installs those that are missing, or prints the commands that would.
pub fn install(tools: &[Tool], dry_run: bool) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !tool.is_there()).collect();
    let mut packages: BTreeSet<&str> = BTreeSet::new();
    for tool in &missing {
        if let Source::Debian(names) = tool.from {
            packages.extend(names);
        }
    }
    let mut commands = Vec::new();
    if !packages.is_empty() {
        commands.push(apt(&["update", "-qq"]));
        let mut install = apt(&["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(packages);
        commands.push(install);
    }
    for tool in &missing {
        if let Source::Crate(version) = tool.from {
            let mut install = build::cargo();
            install.args(["install", "--quiet", "--locked", "--version", version, tool.name]);
            commands.push(install);
        }
        if let Source::Nightly(parts) = tool.from {
            commands.push(with_nightly(parts));
        }
    }
    for command in &mut commands {
        println!("$ {}", run::shown(command));
        if !dry_run {
            let ended = command.stdin(Stdio::null()).status();
            let ended = ended.with_context(|| format!("`{}` cannot be started", run::shown(command)))?;
            ensure!(ended.success(), "`{}` ended with {ended}", run::shown(command));
        }
    }
    for tool in missing.iter().filter(|tool| matches!(tool.from, Source::Target)) {
        println!("$ rustup target add {}", tool.name);
        if !dry_run {
            println!("{}", rust_target::add(tool.name)?);
        }
    }
    let still = missing.iter().filter(|tool| !dry_run && !tool.is_there()).map(|tool| tool.name);
    let still: Vec<&str> = still.collect();
    ensure!(still.is_empty(), "installed, and still missing: {}", still.join(", "));
    if missing.is_empty() {
        println!("all {} programs are there", tools.len());
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> Command {
    let root = succeeds(Command::new("sh").args(["-c", "[ \"$(id -u)\" = 0 ]"]));
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    command
}

/// Whether nightly Rust is there with these components.
fn has_nightly(parts: &[&str]) -> bool {
    let mut list = Command::new("rustup");
    let list = run::output(list.args(["component", "list", "--toolchain", "nightly", "--installed"]));
    // Most have their platform behind their name.
    let has = |list: &str, part: &str| list.lines().any(|line| line.starts_with(part));
    list.is_ok_and(|list| parts.iter().all(|part| has(&list, part)))
}

/// Adds components to the nightly Rust that is there, or installs one that has them.
fn with_nightly(parts: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    if has_nightly(&[]) {
        command.args(["component", "add", "--toolchain", "nightly"]).args(parts);
    } else {
        command.args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
            "--allow-downgrade",
            "--no-self-update",
        ]);
        command.arg("--component").arg(parts.join(","));
    }
    command
}

/// Whether there is such a program in the search path.
fn starts(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether the system's linker knows these.
fn has_libraries(names: &[&str]) -> bool {
    let known = run::output(Command::new("/sbin/ldconfig").arg("-p"));
    known.is_ok_and(|known| names.iter().all(|name| known.contains(name)))
}

/// Whether there is such a header.
fn is_included(header: &str) -> bool {
    Path::new("/usr/include").join(header).is_file()
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|ended| ended.success())
}

#[cfg(unix)]
fn has_postgresql() -> bool {
    xtask::postgres::programs().is_ok()
}

#[cfg(not(unix))]
fn has_postgresql() -> bool {
    false
}
