use super::super::{files, stored};
use super::cases::{ClockReadings, ClockStep, Fate, OK, Policy, RIGHT, Said};
use ClockStep::{Activate, Files, Offline, Refused, Renew, See, Server, Sleep};
use Fate::{AllDeleted, Copied, NewestDamaged, Restored, StateDeleted};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::{Running, Setup};

/// No stored date may be later than this: the longest lease here, by a server that is ten days
/// ahead.
const LATEST: u64 = 18 * 24 * 3600;

/// A server, and a computer that has a lease of it.
pub(super) struct Stage<'a> {
    pub(super) policy: Policy,
    plugin: &'a Plugin,
    faketime: &'a str,
    server: Running,
    folder: TempDir,
    /// End of the newest lease, as sentences show it.
    end: String,
}

impl<'a> Stage<'a> {
    pub(super) fn new(plugin: &'a Plugin, faketime: &'a str, policy: Policy) -> Result<Self> {
        let action = if policy == Policy::Lock { "lock" } else { "freeze" };
        let more = ["--clock-action", action, "--clock-tolerance", "26h"].map(str::to_owned).to_vec();
        let server = Running::start_with(&Setup { seats: 20, more, ..Setup::default() })?;
        let folder = tempfile::tempdir()?;
        let mut new = Self { policy, plugin, faketime, server, folder, end: String::new() };
        new.activate(RIGHT, OK)?;
        fs::rename(new.state(), new.folder.path().join("fresh"))?;
        Ok(new)
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Plays a case on a computer that has just got its lease.
    pub(super) fn play(&mut self, steps: &[ClockStep]) -> Result<()> {
        let end = self.end.clone();
        self.copy("fresh", "state")?;
        let mut held = self.lease()?;
        let played = steps.iter().enumerate().try_for_each(|(number, step)| {
            self.step(*step).with_context(|| format!("step {}: {step:?}", number + 1))?;
            let renewed = self.lease()? != held;
            match step {
                // The lease is still there, in the generation before.
                Files(NewestDamaged) => return Ok(()),
                Renew(..) | Activate(..) => ensure!(renewed, "step {}: no new lease was stored", number + 1),
                Files(_) | Sleep(_) => {}
                _ => ensure!(!renewed, "step {}: the stored lease was changed", number + 1),
            }
            held = self.lease()?;
            let latest = now()? + LATEST;
            ensure!(self.high_water()? < latest, "step {}: a doubtful date was stored", number + 1);
            Ok(())
        });
        self.end = end;
        if steps.iter().any(|step| matches!(step, Server(_))) {
            self.serve("+0")?;
        }
        played
    }

    fn step(&mut self, step: ClockStep) -> Result<()> {
        match step {
            See(clocks, said) => self.plugin(&["status"], clocks, false, said),
            Offline(clocks, said) => self.plugin(&["ping"], clocks, false, said),
            Renew(clocks, said) => self.plugin(&["ping"], clocks, true, said),
            Refused(clocks, words) => {
                let (_, said) = run::status(&mut self.command(&["ping"], clocks, true)?, None)?;
                ensure!(said.contains(words), "instead of {words}:\n{said}");
                Ok(())
            }
            Activate(clocks, said) => self.activate(clocks, said),
            Sleep(said) => self.sleep(said),
            Server(clock) => self.serve(clock),
            Files(fate) => self.befall(fate),
        }
    }

    fn plugin(
        &mut self,
        arguments: &[&str],
        clocks: ClockReadings,
        network: bool,
        expected: Said,
    ) -> Result<()> {
        let before = now()?;
        let (code, said) = run::status(&mut self.command(arguments, clocks, network)?, None)?;
        self.compare(code, &said, expected, &[shown(clocks.wall, before)?, shown(clocks.wall, now()?)?])
    }

    fn activate(&mut self, clocks: ClockReadings, expected: Said) -> Result<()> {
        let seat = self.server.create_seat("ada@example.com")?;
        let mut command = self.command(&["activate", "-"], clocks, true)?;
        let (code, said) = run::status(&mut command, Some(&seat.token))?;
        self.compare(code, &said, expected, &[])
    }

    /// The example, which finds its server or nobody, under these clocks.
    fn command(&self, arguments: &[&str], clocks: ClockReadings, network: bool) -> Result<Command> {
        let mut plugin = self.plugin.command(&self.server, &self.state());
        if !network {
            plugin.env("EXAMPLE_SERVER", "http://127.0.0.1:9");
        }
        plugin.args(arguments).env("TZ", clocks.zone).env("FAKETIME", clocks.wall);
        // The clock that cannot be set stays true: that one is the kernel's matter.
        plugin.env("LD_PRELOAD", self.faketime).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        if clocks.passed == 0 && !clocks.restarted {
            return Ok(plugin);
        }
        let mut outside = Command::new("unshare");
        // Another start of the computer is an hour or so after it: the kernel lets no clock begin before
        // zero.
        let passed = if clocks.restarted { 3600 } else { clocks.passed * 24 * 3600 };
        outside.args(["--time", "--mount", "--boottime", &passed.to_string(), "sh", "-c"]);
        let id = self.folder.path().join("boot_id");
        fs::write(&id, "11111111-2222-4333-8444-555555555555\n")?;
        outside.arg(if clocks.restarted {
            "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\""
        } else {
            "exec \"$@\""
        });
        outside.arg(id).arg("env");
        // Options stand before the first assignment.
        for (name, _) in plugin.get_envs().filter(|(_, value)| value.is_none()) {
            outside.arg("-u").arg(name);
        }
        for (name, value) in plugin.get_envs() {
            if let Some(value) = value {
                outside.arg(format!("{}={}", name.display(), value.display()));
            }
        }
        outside.arg(plugin.get_program()).args(plugin.get_args());
        Ok(outside)
    }

    fn compare(&mut self, code: i32, said: &str, expected: Said, walls: &[String]) -> Result<()> {
        if let Some((_, end)) = said.split_once("valid until   ") {
            self.end = end.get(..16).unwrap_or_default().replace('T', " ") + " UTC";
        }
        let (state, words) = expected;
        let words = words.replace("{end}", &self.end);
        let said_so = match words.split_once("{wall}") {
            Some((before, after)) => {
                walls.iter().any(|wall| said.contains(&format!("{before}{wall}{after}")))
            }
            None => said.contains(&words),
        };
        let right_code = if state.starts_with("locked") { 3 } else { 0 };
        if code != right_code || !said.contains(&format!("license       {state}\n")) || !said_so {
            bail!("instead of {right_code}, {state}, \"{words}\": {code}\n{said}");
        }
        Ok(())
    }

    /// Eight days of sleep, during which every clock that counts sleep goes on. The whole life of
    /// this license is one under faketime, which moves all clocks here.
    fn sleep(&mut self, expected: Said) -> Result<()> {
        let clock = self.folder.path().join("clock");
        let under = |mut command: Command| {
            command.env_remove("FAKETIME").env_remove("FAKETIME_DONT_FAKE_MONOTONIC");
            command.env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
            command
        };
        fs::write(&clock, "+0\n")?;
        let seat = self.server.create_seat("ada@example.com")?;
        let mut activate = under(self.command(&["activate", "-"], RIGHT, true)?);
        let (code, said) = run::status(&mut activate, Some(&seat.token))?;
        self.compare(code, &said, OK, &[])?;
        let mut watch = under(self.command(&["watch", "6"], RIGHT, false)?);
        let mut watch = watch.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (mut output, mut said) = (BufReader::new(watch.stdout.take().context("no pipe")?), String::new());
        // It has begun to watch when it says that nobody answers.
        output.read_line(&mut said)?;
        // In one step: nobody reads half of it.
        let later = clock.with_extension("later");
        fs::write(&later, "+8d\n")?;
        fs::rename(later, clock)?;
        output.read_to_string(&mut said)?;
        self.compare(watch.wait()?.code().unwrap_or(-1), &said, expected, &[])
    }

    fn serve(&mut self, clock: &str) -> Result<()> {
        self.server.stop()?;
        self.server.start_in(&[
            ("LD_PRELOAD", self.faketime),
            ("FAKETIME", clock),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ])?;
        // Whoever runs it believes the clock each time; a server would not.
        self.server.administer(&["clock", "--accept"])?;
        Ok(())
    }

    fn befall(&mut self, fate: Fate) -> Result<()> {
        match fate {
            Copied => self.copy("state", "backup"),
            Restored => self.copy("backup", "state"),
            AllDeleted => Ok(fs::remove_dir_all(self.state())?),
            StateDeleted => {
                let newest = self.newest()?;
                let previous = newest.with_file_name("state.previous.json");
                fs::remove_file(newest)?;
                if previous.exists() { Ok(fs::remove_file(previous)?) } else { Ok(()) }
            }
            NewestDamaged => {
                let newest = self.newest()?;
                // Removed first: the previous generation may be the same file.
                fs::remove_file(&newest)?;
                Ok(fs::write(newest, "{\"format\":1,\"sta")?)
            }
        }
    }

    fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        run::output(Command::new("cp").arg("-a").args([from, to])).map(drop)
    }

    fn newest(&self) -> Result<PathBuf> {
        let newest = files(&self.state())?.into_iter().find(|path| path.ends_with("state.json"));
        newest.context("there is no state")
    }

    /// The stored lease as it was signed.
    fn lease(&self) -> Result<Option<Value>> {
        stored(&self.state(), "/state/products/com.example.bridge/lease")
    }

    fn high_water(&self) -> Result<u64> {
        Ok(stored(&self.state(), "/state/clock/high_water")?.and_then(|mark| mark.as_u64()).unwrap_or(0))
    }
}

/// faketime's library, which it names to the programs that it starts.
pub(super) fn faketime() -> Result<String> {
    let mut asked = Command::new("faketime");
    let said = run::output(asked.args(["-f", "+0", "sh", "-c", "echo $LD_PRELOAD"]))?;
    Ok(said.trim().to_owned())
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// The date that a faked clock shows at the true time `now`, as sentences show it.
fn shown(clock: &str, now: u64) -> Result<String> {
    let date = match clock.strip_prefix('@') {
        Some(date) => date.to_owned(),
        None => format!("@{}", now.checked_add_signed(offset(clock)?).context("before 1970")?),
    };
    let said = run::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC", "-d", &date]))?;
    Ok(said.trim().to_owned())
}

/// Seconds that faketime adds.
fn offset(clock: &str) -> Result<i64> {
    let digits = clock.trim_end_matches(char::is_alphabetic);
    let number: i64 = digits.parse()?;
    Ok(number
        * match clock.get(digits.len()..) {
            Some("m") => 60,
            Some("h") => 3600,
            Some("d") => 24 * 3600,
            Some("y") => 365 * 24 * 3600,
            _ => 1,
        })
}
