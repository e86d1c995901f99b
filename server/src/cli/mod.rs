/// `account`.
mod account;
/// `audit`.
mod audit;
/// `keys propose`, `keys sign` and `keys install`.
mod ceremony;
/// `dev`.
mod dev;
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
/// Durations and dates as people write them.
mod units;
/// `user`.
mod user;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use output::Output;
use seatlock_server::{
    keys::DataFolder,
    store::{Store as _, sqlite::SqliteStore},
};
use std::path::PathBuf;

/// License activation for 3D plug-ins: the server, and the commands of whoever runs it.
///
/// Everything is kept in one data folder. Commands may be used while the server runs on the same folder.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// The data folder [default: seatlock-data; for "dev" seatlock-dev]
    #[arg(long, global = true, env = "SEATLOCK_SERVER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try everything out: a server with sample seats on this computer, ready in one command
    Dev(dev::Dev),
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
}

impl Cli {
    /// Carries out the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let usual = if matches!(self.command, Command::Dev(_)) { "seatlock-dev" } else { "seatlock-data" };
        let folder = DataFolder::new(self.data.unwrap_or_else(|| usual.into()));
        let output = Output { json: self.json };
        match self.command {
            Command::Dev(dev) => dev.run(folder, output).await,
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
async fn open(folder: &DataFolder) -> anyhow::Result<SqliteStore> {
    let file = folder.database();
    if !file.exists() {
        bail!("{0} is not set up. Run: seatlock-server --data {0} init --help", folder.path().display());
    }
    SqliteStore::open(&file, false)
        .await
        .with_context(|| format!("{} can not be opened. Restore it from a backup", file.display()))
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
}
