use crate::{repository, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default)]
struct Made {
    files: Vec<PathBuf>,
    /// Linker flags of the system's libraries, as rustc reports them for a static library.
    system: Vec<String>,
}

/// The library in the forms in which it is installed.
#[derive(Debug, Clone, Default)]
pub struct Libraries {
    pub shared: PathBuf,
    /// Windows only: what linkers need to use the shared library.
    pub imports: Vec<PathBuf>,
    pub fixed: PathBuf,
    /// Linker flags of the system's libraries that the static library needs, such as `-lpthread`.
    pub system: Vec<String>,
}

/// The server's program: a quick build for tests and commands, a fast program for benches.
///
/// # Errors
/// The build fails, or a test has no server beside it.
pub fn server() -> Result<PathBuf> {
    let name = format!("seatlock-server{}", env::consts::EXE_SUFFIX);
    match beside() {
        // Programs lie above the folder of the tests.
        Some(deps) => there(deps.with_file_name(name), "seatlock-server"),
        None if cfg!(debug_assertions) => file(&quick()?, "seatlock-server", env::consts::EXE_SUFFIX),
        None => {
            let fast = ["build", "--package", "seatlock-server", "--profile", "server"];
            file(&once(&fast, &[], &target_folder())?, "seatlock-server", env::consts::EXE_SUFFIX)
        }
    }
}

/// The shared library: as tests and commands want it, soon; or as it is shipped.
///
/// What is shipped is built as a shared library alone, in a target folder of its own: together with
/// the Rust library it would silently lose its link-time optimization. It wipes memory that it
/// frees; the quick one does not.
///
/// # Errors
/// The build fails, or a test has no library beside it.
pub fn shared_library(release: bool) -> Result<PathBuf> {
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let library = match beside() {
        _ if release => file(&library("cdylib", true)?, prefix, suffix)?,
        Some(deps) => there(deps.join(format!("{prefix}seatlock{suffix}")), "seatlock")?,
        None => file(&quick()?, prefix, suffix)?,
    };
    add_name(&library)?;
    Ok(library)
}

/// Folder of this program, when it is a test. What tests use cargo has built before them, and
/// starting cargo once more would build it again with other features.
///
/// That what lies there is what the test was built with is cargo's doing. A package's programs are
/// built for its integration tests, and those who depend on a library get each of its kinds, in
/// this folder. A shared library has no hash in its name, so the newest build has the place,
/// whatever its features were: the same sources, since whoever changes one builds anew.
fn beside() -> Option<PathBuf> {
    let deps = env::current_exe().ok()?.parent()?.to_path_buf();
    (cfg!(debug_assertions) && deps.file_name()? == "deps").then_some(deps)
}

fn there(path: PathBuf, package: &str) -> Result<PathBuf> {
    if !path.exists() {
        bail!(
            "{} is missing: it is built for the tests of `{package}` and of what depends on it",
            path.display()
        );
    }
    Ok(path)
}

/// Library and server as `cargo test` builds them, in the same folder: whoever has run the one
/// waits for nothing at the other. An example brings in the features that development dependencies
/// ask for.
fn quick() -> Result<Made> {
    once(&["build", "--lib", "--bin", "seatlock-server", "--example", "mail"], &[], &target_folder())
}

/// Programs look for the library by the name that it has in itself, which cargo gives no file.
#[cfg(unix)]
fn add_name(library: &Path) -> Result<()> {
    use crate::layout::ABI;
    use std::os::unix::fs::symlink;
    let apple = cfg!(target_vendor = "apple");
    let name = if apple { format!("libseatlock.{ABI}.dylib") } else { format!("libseatlock.so.{ABI}") };
    let name = library.with_file_name(name);
    if let (false, Some(target)) = (name.exists(), library.file_name()) {
        // Another test may have made it a moment ago.
        symlink(target, &name).or_else(|error| if name.exists() { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn add_name(_library: &Path) -> Result<()> {
    Ok(())
}

/// Builds everything that is installed.
///
/// # Errors
/// The build fails.
pub fn libraries(release: bool) -> Result<Libraries> {
    let made = library("cdylib,staticlib", release)?;
    Ok(Libraries {
        shared: file(&made, env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)?,
        imports: file(&made, "", ".dll.a").or_else(|_| file(&made, "", ".dll.lib")).into_iter().collect(),
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

/// A cargo command without what an outer cargo has set for the program that it runs: some build
/// scripts watch these variables and would build again on every change.
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
    // A folder for each kind: cargo gives all kinds the same file names and would build again at every
    // change.
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
    // One lock for each build: those in different folders go on side by side.
    static MADE: Mutex<BTreeMap<String, Arc<Mutex<Option<Made>>>>> = Mutex::new(BTreeMap::new());
    let key = arguments.join(" ");
    let own = Arc::clone(MADE.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
    let mut made = own.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = &*made {
        return Ok(found.clone());
    }
    let found = carry_out(cargo().args(arguments), folder, last)?;
    Ok(made.insert(found).clone())
}

/// Runs a build, and answers what was made.
fn carry_out(command: &mut Command, folder: &Path, last: &[&str]) -> Result<Made> {
    command.args(["--message-format", "json-render-diagnostics", "--target-dir"]);
    command.arg(folder).args(last).stdin(Stdio::null()).stderr(Stdio::piped());
    let built = command.output().context("cargo cannot be started: install Rust from https://rustup.rs")?;
    let log = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        bail!("`{}` failed\n{log}", run::shown(command));
    }
    Ok(read(&String::from_utf8_lossy(&built.stdout), &log))
}

/// Runs a build of the static library, and answers the library and the flags of the system's
/// libraries that it needs.
///
/// # Errors
/// The build fails.
pub fn static_library(cargo: &mut Command, folder: &Path) -> Result<(PathBuf, Vec<String>)> {
    let made = carry_out(cargo, folder, &["--", "--print", "native-static-libs"])?;
    let archive = made.files.iter().find(|path| path.extension().is_some_and(|kind| kind == "a"));
    Ok((archive.context("cargo made no static library")?.clone(), made.system))
}

/// Whether Rust's standard library for a target is there.
#[must_use]
pub fn has_target(target: &str) -> bool {
    let Ok(folder) =
        run::output(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))
    else {
        return false;
    };
    let files = std::fs::read_dir(folder.trim()).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
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
