//! Everything that must pass before a change is accepted, in rings: `cargo xtask ci`.

use anyhow::{Context as _, Result, bail, ensure};
use rings::{BUILDS, Build, RINGS, Ring, Step};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use xtask::build;
use xtask::install::Install;
use xtask::schedule::{self, Job};

/// The admin API, against its own description.
mod api;
/// The pages of seat management in a real browser.
pub mod browser;
/// Clocks that are wrong, on the C example.
mod clock;
/// Programs that are built against an installed prefix, without Rust.
mod consumers;
/// What `seatlock-server dev` prints, typed by somebody new.
mod dev;
/// Archives for people who have no Rust.
mod dist;
/// Disks that fail at any moment, or as a whole.
mod faults;
/// What parses what somebody else wrote, under a fuzzer.
pub mod fuzz;
/// The network gate, as the kernel sees it.
mod gate;
/// Hosts that treat their guest badly, and guests that are to stay strangers to each other.
mod guests;
/// The headers, and the sources of the examples, with every compiler and standard.
mod headers;
/// Plug-ins in real hosts, and in other languages.
mod hosts;
/// Format, clippy, documentation, workflow files.
mod lint;
/// E-mail, before a real mail server.
mod mail;
/// What a server tells Prometheus.
mod metrics;
/// Single files of the library under loom and miri.
mod models;
/// Signing in in a plug-in, with a real OpenID provider and browser.
#[cfg(unix)]
mod oauth_client;
/// How `cargo test`'s programs are built and run.
mod programs;
/// Real proxies, and names that are not found, in a network of its own.
#[cfg(unix)]
pub mod proxies;
/// The protocol against Python's JOSE and cryptography packages.
mod python;
/// The last place of a license, for which sixteen ask at once.
mod races;
/// Closing while name resolution hangs, in a network of its own.
mod resolver;
/// Every ring and its steps.
mod rings;
/// How a target is added to the compiler.
mod rust_target;
/// Where tokens must not be: in outputs, logs, files and core dumps.
mod secrets;
/// Signing in at the server, with a real OpenID provider and browser.
mod sign_in;
/// What the shared library exports, as the linker sees it.
mod symbols;
/// The server as a service of systemd.
mod systemd;
/// How long rings took.
mod times;
/// Programs that steps need.
mod tools;
/// The lifecycle program under valgrind.
mod valgrind;
/// The library on Windows, as wine plays it.
mod windows;

/// Which rings a person means: these, or all, but not those.
pub struct Chosen {
    steps: Vec<(&'static Ring, &'static Step)>,
}

impl Chosen {
    /// Each word is the name of a ring, or of one of its steps as RING/STEP.
    pub fn new(words: &[String], except: &[String]) -> Result<Self> {
        let all = || RINGS.iter().flat_map(|ring| ring.steps.iter().map(move |step| (ring, step)));
        for word in words.iter().chain(except) {
            if !all().any(|(ring, step)| names(word, ring, step)) {
                let rings: Vec<&str> = RINGS.iter().map(|ring| ring.name).collect();
                bail!("there is no ring or step \"{word}\"; the rings are {}", rings.join(", "));
            }
        }
        let meant =
            |words: &[String], ring: &Ring, step: &Step| words.iter().any(|word| names(word, ring, step));
        let steps = all().filter(|(ring, step)| words.is_empty() || meant(words, ring, step));
        Ok(Self { steps: steps.filter(|(ring, step)| !meant(except, ring, step)).collect() })
    }

    fn tools(&self) -> Vec<tools::Tool> {
        rings::tools_of(self.steps.iter().map(|(_, step)| *step))
    }
}

fn names(word: &str, ring: &Ring, step: &Step) -> bool {
    word == ring.name || word.split_once('/') == Some((ring.name, step.name))
}

/// Installs what the steps need.
pub fn setup(chosen: &Chosen, dry_run: bool) -> Result<()> {
    tools::install(&chosen.tools(), dry_run)
}

/// Every ring: what it is about, what it needs, and how long it took.
pub fn list() -> Result<()> {
    let mut text = String::new();
    for ring in RINGS {
        writeln!(text, "{:11} {} ({})", ring.name, ring.about, times::shown(ring.name)?)?;
        let steps: Vec<&str> = ring.steps.iter().map(|step| step.name).collect();
        writeln!(text, "            steps: {}", steps.join(", "))?;
        for tool in ring.tools() {
            let missing = if tool.is_there() { "" } else { ", missing" };
            writeln!(text, "            needs {} ({}{missing})", tool.name, tool.source())?;
        }
    }
    // Whoever pipes it into `head` has seen enough.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What a step or a build answered.
type Answer = Result<String>;

/// Runs the steps, as many side by side as the computer can, whatever the others say: a person
/// wants the whole list.
pub fn run(chosen: &Chosen) -> Result<()> {
    let begin = Instant::now();
    let broken = Mutex::new(BTreeSet::new());
    let mut jobs = Vec::new();
    for build in BUILDS {
        if chosen.steps.iter().any(|(_, step)| step.builds.iter().any(|needed| needed.name == build.name)) {
            jobs.push(OwnJob::of_build(build, &broken));
        }
    }
    jobs.extend(chosen.steps.iter().map(|(ring, step)| OwnJob::of_step(ring, step, &broken)));
    let jobs: Vec<Job<'_, (f32, Answer)>> = jobs.iter().map(OwnJob::job).collect();
    let processors = std::thread::available_parallelism()?.get();
    let (mut passed, mut failed, mut rings) = (0, 0, BTreeMap::<&str, f32>::new());
    schedule::run(&jobs, processors, |name, answer| {
        let (seconds, answer) = answer.unwrap_or_else(|| (0.0, Err(anyhow::anyhow!("it panicked"))));
        if let Some(ring) = RINGS.iter().find(|ring| name.split('/').next() == Some(ring.name)) {
            *rings.entry(ring.name).or_default() += seconds;
        }
        match answer {
            Ok(seen) => {
                passed += 1;
                println!("ok     {seconds:6.1} s  {name}: {seen}");
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {seconds:6.1} s  {name}\n{error:#}");
            }
        }
    });
    let took = begin.elapsed().as_secs_f32();
    if let (1, Some(alone)) = (rings.len(), rings.values_mut().next()) {
        *alone = took;
    }
    // A part of a ring says nothing about all of it.
    let chosen_of = |name: &str| chosen.steps.iter().filter(|(ring, _)| ring.name == name).count();
    rings
        .retain(|name, _| RINGS.iter().any(|ring| ring.name == *name && ring.steps.len() == chosen_of(name)));
    times::keep(&rings)?;
    println!("{passed} passed, {failed} failed, in {took:.0} s");
    ensure!(failed == 0 && passed > 0, "{failed} of {} failed", passed + failed);
    Ok(())
}

/// A job with what it refers to.
struct OwnJob<'a> {
    name: String,
    processors: usize,
    locks: bool,
    after: Vec<&'static str>,
    last: bool,
    act: Box<dyn Fn() -> (f32, Answer) + Sync + 'a>,
}

impl<'a> OwnJob<'a> {
    fn of_build(build: Build, broken: &'a Mutex<BTreeSet<&'static str>>) -> Self {
        let act = move || {
            let begin = Instant::now();
            let answer = (build.run)();
            if answer.is_err() {
                broken.lock().unwrap_or_else(PoisonError::into_inner).insert(build.name);
            }
            (begin.elapsed().as_secs_f32(), answer)
        };
        let name = build.name.to_owned();
        Self { name, processors: 1, locks: build.locks, after: Vec::new(), last: false, act: Box::new(act) }
    }

    fn of_step(ring: &'static Ring, step: &'static Step, broken: &'a Mutex<BTreeSet<&'static str>>) -> Self {
        let act = move || {
            let begin = Instant::now();
            let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let answer = match step.builds.iter().find(|build| broken.contains(build.name)) {
                Some(build) => Err(anyhow::anyhow!("{} failed", build.name)),
                None => everything_is_there(ring, step).and_then(|()| (step.run)()),
            };
            (begin.elapsed().as_secs_f32(), answer)
        };
        Self {
            name: format!("{}/{}", ring.name, step.name),
            processors: step.processors,
            locks: step.locks,
            after: step.builds.iter().map(|build| build.name).collect(),
            last: step.last,
            act: Box::new(act),
        }
    }

    fn job(&self) -> Job<'_, (f32, Answer)> {
        let holds = self.locks.then_some("the target folder");
        Job {
            name: &self.name,
            processors: self.processors,
            holds,
            after: &self.after,
            last: self.last,
            run: &*self.act,
        }
    }
}

fn everything_is_there(ring: &Ring, step: &Step) -> Result<()> {
    match step.tools.iter().find(|tool| !tool.is_there()) {
        Some(tool) => bail!(
            "`{}` is missing ({}): `cargo xtask setup {}` installs what this ring needs",
            tool.name,
            tool.source(),
            ring.name
        ),
        None => Ok(()),
    }
}

/// The shared library as it is shipped, installed once where programs find it.
fn shipped() -> Result<PathBuf> {
    static INSTALLED: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = &*installed {
        return Ok(there.clone());
    }
    let prefix = folder()?.join("installed");
    Install { prefix: prefix.clone(), destdir: None, debug: false }.run()?;
    Ok(installed.insert(prefix.join("lib/libseatlock.so")).clone())
}

/// Where this keeps what outlasts a run.
fn folder() -> Result<PathBuf> {
    let folder = build::target_folder().join("ci");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// A member of the newest state below a state folder; `None` when there is no such state that can
/// be read.
fn stored(folder: &Path, member: &str) -> Result<Option<Value>> {
    let Some(newest) = files(folder)?.into_iter().find(|path| path.ends_with("state.json")) else {
        return Ok(None);
    };
    let state: Option<Value> = serde_json::from_slice(&fs::read(newest)?).ok();
    Ok(state.and_then(|state| state.pointer(member).cloned()))
}

/// The command under strace, whose log goes to a file: every thread, with its number before each
/// line.
fn strace(options: &[&str], log: &Path, command: &Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(options).arg("-o").arg(log);
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}
