//! E-mail, before a real mail server: aiosmtpd, on loopback.

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::port::Port;
use xtask::{build, repository, run};

/// Deadline of the cases that end by it, before which a busy computer must have come to the point.
const DEADLINE: Duration = Duration::from_secs(5);
/// Deadline of all others. Room for starting a program on a busy computer, and for Python to start.
const ROOM: Duration = Duration::from_secs(60);

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const LINK: &str = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
/// As it stands in a URL, and as the server knows it.
const LOGIN: &str = "licenses:open%20sesame%2F%25%3F%23%40";
/// For whom the mail server does not answer.
const SILENT: [&str; 2] = ["sleeps", "forgets"];
/// A name that would like to be more.
const ATTACK: &str = "Bridge\r\nBcc: mallory@example.net\r\n\r\n<img src=\"https://evil.example/x.png\">é";

/// What the one who sends is told, and whether the server got a message.
enum Ends {
    Sent,
    Refused(&'static str),
    /// With a message that the server got all the same.
    GotAndRefused(&'static str),
}
use Ends::{GotAndRefused, Refused, Sent};

/// (what, URL: `{plain}` and so on are ports, recipient, authority is trusted, end)
#[rustfmt::skip] // one row, one case
const CASES: &[(&str, &str, &str, bool, Ends)] = &[
    ("plain, on this computer",     "smtp://127.0.0.1:{plain}",                              "eve",     true,  Sent),
    ("STARTTLS and password",       "smtp://{login}@localhost:{starttls}?tls=required",      "eve",     true,  Sent),
    ("TLS and password",            "smtps://{login}@localhost:{tls}",                       "eve",     true,  Sent),
    ("STARTTLS, not trusted",       "smtp://{login}@localhost:{starttls}?tls=required",      "eve",     false, Refused("signed by nobody that this computer trusts")),
    ("TLS, not trusted",            "smtps://{login}@localhost:{tls}",                       "eve",     false, Refused("signed by nobody that this computer trusts")),
    ("STARTTLS, for another name",  "smtp://{login}@127.0.0.1:{starttls}?tls=required",      "eve",     true,  Refused("is for another name")),
    ("TLS, for another name",       "smtps://{login}@127.0.0.1:{tls}",                       "eve",     true,  Refused("is for another name")),
    ("no STARTTLS",                 "smtp://{login}@localhost:{plain}?tls=required",         "eve",     true,  Refused("offers no TLS (STARTTLS)")),
    ("TLS where none is",           "smtps://{login}@localhost:{plain}",                     "eve",     true,  Refused("no secure connection")),
    ("no TLS where TLS is",         "smtp://{login}@localhost:{starttls}",                   "eve",     true,  Refused("lets nobody sign in")),
    ("wrong password",              "smtp://licenses:sesame@localhost:{starttls}?tls=required", "eve",  true,  Refused("user name or the password: 535 5.7.8")),
    ("wrong user",                  "smtps://x{login}@localhost:{tls}",                      "eve",     true,  Refused("user name or the password: 535 5.7.8")),
    ("no password",                 "smtps://localhost:{tls}",                               "eve",     true,  Refused("does not send for licenses@example.com: 530 5.7.0")),
    ("recipient refused",           "smtp://127.0.0.1:{plain}",                              "unknown", true,  Refused("does not deliver to unknown@example.org: 550 5.1.1 nobody of that name. Nothing was sent.")),
    ("refused by what it quotes",   "smtp://127.0.0.1:{plain}",                              "quotes",  true,  GotAndRefused("refused: 554. Nothing was sent.")),
    ("nobody there",                "smtp://127.0.0.1:{nobody}",                             "eve",     true,  Refused("cannot be reached: The connection was refused")),
    ("a name that is not found",    "smtps://{login}@mail.invalid",                          "eve",     true,  Refused("cannot be reached")),
    ("no answer to the recipient",  "smtps://{login}@localhost:{tls}",                       "sleeps",  true,  Refused("did not answer within 5s. Nothing was sent.")),
    ("no answer to the message",    "smtps://{login}@localhost:{tls}",                       "forgets", true,  GotAndRefused("did not confirm the message: no answer within 5s. It may arrive all the same.")),
];

/// Each case with a link and with a token, and with names that try to be headers.
pub fn real() -> Result<String> {
    let place = Place::new()?;
    let mut failed = Vec::new();
    let mut longest = Duration::ZERO;
    for (what, url, to, trusted, end) in CASES {
        for secret in [LINK, TOKEN] {
            match place.play(url, to, *trusted, end, secret) {
                Ok(took) => longest = longest.max(took),
                Err(error) => {
                    failed.push(format!("{what}, {}: {error:#}", secret.get(..4).unwrap_or_default()))
                }
            }
        }
    }
    let cases = CASES.len() * 2;
    ensure!(failed.is_empty(), "{} of {cases} cases failed\n{}", failed.len(), failed.join("\n"));
    Ok(format!("{cases} cases, the longest took {:.1} s", longest.as_secs_f32()))
}

struct Place {
    folder: TempDir,
    program: PathBuf,
    server: Server,
}

impl Place {
    fn new() -> Result<Self> {
        let tests = repository().join("server/tests/mail_server");
        let python = xtask::python::program("python", "server/tests/mail_server/requirements.txt", "python")?;
        // Built with the server.
        build::server()?;
        let program = build::target_folder()
            .join("debug/examples/mail")
            .with_extension(std::env::consts::EXE_EXTENSION);
        let folder = tempfile::tempdir()?;
        certificates(folder.path())?;
        let mut python = Command::new(python);
        python.arg(tests.join("server.py")).args(["server.pem", "key.pem"]).current_dir(folder.path());
        Ok(Self { program, server: Server::start(python)?, folder })
    }

    fn play(&self, url: &str, to: &str, trusted: bool, end: &Ends, secret: &str) -> Result<Duration> {
        let url = self.server.address(url)?;
        let authority = if trusted { "ca.pem" } else { "other-ca.pem" };
        let mut command = Command::new(&self.program);
        command.env("SEATLOCK_SMTP_URL", url).env("MAIL_CA", self.folder.path().join(authority));
        command
            .env("MAIL_FROM", "\"Ex, Inc.\" <licenses@example.com>")
            .env("MAIL_TO", format!("{to}@example.org"));
        command.env("MAIL_PRODUCT", ATTACK).env("MAIL_SUPPORT", ATTACK).env("MAIL_BY", "ada@example.com");
        let deadline = if SILENT.contains(&to) { DEADLINE } else { ROOM };
        command.env("MAIL_SECONDS", deadline.as_secs().to_string());
        command.env("RUST_BACKTRACE", "0");
        // What the case before this one left behind when it failed.
        while self.server.message(Duration::ZERO).is_some() {}
        let begin = Instant::now();
        let (code, said) = run::status(&mut command, Some(secret))?;
        let took = begin.elapsed();
        let (says, got) = match end {
            Sent => ("sent\n", true),
            Refused(words) => (*words, false),
            GotAndRefused(words) => (*words, true),
        };
        ensure!((code == 0) == matches!(end, Sent), "it ended with {code}\n{said}");
        ensure!(said.contains(says), "it does not say \"{says}\"\n{said}");
        ensure!(
            !said.contains("sesame") && !said.contains("8uVq2Z") && !said.contains("_v7-"),
            "a secret\n{said}"
        );
        ensure!(took < deadline + ROOM, "it took {took:?}");
        match self.server.message(if got { ROOM } else { Duration::ZERO }) {
            Some(message) if got => check(&message, to, secret).with_context(|| format!("{message:#}"))?,
            Some(message) => anyhow::bail!("the server got a message\n{message:#}"),
            None => ensure!(!got, "the server got no message"),
        }
        Ok(took)
    }
}

/// What arrived, as Python's e-mail package reads it.
fn check(message: &Value, to: &str, secret: &str) -> Result<()> {
    let text = |name: &str| message.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"));
    let is = |name: &str, expected: Value| {
        let found = message.get(name).cloned().unwrap_or_default();
        ensure!(found == expected, "{name} is {found}, not {expected}");
        Ok(())
    };
    is("sender", "licenses@example.com".into())?;
    is("recipients", vec![format!("{to}@example.org")].into())?;
    is("types", vec!["multipart/alternative", "text/plain", "text/html"].into())?;
    is("attached", 0.into())?;
    is("defects", Value::Array(Vec::new()))?;
    // Passwords and TLS come together, or not at all.
    let encrypted = message.get("tls").and_then(Value::as_bool).context("no tls")?;
    is("user", if encrypted { "licenses".into() } else { Value::Null })?;

    let headers: Vec<(&str, &str)> = message
        .get("headers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)))
        .collect();
    let mut names: Vec<&str> = headers.iter().map(|header| header.0).collect();
    names.sort_unstable();
    let expected = [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Reply-To",
        "Subject",
        "To",
    ];
    ensure!(names == expected, "the headers are {names:?}");
    let header = |name: &str| headers.iter().find(|header| header.0 == name).map_or("", |header| header.1);
    ensure!(header("From") == "\"Ex, Inc.\" <licenses@example.com>", "From: {}", header("From"));
    ensure!(
        header("To") == format!("{to}@example.org") && header("Reply-To") == "ada@example.com",
        "{headers:?}"
    );
    ensure!(header("Auto-Submitted") == "auto-generated", "{headers:?}");
    let id = header("Message-ID");
    ensure!(id.starts_with('<') && id.ends_with("@example.com>") && id.len() > 40, "Message-ID: {id}");
    let subject = header("Subject");
    let named =
        subject.starts_with("ada@example.com shares Bridge  Bcc: mallory") && subject.ends_with("é with you");
    ensure!(named, "Subject: {subject}");

    let (plain, html) = (text("plain")?, text("html")?);
    for (part, body) in [("plain", plain), ("html", html)] {
        ensure!(body.matches(secret).count() == 1, "{part}: the secret is not there once");
        ensure!(!body.lines().any(|line| line.starts_with("Bcc:")), "{part}: a name has become a line");
        for words in ["future sessions", "I have read and agree", "Paste"] {
            ensure!(body.contains(words), "{part} does not say {words}");
        }
        let linked = body.contains(&format!("https://licenses.example.com/open/{LINK}"));
        ensure!(linked == (secret == LINK), "{part}: the link");
        ensure!(body.contains("2026-11-22 09:00 UTC") == linked, "{part}: the link's end");
    }
    let loads = ["<img", "<script", "<link", "<style", "url(", " src"];
    let unescaped = html.replace("&lt;img src=", "");
    ensure!(!loads.iter().any(|tag| unescaped.contains(tag)), "something is loaded from elsewhere");
    let raw = text("raw")?;
    ensure!(raw.lines().all(|line| line.len() <= 998), "a line is longer than SMTP allows");
    Ok(())
}

/// An authority, another one, and a certificate of the first for `localhost`.
fn certificates(folder: &Path) -> Result<()> {
    let authority = |name: &str| -> Result<_> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
    };
    let (ours, other, key) = (authority("Ours")?, authority("Others")?, KeyPair::generate()?);
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &ours)?;
    fs::write(folder.join("ca.pem"), ours.pem())?;
    fs::write(folder.join("other-ca.pem"), other.pem())?;
    fs::write(folder.join("server.pem"), certificate.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(())
}

/// The mail server, until this is dropped.
struct Server {
    child: Child,
    ports: Value,
    messages: Receiver<Value>,
    /// At which nobody listens.
    nobody: Port,
}

impl Server {
    fn start(mut python: Command) -> Result<Self> {
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("no pipe")?;
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || read(output, &sender));
        let nobody = Port::hold()?;
        let mut server = Self { child, ports: Value::Null, messages, nobody };
        let ports = server.messages.recv_timeout(ROOM);
        server.ports = ports.context("the mail server did not start; what it said is above")?;
        Ok(server)
    }

    fn address(&self, pattern: &str) -> Result<String> {
        let mut url =
            pattern.replace("{login}", LOGIN).replace("{nobody}", &self.nobody.number().to_string());
        for name in ["plain", "starttls", "tls"] {
            let port = self.ports.get(name).and_then(Value::as_u64).context("no port")?;
            url = url.replace(&format!("{{{name}}}"), &port.to_string());
        }
        Ok(url)
    }

    fn message(&self, patience: Duration) -> Option<Value> {
        self.messages.recv_timeout(patience).ok()
    }
}

fn read(output: ChildStdout, sender: &mpsc::Sender<Value>) {
    for line in BufReader::new(output).lines() {
        match line {
            Ok(line) => {
                let Ok(message) = serde_json::from_str(&line) else { continue };
                if sender.send(message).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
