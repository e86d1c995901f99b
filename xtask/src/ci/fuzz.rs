use super::RINGS;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use xtask::{build, repository, run};

/// How the compiler is asked for a fuzz target: what `cargo fuzz` asks for, so that neither it nor
/// another compiler has to be installed.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Ccodegen-units=1";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Two targets at a time, as small computers have two cores.
const AT_ONCE: usize = 2;

pub fn build() -> Result<String> {
    ensure!(cfg!(all(target_os = "linux", target_arch = "x86_64")), "fuzzing needs Linux on x86-64");
    let folder = repository().join("fuzz");
    let mut cargo = build::cargo();
    cargo.args(["build", "--quiet", "--release", "--bins", "--target", TRIPLE, "--manifest-path"]);
    cargo.arg(folder.join("Cargo.toml")).env("RUSTFLAGS", FLAGS).env("RUSTC_BOOTSTRAP", "1");
    cargo.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run::output(&mut cargo)?;
    let targets = targets(&folder)?;
    for target in &targets {
        ensure!(
            RINGS
                .iter()
                .filter(|ring| ring.name == "fuzz")
                .flat_map(|ring| ring.steps)
                .any(|step| step.name == target),
            "the target {target} is no step of the ring \"fuzz\""
        );
    }
    Ok(format!("{} targets", targets.len()))
}

/// One target, from the committed corpus on.
pub fn a_minute(target: &str) -> Result<String> {
    one(&repository().join("fuzz"), target, 60)
}

/// Every target for `seconds`. A crash, a hang, or too much memory is an error that names the file
/// to run again.
pub fn fuzz(seconds: u64) -> Result<String> {
    build()?;
    let folder = repository().join("fuzz");
    let targets = targets(&folder)?;
    let mut said = Vec::new();
    for pair in targets.chunks(AT_ONCE) {
        let ended: Vec<Result<String>> = thread::scope(|scope| {
            let started: Vec<_> =
                pair.iter().map(|name| scope.spawn(|| one(&folder, name, seconds))).collect();
            started.into_iter().map(|ended| ended.join().unwrap_or_else(|_| bail!("panicked"))).collect()
        });
        said.extend(ended.into_iter().collect::<Result<Vec<_>>>()?);
    }
    Ok(said.join(", "))
}

/// The names of the targets: one file each.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(folder.join("fuzz_targets"))?.collect::<std::io::Result<Vec<_>>>()?;
    let mut names: Vec<String> =
        files.iter().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    ensure!(names.len() >= 6, "only {} fuzz targets were found", names.len());
    Ok(names)
}

fn one(folder: &Path, name: &str, seconds: u64) -> Result<String> {
    let found = tempfile::tempdir()?;
    let log = found.path().join("log");
    let artifacts = folder.join("artifacts").join(name);
    fs::create_dir_all(&artifacts)?;
    let corpus = folder.join("corpus").join(name);
    ensure!(corpus.is_dir(), "there is no corpus for {name}");
    let finds = found.path().join("finds");
    fs::create_dir(&finds)?;
    let program: PathBuf = folder.join("target").join(TRIPLE).join("release").join(name);
    let mut command = Command::new(program);
    command.arg(&finds).arg(&corpus).arg(format!("-max_total_time={seconds}"));
    command.args(["-timeout=30", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).status()?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let tail =
        said.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    ensure!(status.success(), "{name} found something; run it again with the file named below\n{tail}");
    let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let executions: u64 = executions.context("it printed no figures")?.trim().parse()?;
    ensure!(executions > 1000, "{name} ran only {executions} times");
    Ok(format!("{name} ran {executions} times"))
}
