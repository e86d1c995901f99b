use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};
use xtask::port::Port;
use xtask::{build, repository, run};

/// The commands that `seatlock-server dev` prints, pasted into a shell as they are: first by
/// somebody new, then by somebody who has begun anew and still has the license of the first time.
pub fn pasted() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("dev");
    let port = Port::hold()?;
    let listen = port.address().to_string();
    let mut typed = 0;
    for options in [&["--listen", &listen][..], &["--listen", &listen, "--fresh"]] {
        let dev = Dev::start(&data, options)?;
        let commands: Vec<&str> = dev
            .said
            .get("commands")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        ensure!(commands.len() > 4, "{:?} are not all the commands", dev.said);
        let block = commands.join("\n");
        let mut shell = clean("sh");
        shell.args(["-e", "-c", &block]).current_dir(repository());
        let printed = run::output(&mut shell)?;
        ensure!(printed.matches("unlocked (ok)").count() == 2, "activated and shown:\n{printed}");
        let listed =
            run::output(clean(build::server()?).arg("--data").arg(&data).args(["seat", "list", "--json"]))?;
        let seats: Vec<Value> = serde_json::from_str(&listed)?;
        let used = seats.iter().filter(|seat| seat.get("lock_status") == Some(&"in_use".into())).count();
        ensure!(used == 2, "the sample and the plug-in are in use: {listed}");
        typed += commands.len();
    }
    Ok(format!("{typed} commands, the second time over an older license"))
}

/// A command without the settings of whoever runs the check.
fn clean(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("EXAMPLE_") || text.starts_with("SEATLOCK_") {
            command.env_remove(&name);
        }
    }
    command
}

struct Dev {
    child: Child,
    said: Value,
}

impl Dev {
    fn start(data: &Path, options: &[&str]) -> Result<Self> {
        let mut command = clean(build::server()?);
        command.arg("--data").arg(data).args(["--json", "dev"]).args(options);
        let log = data.with_extension("log");
        let mut child = command.stdout(Stdio::piped()).stderr(fs::File::create(&log)?).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server has an output")?);
        let mut dev = Self { child, said: Value::Null };
        let (mut said, mut listening) = (String::new(), String::new());
        stdout.read_line(&mut said)?;
        stdout.read_line(&mut listening)?;
        let listens = listening.starts_with("listening on");
        ensure!(listens, "{said}{listening}{}", fs::read_to_string(&log)?);
        dev.said = serde_json::from_str(&said)?;
        Ok(dev)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Its folder goes with the check.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
