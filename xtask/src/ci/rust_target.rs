//! Makes `cargo build --target TARGET` possible.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use xtask::{build, run};

/// Suites of Debian that have packages of new compilers.
const SUITES: [&str; 5] = ["trixie-backports", "sid", "forky", "experimental", "trixie"];
/// Downloads and decompresses whatever apt does, as apt does.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// By rustup. Where that cannot download, from Debian's package rust-src of exactly the compiler in
/// the search path: its standard library is compiled once (45 MB to download, about a minute, about
/// 105 MB) and put where the compiler looks.
pub fn add(target: &str) -> Result<String> {
    let by_rustup = run::output(Command::new("timeout").args(["120", "rustup", "target", "add", target]));
    let Err(why) = by_rustup else { return Ok(format!("{target} came from rustup")) };
    let compiled = compile(target).with_context(|| format!("rustup: {why:#}"))?;
    Ok(format!("{target} was compiled from {}", compiled.display()))
}

/// Compiles the standard library by way of an empty crate, and copies it to the compiler's own
/// folder.
fn compile(target: &str) -> Result<PathBuf> {
    let sysroot = PathBuf::from(run::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
    let work = build::target_folder().join("rust-target");
    fs::create_dir_all(work.join("seed/src"))?;
    let source = source(&sysroot, &work)?;
    fs::write(work.join("seed/src/lib.rs"), "")?;
    let manifest = "[package]\nname = \"stdseed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(work.join("seed/Cargo.toml"), manifest)?;
    let mut cargo = build::cargo();
    cargo
        .args(["build", "--quiet", "--release", "--target", target, "--target-dir"])
        .arg(work.join("target"));
    cargo.args(["-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test"]);
    cargo.args(["-Zbuild-std-features=panic-unwind,backtrace"]).current_dir(work.join("seed"));
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    // Without bitcode a project with link-time optimization fails: "Can't find section .llvmbc".
    cargo.env("RUSTFLAGS", "-Cembed-bitcode=yes").env("RUSTC_BOOTSTRAP", "1");
    run::output(cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", &source))?;
    let to = sysroot.join("lib/rustlib").join(target).join("lib");
    fs::create_dir_all(&to)?;
    let made = work.join("target").join(target);
    for entry in fs::read_dir(made.join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libstdseed") {
            fs::copy(&path, to.join(&*name))?;
        }
    }
    fs::remove_dir_all(made)?;
    Ok(source)
}

/// The source of the standard library: the compiler's own, or that of Debian.
fn source(sysroot: &Path, work: &Path) -> Result<PathBuf> {
    let version = run::output(Command::new("rustc").arg("-V"))?;
    let version = version.split([' ', '-']).nth(1).context("rustc tells no version")?.to_owned();
    let unpacked = work.join(format!("src-{version}"));
    for library in [sysroot.join("lib/rustlib/src/rust/library"), unpacked.join("library")] {
        if library.join("std/Cargo.toml").exists() {
            return Ok(library);
        }
    }
    let site = site()?;
    for suite in SUITES {
        let Ok(Some((path, sum))) = package(&site, suite, architecture(), "rust-src", &version, work) else {
            continue;
        };
        let archive = work.join("rust-src.deb");
        fetch(&format!("{site}/{path}"), &archive, &sum)?;
        fs::create_dir_all(&unpacked)?;
        let mut unpack = Command::new("sh");
        unpack.args(["-c", "dpkg-deb --fsys-tarfile \"$0\" | tar -x -C \"$1\" --strip-components=4 --wildcards './usr/src/*/library'"]);
        run::output(unpack.arg(&archive).arg(&unpacked))?;
        fs::remove_file(archive)?;
        return Ok(unpacked.join("library"));
    }
    bail!(
        "Debian has no package rust-src of version {version}; install rustc-web, cargo-web and rust-web-src, and set \
         RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo"
    )
}

fn download(url: &str, to: &Path) -> Command {
    let mut command = Command::new(HELPER);
    command.arg("download-file").arg(url).arg(to);
    command
}

/// The archive that apt uses here; anything else may not be reachable.
pub fn site() -> Result<String> {
    let sites = run::output(Command::new("apt-get").args(["indextargets", "--format", "$(SITE)"]))?;
    let site = sites.lines().find(|site| !site.contains("security")).context("apt knows no archive")?;
    Ok(site.trim_end_matches('/').to_owned())
}

/// Downloads a file that has this checksum.
pub fn fetch(url: &str, to: &Path, sum: &str) -> Result<()> {
    run::output(download(url, to).arg(format!("SHA256:{sum}"))).map(drop)
}

/// Path and checksum of a package in a suite, when the suite has this version or one that begins
/// so.
pub fn package(
    site: &str,
    suite: &str,
    architecture: &str,
    name: &str,
    version: &str,
    work: &Path,
) -> Result<Option<(String, String)>> {
    let index = work.join("Packages.xz");
    let url = format!("{site}/dists/{suite}/main/binary-{architecture}/Packages.xz");
    run::output(&mut download(&url, &index))?;
    let text = run::output(Command::new(HELPER).arg("cat-file").arg(&index))?;
    fs::remove_file(index)?;
    let begin = format!("Package: {name}\n");
    let found = text.split("\n\n").filter(|package| package.trim_start().starts_with(&begin)).last();
    let member = |name: &str| found?.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let fits = member("Version: ").is_some_and(|found| found.starts_with(version));
    Ok(member("Filename: ").zip(member("SHA256: ")).filter(|_| fits))
}

fn architecture() -> &'static str {
    if env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" }
}
