use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use xtask::server::Running;

/// A computer with a seat on a server, of which a client is told.
pub struct Computer<'a> {
    pub server: &'a Running,
    /// The machine id; the folder for its state lies below the bench's own.
    pub name: &'a str,
    pub folder: &'a Path,
    /// The key that is pinned: a root key, or a lease key directly.
    pub pinned: Pinned<'a>,
}

/// Whom a client believes.
#[derive(Clone, Copy)]
pub enum Pinned<'a> {
    /// Two signatures for each offline answer: the root key's under the key set, the lease key's
    /// under the lease.
    Root,
    /// One signature.
    Lease(&'a str),
}

impl Computer<'_> {
    /// A command that runs a host of `benches/c/client.h`.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let (root, lease) = match self.pinned {
            Pinned::Root => (self.server.root_key(), ""),
            Pinned::Lease(key) => ("", key),
        };
        // The variables would come before what the host sets.
        command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
        command.arg(self.server.url()).args([root, lease, &self.machine()]).arg(self.state_folder());
        command
    }

    pub fn machine(&self) -> String {
        format!("bench-computer-{}", self.name)
    }

    pub fn state_folder(&self) -> std::path::PathBuf {
        self.folder.join(self.name)
    }

    /// A new seat's token.
    pub fn token(&self) -> Result<String> {
        Ok(self.server.create_seat(&format!("{}@example.com", self.name))?.token)
    }
}

/// A running `benches/c/calls.c`.
pub struct Host {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Host {
    /// Starts it with a seat of its own.
    pub fn start(computer: &Computer, program: &Path) -> Result<Self> {
        let mut command = computer.command(program);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut orders = child.stdin.take().context("the host has an input")?;
        let answers = BufReader::new(child.stdout.take().context("the host has an output")?);
        writeln!(orders, "{}", computer.token()?)?;
        Ok(Self { child, orders, answers })
    }

    /// Microseconds that the host needed for what it was told.
    pub fn tell(&mut self, word: &str) -> Result<f64> {
        writeln!(self.orders, "{word}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let nanoseconds: f64 = answer.trim().parse().with_context(|| format!("the host failed at {word}"))?;
        Ok(nanoseconds / 1000.0)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A host that does not end by itself is of no use to anybody; nobody is left to be told of a
        // failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
