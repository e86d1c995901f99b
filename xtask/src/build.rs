use crate::{repository, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What cargo made.
#[derive(Debug, Clone, Default)]
struct Made {
    files: Vec<PathBuf>,
    /// Linker flags of the system's libraries, as rustc reports them for a static library.
    system: Vec<String>,
}

/// The library in the forms in which it is installed.
#[derive(Debug, Clone)]
pub struct Libraries {
    /// The shared library.
    pub shared: PathBuf,
    /// Windows only: what a linker needs to use the shared library.
    pub import: Option<PathBuf>,
    /// The static library.
    pub fixed: PathBuf,
    /// Linker flags of the system's libraries that the static library needs, such as `-lpthread`.
    pub system: Vec<String>,
}

/// Builds the server and answers its program file: a quick build from tests, a fast program from benches.
///
/// # Errors
/// The build fails.
pub fn server() -> Result<PathBuf> {
    // The example brings in the features of `cargo test --workspace`, which has built all of it then.
    let what: &[_] = if cfg!(debug_assertions) {
        &["build", "--workspace", "--bin", "seatlock-server", "--example", "mail"]
    } else {
        &["build", "--package", "seatlock-server", "--profile", "server"]
    };
    let made = once(what, &[], &target_folder())?;
    file(&made, "seatlock-server", env::consts::EXE_SUFFIX)
}

/// Builds the shared library and answers its file.
///
/// Its target folder is its own, and it is built as a shared library alone: together with the Rust library the
/// release build would silently lose its link-time optimization.
///
/// # Errors
/// The build fails.
pub fn shared_library(release: bool) -> Result<PathBuf> {
    let made = library("cdylib", release)?;
    let library = file(&made, env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)?;
    add_name(&library)?;
    Ok(library)
}

/// Programs look for the library by its SONAME, which cargo gives no file.
#[cfg(target_os = "linux")]
fn add_name(library: &Path) -> Result<()> {
    use std::os::unix::fs::symlink;
    let name = library.with_file_name(format!("libseatlock.so.{}", crate::install::ABI));
    if let (false, Some(target)) = (name.exists(), library.file_name()) {
        // Another process of the same test run may have made it a moment ago.
        symlink(target, &name).or_else(|error| if name.exists() { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn add_name(_library: &Path) -> Result<()> {
    Ok(())
}

/// Builds the static library and answers its file and the linker flags that go with it.
///
/// # Errors
/// The build fails.
pub fn static_library(release: bool) -> Result<(PathBuf, Vec<String>)> {
    let made = library("staticlib", release)?;
    Ok((file(&made, "", static_suffix())?, made.system))
}

/// Builds everything that is installed.
///
/// # Errors
/// The build fails.
pub fn libraries(release: bool) -> Result<Libraries> {
    let made = library("cdylib,staticlib", release)?;
    Ok(Libraries {
        shared: file(&made, env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)?,
        import: file(&made, "", ".dll.a").or_else(|_| file(&made, "", ".dll.lib")).ok(),
        fixed: file(&made, "", static_suffix())?,
        system: made.system,
    })
}

/// Folder into which cargo builds.
#[must_use]
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), |given| repository().join(given))
}

/// A cargo command without what an outer cargo has set for the program that it runs: some build scripts watch
/// these variables and would build again on every change.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if text == "OUT_DIR" || inherited.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.current_dir(repository());
    command
}

fn static_suffix() -> &'static str {
    if cfg!(target_env = "msvc") { ".lib" } else { ".a" }
}

fn library(kinds: &str, release: bool) -> Result<Made> {
    let profile = if release { "release" } else { "dev" };
    // A folder for each kind: cargo gives all kinds the same file names and would build again at every change.
    let folder = target_folder().join("library").join(kinds.replace(',', "-"));
    let flags = [
        ["rustc", "--package", "seatlock", "--lib", "--features", "wipe"].as_slice(),
        &["--crate-type", kinds, "--profile", profile],
    ]
    .concat();
    let print = ["--", "--print", "native-static-libs"];
    once(&flags, if kinds.contains("staticlib") { &print } else { &[] }, &folder)
}

fn once(arguments: &[&str], last: &[&str], folder: &Path) -> Result<Made> {
    static MADE: Mutex<BTreeMap<String, Made>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = arguments.join(" ");
    if let Some(found) = made.get(&key) {
        return Ok(found.clone());
    }
    let mut command = cargo();
    command.args(arguments).args(["--message-format", "json-render-diagnostics", "--target-dir"]);
    command.arg(folder).args(last).stdin(Stdio::null()).stderr(Stdio::piped());
    let built = command.output().context("cargo can not be started: install Rust from https://rustup.rs")?;
    let log = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        bail!("`{}` failed\n{log}", run::shown(&command));
    }
    let result = read(&String::from_utf8_lossy(&built.stdout), &log);
    made.insert(key, result.clone());
    Ok(result)
}

/// Reads cargo's messages. The note about system libraries is text for people, on standard error.
fn read(messages: &str, log: &str) -> Made {
    let mut made = Made::default();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let name = message.pointer("/target/name").and_then(Value::as_str);
        if matches!(name, Some("seatlock" | "seatlock-server")) {
            let files = message.get("filenames").and_then(Value::as_array).into_iter().flatten();
            made.files.extend(files.filter_map(Value::as_str).map(PathBuf::from));
        }
    }
    let note = log.lines().find_map(|line| line.split_once("native-static-libs:"));
    made.system =
        note.map_or_else(Vec::new, |(_, flags)| flags.split_whitespace().map(str::to_owned).collect());
    made
}

fn file(made: &Made, prefix: &str, suffix: &str) -> Result<PathBuf> {
    let fits = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let import = name.ends_with(".dll.a") || name.ends_with(".dll.lib");
        name.starts_with(prefix) && name.ends_with(suffix) && (!import || suffix.starts_with(".dll."))
    };
    let found = made.files.iter().find(fits).cloned();
    found.with_context(|| format!("cargo made no file {prefix}…{suffix}, only {:?}", made.files))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = concat!(
        r#"{"reason":"compiler-artifact","target":{"name":"serde"},"filenames":["/t/libserde.rlib"]}"#,
        "\nnot a message\n",
        r#"{"reason":"compiler-artifact","target":{"name":"seatlock"},"filenames":["/t/seatlock.dll.a","/t/libseatlock.a","/t/libseatlock.so"]}"#,
    );

    #[test]
    fn messages_of_cargo_are_read() {
        let made = read(MESSAGES, "warning: x\nnote: native-static-libs: -lgcc_s -lm -lc\n");
        assert_eq!(made.system, ["-lgcc_s", "-lm", "-lc"]);
        assert_eq!(file(&made, "lib", ".so").unwrap(), Path::new("/t/libseatlock.so"));
        assert_eq!(file(&made, "", ".a").unwrap(), Path::new("/t/libseatlock.a"));
        assert_eq!(file(&made, "", ".dll.a").unwrap(), Path::new("/t/seatlock.dll.a"));
        assert!(file(&made, "", ".dylib").is_err());
    }
}
