use super::{files, need, stored};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::{Running, Setup};

/// What the lease asks for when the clock was set back beyond its tolerance of 26 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Lock,
    Freeze,
}
use Policy::{Freeze, Lock};

/// What the clocks show while the program runs.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    /// The wall clock as faketime(1) takes it: an offset from the true time, or `@` and a date in UTC.
    wall: &'static str,
    /// Days that the computer was on, or asleep, since the lease was stored, beyond the true ones.
    passed: u32,
    /// Whether the computer was started again since.
    restarted: bool,
    /// `TZ`.
    zone: &'static str,
}

const RIGHT: Clocks = wall("+0");

const fn wall(wall: &'static str) -> Clocks {
    Clocks { wall, passed: 0, restarted: false, zone: "UTC0" }
}

const fn passed(passed: u32, wall: &'static str) -> Clocks {
    Clocks { wall, passed, restarted: false, zone: "UTC0" }
}

const fn restarted(wall: &'static str) -> Clocks {
    Clocks { wall, passed: 0, restarted: true, zone: "UTC0" }
}

const fn zone(zone: &'static str) -> Clocks {
    Clocks { wall: "+0", passed: 0, restarted: false, zone }
}

/// What the program says: lock state and reason, and the sentence for the user. `{end}` is the end of the lease, `{wall}`
/// the date that the computer shows.
type Said = (&'static str, &'static str);

const OK: Said = ("unlocked (ok)", "Licensed.");
const OFFLINE: Said = ("grace (ok_offline)", "Working offline. Connect before {end}.");
const WARN: Said = ("grace (ok_warn)", "License check overdue, 1 days left.");
const ENDED: Said = ("locked (lease_expired)", "The offline period ended on {end}. Connect once.");
const WRONG: Said = ("locked (clock_error)", "The computer's date is wrong ({wall}). Fix it or connect.");
const UNREADABLE: Said =
    ("locked (clock_error)", "The computer's date is wrong (it cannot be read). Fix it or connect.");
const CONNECT: Said = ("locked (lease_expired)", "Connect once.");
const NOBODY: Said = ("locked (no_token)", "Enter your license token.");

/// One thing that happens on the computer.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The plug-in is opened, without a network. The stored lease must stay as it is.
    See(Clocks, Said),
    /// It pings a server that is not there. The stored lease must stay as it is.
    Offline(Clocks, Said),
    /// It pings the server, and gets a new lease.
    Renew(Clocks, Said),
    /// It pings the server, whose answer is not taken, in these words; the stored lease must stay as it is.
    Refused(Clocks, &'static str),
    /// A token is entered on a computer without license.
    Activate(Clocks, Said),
    /// It runs while the computer sleeps for eight days.
    Sleep(Said),
    /// The server's clock from now on, as faketime takes it.
    Server(&'static str),
    /// Something happens to the files.
    Files(Fate),
}
use Step::{Activate, Files, Offline, Refused, Renew, See, Server, Sleep};

#[derive(Debug, Clone, Copy)]
enum Fate {
    Copied,
    Restored,
    StateDeleted,
    AllDeleted,
    NewestDamaged,
}
use Fate::{AllDeleted, Copied, NewestDamaged, Restored, StateDeleted};

/// What happens to a computer that has just got a lease of seven days, to be confirmed every six hours.
type Case = (&'static str, Policy, &'static [Step]);

const CASES: &[Case] = &[
    ("right", Lock, &[See(RIGHT, OK)]),
    ("two hours before the issue", Lock, &[See(wall("-2h"), OK)]),
    ("inside", Lock, &[See(wall("+3d"), OFFLINE)]),
    ("towards the end", Lock, &[See(wall("+132h"), WARN)]),
    ("after the end, then right", Lock, &[See(wall("+8d"), ENDED), See(RIGHT, OK)]),
    ("after the end, the server answers", Lock, &[See(wall("+8d"), ENDED), Renew(wall("+8d"), OK)]),
    ("5 min ahead", Lock, &[See(wall("+5m"), OK), See(RIGHT, OK)]),
    ("5 min back", Lock, &[See(wall("-5m"), OK), See(RIGHT, OK)]),
    (
        "daylight saving: 1 h ahead and back",
        Lock,
        &[See(wall("+1h"), OK), See(RIGHT, OK), See(wall("-1h"), OK)],
    ),
    ("26 h ahead, then right", Lock, &[See(wall("+1559m"), OFFLINE), See(RIGHT, OFFLINE)]),
    ("26 h back", Lock, &[See(wall("-1559m"), OK), See(RIGHT, OK)]),
    (
        "dual boot: 14 h ahead, 11 h back",
        Lock,
        &[See(wall("+14h"), OFFLINE), See(restarted("-11h"), OFFLINE)],
    ),
    (
        "27 h back, then right",
        Lock,
        &[See(wall("-27h"), WRONG), Offline(wall("-27h"), WRONG), See(RIGHT, OFFLINE)],
    ),
    ("27 h back, freeze", Freeze, &[See(wall("-27h"), OK), Offline(wall("-27h"), OFFLINE)]),
    ("27 h back, the server answers", Lock, &[See(wall("-27h"), WRONG), Renew(wall("-27h"), OK)]),
    ("1970, then right", Lock, &[See(wall("@1970-01-01 00:00:05"), WRONG), See(RIGHT, OK)]),
    ("1970, freeze", Freeze, &[See(wall("@1970-01-01 00:00:05"), OK)]),
    ("1970, the server answers", Lock, &[Renew(wall("@1970-01-01 00:00:05"), OK), See(RIGHT, OK)]),
    ("unreadable, then right", Lock, &[See(wall("@1960-01-01 00:00:05"), UNREADABLE), See(RIGHT, OK)]),
    ("unreadable, freeze", Freeze, &[See(wall("@1960-01-01 00:00:05"), UNREADABLE), See(RIGHT, OK)]),
    ("unreadable, the server answers", Lock, &[Renew(wall("@1960-01-01 00:00:05"), OK), See(RIGHT, OK)]),
    ("a month ahead, then right", Lock, &[See(wall("+30d"), ENDED), See(RIGHT, OK)]),
    (
        "10 years ahead, then right",
        Lock,
        &[See(wall("+10y"), WRONG), Offline(wall("+10y"), WRONG), See(RIGHT, OFFLINE)],
    ),
    ("10 years ahead, freeze, then right", Freeze, &[See(wall("+10y"), WRONG), See(RIGHT, OK)]),
    ("10 years ahead, the server answers", Lock, &[Renew(wall("+10y"), OK), See(RIGHT, OK)]),
    (
        "set back after three days of use",
        Lock,
        &[See(wall("+3d"), OFFLINE), See(RIGHT, WRONG), See(wall("+3d"), OFFLINE)],
    ),
    (
        "the same, the server answers",
        Lock,
        &[See(wall("+3d"), OFFLINE), See(RIGHT, WRONG), Renew(RIGHT, OK), See(RIGHT, OK)],
    ),
    ("the same, freeze", Freeze, &[See(wall("+3d"), OFFLINE), See(RIGHT, OFFLINE), Renew(RIGHT, OK)]),
    ("3 days on, the date stopped", Lock, &[See(passed(3, "+2d"), OFFLINE), See(passed(8, "+7d"), ENDED)]),
    (
        "8 days on, the date stopped, freeze",
        Freeze,
        &[See(passed(8, "+0"), ENDED), See(passed(8, "-3d"), ENDED)],
    ),
    ("8 days on, the date stopped, lock", Lock, &[See(passed(8, "+0"), WRONG), See(passed(8, "+8d"), ENDED)]),
    (
        "8 days on, set back, restarted: freeze",
        Freeze,
        &[See(passed(3, "-3d"), OFFLINE), See(restarted("-3d"), OFFLINE)],
    ),
    ("restarted, right", Lock, &[See(restarted("+0"), OK), See(restarted("+3d"), OFFLINE)]),
    ("slept for a day", Lock, &[See(passed(1, "+1d"), OFFLINE), Renew(passed(1, "+1d"), OK)]),
    ("sleeps while it runs", Lock, &[Files(AllDeleted), Sleep(ENDED)]),
    (
        "state deleted",
        Lock,
        &[Files(StateDeleted), See(RIGHT, CONNECT), Offline(RIGHT, CONNECT), Renew(RIGHT, OK)],
    ),
    (
        "state deleted, set back",
        Lock,
        &[Files(StateDeleted), See(wall("-3d"), CONNECT), Renew(wall("-3d"), OK)],
    ),
    ("all deleted", Lock, &[Files(AllDeleted), See(RIGHT, NOBODY), Activate(RIGHT, OK)]),
    ("newest state damaged", Lock, &[See(wall("+1h"), OK), Files(NewestDamaged), See(RIGHT, OK)]),
    (
        "backup after three days, same start",
        Freeze,
        &[Files(Copied), See(passed(3, "+3d"), OFFLINE), Files(Restored), See(passed(3, "+0"), OFFLINE)],
    ),
    (
        "backup after the end, right",
        Lock,
        &[Files(Copied), See(wall("+8d"), ENDED), Files(Restored), See(wall("+8d"), ENDED), Renew(RIGHT, OK)],
    ),
    (
        "backup of an older lease",
        Lock,
        &[Files(Copied), Renew(RIGHT, OK), Files(Restored), See(RIGHT, OK), Renew(RIGHT, OK)],
    ),
    // What can not be prevented: SECURITY.md.
    (
        "backup after three days, set back, restarted",
        Lock,
        &[Files(Copied), See(passed(3, "+3d"), OFFLINE), Files(Restored), See(restarted("+0"), OK)],
    ),
    (
        "server 10 days ahead, then right",
        Lock,
        &[
            Files(AllDeleted),
            Server("+10d"),
            Activate(RIGHT, OK),
            See(RIGHT, WRONG),
            Server("+0"),
            Refused(RIGHT, "(replayed_response)"),
            Renew(RIGHT, OK),
            See(RIGHT, OK),
        ],
    ),
    (
        "server 10 days ahead, freeze",
        Freeze,
        &[
            Files(AllDeleted),
            Server("+10d"),
            Activate(RIGHT, OK),
            See(RIGHT, OK),
            Server("+0"),
            Refused(RIGHT, "(replayed_response)"),
            Renew(RIGHT, OK),
            See(RIGHT, OK),
        ],
    ),
    (
        "server 4 minutes ahead, then right",
        Lock,
        &[
            Files(AllDeleted),
            Server("+4m"),
            Activate(RIGHT, OK),
            See(RIGHT, OK),
            Server("+0"),
            Renew(RIGHT, OK),
        ],
    ),
    (
        "other time zones",
        Lock,
        &[See(zone("WEST+12"), OK), See(zone("EAST-14"), OK), See(zone("nonsense"), OK)],
    ),
];

/// No stored date may be later than this: the longest lease here, by a server that is ten days ahead.
const LATEST: u64 = 18 * 24 * 3600;

/// Effective time end to end: the C example, a real server, Debian's faketime for the wall clock, and a time namespace
/// for the clock that can not be set.
pub fn end_to_end() -> Result<String> {
    need("faketime", "faketime")?;
    need("unshare", "util-linux")?;
    let plugin = Plugin::build()?;
    let faketime = faketime()?;
    let mut stages = [Stage::new(&plugin, &faketime, Lock)?, Stage::new(&plugin, &faketime, Freeze)?];
    let mut failures = Vec::new();
    for (what, policy, steps) in CASES {
        let stage = stages.iter_mut().find(|stage| stage.policy == *policy).context("no such stage")?;
        if let Err(error) = stage.play(steps) {
            failures.push(format!("{what} ({policy:?}): {error:#}"));
        }
    }
    ensure!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), CASES.len(), failures.join("\n"));
    let runs = CASES.iter().flat_map(|(_, _, steps)| *steps);
    let runs = runs.filter(|step| !matches!(step, Files(_) | Server(_))).count();
    Ok(format!("{} cases, {runs} runs", CASES.len()))
}

/// faketime's library, which it names to the programs that it starts.
fn faketime() -> Result<String> {
    let mut asked = Command::new("faketime");
    let said = run::output(asked.args(["-f", "+0", "sh", "-c", "echo $LD_PRELOAD"]))?;
    Ok(said.trim().to_owned())
}

/// A server, and a computer that has a lease of it.
struct Stage<'a> {
    policy: Policy,
    plugin: &'a Plugin,
    faketime: &'a str,
    server: Running,
    folder: TempDir,
    /// End of the newest lease, as sentences show it.
    end: String,
}

impl<'a> Stage<'a> {
    fn new(plugin: &'a Plugin, faketime: &'a str, policy: Policy) -> Result<Self> {
        let action = if policy == Lock { "lock" } else { "freeze" };
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
    fn play(&mut self, steps: &[Step]) -> Result<()> {
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

    fn step(&mut self, step: Step) -> Result<()> {
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

    fn plugin(&mut self, arguments: &[&str], clocks: Clocks, network: bool, expected: Said) -> Result<()> {
        let before = now()?;
        let (code, said) = run::status(&mut self.command(arguments, clocks, network)?, None)?;
        self.compare(code, &said, expected, &[shown(clocks.wall, before)?, shown(clocks.wall, now()?)?])
    }

    fn activate(&mut self, clocks: Clocks, expected: Said) -> Result<()> {
        let seat = self.server.create_seat("ada@example.com")?;
        let mut command = self.command(&["activate", "-"], clocks, true)?;
        let (code, said) = run::status(&mut command, Some(&seat.token))?;
        self.compare(code, &said, expected, &[])
    }

    /// The example, which finds its server or nobody, under these clocks.
    fn command(&self, arguments: &[&str], clocks: Clocks, network: bool) -> Result<Command> {
        let mut plugin = self.plugin.command(&self.server, &self.state());
        if !network {
            plugin.env("EXAMPLE_SERVER", "http://127.0.0.1:9");
        }
        plugin.args(arguments).env("TZ", clocks.zone).env("FAKETIME", clocks.wall);
        // The clock that can not be set stays true: that one is the kernel's matter.
        plugin.env("LD_PRELOAD", self.faketime).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        if clocks.passed == 0 && !clocks.restarted {
            return Ok(plugin);
        }
        let mut outside = Command::new("unshare");
        // Another start of the computer is an hour or so after it: the kernel lets no clock begin before zero.
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
        for (name, value) in plugin.get_envs() {
            match value {
                Some(value) => outside.arg(format!("{}={}", name.display(), value.display())),
                None => outside.arg("-u").arg(name),
            };
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

    /// Eight days of sleep, during which every clock that counts sleep goes on. The whole life of this license is one under
    /// faketime, which moves all clocks here.
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
        let watch = watch.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        thread::sleep(Duration::from_secs(2));
        fs::write(&clock, "+8d\n")?;
        let ended = watch.wait_with_output()?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        self.compare(ended.status.code().unwrap_or(-1), &said, expected, &[])
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
        stored(&self.state(), "/state/lease")
    }

    fn high_water(&self) -> Result<u64> {
        Ok(stored(&self.state(), "/state/clock/high_water")?.and_then(|mark| mark.as_u64()).unwrap_or(0))
    }
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
