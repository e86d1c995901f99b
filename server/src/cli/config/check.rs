use super::super::output::Output;
use super::super::serve::Serve;
use super::CommandLine;
use anyhow::bail;
use seatlock_protocol::{
    UnixTime,
    address::{address, public_address, spelled},
};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::domain::{date, timestamp};
use seatlock_server::service::key_ring::{KeyRing, read_set};
use seatlock_server::store::Inspection;
use seatlock_server::system::cause::{of_command, of_io};
use seatlock_server::system::clock::system_time;
use serde::Serialize;
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

/// Seconds by which two clocks may differ that are both kept right.
const CLOCKS: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Worth knowing, and no reason not to start.
    Note,
    Problem,
}

#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    /// A setting, or where it comes from.
    about: String,
    text: String,
}

pub(super) async fn run(
    serve: &Serve,
    folder: &DataFolder,
    told: &CommandLine,
    output: Output,
) -> anyhow::Result<()> {
    let mut findings = Findings { told, found: Vec::new() };
    findings.file();
    findings.address("listen", serve.listen);
    if let Some(address) = serve.metrics_listen {
        findings.address("metrics_listen", address);
    }
    findings.tls(serve);
    findings.mail(serve).await;
    findings.database(folder, serve).await;
    let found = findings.found;
    output.table(&found, ["", "ABOUT", ""], |finding| {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Problem => "PROBLEM",
        };
        [verdict.to_owned(), finding.about.clone(), finding.text.clone()]
    })?;
    match found.iter().filter(|finding| finding.verdict == Verdict::Problem).count() {
        0 => Ok(()),
        1 => bail!("there is a problem"),
        problems => bail!("there are {problems} problems"),
    }
}

struct Findings<'a> {
    told: &'a CommandLine,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn say(&mut self, verdict: Verdict, about: &str, text: String) {
        let setting = self.told.effective.iter().find(|one| one.setting == about);
        let source = setting.map(|one| &one.source).filter(|source| *source != "default");
        let about = source.map_or_else(|| about.to_owned(), |source| format!("{about} ({source})"));
        self.found.push(Finding { verdict, about, text });
    }

    /// Says nothing about what is not set.
    fn judge<E: Into<anyhow::Error>>(&mut self, about: &str, result: Result<Option<String>, E>) {
        match result {
            Ok(Some(text)) => self.say(Verdict::Ok, about, text),
            Ok(None) => {}
            Err(error) => self.say(Verdict::Problem, about, of_command(&error.into())),
        }
    }

    fn file(&mut self) {
        let Some(file) = &self.told.file else {
            return self.say(Verdict::Note, "config", "there is no configuration file".to_owned());
        };
        for problem in &file.problems {
            let (about, text) = (problem.place.clone(), problem.text.clone());
            self.found.push(Finding { verdict: Verdict::Problem, about, text });
        }
        if file.problems.is_empty() {
            self.say(
                Verdict::Ok,
                "config",
                format!("{}: {} settings", file.path.display(), file.entries.len()),
            );
        }
    }

    fn address(&mut self, about: &str, address: SocketAddr) {
        match TcpListener::bind(address) {
            Ok(_) => self.say(Verdict::Ok, about, format!("{address} can be listened on")),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let text = format!("{address} is in use; that is well if this server is running");
                self.say(Verdict::Note, about, text);
            }
            Err(error) => {
                self.say(
                    Verdict::Problem,
                    about,
                    format!("{address} cannot be listened on: {}", of_io(&error)),
                );
            }
        }
    }

    fn tls(&mut self, serve: &Serve) {
        let tls = match serve.tls() {
            Ok(Some(tls)) => tls,
            Ok(None) => {
                if !serve.listen.ip().is_loopback() {
                    let text = "without one, tokens and passwords are readable on the network unless a proxy has one";
                    self.say(Verdict::Note, "tls_certificate", text.to_owned());
                }
                return;
            }
            Err(error) => return self.say(Verdict::Problem, "tls_certificate", of_command(&error)),
        };
        match (tls.alive(), tls.ends_soon()) {
            (Err(error), _) => self.say(Verdict::Problem, "tls_certificate", error.to_string()),
            (Ok(()), Some(end)) => {
                self.say(Verdict::Note, "tls_certificate", format!("it ends on {}; renew it", date(end)));
            }
            (Ok(()), None) => {
                let text = format!("certificate and key fit; the end is {}", date(tls.not_after()));
                self.say(Verdict::Ok, "tls_certificate", text);
            }
        }
    }

    /// What is wrong with the mail server is no fault of the sender.
    async fn mail(&mut self, serve: &Serve) {
        let about = if serve.mail_server_is_named() { "smtp_url_file" } else { "mail_from" };
        let mailer = match serve.mailer() {
            Ok(Some(mailer)) => mailer,
            Ok(None) => return,
            Err(error) => return self.say(Verdict::Problem, about, of_command(&error)),
        };
        match mailer.check().await {
            Ok(()) => self.say(Verdict::Ok, about, "the mail server lets this one sign in".to_owned()),
            Err(error) => self.say(Verdict::Note, about, error.to_string()),
        }
    }

    /// What plug-ins and people make of the server's name.
    fn issuer(&mut self, issuer: &str, serve: &Serve) {
        match address(issuer) {
            Ok(url) if spelled(&url) == issuer => {
                self.say(Verdict::Ok, "issuer", format!("plug-ins reach this server at {issuer}"));
            }
            Ok(url) => {
                let text = format!(
                    "plug-ins spell {issuer} as {}, and believe nothing that this server signs. Change it with: server \
                     set-issuer {}",
                    spelled(&url),
                    spelled(&url)
                );
                self.say(Verdict::Problem, "issuer", text);
            }
            Err(error) => {
                let text = format!(
                    "plug-ins cannot use \"{}\": {error}. Change it with: server set-issuer",
                    issuer.escape_debug()
                );
                self.say(Verdict::Problem, "issuer", text);
            }
        }
        if serve.public_url.is_none() && address(issuer).is_ok() && public_address(issuer).is_err() {
            let text =
                "pages live below no path, and the issuer has one. Name a host of their own".to_owned();
            self.say(Verdict::Problem, "public_url", text);
        }
    }

    async fn database(&mut self, folder: &DataFolder, serve: &Serve) {
        let keys = folder.pepper().map(|_| Some("the pepper is there".to_owned()));
        self.judge("data", keys);
        if let Some(error) = &self.told.no_database {
            return self.say(Verdict::Problem, "database", of_command(error));
        }
        match super::super::inspect(folder).await {
            Err(error) => self.say(Verdict::Problem, "database", of_command(&error)),
            Ok(Inspection { now, keys, pending }) => {
                self.say(Verdict::Ok, "database", "it answers, and was set up".to_owned());
                if let Ok(set) = read_set(&keys.jws) {
                    self.issuer(&set.iss, serve);
                }
                if pending > 0 {
                    let text = format!(
                        "\"serve\" will bring its structure up to date ({pending} steps); make a backup"
                    );
                    self.say(Verdict::Note, "database", text);
                }
                let made = read_set(&keys.jws).map_or(UnixTime::MIN, |set| set.iat);
                let ring = KeyRing::of(keys, now, folder);
                if let Some((lacking, until)) = ring.as_ref().ok().and_then(KeyRing::lacking) {
                    let file = lacking.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
                    let text = format!(
                        "the newer {lacking}{file}; the one before it signs until {}",
                        timestamp(until)
                    );
                    self.say(Verdict::Problem, "data", text);
                }
                self.judge(
                    "data",
                    ring.map(|ring| Some(format!("answers are signed by the key {}", ring.kid()))),
                );
                self.clock(now, made);
            }
        }
    }

    /// This computer's clock beside the database's, and beside a moment that has passed for
    /// certain.
    fn clock(&mut self, database: UnixTime, past: UnixTime) {
        let here = system_time();
        let apart = here.since(database).max(database.since(here));
        if past > here.plus(CLOCKS) {
            let text = format!("it says {}, but the key set was made on {}", date(here), date(past));
            self.say(Verdict::Problem, "clock", text);
        } else if apart > CLOCKS {
            self.say(Verdict::Problem, "clock", format!("it is {apart} s away from the database's"));
        } else {
            self.say(Verdict::Ok, "clock", format!("it says {}, as the database does", date(here)));
        }
    }
}
