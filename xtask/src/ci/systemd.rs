use super::strace;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use xtask::server::{Running, Setup};
use xtask::{build, repository, run};

/// Where the unit expects the program.
const INSTALLED: &str = "/usr/bin/seatlock-server";
/// Ten times the highest exposure that `systemd-analyze security` may find; 100 is a service
/// without any protection.
const EXPOSURE: &str = "20";

/// The unit is one that systemd takes, protects the server as far as it says, and lets it do what
/// it does.
pub fn unit() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let unit = folder.path().join("seatlock-server.service");
    let text = fs::read_to_string(repository().join("packaging/systemd/seatlock-server.service"))?;
    ensure!(text.contains(INSTALLED), "the unit starts something else");
    fs::write(&unit, text.replace(INSTALLED, &build::server()?.display().to_string()))?;
    let (code, said) = run::status(Command::new("systemd-analyze").arg("verify").arg(&unit), None)?;
    ensure!(code == 0 && said.trim().is_empty(), "systemd-analyze verify: {said}");

    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=yes", "--no-pager", "--threshold", EXPOSURE]).arg(&unit);
    let (code, said) = run::status(&mut security, None)?;
    ensure!(code == 0, "{said}");
    let overall =
        said.lines().rev().find_map(|line| line.split_once("exposure level for ")).map(|(_, level)| level);
    let overall = overall.context("no exposure was told")?;

    let allowed = allowed(&text)?;
    let used = used(folder.path())?;
    let denied: Vec<_> = used.difference(&allowed).collect();
    ensure!(denied.is_empty(), "the unit denies system calls that the server makes: {denied:?}");
    ensure!(used.len() > 30, "only {} system calls were seen", used.len());
    Ok(format!("{overall}; {} system calls, all of them allowed", used.len()))
}

/// System calls that the lines `SystemCallFilter=` leave.
fn allowed(unit: &str) -> Result<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (taken, sets) = line.strip_prefix('~').map_or((false, line), |sets| (true, sets));
        for set in sets.split_whitespace() {
            let calls = members(set)?;
            if taken { allowed.retain(|call| !calls.contains(call)) } else { allowed.extend(calls) }
        }
    }
    // What systemd always allows.
    allowed.extend(members("@default")?);
    Ok(allowed)
}

/// Every system call of a set, those of the sets in it included.
fn members(set: &str) -> Result<BTreeSet<String>> {
    let said = run::output(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager", set]))?;
    let mut calls = BTreeSet::new();
    for name in said.lines().skip(1).map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#'))
    {
        if name.starts_with('@') {
            calls.extend(members(name)?);
        } else {
            calls.insert(name.to_owned());
        }
    }
    Ok(calls)
}

/// System calls of a server that starts, answers, writes, and stops.
fn used(folder: &Path) -> Result<BTreeSet<String>> {
    let site = Running::start_with(&Setup::default())?;
    let log = folder.join("strace");
    let mut serve = Command::new(build::server()?);
    serve.arg("--data").arg(site.data()).args(["serve", "--listen", "127.0.0.1:0"]);
    let mut tracer = strace(&[], &log, &serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(tracer.stdout.take().context("strace has an output")?).read_line(&mut line)?;
    let address =
        line.trim().strip_prefix("listening on http://").context("the server says where it listens")?;
    let form = "email=a%40example.com&password=correct-horse-battery";
    for request in [
        "GET /readyz HTTP/1.0\r\n\r\n".to_owned(),
        "GET /v1/keys HTTP/1.0\r\n\r\n".to_owned(),
        // A password is compared, and the attempt is written down.
        format!(
            "POST /sign-in HTTP/1.0\r\nsec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{form}",
            form.len()
        ),
    ] {
        let (mut stream, mut answer) = (TcpStream::connect(address)?, String::new());
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.") && !answer.contains(" 500 "), "{answer}");
    }
    // The server itself, so that how it ends is seen too.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", tracer.id()))?;
    run::output(Command::new("kill").arg("-TERM").args(children.split_whitespace()))?;
    ensure!(tracer.wait()?.success(), "the server did not end well");
    let text = fs::read_to_string(&log)?;
    let calls = text.lines().filter_map(|line| {
        let (_, call) = line.split_once(char::is_whitespace)?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        name.bytes().all(is_name).then(|| name.to_owned())
    });
    // SQLite makes it for root alone, who runs this check but not the service.
    let calls = calls.filter(|name| name != "fchown");
    Ok(calls.collect())
}
