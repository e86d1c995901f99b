use super::client::AdminClient;
use super::output::Output;
use super::seat::make;
use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::{StreamExt as _, stream};
use seatlock_protocol::edited;
use seatlock_server::crypto::seal::Secret;
use seatlock_server::domain::{REMEMBERED, check_email};
use seatlock_server::http::api::schema::{
    IssuedSeatJson, UsageList,
    csv::{MARK, harmless},
};
use seatlock_server::system::clock::system_time;
use seatlock_server::system::files;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::sleep;
use uuid::Uuid;

/// Seats that are made at once.
const AT_ONCE: usize = 8;
/// Tries for one seat, when the server does not answer or has too much to do.
const TRIES: u32 = 6;
/// Wrong lines that are shown.
const SHOWN: usize = 10;
/// A run is taken up again as long as its answers are remembered, with an hour to spare for the run
/// itself.
const RESUMABLE: u64 = REMEMBERED - 3600;

/// Seats for many.
#[derive(Args)]
pub(super) struct BulkSeats {
    /// Make a seat for each of the e-mail addresses in a file, one per line; "-" for standard input
    #[arg(long, value_name = "FILE")]
    emails: Option<PathBuf>,
    /// Where to write the tokens: CSV, or with --json one JSON object per line; readable by you
    /// only, never overwritten
    #[arg(long, value_name = "FILE", conflicts_with = "email", required_unless_present_any = ["email", "dry_run"])]
    out: Option<PathBuf>,
    /// Take up an interrupted run, within 23 hours and with the same addresses: nothing is made
    /// twice, and the new file has all tokens
    #[arg(long, value_name = "RUN", conflicts_with = "email")]
    resume: Option<Run>,
    /// Check all addresses, say what would be made, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// One run: the second at which it began, and something random.
#[derive(Clone)]
struct Run(String);

impl Run {
    fn new() -> anyhow::Result<Self> {
        let random = Secret::generate().context("the operating system gives no random numbers")?;
        let random: String = random.expose().chars().take(22).collect();
        Ok(Self(format!("{:x}.{random}", now())))
    }

    fn began(&self) -> Option<u64> {
        u64::from_str_radix(self.0.split_once('.')?.0, 16).ok()
    }

    /// Each line's own, and the same each time.
    fn key(&self, line: usize) -> String {
        format!("{}.{line}", self.0)
    }
}

impl std::str::FromStr for Run {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let run = Self(text.to_owned());
        let fits = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
        match run.began() {
            Some(began) if fits && now().saturating_sub(began) <= RESUMABLE => Ok(run),
            Some(_) if fits => Err("that run is too old: the server has forgotten its answers, and would make \
                                    every seat again. Take what it made out of the addresses, and begin a new run"
                .to_owned()),
            _ => Err("write the name that the run printed".to_owned()),
        }
    }
}

fn now() -> u64 {
    system_time().seconds().unsigned_abs()
}

/// An address, and the line that it is in.
struct Line {
    number: usize,
    email: String,
}

impl BulkSeats {
    pub(super) async fn create(
        self,
        client: &AdminClient,
        output: Output,
        license: Option<Uuid>,
    ) -> anyhow::Result<()> {
        let file = self.emails.context("no file with e-mail addresses was named")?;
        let lines = read(&file)?;
        let license = room(client, license, lines.len(), self.resume.is_some()).await?;
        if self.dry_run {
            let text =
                format!("{} seats would be made of license {license}; nothing was changed", lines.len());
            return output.done(&json!({ "seats": lines.len(), "license": license, "dry_run": true }), &text);
        }
        let out = self.out.context("say with --out where to write the tokens")?;
        let run = match self.resume {
            Some(run) => run,
            None => Run::new()?,
        };
        let mut to =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&out).with_context(|| {
                format!("no seat was made: {} cannot be made. Name a new file", out.display())
            })?;
        say(&format!("run {}; after an interruption say --resume {}", run.0, run.0));
        if !output.json {
            write(&mut to, &format!("{MARK}line,email,seat,license,token\r\n"))?;
        }
        let all = lines.len();
        let made = all_of(client, &run, license, lines, |line, issued| {
            write(&mut to, &written(output, line, issued))
        });
        let (made, stopped) = made.await;
        to.sync_all().with_context(|| format!("{} cannot be written", out.display()))?;
        if let Some(error) = stopped {
            return Err(error.context(format!(
                "{made} of {all} seats were made and written to {1}. Take the run up with: --resume {0}, and a new --out",
                run.0,
                out.display()
            )));
        }
        let value = json!({ "seats": made, "license": license, "file": out, "run": run.0 });
        output.done(&value, &format!("{made} seats made; their tokens are in {}", out.display()))
    }
}

/// Says what a seat for one person would be.
pub(super) async fn preview(
    client: &AdminClient,
    output: Output,
    email: &str,
    license: Option<Uuid>,
) -> anyhow::Result<()> {
    if let Err(reason) = check_email(email) {
        bail!("\"{}\": {reason}; no seat would be made", email.escape_debug());
    }
    would(output, 1, room(client, license, 1, false).await?)
}

fn would(output: Output, seats: usize, license: Uuid) -> anyhow::Result<()> {
    let text = format!("seats that would be made of license {license}: {seats}; nothing was changed");
    output.done(&json!({ "seats": seats, "license": license, "dry_run": true }), &text)
}

/// Every address, all of them looked at before the first seat is made.
fn read(file: &Path) -> anyhow::Result<Vec<Line>> {
    let text = |bytes: &[u8]| edited::text(bytes).map(str::to_owned);
    let text = if file == Path::new("-") { files::read_input(text) } else { files::read(file, text) };
    let text = text.context("no seat was made")?;
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    let mut first: HashMap<String, usize> = HashMap::new();
    for (number, email) in (1..).zip(text.lines().map(str::trim)) {
        if email.is_empty() {
            continue;
        }
        if let Err(reason) = check_email(email) {
            wrong.push(format!("line {number}: \"{}\": {reason}", email.escape_debug()));
        } else if let Some(before) = first.insert(email.to_lowercase(), number) {
            wrong.push(format!("line {number}: {email} stands in line {before} already"));
        }
        lines.push(Line { number, email: email.to_owned() });
    }
    if !wrong.is_empty() {
        let (count, more) = (wrong.len(), wrong.len().saturating_sub(SHOWN));
        wrong.truncate(SHOWN);
        let more = if more > 0 { format!("\n... and {more} more") } else { String::new() };
        bail!("no seat was made, because {count} lines are wrong:\n{}{more}", wrong.join("\n"));
    }
    if lines.is_empty() {
        bail!("no seat was made: {} has no e-mail address in it", file.display());
    }
    Ok(lines)
}

/// The license, which has room for all of them; whoever resumes has made some already.
async fn room(
    client: &AdminClient,
    named: Option<Uuid>,
    seats: usize,
    resumes: bool,
) -> anyhow::Result<Uuid> {
    let UsageList { items: mut usage, .. } = client.get("/usage", &[]).await?;
    usage.retain(|usage| named.is_none_or(|id| id == usage.license));
    let license = match (usage.as_slice(), named) {
        ([only], _) => only,
        ([], Some(id)) => bail!("no seat was made: there is no license {id}"),
        ([], None) => bail!("no seat was made: there is no license yet"),
        _ => bail!("no seat was made: there are several licenses; say which one with --license"),
    };
    let free = license.seats_max.saturating_sub(license.tokens);
    if !resumes && usize::try_from(free).is_ok_and(|free| free < seats) {
        bail!(
            "no seat was made: license {} has room for {free} more, and {seats} are wanted. Revoke seats that nobody \
             needs, or ask for a larger license",
            license.license
        );
    }
    Ok(license.license)
}

/// How many were made, and why not all.
async fn all_of(
    client: &AdminClient,
    run: &Run,
    license: Uuid,
    lines: Vec<Line>,
    mut keep: impl FnMut(&Line, &IssuedSeatJson) -> anyhow::Result<()>,
) -> (usize, Option<anyhow::Error>) {
    let stop = AtomicBool::new(false);
    let all = lines.len();
    let making = async {
        let waiting = stream::iter(lines).map(|line| async {
            let made = if stop.load(Ordering::Relaxed) {
                Err(anyhow::anyhow!("interrupted"))
            } else {
                patiently(client, run, license, &line, &stop).await
            };
            (line, made)
        });
        // In the order of the lines, as whoever reads the file expects it.
        let mut results = waiting.buffered(AT_ONCE);
        let (mut made, mut error) = (0, None);
        while let Some((line, result)) = results.next().await {
            let kept = result.and_then(|issued| keep(&line, &issued));
            match kept {
                Ok(()) => made += 1,
                Err(failed) => {
                    stop.store(true, Ordering::Relaxed);
                    error.get_or_insert_with(|| {
                        failed.context(format!("line {}, {}", line.number, line.email))
                    });
                }
            }
            progress(made, all);
        }
        (made, error)
    };
    let interrupted = async {
        let Ok(mut end) = Signals::new([SIGTERM, SIGINT]) else { return std::future::pending().await };
        end.next().await;
        say("stopping; seats that are being made are waited for");
        stop.store(true, Ordering::Relaxed);
        std::future::pending().await
    };
    tokio::select! {
        done = making => done,
        never = interrupted => never,
    }
}

/// One seat, with its own key: however often it is asked for, it is made once.
async fn patiently(
    client: &AdminClient,
    run: &Run,
    license: Uuid,
    line: &Line,
    stop: &AtomicBool,
) -> anyhow::Result<IssuedSeatJson> {
    let key = run.key(line.number);
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match make(client, &line.email, Some(license), Some(&key)).await {
            Ok(issued) => return Ok(issued),
            Err(error) => error,
        };
        if !error.passing() || tries == TRIES || stop.load(Ordering::Relaxed) {
            return Err(error.into());
        }
        let pause = Duration::from_millis(250 << tries.min(5));
        sleep(error.wait().map_or(pause, |seconds| Duration::from_secs(seconds.min(30)))).await;
    }
}

fn written(output: Output, line: &Line, issued: &IssuedSeatJson) -> String {
    let (seat, license, token) = (issued.seat.id, issued.seat.license, issued.token.expose());
    if output.json {
        let value = json!({ "line": line.number, "email": line.email, "seat": seat, "license": license, "token": token });
        return format!("{value}\n");
    }
    let email = harmless(&line.email).replace('"', "\"\"");
    format!("{},\"{email}\",{seat},{license},{token}\r\n", line.number)
}

/// Without a buffer: whatever ends this program, the lines before are in the file.
fn write(to: &mut File, text: &str) -> anyhow::Result<()> {
    to.write_all(text.as_bytes()).context("the file with the tokens cannot be written")
}

fn say(text: &str) {
    // Nobody is left to tell when even this fails.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn progress(made: usize, all: usize) {
    let mut to = std::io::stderr().lock();
    if to.is_terminal() {
        let end = if made == all { "\n" } else { "" };
        let _ = write!(to, "\r{made} of {all} seats{end}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_taken_up_for_a_day() {
        let run = Run::new().unwrap();
        assert!(run.0.parse::<Run>().is_ok());
        assert_ne!(run.key(1), run.key(2));
        let old = format!("{:x}.abc", now() - RESUMABLE - 1);
        assert!(old.parse::<Run>().err().unwrap().contains("too old"));
        for text in ["", "abc", "zz.abc", "12 34.abc"] {
            assert!(text.parse::<Run>().is_err(), "{text}");
        }
    }
}
