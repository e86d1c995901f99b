use crate::run;
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const INSTALL: &str = "PostgreSQL 15 or newer (Debian: apt-get install postgresql)";
const START: Duration = Duration::from_secs(60);
/// Starts the database and stops it when its standard input ends: when this program does, however
/// it ends.
const KEEPER: &str = r#""$1/postgres" -D "$2/data" -k "$2" -c listen_addresses="$3" -c max_connections=200 \
    -c logging_collector=off > "$2/log" 2>&1 &
database=$!
read -r word
kill -QUIT $database
wait $database
[ "$word" = keep ] || rm -rf "$2"
"#;

/// A PostgreSQL of its own in a folder of its own, reached by a socket in it. Its data are on the
/// disk as in earnest.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
    setting: Setting,
    keeper: Option<Child>,
}

/// What is not as usual about a database cluster.
#[derive(Default)]
pub struct Setting {
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Listens on this port of the own computer as well, with TLS, a certificate and its private
    /// key (PEM).
    pub tls: Option<(u16, String, String)>,
}

static SHARED: OnceLock<Postgres> = OnceLock::new();
static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Postgres {
    /// The one that all tests of a program share; it ends with the program.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn shared() -> Result<&'static Self> {
        // Two at once would start two; the second one ends at once.
        static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _turn = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(there) = SHARED.get() {
            return Ok(there);
        }
        let started = Self::start()?;
        Ok(SHARED.get_or_init(|| started))
    }

    /// Makes a database cluster and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(Setting::default())
    }

    /// The same, in another setting.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start_with(setting: Setting) -> Result<Self> {
        let programs = programs().with_context(|| format!("this needs {INSTALL}"))?;
        let folder = tempfile::Builder::new().prefix("seatlock-pg-").tempdir()?.keep();
        // The database refuses to run as root.
        let user = if run::output(Command::new("id").arg("-u"))?.trim() == "0" {
            let id = |flag: &str| -> Result<u32> {
                let id = run::output(Command::new("id").args([flag, "postgres"]));
                Ok(id
                    .with_context(|| format!("no user \"postgres\"; this needs {INSTALL}"))?
                    .trim()
                    .parse()?)
            };
            let (uid, gid) = (id("-u")?, id("-g")?);
            chown(&folder, Some(uid), Some(gid))?;
            Some((uid, gid))
        } else {
            None
        };
        let mut postgres = Self { programs, folder, user, setting, keeper: None };
        let mut initdb = postgres.command("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D"]);
        run::output(initdb.arg(postgres.folder.join("data")))?;
        postgres.listen()?;
        postgres.resume()?;
        Ok(postgres)
    }

    /// Writes the settings of a cluster that is reached over the network, which begins with TLS or
    /// not at all.
    fn listen(&self) -> Result<()> {
        let Some((port, certificate, key)) = &self.setting.tls else { return Ok(()) };
        let data = self.folder.join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            fs::write(data.join(name), text)?;
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600))?;
            if let Some((uid, gid)) = self.user {
                chown(data.join(name), Some(uid), Some(gid))?;
            }
        }
        let mut settings = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        Ok(writeln!(settings, "ssl = on\nport = {port}")?)
    }

    fn command(&self, program: &str) -> Command {
        self.as_user(Command::new(self.programs.join(program)))
    }

    fn as_user(&self, mut command: Command) -> Command {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.folder);
        command
    }

    /// Starts it again after [`Self::halt`].
    ///
    /// # Errors
    /// When it does not start in time.
    pub fn resume(&mut self) -> Result<()> {
        let mut shell = self.as_user(Command::new("sh"));
        shell.args(["-c", KEEPER, "sh"]).arg(&self.programs).arg(&self.folder);
        shell.arg(if self.setting.tls.is_some() { "127.0.0.1" } else { "" });
        shell.envs(self.setting.environment.iter().cloned());
        self.keeper = Some(shell.stdin(Stdio::piped()).spawn()?);
        let begin = Instant::now();
        while begin.elapsed() < START {
            let mut ready = self.command("pg_isready");
            let ready = ready
                .args(["-q", "-p", &self.port(), "-h"])
                .arg(&self.folder)
                .stdout(Stdio::null())
                .status()?;
            if ready.success() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL did not start: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default())
    }

    fn port(&self) -> String {
        self.setting.tls.as_ref().map_or(5432, |(port, ..)| *port).to_string()
    }

    /// Stops it at once, as a power failure of its process would: what is not on the disk is lost.
    pub fn halt(&mut self) {
        self.end(true);
    }

    fn end(&mut self, keep: bool) {
        if let Some(mut keeper) = self.keeper.take() {
            if let Some(mut orders) = keeper.stdin.take().filter(|_| keep) {
                let _ = orders.write_all(b"keep\n");
            }
            drop(keeper.stdin.take());
            // It ends when the database has.
            let _ = keeper.wait();
        }
    }

    /// A new, empty database: its URL.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<String> {
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("postgres://postgres@localhost/{name}?host={}", self.folder.display()))
    }

    /// Runs statements in a database and answers what they print.
    ///
    /// # Errors
    /// When they fail.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = self.command("psql");
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        psql.args(["-p", &self.port(), "-h"]);
        run::output(psql.arg(&self.folder).args(["-c", statements]))
    }

    /// Its folder, where its programs may write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of PostgreSQL's own programs, ready to talk to this one.
    #[must_use]
    pub fn tool(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.args(["-U", "postgres", "-h"]).arg(&self.folder);
        command
    }
}

/// Name of the database in a URL of [`Postgres::database`].
#[must_use]
pub fn name_of(url: &str) -> &str {
    url.split('/').nth(3).and_then(|rest| rest.split('?').next()).unwrap_or_default()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// The folder with initdb: that of the newest version where Debian puts them, or one of the search
/// path.
///
/// # Errors
/// There is none.
pub fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse();
        found.extend(version.ok().map(|version| (version, entry.path().join("bin"))));
    }
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = found.into_iter().rev().map(|(_, path)| path).chain(std::env::split_paths(&path));
    let place = known.into_iter().find(|path: &PathBuf| has_initdb(path));
    ensure!(place.is_some(), "initdb was not found");
    place.context("initdb was not found")
}

fn has_initdb(folder: &Path) -> bool {
    folder.join("initdb").is_file()
}
