use crate::fill::Database;
use anyhow::{Context as _, ensure};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Ticks of the processor clock in a second, as the kernel counts for programs.
const TICKS: f64 = 100.0;

/// Their bookkeeping is measured, but nobody is told to wait.
const LIMITS: [&str; 6] =
    ["--token-limit", "1000000", "--address-limit", "1000000", "--wrong-token-limit", "1000000"];

/// The server as a process.
pub struct Running {
    pub address: SocketAddr,
    child: Child,
}

/// In megabytes.
pub struct Memory {
    pub resident: u64,
    pub most: u64,
}

/// What processes took of the computer so far.
#[derive(Clone, Copy, Default)]
pub struct Taken {
    /// Processor time, user and system.
    pub time: Duration,
    /// Bytes that were sent to the disk.
    pub written: u64,
}

impl Taken {
    fn since(self, before: Self) -> Self {
        let time = self.time.saturating_sub(before.time);
        Self { time, written: self.written.saturating_sub(before.written) }
    }
}

/// Of server and database. SQLite works in the server.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub server: Taken,
    pub database: Taken,
}

impl Usage {
    pub fn between(before: &Self, after: &Self) -> Self {
        let (server, database) = (after.server.since(before.server), after.database.since(before.database));
        Self { server, database }
    }
}

impl Running {
    pub fn start(database: &Database) -> anyhow::Result<Self> {
        let mut command = database.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.args(LIMITS);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("the server has an output")?).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("listening on http://").parse()?;
        Ok(Self { address, child })
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.trim_end_matches(" kB").trim().parse::<u64>().ok());
            kilobytes.map(|kilobytes| kilobytes / 1024).context("the kernel counts memory")
        };
        Ok(Memory { resident: megabytes("VmRSS:")?, most: megabytes("VmHWM:")? })
    }

    pub fn usage(&self) -> anyhow::Result<Taken> {
        let id = self.child.id();
        Ok(Taken { time: Process::of(id)?.own, written: written(id)? })
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").arg(id).status()?.success(), "the server is gone");
        ensure!(self.child.wait()?.success(), "the server failed");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only after a failure it still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kernel says of a process (proc(5), `/proc/PID/stat`).
struct Process {
    parent: u32,
    own: Duration,
    /// Of children that have ended.
    ended: Duration,
}

impl Process {
    fn of(id: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name, which may have spaces in it, is in parentheses.
        let (_, rest) = text.rsplit_once(") ").context("a process has a name")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u32>().ok());
        let ticks = |from: usize| Some(f64::from(field(from)? + field(from + 1)?) / TICKS);
        let times = (field(4), ticks(14), ticks(16));
        let (Some(parent), Some(own), Some(ended)) = times else { anyhow::bail!("unknown: {text}") };
        Ok(Self { parent, own: Duration::from_secs_f64(own), ended: Duration::from_secs_f64(ended) })
    }
}

/// Bytes that a process sent to the disk (proc(5), `/proc/PID/io`).
fn written(id: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/io"))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    bytes.and_then(|bytes| bytes.parse().ok()).context("the kernel counts bytes")
}

/// What the parent of `child` and all its children took.
pub fn taken_by_family(child: u32) -> anyhow::Result<Taken> {
    let parent = Process::of(child)?.parent;
    let this = Process::of(parent)?;
    let mut taken = Taken { time: this.own + this.ended, written: written(parent)? };
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
        // One that has just ended is among the parent's.
        if let Some(process) = Process::of(id).ok().filter(|process| process.parent == parent) {
            taken.time += process.own;
            taken.written += written(id).unwrap_or_default();
        }
    }
    Ok(taken)
}
