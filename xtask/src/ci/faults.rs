use super::{files, stored, strace};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::plugin::Plugin;
use xtask::server::{Running, Seat, Setup};
use xtask::{build, c, repository, run};

/// System calls by which a save or a forgetting can be interrupted.
const CALLS: &str = "openat,write,ftruncate,fsync,fchmod,close,rename,renameat,renameat2,link,linkat,unlink,\
                     unlinkat,mkdir,mkdirat,flock,statx,newfstatat,getdents64";
/// What a disk says when it fails, one after the other.
const ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EACCES", "EROFS", "EDQUOT", "EINTR"];
const LICENSED: &[&str] = &["unlocked (ok)", "grace (ok_offline)"];
const NOBODY: &str = "65534";
const MACHINE: &str = "a-computer-with-a-bad-disk";

/// A thing to do, whether it begins with a license, and what may be found after it was interrupted
/// anywhere.
struct Verb {
    name: &'static str,
    licensed: bool,
    found: &'static [&'static str],
}

const VERBS: &[Verb] = &[
    Verb { name: "ping", licensed: true, found: LICENSED },
    // Token and lease come in one step.
    Verb { name: "activate", licensed: false, found: &["(no_token)", "unlocked (ok)"] },
    Verb { name: "forget", licensed: true, found: &["(no_token)", "unlocked (ok)"] },
];

/// The C example, a program that waits to be traced, a server, and the folder of a license.
struct Bench {
    plugin: Plugin,
    program: PathBuf,
    server: Running,
    seat: Seat,
    work: TempDir,
}

/// Crashes and errors at every system call that touches the state folder, and disks that fail as a
/// whole.
pub fn everywhere() -> Result<String> {
    let plugin = Plugin::build()?;
    let server = Running::start_with(&Setup::without_token_limit())?;
    let seat = server.create_seat("artist@example.com")?;
    let work = tempfile::tempdir()?;
    let program = work.path().join("disk");
    let link = c::link_with(&build::shared_library(false)?)?;
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(link.iter().map(String::as_str)).collect();
    let source = repository().join("tests/c/disk.c");
    c::compile(&[&source], &[&repository().join("include")], &program, &flags)?;
    let bench = Bench { plugin, program, server, seat, work };
    let (code, said) = bench.play(&bench.master(), &["activate", "-"])?;
    ensure!(code == 0, "activating ended with {code}\n{said}");

    let (mut crashes, mut errors) = (0, 0);
    for verb in VERBS {
        let points = bench.points(verb)?;
        ensure!(points.len() >= 10, "{:?} touches the folder only {} times", verb.name, points.len());
        for (number, point) in points.iter().enumerate() {
            crashes += u32::from(bench.interrupt(verb, point, "signal=SIGKILL")?);
            // Two of the six for each call: all six are tried on every kind of call.
            for turn in [number, number + 3] {
                let error = ERRORS.get(turn % ERRORS.len()).copied().unwrap_or("EIO");
                errors += u32::from(bench.interrupt(verb, point, &format!("error={error}"))?);
            }
        }
    }
    ensure!(crashes >= 40 && errors >= 80, "only {crashes} crashes and {errors} errors were injected");
    for (what, case) in CASES {
        case(&bench).with_context(|| format!("case \"{what}\""))?;
    }
    Ok(format!("{crashes} crashes, {errors} errors, {} disks", CASES.len()))
}

/// The nth call of its kind in one thread.
type Point = (String, usize);

impl Bench {
    fn master(&self) -> PathBuf {
        self.work.path().join("master")
    }

    /// A folder of its own with a copy of the license.
    fn copy(&self, licensed: bool) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        if licensed {
            copy(&self.master(), folder.path())?;
        }
        Ok(folder)
    }

    fn command(&self, state: &Path) -> Command {
        let mut command = self.plugin.command(&self.server, state);
        command.env("SEATLOCK_MACHINE_ID", MACHINE);
        command
    }

    fn play(&self, state: &Path, words: &[&str]) -> Result<(i32, String)> {
        run::status(self.command(state).args(words), Some(&self.seat.token))
    }

    /// The calls of the worker that touch the state folder.
    fn points(&self, verb: &Verb) -> Result<BTreeSet<Point>> {
        let state = self.copy(verb.licensed)?;
        let (code, log) = self.traced(verb, state.path(), &[&format!("trace={CALLS}")])?;
        ensure!(code == Some(0), "{} ended with {code:?}\n{log}", verb.name);
        let (folder, mut seen, mut points) = (state.path().to_string_lossy(), Vec::new(), BTreeSet::new());
        for line in log.lines().filter(|line| !line.contains("resumed>")) {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let Some((name, _)) = call.trim_start().split_once('(') else { continue };
            seen.push((thread, name));
            if call.contains(&*folder) {
                let number = seen.iter().filter(|earlier| **earlier == (thread, name)).count();
                points.insert((name.to_owned(), number));
            }
        }
        Ok(points)
    }

    /// Does a thing with one call failing, and looks at what is left. Whether the call was met.
    fn interrupt(&self, verb: &Verb, (call, number): &Point, how: &str) -> Result<bool> {
        let state = self.copy(verb.licensed)?;
        let inject = format!("inject={call}:{how}:when={number}");
        let what = format!("{}, {inject}", verb.name);
        let (ended, log) = self.traced(verb, state.path(), &[&format!("trace={call}"), &inject])?;
        let killed = how.starts_with("signal") && ended.is_none();
        ensure!(killed || matches!(ended, Some(0 | 1)), "{what}: ended with {ended:?}\n{log}");
        self.look(verb, state.path()).with_context(|| format!("{what}\n{log}"))?;
        Ok(killed || log.contains("INJECTED"))
    }

    /// Starts the program, attaches strace to it, and lets it go on. How it ended, `None` when it
    /// was killed, and what strace wrote.
    fn traced(&self, verb: &Verb, state: &Path, expressions: &[&str]) -> Result<(Option<i32>, String)> {
        let log = self.work.path().join("calls");
        let mut program = Command::new(&self.program);
        program.args([self.server.url().as_str(), self.server.issuer(), self.server.root_key()]);
        program.arg(state).arg(verb.name).env("SEATLOCK_MACHINE_ID", MACHINE);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (mut orders, said) =
            (child.stdin.take().context("no pipe")?, child.stdout.take().context("no pipe")?);
        writeln!(orders, "{}", self.seat.token)?;
        let mut ready = String::new();
        BufReader::new(said).read_line(&mut ready)?;
        ensure!(ready == "ready\n", "it said {ready:?}");
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-y", "-o"])
            .arg(&log)
            .args(expressions.iter().flat_map(|word| ["-e", *word]));
        let mut tracer = strace.args(["-p", &child.id().to_string()]).stderr(Stdio::null()).spawn()?;
        attached(child.id())?;
        writeln!(orders, "go")?;
        let ended = child.wait()?.code();
        tracer.wait()?;
        Ok((ended, fs::read_to_string(&log)?))
    }

    /// Old or new, never neither; and everything works on.
    fn look(&self, verb: &Verb, state: &Path) -> Result<()> {
        let (_, said) = run::status(self.command(state).env("SEATLOCK_OFFLINE", "1").arg("status"), None)?;
        ensure!(verb.found.iter().any(|found| said.contains(found)), "found afterwards: {said}");
        let aside = files(state)?.into_iter().find(|path| path.to_string_lossy().contains("corrupt"));
        ensure!(aside.is_none(), "{aside:?} was set aside");
        let (code, said) = self.play(state, &["activate", "-"])?;
        ensure!(code == 0 && said.contains("unlocked (ok)"), "does not work on: {said}");
        ensure!(
            stored(state, "/state/products/com.example.bridge/lease")?.is_some(),
            "does not save any more"
        );
        Ok(())
    }

    /// Runs a shell script in a mount namespace of its own: `$DISK` is an empty folder, `$MASTER`
    /// the license, and `plugin` the example on `$DISK`.
    fn script(&self, script: &str) -> Result<String> {
        let disk = tempfile::tempdir()?;
        let mut command = Command::new("unshare");
        let prelude = "set -eu; plugin() { \"$PLUGIN\" \"$@\" < \"$TOKEN\" 2>&1 || true; }\n";
        command.args(["--mount", "sh", "-c", &format!("{prelude}{script}")]);
        for (name, value) in self.command(disk.path()).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let token = self.work.path().join("typed");
        fs::write(&token, &self.seat.token)?;
        command.env("DISK", disk.path()).env("MASTER", self.master()).env("TOKEN", token);
        command.env("PLUGIN", self.plugin.program()).env("NOBODY", NOBODY);
        run::output(&mut command)
    }
}

/// How many commands of the example ended with a code; what it notices beside is not counted.
fn ended(said: &str, code: &str) -> usize {
    let code = format!("({code})");
    said.lines().filter(|line| !line.starts_with("notice: ") && line.contains(&code)).count()
}

/// Waits until every thread of a process is traced.
fn attached(process: u32) -> Result<()> {
    let begin = Instant::now();
    let traced = || -> Result<bool> {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            if status.lines().any(|line| line.starts_with("TracerPid:") && line.ends_with("\t0")) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    while !traced()? {
        ensure!(
            begin.elapsed() < Duration::from_secs(60),
            "strace could not attach; it needs the right to trace"
        );
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    run::output(Command::new("cp").arg("-a").arg(from.join(".")).arg(to)).map(drop)
}

fn says(said: &str, words: &[&str]) -> Result<()> {
    match words.iter().find(|word| !said.contains(**word)) {
        Some(word) => bail!("does not say \"{word}\":\n{said}"),
        None => Ok(()),
    }
}

type Case = (&'static str, fn(&Bench) -> Result<()>);

/// Disks that fail as a whole, and folders that are not as they were left.
const CASES: &[Case] = &[
    ("disk full", |bench| {
        let said = bench.script(
            "mount -t tmpfs -o size=64k none \"$DISK\"; cp -a \"$MASTER/.\" \"$DISK\"
             head -c 1000000 /dev/zero > \"$DISK/fill\" 2>/dev/null || true
             plugin ping; plugin status; rm \"$DISK/fill\"; plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 4, "{said}");
        Ok(())
    }),
    ("no inode left", |bench| {
        let said = bench.script(
            "mount -t tmpfs -o nr_inodes=40 none \"$DISK\"; cp -a \"$MASTER/.\" \"$DISK\"
             n=0; while touch \"$DISK/$n\" 2>/dev/null; do n=$((n+1)); done
             plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "{said}");
        Ok(())
    }),
    ("disk full before the first activation", |bench| {
        let said = bench.script(
            "mount -t tmpfs -o size=4k,nr_inodes=2 none \"$DISK\"; plugin watch 1; plugin activate -; plugin status",
        )?;
        says(&said, &["activate: this computer has the seat", "unlocked (ok)", "locked (no_token)"])
    }),
    ("read-only disk", |bench| {
        let said = bench.script(
            "mount -t tmpfs none \"$DISK\"; cp -a \"$MASTER/.\" \"$DISK\"; mount -o remount,ro \"$DISK\"
             plugin status; plugin ping; plugin watch 1",
        )?;
        says(&said, &["unlocked (ok)", "store_unwritable", "cannot be written"])?;
        ensure!(!said.contains("locked (l"), "{said}");
        Ok(())
    }),
    ("a read-only disk gives nothing up", |bench| {
        let said = bench.script(
            "mount -t tmpfs none \"$DISK\"; cp -a \"$MASTER/.\" \"$DISK\"; mount -o remount,ro \"$DISK\"
             plugin release; plugin forget; plugin sign-out; plugin release-file \"$TOKEN.out\"; plugin ping
             test ! -e \"$TOKEN.out\"; mount -o remount,rw \"$DISK\"; plugin status",
        )?;
        ensure!(ended(&said, "store_unwritable") == 4, "{said}");
        ensure!(said.matches("unlocked (ok)").count() == 5, "{said}");
        Ok(())
    }),
    ("a full disk gives everything up", |bench| {
        let seat = bench.server.create_seat("full@example.com")?;
        fs::write(bench.work.path().join("full"), &seat.token)?;
        let said = bench.script(
            "mount -t tmpfs -o size=64k none \"$DISK\"; TOKEN=$(dirname \"$TOKEN\")/full
             export SEATLOCK_MACHINE_ID=a-computer-with-a-full-disk; plugin activate -
             head -c 1000000 /dev/zero > \"$DISK/fill\" 2>/dev/null || true
             plugin release-file \"$TOKEN.out\"; test ! -e \"$TOKEN.out\"; plugin status
             plugin release; plugin status; ! grep -rl lease \"$DISK\"",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "no confirmation without its proof: {said}");
        ensure!(ended(&said, "store_unwritable") == 1, "{said}");
        ensure!(said.matches("locked (no_token)").count() == 2, "{said}");
        Ok(())
    }),
    ("permission lost: the folder is another user's", |bench| {
        let said = bench.script(
            "cp -a \"$MASTER/.\" \"$DISK\"; chmod 755 \"$DISK\"; chmod -R go+rX \"$DISK\"
             chmod go+rx \"$(dirname \"$PLUGIN\")\"; chmod go+r \"$TOKEN\"; chmod go+rx \"$(dirname \"$TOKEN\")\"
             setpriv --reuid $NOBODY --regid $NOBODY --clear-groups sh -c '\"$PLUGIN\" watch 1; \"$PLUGIN\" status'",
        )?;
        says(&said, &["store_unwritable", "unlocked (ok)"])
    }),
    ("a state file of another user, unreadable", |bench| {
        let said = bench.script(
            "cp -a \"$MASTER/.\" \"$DISK\"; chown -R $NOBODY \"$DISK\"; chmod go+rx \"$(dirname \"$PLUGIN\")\"
             find \"$DISK\" -name 'state*.json' -exec chown 0 {} + -exec chmod 600 {} +
             setpriv --reuid $NOBODY --regid $NOBODY --clear-groups sh -c '\"$PLUGIN\" watch 1; \"$PLUGIN\" status' || true
             find \"$DISK\" -name 'state.json' -user 0 | grep .",
        )?;
        says(&said, &["store_unwritable", "cannot be read", "owner and permissions", "locked (no_token)"])
    }),
    ("a read-only state file", |bench| {
        let said = bench.script(
            "cp -a \"$MASTER/.\" \"$DISK\"; find \"$DISK\" -type f -exec chmod 400 {} +; plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "{said}");
        Ok(())
    }),
    ("two computers share one home", |bench| {
        let other = bench.server.create_seat("other@example.com")?;
        let home = bench.copy(true)?;
        let mut command = bench.command(home.path());
        command.env("SEATLOCK_MACHINE_ID", "the-other-computer").args(["activate", "-"]);
        let (code, said) = run::status(&mut command, Some(&other.token))?;
        ensure!(code == 0 && said.contains(&other.id), "{said}");
        for _ in 0..2 {
            says(&bench.play(home.path(), &["ping"])?.1, &["unlocked (ok)", &bench.seat.id])?;
        }
        Ok(())
    }),
    ("the folder was moved, and a link leads there", |bench| {
        let said = bench.script(
            "cp -a \"$MASTER/.\" \"$DISK\"; mkdir \"$DISK/moved\"; mv \"$DISK\"/com.* \"$DISK/moved/\"
             ln -s moved/com.example.bridge \"$DISK/com.example.bridge\"; plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "{said}");
        Ok(())
    }),
    ("a file of a newer library is left alone", |bench| {
        let home = bench.copy(true)?;
        let state =
            files(home.path())?.into_iter().find(|path| path.ends_with("state.json")).context("no state")?;
        let newer = "{\"format\":99,\"shape\":[]}";
        fs::write(&state, newer)?;
        let (_, said) = bench.play(home.path(), &["watch", "1"])?;
        says(&said, &["newer", "locked (no_token)"])?;
        ensure!(fs::read_to_string(&state)? == newer, "it was changed");
        Ok(())
    }),
    ("a folder whose name is not UTF-8", |bench| {
        let said = bench.script(
            "odd=\"$DISK/$(printf 'h\\351')\"; mkdir \"$odd\"; cp -a \"$MASTER/.\" \"$odd\"
             export SEATLOCK_STATE_DIR=\"$odd\"; plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "{said}");
        Ok(())
    }),
    ("a very long path", |bench| {
        let said = bench.script(
            "part=$(printf 'x%.0s' $(seq 200)); long=\"$DISK/$part/$part/$part/$part\"; mkdir -p \"$long\"
             cp -a \"$MASTER/.\" \"$long\"; export SEATLOCK_STATE_DIR=\"$long\"; plugin ping; plugin status",
        )?;
        ensure!(said.matches("unlocked (ok)").count() == 2, "{said}");
        Ok(())
    }),
    ("network storage without locks", |bench| without(bench, "flock", "ENOLCK")),
    ("network storage without hard links", |bench| without(bench, "link,linkat", "EPERM")),
    ("network storage that cannot make a folder durable", |bench| without(bench, "fsync", "EINVAL")),
];

/// Everything works on a file system that never carries a call out.
fn without(bench: &Bench, calls: &str, error: &str) -> Result<()> {
    let home = bench.copy(true)?;
    let before = stored(home.path(), "/state/seats/0/renewal")?;
    let log = bench.work.path().join("without");
    let mut command = bench.command(home.path());
    let inject = format!("inject={calls}:error={error}");
    let mut traced = strace(&["-e", &format!("trace={calls}"), "-e", &inject], &log, command.arg("ping"));
    let (code, said) = run::status(&mut traced, None)?;
    ensure!(code == 0 && said.contains("unlocked (ok)"), "{said}");
    ensure!(fs::read_to_string(&log)?.contains("INJECTED"), "nothing was injected");
    // An fsync that fails means that the new file may be lost, so the old one stays.
    let saved = stored(home.path(), "/state/seats/0/renewal")? != before;
    ensure!(saved || calls == "fsync", "the new renewal secret was not saved");
    says(&bench.play(home.path(), &["ping"])?.1, &["unlocked (ok)"])
}
