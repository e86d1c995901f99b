/// `account`.
mod account;
/// `airgap`.
mod airgap;
/// `audit`.
mod audit;
/// `seat create` for many.
mod bulk;
/// `keys propose`, `keys sign` and `keys install`.
mod ceremony;
/// The admin API, as the commands ask it.
mod client;
/// `clock`.
mod clock;
/// `config`, and the configuration file.
mod config;
/// Which database.
mod database;
/// `dev`.
mod dev;
/// `erase`.
mod erase;
/// `health`.
mod health;
/// `init`.
mod init;
/// `issuer`.
mod issuer;
/// `keys`.
mod keys;
/// `license`.
mod license;
/// Tables for people, JSON for scripts.
mod output;
/// `new-pepper`.
mod pepper;
/// `plan`.
mod plan;
/// `restore`.
mod restore;
/// `retention`.
mod retention;
/// `seat`.
mod seat;
/// `serve`.
mod serve;
/// `server`.
mod server;
/// `export` and `import`.
mod transfer;
/// Durations and dates as people write them.
mod units;
/// `usage`.
mod usage;
/// `user`.
mod user;

use anyhow::{Context as _, anyhow, bail};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource};
use client::ServerLocation;
use output::Output;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::store::{
    Backup, Inspection, Store,
    postgres::PostgresStore,
    sqlite::{SqliteStore, beside},
};
use seatlock_server::system::files;
use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// License activation for 3D plug-ins: the server, and the operator's commands.
///
/// Everything is kept in one data folder, or everything but the keys in a PostgreSQL database that
/// several servers share. Commands may be used while servers run. With --server the commands seat,
/// license, account, user, plan, usage and audit work on a server that runs elsewhere, by its admin
/// API and with the API token in SEATLOCK_API_TOKEN.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// The data folder [default: seatlock-data; for "dev" seatlock-dev]
    #[arg(long, global = true, env = "SEATLOCK_SERVER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL database instead of the file in the data folder, such as
    /// postgres://user@host/name; without the password, which is read from ~/.pgpass, or from
    /// the variable SEATLOCK_DATABASE_URL with a whole URL in it
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// A file with the whole URL of the PostgreSQL database, password and all
    #[arg(long, global = true, value_name = "FILE", env = "SEATLOCK_DATABASE_FILE")]
    database_file: Option<PathBuf>,
    /// The configuration file, in which every option of "serve" may stand, and the database
    /// [default: seatlock.toml in the data folder, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "SEATLOCK_CONFIG")]
    config: Option<PathBuf>,
    /// Address of a server whose admin API is used instead of the data folder
    #[arg(long, global = true, env = "SEATLOCK_SERVER_URL", value_name = "URL", value_parser = units::issuer)]
    server: Option<String>,
    /// File with the API token for --server, instead of the variable SEATLOCK_API_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    api_token_file: Option<PathBuf>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[arg(skip)]
    told: config::CommandLine,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try everything out: a server with sample seats on this computer, ready in one command
    Dev(dev::Dev),
    /// Set up a data folder: keys, database, first license
    Init(init::Init),
    /// Show what the server calls itself, and change it while that can be
    #[command(subcommand)]
    Server(server::ServerCommand),
    /// Answer plug-ins until SIGTERM or Ctrl-C
    Serve(serve::Serve),
    /// Check or show the settings of "serve", from wherever they come
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Ask whether a server is alive, for containers; ends with status 1 if not
    Health(health::Health),
    /// Make, list, release, refresh and revoke seats
    #[command(subcommand)]
    Seat(seat::SeatSubcommand),
    /// Make, change and show licenses
    #[command(subcommand)]
    License(license::LicenseCommand),
    /// Make and list accounts, which licenses and users belong to
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Add, list, change and disable users of the seat page and the admin API
    #[command(subcommand)]
    User(user::UserCommand),
    /// Accept the access tokens of sign-in services, and say whom they admit
    #[command(subcommand)]
    Issuer(issuer::IssuerCommand),
    /// List plans and change what they contain
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Answer the request and release files of machines without a network
    #[command(subcommand)]
    Airgap(airgap::AirgapCommand),
    /// Make, list, rotate and revoke the keys that sign
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Show how many seats of the licenses are in use
    Usage(usage::Usage),
    /// Show what happened, oldest first, or check that the trail is whole
    Audit(audit::AuditArgs),
    /// Make a new pepper when the old one and every copy of it are lost: all tokens must then be
    /// replaced
    ///
    /// Stop every server first. What the database keeps of tokens can be compared only with the
    /// pepper that it was made with.
    NewPepper(pepper::NewPepper),
    /// Show the clock by which everything is decided, and what speaks against it; or accept it
    ///
    /// Where the clock was set back, or far ahead, a server signs nothing until it is right again.
    /// When it is right although it does not look so, because nobody was at work for long or
    /// because it was wrong before, say --accept.
    Clock(clock::ClockCommand),
    /// Show what is kept how long, and take away what is older
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Erase a person's user, and the e-mail address from closed seats
    Erase(erase::Erase),
    /// Write a consistent copy of the database while the server runs
    ///
    /// Keep the pepper and the folder lease-keys as well, in another place: the copy is of no use
    /// without them.
    Backup {
        /// The new file; never overwritten
        file: PathBuf,
    },
    /// Put a backup in the place of the database, while the server is stopped
    ///
    /// Users go on working, but what happened since the backup is forgotten: see docs/keys.md.
    Restore(restore::Restore),
    /// Write everything in the database to a file, as JSON Lines, while servers run
    Export(transfer::ExportCommand),
    /// Bring an export into an empty database of either kind: how a server moves to PostgreSQL, or
    /// back
    Import(transfer::ImportCommand),
    /// Mark a database that was put back by other means, such as pg_restore or a snapshot, while
    /// every server is stopped
    ///
    /// "restore" does it by itself. Servers then believe machines that prove by a lease that they
    /// hold a seat of which the backup knows nothing, and take no living lease away for that.
    /// Secrets of the backup that are older than those of the users, who would look like
    /// copies, are forgotten: sessions, one-time links, remembered answers, renewal secrets.
    RestoreMark,
}

impl Cli {
    /// Reads the command line, and ends the program if it cannot be read.
    pub fn read() -> Self {
        let typed = config::without_variables(Self::command()).get_matches();
        let read = Self::with_settings(&typed);
        read.unwrap_or_else(|error| error.format(&mut Self::command()).exit())
    }

    /// Reads the command line once more, with what variables and the configuration file say in the
    /// place of defaults.
    fn with_settings(typed: &ArgMatches) -> Result<Self, clap::Error> {
        let wrong = |text: &str| Self::command().error(clap::error::ErrorKind::InvalidValue, text);
        let variables = config::Variables::read(&Self::command(), typed);
        let variables = variables.map_err(|error| wrong(&error.to_string()))?;
        let file = config::file(&Self::command(), typed, &variables).map_err(|error| wrong(&error))?;
        let command = config::with_settings(Self::command(), typed, &variables, file.as_ref());
        let matches = command.get_matches();
        let mut cli = Self::from_arg_matches(&matches)?.at_one_place(&matches)?;
        let problems = file.iter().flat_map(|file| &file.problems);
        let problems: Vec<String> = problems.map(ToString::to_string).collect();
        if !problems.is_empty() && !matches!(cli.command, Command::Config(config::ConfigCommand::Check(_))) {
            return Err(wrong(&problems.join("\n       ")));
        }
        if matches!(cli.command, Command::Config(_)) {
            let effective = config::effective(&Self::command(), &matches, &variables, file.as_ref());
            cli.told = config::CommandLine { file, effective, no_database: None };
        }
        Ok(cli)
    }

    /// A folder or a database that is named on the command line counts more than a server in the
    /// environment. Nobody should change one thing and mean another.
    fn at_one_place(mut self, matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        let conflict =
            |text: &str| Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, text));
        let database = typed("database") || typed("database_file");
        if typed("database") && typed("database_file") {
            return conflict("--database and --database-file mean the same; name one of them");
        }
        if typed("database") {
            // It comes before a file that a variable names.
            self.database_file = None;
        }
        if database && matches!(self.command, Command::Dev(_)) {
            return conflict("\"dev\" has a database of its own; leave --database and --database-file out");
        }
        if !typed("server") {
            if typed("data") || database {
                self.server = None;
            }
            return Ok(self);
        }
        if typed("data") {
            return conflict("--data and --server are two places; name one of them");
        }
        if database {
            return conflict("--database and --server are two places; name one of them");
        }
        if !self.command.works_by_api() {
            return conflict("this command works on the data folder only; leave --server out");
        }
        Ok(self)
    }

    /// Carries out the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let is_dev = matches!(self.command, Command::Dev(_));
        let usual = if is_dev { "seatlock-dev" } else { "seatlock-data" };
        // What is for trying out stays away from a database in the environment.
        let address =
            if is_dev { Ok(None) } else { database::address(self.database, self.database_file.as_deref()) };
        let mut told = self.told;
        let address = match (address, &self.command) {
            (Err(error), Command::Config(config::ConfigCommand::Check(_))) => {
                told.no_database = Some(error);
                None
            }
            (address, _) => address?,
        };
        let folder = DataFolder::new(self.data.unwrap_or_else(|| usual.into())).with_postgres(address);
        let output = Output { json: self.json };
        let place = ServerLocation {
            folder: folder.clone(),
            server: self.server,
            api_token_file: self.api_token_file,
        };
        match self.command {
            Command::Dev(dev) => dev.run(folder, output).await,
            Command::Init(init) => init.run(&folder, output).await,
            Command::Server(command) => command.run(&folder, output).await,
            Command::Serve(serve) => serve.run(folder).await,
            Command::Config(command) => command.run(&folder, told, output).await,
            Command::Health(health) => health.run(output).await,
            Command::Seat(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::License(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::Account(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::User(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::Issuer(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::Plan(command) => place.ask(async |api| command.run(api, output).await).await,
            Command::Usage(usage) => place.ask(async |api| usage.run(api, output).await).await,
            Command::Airgap(command) => command.run(&folder, output).await,
            Command::Keys(command) => command.run(&folder, output).await,
            Command::Audit(audit) => audit.run(&place, output).await,
            Command::NewPepper(new) => new.run(&folder, output).await,
            Command::Clock(clock) => clock.run(&folder, output).await,
            Command::Retention(command) => command.run(&folder, output).await,
            Command::Erase(erase) => erase.run(&folder, output).await,
            Command::Restore(restore) => restore.run(&folder, output).await,
            Command::Export(export) => export.run(&folder, output).await,
            Command::Import(import) => import.run(&folder, output).await,
            Command::RestoreMark => restore::mark(&folder, output).await,
            Command::Backup { file } => {
                if file.exists() {
                    bail!("{} exists; nothing was written. Name a new file.", file.display());
                }
                let store = open(&folder).await?;
                let copied = store.run(Backup(file.clone())).await;
                copied.with_context(|| format!("the backup to {} failed", file.display()))?;
                store.close().await;
                output.done(
                    &serde_json::json!({ "backup": file }),
                    &format!("backup written to {}", file.display()),
                )
            }
        }
    }
}

impl Command {
    fn works_by_api(&self) -> bool {
        matches!(
            self,
            Self::Seat(_)
                | Self::License(_)
                | Self::Account(_)
                | Self::User(_)
                | Self::Issuer(_)
                | Self::Plan(_)
                | Self::Usage(_)
                | Self::Audit(_)
        )
    }
}

/// Opens the database of a folder that `init` has set up.
async fn open(folder: &DataFolder) -> anyhow::Result<Store> {
    if let Some(address) = folder.postgres() {
        let opened = PostgresStore::open(address).await;
        return opened.with_context(|| format!("the {address} cannot be used"));
    }
    let file = database_file(folder)?;
    permitted(&file, File::options().read(true).write(true))?;
    let store = SqliteStore::open(&file, false).await;
    store.map_err(|error| {
        let advice = if error.is_damage() { ". Restore it from a backup" } else { "" };
        anyhow::Error::new(error).context(format!("{} cannot be opened{advice}", file.display()))
    })
}

/// What [`open`] would find, without changing anything.
async fn inspect(folder: &DataFolder) -> anyhow::Result<Inspection> {
    match folder.postgres() {
        Some(address) => {
            PostgresStore::inspect(address).await.with_context(|| format!("the {address} cannot be used"))
        }
        None => {
            let file = database_file(folder)?;
            permitted(&file, File::options().read(true))?;
            SqliteStore::inspect(&file).await.with_context(|| format!("{} cannot be used", file.display()))
        }
    }
}

/// SQLite does not tell a file that is somebody else's from one that is broken.
fn permitted(file: &Path, asked: &OpenOptions) -> anyhow::Result<()> {
    match asked.open(file) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("{} cannot be opened: {}", file.display(), files::in_words(file, &error))
        }
        _ => Ok(()),
    }
}

/// The database file, which must be there.
fn database_file(folder: &DataFolder) -> anyhow::Result<PathBuf> {
    let (file, path) = (folder.database(), folder.path().display());
    let there = files::is_there(&file);
    if there.map_err(|error| anyhow!("{path} cannot be used: {}", files::in_words(&file, &error)))? {
        return Ok(file);
    }
    let journal = beside(&file, "-wal");
    if journal.exists() {
        bail!(
            "{} is not there any more, but its journal is, which may have its newest changes: {}. Put the database back to it, \
             or restore a backup",
            file.display(),
            journal.display()
        );
    }
    if folder.is_taken()? {
        bail!(
            "{path} has keys but no database. Name its PostgreSQL database with --database or SEATLOCK_DATABASE_URL, or \
             restore a backup. If \"init\" was interrupted here, delete the folder and run it again"
        );
    }
    bail!("{path} is not set up. Run: seatlock-server --data {path} init --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clap would only find when somebody types that very command.
    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_page_about_configuration_says_what_is_there() {
        let page = std::fs::read_to_string("../docs/configuration.md").unwrap();
        let table = page.split("<!-- settings").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let told: Vec<(String, String)> = rows
            .map(|row| {
                let mut cells = row.split('|').map(|cell| cell.trim_matches(['`', ' ']).to_owned());
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect();
        let there: Vec<(String, String)> = config::known(&Cli::command())
            .iter()
            .map(|arg| {
                let id = arg.get_id().as_str();
                assert_eq!(arg.get_long().map(|long| long.replace('-', "_")).as_deref(), Some(id));
                // A URL may hold a password, which help would show.
                let variable = arg.get_env().map(|name| name.to_str().unwrap().to_owned());
                assert_eq!(variable, (id != "database").then(|| config::variable_of(id)), "{id}");
                let default =
                    arg.get_default_values().first().map(|value| value.to_str().unwrap().to_owned());
                (id.to_owned(), default.unwrap_or_default())
            })
            .collect();
        assert_eq!(told, there, "docs/configuration.md (left) and the options of serve (right)");
    }
}
