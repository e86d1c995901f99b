use crate::port::Port;
use crate::{build, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a server to answer or to end. Long, because tests share the computer with
/// builds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the first license of a new server looks like.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Name that leases carry; without one it is the server's own address, the default of every
    /// client.
    pub issuer: Option<String>,
    /// Product of the license.
    pub product: String,
    /// Seats of the license.
    pub seats: u32,
    /// Further arguments of `seatlock-server init`.
    pub more: Vec<String>,
    /// Further arguments of `seatlock-server serve`.
    pub serve: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            issuer: None,
            product: "com.example.bridge".to_owned(),
            seats: 3,
            more: Vec::new(),
            serve: Vec::new(),
        }
    }
}

impl Setup {
    /// A server that takes any number of calls with one token: who measures or breaks a plug-in
    /// makes more than people do.
    #[must_use]
    pub fn without_token_limit() -> Self {
        Self { serve: ["--token-limit", "0"].map(str::to_owned).to_vec(), ..Self::default() }
    }
}

/// Names a folder in which every server notes the tokens that it handed out, and what it printed,
/// so that the one can be looked for in the other.
pub const SECRETS: &str = "SEATLOCK_TEST_SECRETS";

/// Writes a line into a file of the folder that [`SECRETS`] names, if it is set: one search
/// afterwards covers all tests.
///
/// # Errors
/// The operating system refuses.
pub fn note(file: &str, text: &str) -> Result<()> {
    let Some(folder) = std::env::var_os(SECRETS) else { return Ok(()) };
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.create(true).append(true).open(Path::new(&folder).join(file))?;
    Ok(open.write_all(format!("{text}\n").as_bytes())?)
}

/// A server of its own: data in a temporary folder, a free port of the loopback interface, killed
/// when dropped.
///
/// What it printed is shown when it is dropped by a failing test.
#[derive(Debug)]
pub struct Running {
    folder: TempDir,
    port: Port,
    issuer: String,
    root_key: String,
    serve: Vec<String>,
    /// Of the server and of the commands, which see the same clock.
    environment: Vec<(String, String)>,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

/// A seat and its token.
#[derive(Debug, Clone)]
pub struct Seat {
    pub id: String,
    /// The secret that activates it.
    pub token: String,
}

impl Running {
    /// A server with the usual license.
    ///
    /// # Errors
    /// It cannot be built, set up or started.
    pub fn start() -> Result<Self> {
        Self::start_with(&Setup::default())
    }

    /// A server with a license of your choice.
    ///
    /// # Errors
    /// It cannot be built, set up or started.
    pub fn start_with(setup: &Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("seatlock-server-").tempdir()?;
        // The issuer has to be known before the server is started for the first time.
        let port = Port::hold()?;
        let issuer = setup.issuer.clone().unwrap_or_else(|| format!("http://{}", port.address()));
        let mut init = command(&folder.path().join(DATA))?;
        init.arg("init").arg("--root-key-out").arg(folder.path().join(ROOT_KEY_FILE));
        init.args(["--issuer", &issuer, "--product", &setup.product]);
        init.args(["--seats", &setup.seats.to_string()]).args(&setup.more).arg("--json");
        let printed = run::output(&mut init)?;
        let root_key = member(&printed, ROOT_KEY)?;
        let mut made = Self {
            folder,
            port,
            issuer,
            root_key,
            serve: setup.serve.clone(),
            environment: Vec::new(),
            child: None,
            log: Arc::default(),
        };
        made.start_again()?;
        Ok(made)
    }

    /// Address of the server, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Name that its leases carry.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public key that clients pin.
    #[must_use]
    pub fn root_key(&self) -> &str {
        &self.root_key
    }

    /// Folder with the server's data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join(DATA)
    }

    /// File with the private half of the root key.
    #[must_use]
    pub fn root_key_file(&self) -> PathBuf {
        self.folder.path().join(ROOT_KEY_FILE)
    }

    /// Creates a seat for a person.
    ///
    /// # Errors
    /// The server's command fails.
    pub fn create_seat(&self, email: &str) -> Result<Seat> {
        let printed = self.administer(&["seat", "create", "--email", email, "--json"])?;
        let seat = Seat { id: member(&printed, SEAT_ID)?, token: member(&printed, TOKEN)? };
        note("tokens", &seat.token)?;
        Ok(seat)
    }

    /// Runs `seatlock-server` with the arguments on this server's data, and answers what it
    /// printed.
    ///
    /// # Errors
    /// The command fails.
    pub fn administer(&self, arguments: &[&str]) -> Result<String> {
        run::output(command(&self.data())?.envs(self.environment.iter().cloned()).args(arguments))
    }

    /// Makes a new lease key, signed for by the root key, and answers what was printed.
    ///
    /// # Errors
    /// The command fails.
    pub fn rotate_keys(&self, more: &[&str]) -> Result<String> {
        let root_key = self.root_key_file();
        let mut rotate = command(&self.data())?;
        run::output(rotate.args(["keys", "rotate", "--json", "--root-key"]).arg(root_key).args(more))
    }

    /// Asks the server to end and waits until it has.
    ///
    /// # Errors
    /// It does not end, or not with 0.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        ask_to_end(&mut child)?;
        let begin = Instant::now();
        loop {
            match child.try_wait()? {
                Some(status) if status.success() || cfg!(windows) => return Ok(()),
                Some(status) => bail!("the server ended with {status}\n{}", self.log()),
                None if begin.elapsed() > PATIENCE => {
                    child.kill()?;
                    bail!("the server did not end within {PATIENCE:?}\n{}", self.log());
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Ends the server without warning, like a power failure.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the server at its address, and waits until it listens.
    ///
    /// # Errors
    /// It runs already, or does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        self.start_in(&[])
    }

    /// As [`Running::start_again`], with these environment variables, which commands have from now
    /// on as well.
    ///
    /// # Errors
    /// It runs already, or does not come up.
    pub fn start_in(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        if self.child.is_some() {
            bail!("the server at {} is running", self.address());
        }
        let mut serve = command(&self.data())?;
        serve.args(["serve", "--listen", &self.address().to_string()]).args(&self.serve).stdin(Stdio::null());
        self.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        serve.envs(self.environment.iter().cloned());
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (found, listening) = mpsc::channel();
        keep(child.stdout.take(), &self.log, Some(found));
        keep(child.stderr.take(), &self.log, None);
        self.child = Some(child);
        self.wait_for(&listening)
    }

    /// Everything that the server printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait_for(&mut self, listening: &Receiver<String>) -> Result<()> {
        match listening.recv_timeout(PATIENCE) {
            Ok(address) if address == self.address().to_string() => Ok(()),
            Ok(other) => bail!("the server listens at {other} instead of {}", self.address()),
            Err(_) => bail!("the server did not come up at {}\n{}", self.address(), self.log()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is left to be told when even this fails.
        let _ = self.kill();
        let _ = note(&format!("{}.log", self.address()), &self.log());
        if thread::panicking() {
            eprintln!("--- what the server at {} printed\n{}---", self.address(), self.log());
        }
    }
}

/// Beside each other in the server's temporary folder.
const DATA: &str = "data";
const ROOT_KEY_FILE: &str = "root-key.json";

/// Members of the JSON that the server's commands print.
const ROOT_KEY: &str = "/root_key/x";
const SEAT_ID: &str = "/id";
const TOKEN: &str = "/token";

fn command(data: &Path) -> Result<Command> {
    let mut command = Command::new(build::server()?);
    command.arg("--data").arg(data);
    Ok(command)
}

fn member(printed: &str, pointer: &str) -> Result<String> {
    let value: Value = serde_json::from_str(printed).context("the server printed no JSON")?;
    let member = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    // Not shown: it may hold a token.
    member.with_context(|| format!("the server's JSON has no {pointer}"))
}

#[cfg(unix)]
fn ask_to_end(child: &mut Child) -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process without an id")?;
    Ok(kill_process(id, Signal::TERM)?)
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) -> Result<()> {
    Ok(child.kill()?)
}

/// Keeps what a pipe says, and reports the address in the line that tells it.
fn keep<R: Read + Send + 'static>(pipe: Option<R>, log: &Arc<Mutex<String>>, found: Option<Sender<String>>) {
    let (Some(pipe), log) = (pipe, Arc::clone(log)) else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let (Some(address), Some(found)) = (line.strip_prefix("listening on http://"), &found) {
                let _ = found.send(address.trim_end_matches('/').to_owned());
            }
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
}
