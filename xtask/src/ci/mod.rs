use anyhow::Result;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use xtask::run;

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
/// Disks that fail at any moment, or as a whole.
mod faults;
/// What parses what somebody else wrote, under a fuzzer.
pub mod fuzz;
/// The network gate, as the kernel sees it.
mod gate;
/// The headers, and the sources of the examples, with every compiler and standard.
mod headers;
/// E-mail, before a real mail server.
mod mail;
/// What a server tells Prometheus.
mod metrics;
/// Signing in in a plug-in, with a real OpenID provider and browser.
#[cfg(unix)]
mod oauth_client;
/// Real proxies, and names that are not found, in a network of its own.
#[cfg(unix)]
pub mod proxies;
/// The protocol against Python's JOSE and cryptography packages.
mod python;
/// The last place of a license, for which sixteen ask at once.
mod races;
/// Closing while name resolution hangs, in a network of its own.
mod resolver;
/// Where tokens must not be: in outputs, logs, files and core dumps.
mod secrets;
/// Signing in at the server, with a real OpenID provider and browser.
mod sign_in;
/// What the shared library exports, as the linker sees it.
mod symbols;
/// The server as a service of systemd.
mod systemd;
/// The lifecycle program under valgrind.
mod valgrind;
/// Clippy for Windows, on another system.
mod windows;

type Check = (&'static str, fn() -> Result<String>);

const CHECKS: &[Check] = &[
    ("header: C99, C11, C17, C++17, C++20", headers::standards),
    ("examples: warnings as errors", headers::examples),
    ("symbols: nm shows the header's names only", symbols::exports),
    ("browser: every page, light and dark, wide and narrow", browser::check),
    #[cfg(unix)]
    ("oauth-client: a plug-in, with a real OpenID provider and browser", oauth_client::signs_in),
    ("python: protocol against PyJWT", python::cross_check),
    ("api: the admin API against its description, by schemathesis", api::described),
    ("metrics: OpenMetrics, by Prometheus's own parser", metrics::openmetrics),
    ("systemd: the unit is sound and lets the server work", systemd::unit),
    ("sign-in: the server, with a real OpenID provider and browser", sign_in::real),
    ("valgrind: 20 lives without leak or error", valgrind::lifecycle),
    ("resolver: closing while name resolution hangs", resolver::hanging),
    ("proxies: squid, tinyproxy, mitmproxy and a silent name server", proxies::real),
    ("mail: a real mail server, with and without TLS", mail::real),
    ("gate: no socket while networking is switched off", gate::closed),
    ("faults: a disk that fails at any moment", faults::everywhere),
    ("clock: wrong, set back, stopped, unreadable", clock::end_to_end),
    ("secrets: nothing printed, logged or stored", secrets::printed),
    ("secrets: the tests' output and their servers' logs", secrets::tests),
    ("secrets: a core dump after close", secrets::memory),
    ("dev: the commands that it prints", dev::pasted),
    ("races: the last place, 200 times in each database", races::two_hundred),
    ("cmake: shared and static consumer", consumers::cmake),
    ("pkg-config: shared and static consumer", consumers::pkg_config),
    ("sanitizer: C example and bad input under ASan and UBSan", consumers::sanitizers),
    ("fuzz: every target for a minute", fuzz::a_minute_each),
    ("windows: clippy for x86_64-pc-windows-gnu", windows::clippy),
];

/// Runs every check, whatever the ones before it said: a person wants the whole list.
pub fn run(filter: Option<&str>) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in CHECKS.iter().filter(|(name, _)| filter.is_none_or(|part| name.contains(part))) {
        let begin = Instant::now();
        let outcome = check();
        let seconds = begin.elapsed().as_secs_f32();
        match outcome {
            Ok(seen) => {
                passed += 1;
                println!("ok     {seconds:6.1} s  {name}: {seen}");
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {seconds:6.1} s  {name}\n{error:#}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    anyhow::ensure!(failed == 0 && passed > 0, "{failed} of {} checks failed", passed + failed);
    Ok(())
}

/// Installation hint for Debian and its relatives.
fn debian(package: &str) -> String {
    format!("the Debian package `{package}` (apt-get install {package})")
}

/// Fails unless the tool can be started.
fn need(program: &str, package: &str) -> Result<()> {
    run::require(program, &debian(package))
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

/// A member of the newest state below a state folder; `None` when there is no such state that can be read.
fn stored(folder: &Path, member: &str) -> Result<Option<Value>> {
    let Some(newest) = files(folder)?.into_iter().find(|path| path.ends_with("state.json")) else {
        return Ok(None);
    };
    let state: Option<Value> = serde_json::from_slice(&fs::read(newest)?).ok();
    Ok(state.and_then(|state| state.pointer(member).cloned()))
}

/// The command under strace, whose log goes to a file: every thread, with its number before each line.
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
