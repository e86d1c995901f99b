use super::{
    ISSUER, PATIENCE, PRODUCT, Server,
    database::{Engine, Place},
    http_client, join_all, secrets, send_signal,
    store::{new_seat, token},
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use seatlock_protocol::{PublicKey, Token, Typ, claims::KeySetClaims, jws};
use seatlock_server::crypto::keys::DataFolder;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
};
use tempfile::TempDir;
use uuid::Uuid;
use xtask::server::note;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_seatlock-server");

/// A data folder as `init` leaves it.
pub struct Site {
    folder: TempDir,
    /// The PostgreSQL database, unless it is a file in the folder.
    url: Option<String>,
    /// Further variables of its programs.
    pub environment: Vec<(String, String)>,
    pub root: PublicKey,
    pub license: String,
    pub(super) http: reqwest::Client,
    /// Processes of the servers that were started.
    pub(super) servers: Mutex<Vec<u32>>,
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

    /// What `config check` found that is a problem.
    pub fn problems(&self) -> Vec<String> {
        let found: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"));
        let problems = found.as_array().unwrap().iter().filter(|finding| finding["verdict"] == "problem");
        let problems: Vec<String> = problems
            .map(|finding| {
                format!("{}: {}", finding["about"].as_str().unwrap(), finding["text"].as_str().unwrap())
            })
            .collect();
        assert_eq!(self.ok, problems.is_empty(), "{self:?}");
        problems
    }
}

impl Site {
    /// With SQLite.
    pub fn new(options: &[&str]) -> Self {
        Self::at(None, options)
    }

    /// With a new database.
    pub fn on(engine: Engine, options: &[&str]) -> Self {
        Self::at(engine.url(), options)
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
            environment: Vec::new(),
            root: PublicKey::from_jwk_x(made["root_key"]["x"].as_str().unwrap()).unwrap(),
            license: made["license"].as_str().unwrap().to_owned(),
            http: http_client(),
            servers: Mutex::default(),
        }
    }

    /// With so many seats, straight into the store: hundreds of processes would take longer than
    /// what is tested.
    pub async fn with_tokens(engine: Engine, seats: usize) -> (Self, Vec<String>) {
        let site = Self::on(engine, &["--seats", &seats.to_string()]);
        let tokens = site.seats(seats).await;
        (site, tokens)
    }

    /// Makes a seat for somebody of any name, straight in the store.
    pub async fn seat_of(&self, name: &str) {
        let (store, license) = (self.place().open().await.unwrap(), self.license.parse().unwrap());
        let pepper = DataFolder::new(self.data()).pepper().unwrap();
        store.run(new_seat(license, name, &token(), &pepper)).await.unwrap();
        store.close().await;
    }

    /// Makes so many seats, straight in the store: their tokens.
    pub async fn seats(&self, seats: usize) -> Vec<String> {
        let (store, license) = (self.place().open().await.unwrap(), self.license.parse().unwrap());
        let pepper = DataFolder::new(self.data()).pepper().unwrap();
        let tokens: Vec<Token> = (0..seats).map(|_| token()).collect();
        // Fewer at a time than a store has connections, for one of which nobody waits long.
        for some in tokens.chunks(8) {
            let new = |token| store.run(new_seat(license, "user@example.com", token, &pepper));
            assert!(join_all(some.iter().map(new)).await.iter().all(Result::is_ok));
        }
        store.close().await;
        let shown = |token: &Token| token.expose_secret().to_owned();
        tokens.iter().inspect(|token| note("tokens", token.expose_secret()).unwrap()).map(shown).collect()
    }

    /// Where its database is.
    pub fn place(&self) -> Place {
        match &self.url {
            Some(url) => Place::Postgres(url.clone()),
            None => Place::Sqlite(self.data().join("seatlock.db")),
        }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The private half of the root key, where "init" writes it.
    pub fn root_file(&self) -> String {
        self.scratch("data-root-key.json").to_str().unwrap().to_owned()
    }

    /// Writes the configuration file that is found without being named.
    pub fn configure(&self, text: &str) -> PathBuf {
        let file = self.data().join("seatlock.toml");
        std::fs::write(&file, text).unwrap();
        file
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
        program.envs(self.environment.iter().cloned());
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
        Server::start(self, self.program_at(data), options)
    }

    /// With variables of the environment.
    pub fn serve_told(&self, variables: &[(&str, &str)], options: &[&str]) -> Server<'_> {
        let mut program = self.program_at(&self.data());
        program.envs(variables.iter().copied());
        Server::start(self, program, options)
    }

    fn program_at(&self, data: &Path) -> Command {
        let mut program = self.program();
        program.arg("--data").arg(data);
        program
    }

    pub fn log(&self) -> PathBuf {
        self.scratch("log")
    }

    /// What the servers have said so far, without a line that one is writing.
    pub fn said(&self) -> String {
        let mut said = std::fs::read_to_string(self.log()).unwrap_or_default();
        said.truncate(said.rfind('\n').map_or(0, |end| end + 1));
        said
    }

    /// Whether a server that was started goes on.
    pub fn is_served(&self) -> bool {
        self.servers.lock().unwrap().iter().any(|id| {
            let process = Pid::from_raw((*id).try_into().unwrap()).unwrap();
            // Left to be waited for by whoever started it.
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            matches!(waitid(WaitId::Pid(process), look), Ok(None))
        })
    }

    pub async fn database(&self) -> SqliteConnection {
        self.place().sqlite().await
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

    /// Reads a key set as a plug-in does that pins the root key.
    pub fn key_set(&self, jws: &str) -> KeySetClaims {
        let root = |kid: &str| (kid == self.root.thumbprint()).then_some(self.root);
        jws::verify(jws, Typ::KeySet, root).unwrap().claims
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        note(&format!("{}.log", Uuid::new_v4()), &self.said()).unwrap();
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
    let (id, (done, ended)) = (child.id(), mpsc::channel());
    thread::spawn(move || done.send(child.wait_with_output()));
    let done = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        send_signal(id, Signal::KILL);
        panic!("{command:?} does not end")
    });
    let done = done.unwrap();
    let done = Done {
        ok: done.status.success(),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    };
    if let Ok(printed) = serde_json::from_str(&done.stdout) {
        secrets::note_tokens(&printed);
    }
    done
}
