//! The test programs: built once, and run without cargo, whose locks and whose choice of features
//! for each package would get into the way of other steps.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use xtask::server::SECRETS;
use xtask::{build, run};

/// A test program as cargo made it.
#[derive(Clone)]
struct Program {
    package: String,
    file: PathBuf,
    /// Folder of its package, in which cargo runs it.
    folder: PathBuf,
}

/// By name of the target and of the package: unit tests of two packages may have one name.
static BUILT: Mutex<BTreeMap<(String, String), Program>> = Mutex::new(BTreeMap::new());

/// Builds what `cargo test` runs, or what these arguments of it name.
pub fn build(which: &[&str]) -> Result<String> {
    let mut command = build::cargo();
    command.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]).args(which);
    let messages = run::output(&mut command)?;
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
        let is_bench = text("/target/kind/0") == Some("bench");
        let (true, Some(file), Some(manifest), Some(name)) =
            (is_test || is_bench, text("/executable"), text("/manifest_path"), text("/target/name"))
        else {
            continue;
        };
        let folder = Path::new(manifest).parent().context("a manifest is in a folder")?.to_owned();
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let package = if folder == xtask::repository() { "seatlock".to_owned() } else { package };
        let program = Program { package: package.clone(), file: file.into(), folder };
        built.insert((name.to_owned(), package), program);
    }
    Ok(format!("{} test programs so far", built.len()))
}

/// Runs one of them.
pub fn run(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
    let said = play(name, &find(name)?, arguments, environment)?;
    summary(&[said])
}

/// Runs a bench as a test: for a moment only.
pub fn run_bench(name: &str) -> Result<String> {
    let program = find(name)?;
    play(name, &program, &[], &[])?;
    Ok("it still measures".to_owned())
}

fn find(name: &str) -> Result<Program> {
    let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let found = built.iter().find(|((program, _), _)| program == name);
    Ok(found.with_context(|| format!("cargo made no test program {name}"))?.1.clone())
}

/// Runs all those of some packages, one after the other.
pub fn run_packages(packages: &[&str]) -> Result<String> {
    let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let own = ["postgres", "oidc", "faults", "pings"];
    let mut outputs = Vec::new();
    for ((name, _), program) in built {
        if packages.contains(&program.package.as_str()) && !own.contains(&name.as_str()) {
            outputs.push(play(&name, &program, &[], &[])?);
        }
    }
    summary(&outputs)
}

/// Every line that it prints is kept beside the logs of the servers that it starts, where the ring
/// `secrets` searches.
fn play(name: &str, program: &Program, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
    let folder = secrets_folder()?;
    let mut command = Command::new(&program.file);
    command.args(arguments).envs(environment.iter().copied()).current_dir(&program.folder);
    command.env(SECRETS, &folder).env("RUST_TEST_NOCAPTURE", "1").stdin(Stdio::null());
    let (code, said) = run::status(&mut command, None)?;
    let number = fs::read_dir(&folder)?.count();
    fs::write(folder.join(format!("{}-{name}-{number}.{OUTPUT}", program.package)), &said)?;
    if code != 0 {
        bail!("`{}` ended with {code}\n{said}", run::shown(&command));
    }
    Ok(said)
}

/// How many tests passed.
pub(super) fn summary(outputs: &[String]) -> Result<String> {
    let mut passed = 0;
    for line in outputs.iter().flat_map(|said| said.lines()) {
        if let Some((_, rest)) = line.split_once("test result: ok. ") {
            passed += rest.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        }
    }
    ensure!(passed > 0, "no test ran");
    Ok(format!("{passed} tests"))
}

/// What test programs printed has this ending.
pub const OUTPUT: &str = "output";

/// Where servers note tokens and logs: what the environment names, or a folder that this run has
/// emptied.
pub fn secrets_folder() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(SECRETS) {
        return Ok(given.into());
    }
    let folder = super::folder()?.join("secrets");
    static EMPTIED: Mutex<bool> = Mutex::new(false);
    let mut emptied = EMPTIED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*emptied {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        *emptied = true;
    }
    Ok(folder)
}
