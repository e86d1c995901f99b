/// `account`.
mod account;
/// `audit`.
mod audit;
/// `keys propose`, `keys sign` and `keys install`.
mod ceremony;
/// Which database.
mod database;
/// `init`.
mod init;
/// `keys`.
mod keys;
/// `license`.
mod license;
/// `offline`.
mod offline;
/// Tables for people, JSON for scripts.
mod output;
/// `plan`.
mod plan;
/// `restore`.
mod restore;
/// `seat`.
mod seat;
/// `serve`.
mod serve;
/// `export` and `import`.
mod transfer;
/// Durations and dates as people write them.
mod units;
/// `user`.
mod user;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use output::Output;
use seatlock_server::{
    keys::DataFolder,
    store::{AnyStore, Store as _, postgres::PostgresStore, sqlite::SqliteStore},
};
use std::path::PathBuf;

/// License activation for 3D plug-ins: the server, and the commands of whoever runs it.
///
/// Everything is kept in one data folder, or everything but the keys in a PostgreSQL database that several servers
/// share. Commands may be used while servers run.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// The data folder
    #[arg(
        long,
        global = true,
        env = "SEATLOCK_SERVER_DATA",
        value_name = "DIR",
        default_value = "seatlock-data"
    )]
    data: PathBuf,
    /// A PostgreSQL database instead of the file in the data folder, such as postgres://user@host/name; without the
    /// password, which is read from ~/.pgpass, or from the variable SEATLOCK_DATABASE_URL with a whole URL in it
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// A file with the whole URL of the PostgreSQL database, password and all
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "database")]
    database_file: Option<PathBuf>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up a data folder: keys, database, first license
    Init(init::Init),
    /// Answer plug-ins until SIGTERM or Ctrl-C
    Serve(serve::Serve),
    /// Make, list, release, refresh and revoke seats
    #[command(subcommand)]
    Seat(seat::SeatCommand),
    /// Make, change and show licenses
    #[command(subcommand)]
    License(license::LicenseCommand),
    /// Make and list accounts, which licenses and users belong to
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Add, list, change and disable users of the seat page and the admin API
    #[command(subcommand)]
    User(user::UserCommand),
    /// List plans and change what they contain
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Answer the request and release files of machines without a network
    #[command(subcommand)]
    Offline(offline::OfflineCommand),
    /// Make, list, rotate and revoke the keys that sign
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Show what happened, oldest first, or check that the trail is whole
    Audit(audit::Audit),
    /// Write a consistent copy of the database while the server runs
    ///
    /// Keep the pepper and the folder lease-keys as well, in another place: the copy is of no use without them.
    Backup {
        /// The new file; never overwritten
        file: PathBuf,
    },
    /// Put a backup in the place of the database, while the server is stopped
    ///
    /// Users go on working, but what happened since the backup is forgotten: see docs/keys.md.
    Restore(restore::Restore),
    /// Write everything in the database to a file, as JSON Lines, while servers run
    Export(transfer::Export),
    /// Bring an export into an empty database of either kind: how a server moves to PostgreSQL, or back
    Import(transfer::Import),
    /// Forget the secrets that a restored PostgreSQL backup has: "restore" does it for a database file
    ///
    /// Renewal secrets, sessions, one-time links and remembered answers of the backup are older than those of the users,
    /// who would look like copies.
    ForgetSecrets,
}

impl Cli {
    /// Carries out the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let address = database::address(self.database, self.database_file)?;
        let folder = DataFolder::new(self.data).with_postgres(address);
        let output = Output { json: self.json };
        match self.command {
            Command::Init(init) => init.run(&folder, output).await,
            Command::Serve(serve) => serve.run(folder).await,
            Command::Seat(command) => command.run(&folder, output).await,
            Command::License(command) => command.run(&folder, output).await,
            Command::Account(command) => command.run(&folder, output).await,
            Command::User(command) => command.run(&folder, output).await,
            Command::Plan(command) => command.run(&folder, output).await,
            Command::Offline(command) => command.run(&folder, output).await,
            Command::Keys(command) => command.run(&folder, output).await,
            Command::Audit(audit) => audit.run(&folder, output).await,
            Command::Restore(restore) => restore.run(&folder, output).await,
            Command::Export(export) => export.run(&folder, output).await,
            Command::Import(import) => import.run(&folder, output).await,
            Command::ForgetSecrets => {
                let store = open(&folder).await?;
                store.forget_secrets().await?;
                store.close().await;
                output.done(&serde_json::json!({ "forgotten": true }), "forgotten; users go on working")
            }
            Command::Backup { file } => {
                if file.exists() {
                    bail!("{} exists; nothing was written. Name a new file.", file.display());
                }
                let store = open(&folder).await?;
                let copied = store.backup(&file).await;
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

/// Opens the database of a folder that `init` has set up.
async fn open(folder: &DataFolder) -> anyhow::Result<AnyStore> {
    if let Some(address) = folder.postgres() {
        let store =
            PostgresStore::open(address).await.with_context(|| format!("the {address} can not be used"))?;
        return Ok(AnyStore::Postgres(store));
    }
    let file = folder.database();
    if !file.exists() && folder.is_taken() {
        bail!(
            "{} has keys but no database. Name its PostgreSQL database with --database or SEATLOCK_DATABASE_URL, or \
             restore a backup",
            folder.path().display()
        );
    }
    if !file.exists() {
        bail!("{0} is not set up. Run: seatlock-server --data {0} init --help", folder.path().display());
    }
    let store = SqliteStore::open(&file, false).await;
    store
        .map(AnyStore::Sqlite)
        .with_context(|| format!("{} can not be opened. Restore it from a backup", file.display()))
}
