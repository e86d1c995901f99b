#![allow(dead_code, missing_docs, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that stops has failed"
)]

use seatlock_protocol::{
    MachineId, PublicKey, Token, TokenKind, Typ, UnixTime,
    api::{LeaseAnswer, Problem, VerdictAnswer},
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
    jws,
};
use seatlock_server::{
    keys::DataFolder,
    store::{
        Actor, AnyStore, NewSeat, Store as _, TokenHashes,
        postgres::{PostgresAddress, PostgresStore},
        sqlite::SqliteStore,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use tempfile::TempDir;
use uuid::Uuid;

/// Clocks that are wrong.
pub mod faketime;
/// A store of each kind.
#[macro_use]
pub mod stores;

pub const PRODUCT: &str = "com.example.bridge";
pub const ISSUER: &str = "licenses.example.com";
/// In which a command ends, on a computer that has much to do.
const PATIENCE: Duration = Duration::from_secs(120);
const SMALL_DISK: &str = "small-disk";
const PROGRAM: &str = env!("CARGO_BIN_EXE_seatlock-server");

/// A data folder as `init` leaves it.
pub struct Site {
    folder: TempDir,
    /// The PostgreSQL database, unless it is a file in the folder.
    url: Option<String>,
    /// The clock that its programs see, unless it is the right one.
    pub clock: Option<faketime::FakeClock>,
    pub root: PublicKey,
    pub license: String,
    http: reqwest::Client,
}

/// A server process on a site.
pub struct Server<'a> {
    pub site: &'a Site,
    pub url: String,
    pub child: Child,
    stdout: BufReader<ChildStdout>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Done {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn json(&self) -> Value {
        assert!(self.ok, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl Site {
    pub fn new(options: &[&str]) -> Self {
        Self::at(None, options)
    }

    /// With its database at a PostgreSQL URL.
    pub fn at(url: Option<String>, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut args = vec!["--json", "init", "--issuer", ISSUER, "--product", PRODUCT];
        args.extend(options);
        let made = run(program(url.as_deref()).arg("--data").arg(&data).args(args)).json();
        Self {
            folder,
            url,
            clock: None,
            root: PublicKey::from_jwk_x(made["root_key"]["x"].as_str().unwrap()).unwrap(),
            license: made["license"].as_str().unwrap().to_owned(),
            http: http_client(),
        }
    }

    /// With so many seats, straight into the store: hundreds of processes would take longer than what is tested.
    pub async fn with_tokens(url: Option<String>, seats: usize) -> (Self, Vec<String>) {
        let site = Self::at(url, &["--seats", &seats.to_string()]);
        let folder = DataFolder::new(site.data());
        let store: AnyStore = match &site.url {
            Some(url) => PostgresStore::open(&PostgresAddress::parse(url).unwrap()).await.unwrap().into(),
            None => SqliteStore::open(&folder.database(), false).await.unwrap().into(),
        };
        let pepper = folder.pepper().unwrap();
        let tokens: Vec<Token> =
            (0..seats).map(|_| Token::generate(TokenKind::Integration, getrandom::fill).unwrap()).collect();
        let make = |token| {
            store.create_seat(NewSeat {
                id: Uuid::new_v4(),
                license: None,
                shared_with: "user@example.com".to_owned(),
                token: TokenHashes::of(token, &pepper),
                identity: None,
                remember: None,
                by: Actor::Console,
            })
        };
        // Fewer at a time than a store has connections, for one of which nobody waits long.
        for some in tokens.chunks(8) {
            assert!(join_all(some.iter().map(make).collect()).await.iter().all(Result::is_ok));
        }
        store.close().await;
        (site, tokens.iter().map(|token| token.expose_secret().to_owned()).collect())
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The private half of the root key, where "init" writes it.
    pub fn root_file(&self) -> String {
        self.scratch("data-root-key.json").to_str().unwrap().to_owned()
    }

    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command with `--json` on this site, its input closed.
    pub fn cli(&self, args: &[&str]) -> Done {
        self.cli_in(&self.data(), args)
    }

    /// With variables of the environment; one without a value is taken away.
    pub fn cli_told(&self, variables: &[(&str, &str)], args: &[&str]) -> Done {
        let mut command = program(self.url.as_deref());
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        run(command.arg("--data").arg(self.data()).arg("--json").args(args))
    }

    pub fn cli_in(&self, data: &Path, args: &[&str]) -> Done {
        run(self.program().arg("--data").arg(data).arg("--json").args(args))
    }

    /// A command on this site that was not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut program = self.program();
        program.arg("--data").arg(self.data()).args(args).stdin(Stdio::null());
        program
    }

    fn program(&self) -> Command {
        let mut program = program(self.url.as_deref());
        program.envs(self.clock.iter().flat_map(faketime::FakeClock::environment));
        program
    }

    /// Makes a seat: its id and its token.
    pub fn seat(&self, email: &str) -> (String, String) {
        let made = self.cli(&["seat", "create", "--email", email]).json();
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    pub fn change(&self, options: &[&str]) {
        let mut args = vec!["license", "change", &self.license];
        args.extend(options);
        self.cli(&args).json();
    }

    pub fn show(&self, seat: &str) -> Value {
        let seats = self.cli(&["seat", "list"]).json();
        seats.as_array().unwrap().iter().find(|other| other["id"] == seat).unwrap().clone()
    }

    pub fn serve(&self) -> Server<'_> {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, options: &[&str]) -> Server<'_> {
        self.serve_from(&self.data(), options)
    }

    /// From another data folder, as another server of the same database.
    pub fn serve_from(&self, data: &Path, options: &[&str]) -> Server<'_> {
        self.start(self.program_at(data), options)
    }

    /// With variables of the environment.
    pub fn serve_told(&self, variables: &[(&str, &str)], options: &[&str]) -> Server<'_> {
        let mut program = self.program_at(&self.data());
        program.envs(variables.iter().copied());
        self.start(program, options)
    }

    fn program_at(&self, data: &Path) -> Command {
        let mut program = self.program();
        program.arg("--data").arg(data);
        program
    }

    /// With a copy of the data folder on a disk of few megabytes, which nobody else sees.
    pub fn serve_on_small_disk(&self, options: &[&str]) -> Server<'_> {
        let script = "mount -t tmpfs -o size=8m none \"$2\" && cp -a \"$1/.\" \"$2\" && small=$2 && program=$3 && shift 3 && \
                      exec \"$program\" --data \"$small\" \"$@\"";
        std::fs::create_dir(self.scratch(SMALL_DISK)).unwrap();
        let mut program = Command::new("unshare");
        program.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(self.data());
        program.arg(self.scratch(SMALL_DISK)).arg(PROGRAM);
        self.start(program, options)
    }

    fn start(&self, mut program: Command, options: &[&str]) -> Server<'_> {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut child = program
            // On a busy computer; whoever tests what becomes of late requests gives them less.
            .env("SEATLOCK_REQUEST_TIMEOUT", "60s")
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "debug"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("the server says where it listens");
        Server { site: self, url: url.to_owned(), child, stdout }
    }

    pub fn log(&self) -> PathBuf {
        self.scratch("log")
    }

    /// What the server has said so far, without a line that it is writing.
    pub fn said(&self) -> String {
        let mut said = std::fs::read_to_string(self.log()).unwrap();
        said.truncate(said.rfind('\n').map_or(0, |end| end + 1));
        said
    }

    pub async fn database(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.data().join("seatlock.db"));
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Lets time pass, by moving everything that happened into the past.
    pub async fn age(&self, seconds: i64) {
        let mut database = self.database().await;
        for statement in [
            "UPDATE seat SET since = since - ?1, last_ping = last_ping - ?1, lease_until = lease_until - ?1",
            "UPDATE license SET last_manual_release_at = last_manual_release_at - ?1",
            "UPDATE install SET asked_at = asked_at - ?1, retired_at = retired_at - ?1",
        ] {
            sqlx::query(statement).bind(seconds).execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    }

    pub async fn audit(&self, seat: &str) -> Vec<String> {
        let mut database = self.database().await;
        let query = "SELECT event FROM audit WHERE seat_id = ? ORDER BY id";
        let rows = sqlx::query_scalar(query).bind(seat).fetch_all(&mut database).await.unwrap();
        database.close().await.unwrap();
        rows
    }
}

/// The program, with the URL of its database where no other user sees it.
fn program(url: Option<&str>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_remove("SEATLOCK_DATABASE_URL");
    command.envs(url.map(|url| ("SEATLOCK_DATABASE_URL", url)));
    command
}

/// A server that starts although it should be refused does not end by itself.
fn run(command: &mut Command) -> Done {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (id, (done, ended)) = (child.id().to_string(), mpsc::channel());
    thread::spawn(move || done.send(child.wait_with_output()));
    let done = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        Command::new("kill").args(["-KILL", &id]).status().unwrap();
        panic!("{command:?} does not end")
    });
    let done = done.unwrap();
    Done {
        ok: done.status.success(),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

/// A plug-in installation on one computer.
#[derive(Clone)]
pub struct Plugin {
    pub token: String,
    pub machine: MachineId,
    pub install: Uuid,
    pub renewal: Option<String>,
    pub epoch: Option<u64>,
    pub body: Value,
}

impl Plugin {
    pub fn new(token: &str, machine: &str) -> Self {
        Self {
            token: token.to_owned(),
            machine: MachineId::derive(PRODUCT, "linux", machine),
            install: Uuid::new_v4(),
            renewal: None,
            epoch: None,
            body: json!({}),
        }
    }

    /// The same with members of the body replaced.
    pub fn with(&self, body: Value) -> Self {
        Self { body, ..self.clone() }
    }

    pub fn request(&self) -> (String, Value) {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let nonce = seatlock_protocol::Nonce::new(nonce).to_string();
        let mut body = json!({
            "nonce": nonce, "product": PRODUCT, "machine": { "id": self.machine, "source": "os" },
            "install_id": self.install, "intent": "launch", "renewal": self.renewal,
            "client": { "lib": "1.0.0", "host": "blender" }, "clock": { "wall": 0 },
        });
        if let Some(epoch) = self.epoch {
            body["have"] = json!({ "jti": Uuid::new_v4(), "epoch": epoch });
        }
        body.as_object_mut().unwrap().extend(self.body.as_object().unwrap().clone());
        (nonce, body)
    }
}

/// An answer as it came, and what was asked.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
    nonce: String,
    keys: KeySetClaims,
}

impl Server<'_> {
    /// One call of a plug-in: `activate`, `ping`, `release`, `status`.
    pub async fn call(&self, call: &str, plugin: &Plugin) -> Answer {
        self.try_call(call, plugin).await.unwrap()
    }

    pub async fn try_call(&self, call: &str, plugin: &Plugin) -> reqwest::Result<Answer> {
        let (nonce, body) = plugin.request();
        let url = format!("{}/v1/seat/{call}", self.url);
        let request = self.site.http.post(url).bearer_auth(&plugin.token).json(&body);
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await?;
        let keys = KeySetClaims {
            iss: String::new(),
            seq: 0,
            iat: UnixTime::MIN,
            keys: Vec::new(),
            revoked: Vec::new(),
        };
        let mut answer = Answer { status, headers, body, nonce, keys };
        if let Some(jws) = serde_json::from_str::<Value>(&answer.body)
            .ok()
            .and_then(|body| body["keyset"].as_str().map(str::to_owned))
        {
            answer.keys = self.site.key_set(&jws);
        }
        Ok(answer)
    }

    /// As [`Self::call`], and keeps what a real client would keep.
    pub async fn lease(&self, call: &str, plugin: &mut Plugin) -> (u16, LeaseClaims) {
        let answer = self.call(call, plugin).await;
        let lease = answer.lease();
        let body: LeaseAnswer = serde_json::from_str(&answer.body).unwrap();
        plugin.renewal = Some(body.renewal);
        plugin.epoch = Some(lease.epoch);
        (answer.status, lease)
    }

    /// The disk of [`Site::serve_on_small_disk`], as seen from outside.
    pub fn small_disk(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.child.id()));
        root.join(self.site.scratch(SMALL_DISK).strip_prefix("/").unwrap())
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Stops the server in order: it must end well, and everything after its first line is returned.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // Already stopped in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Site {
    /// Reads a key set as a plug-in does that pins the root key.
    pub fn key_set(&self, jws: &str) -> KeySetClaims {
        let root = |kid: &str| (kid == self.root.thumbprint()).then_some(self.root);
        jws::verify(jws, Typ::KeySet, root).unwrap().claims
    }
}

impl Answer {
    fn open<T: DeserializeOwned>(&self, jws: &str, typ: Typ) -> T {
        let find = |kid: &str| self.keys.keys.iter().find(|key| key.kid == kid).map(|key| key.x);
        jws::verify(jws, typ, find).unwrap().claims
    }

    pub fn lease(&self) -> LeaseClaims {
        let answer: LeaseAnswer =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no lease: {}", self.body));
        let lease: LeaseClaims = self.open(&answer.lease, Typ::Lease);
        assert_eq!((lease.iss.as_str(), lease.nonce.to_string()), (ISSUER, self.nonce.clone()));
        lease
    }

    /// The verdict of a success.
    pub fn verdict(&self) -> VerdictClaims {
        let answer: VerdictAnswer =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no verdict: {}", self.body));
        self.checked(&answer.verdict)
    }

    pub fn problem(&self) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(problem.instance, Some(format!("urn:uuid:{id}")));
        problem
    }

    /// The verdict of a refusal, which repeats the unsigned part.
    pub fn refusal(&self) -> VerdictClaims {
        let problem = self.problem();
        let verdict = self.checked(problem.verdict.as_ref().unwrap());
        assert_eq!((verdict.code, &verdict.params), (problem.code, &problem.params));
        verdict
    }

    fn checked(&self, jws: &str) -> VerdictClaims {
        let verdict: VerdictClaims = self.open(jws, Typ::Verdict);
        assert_eq!((verdict.iss.as_str(), verdict.nonce.to_string()), (ISSUER, self.nonce.clone()));
        assert_eq!(verdict.ks, self.keys.seq);
        verdict
    }
}

/// Waits for all of them, which run at the same time.
pub async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Waits until the server has said `words` so many times.
pub async fn logged(site: &Site, words: &str, times: usize) {
    let count = || site.said().matches(words).count();
    let until = async {
        while count() < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), until).await.expect("the server says so");
}

/// The workspace builds reqwest with TLS and leaves the choice of its provider to each program.
pub fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
