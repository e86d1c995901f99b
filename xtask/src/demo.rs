use anyhow::{Result, bail, ensure};
use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use xtask::plugin::Plugin;
use xtask::server::{Running, Setup};
use xtask::{build, run};

/// Seconds, give or take a fifth, after which the demo's leases want to be confirmed instead of
/// hours: "offline" shows soon.
const RENEW: u32 = 5;

/// What a plug-in shaped program is run with.
struct Stage {
    folder: TempDir,
    plugin: Plugin,
    server: Running,
    /// Stands for the computer's own identity where it has none, as most containers do.
    machine: Option<&'static str>,
    step: u32,
}

/// Plays the life of a seat. Every step is checked; the first that shows something else ends it
/// with an error.
pub fn run() -> Result<()> {
    println!("seatlock demo: one computer, one seat, one server on this computer. Nothing leaves it.\n");
    run::require(
        &env::var("CC").unwrap_or_else(|_| "cc".into()),
        "a C compiler: on Debian and Ubuntu `apt-get install gcc libc6-dev`",
    )?;
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?;
    let mut stage = build()?;
    let played = play(&mut stage);
    if played.is_err() && !INTERRUPTED.load(Ordering::Relaxed) {
        println!("\nWhat the server printed:\n{}", stage.server.log());
    }
    played?;
    println!("\nAll {} steps showed what they should. Everything was cleaned up again.", stage.step);
    Ok(())
}

fn build() -> Result<Stage> {
    println!("Building the library, the server and the C example; the first time takes a minute or two ...");
    let plugin = Plugin::build()?;
    build::server()?;
    let folder = tempfile::Builder::new().prefix("seatlock-demo-").tempdir()?;
    let setup = Setup { more: vec!["--renew".into(), format!("{RENEW}s")], ..Setup::default() };
    let server = Running::start_with(&setup)?;
    let mut stage = Stage { folder, plugin, server, machine: None, step: 0 };
    let (ended, _) = run::status(stage.command().arg("machine-id"), None)?;
    stage.machine = (ended != 0).then_some("seatlock-demo-computer");
    Ok(stage)
}

fn play(stage: &mut Stage) -> Result<()> {
    println!("\nThe server runs; what a plug-in would have compiled in is in the environment:");
    println!("  $ export EXAMPLE_SERVER={}", stage.server.url());
    println!("  $ export EXAMPLE_ROOT_KEY={}", stage.server.root_key());
    println!("  $ export EXAMPLE_STATE_FOLDER={}", stage.folder.path().join("state").display());

    if let Some(machine) = stage.machine {
        println!("This computer has no identity, so the demo lends it one:");
        println!("  $ export SEATLOCK_MACHINE_ID={machine}");
    }

    stage.say("The computer has an id of its own for each product. It is a hash: the computer cannot be told from it.");
    stage.plugin(&["machine-id"], None, 0, &["m1_"])?;

    stage.say("Without a token the plug-in is locked, and says what to do.");
    stage.plugin(&["status"], None, 3, &["locked (no_token)"])?;

    stage.say("The account owner creates a seat for an artist. The token is shown this once.");
    println!(
        "  $ seatlock-server --data {} seat create --email ada@example.com",
        stage.server.data().display()
    );
    let seat = stage.server.create_seat("ada@example.com")?;
    println!("  seat {}\n  token {}…", seat.id, seat.token.get(..8).unwrap_or_default());

    stage.say("The artist pastes the token, and ticks \"I agree\" and \"use token for future sessions\".");
    stage.plugin(&["activate", "-"], Some(&seat.token), 0, &["unlocked (ok)", &seat.id])?;

    stage.say("From now on each start of the host pings the server, which sees that the seat is in use.");
    stage.plugin(&["ping"], None, 0, &["unlocked (ok)"])?;

    stage.say("The server goes away. The license goes on by itself until the date that is shown.");
    stage.server.stop()?;
    pause(RENEW + 2)?;
    stage.plugin(&["ping"], None, 0, &["unreachable", "grace (ok_offline)", "valid until"])?;

    stage.say("The server is back. Nobody has to type anything.");
    stage.server.start_again()?;
    stage.plugin(&["ping"], None, 0, &["unlocked (ok)"])?;

    stage.say("The artist gives the seat back. This computer is locked, another one may have the seat.");
    stage.plugin(&["release"], None, 0, &["locked ("])?;
    stage.plugin(&["status"], None, 3, &["locked ("])
}

impl Stage {
    fn say(&mut self, what: &str) {
        self.step += 1;
        println!("\n{}. {what}", self.step);
    }

    fn command(&self) -> Command {
        let mut command = self.plugin.command(&self.server, &self.folder.path().join("state"));
        command.envs(self.machine.map(|machine| ("SEATLOCK_MACHINE_ID", machine)));
        command
    }

    /// Runs the example as a person would type it, and compares exit code and words.
    fn plugin(&self, arguments: &[&str], input: Option<&str>, code: i32, words: &[&str]) -> Result<()> {
        go_on()?;
        let typed = if input.is_some() { " < token.txt" } else { "" };
        println!("  $ ./seatlock_plugin {}{typed}", arguments.join(" "));
        let mut command = self.command();
        command.args(arguments);
        let (ended, said) = run::status(&mut command, input)?;
        said.lines().for_each(|line| println!("  {line}"));
        if ended != code {
            bail!("step {}: ended with {ended} instead of {code}", self.step);
        }
        match words.iter().find(|word| !said.contains(**word)) {
            Some(word) => bail!("step {}: does not show \"{word}\"", self.step),
            None => Ok(()),
        }
    }
}

/// Set by Ctrl-C. The demo ends at the next step as any failing demo does, so that the server and
/// all folders go.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn go_on() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted; everything was cleaned up");
    Ok(())
}

fn pause(seconds: u32) -> Result<()> {
    for _ in 0..seconds * 10 {
        go_on()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
