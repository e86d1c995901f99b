/// Everything that could keep a server from working.
mod check;
/// The file, and what is wrong with it.
mod file;
/// Where a setting comes from.
mod source;

pub(super) use file::ConfigFile;
pub(super) use source::{
    Effective, Variables, effective, file, with_settings, with_variables, without_variables,
};
#[cfg(test)]
pub(super) use source::{known, variable_of};

use super::output::Output;
use super::serve::Serve;
use clap::Subcommand;
use seatlock_server::crypto::keys::DataFolder;

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Look for everything that could keep "serve" from working, and change nothing
    ///
    /// Takes the options of "serve", and says of every problem at once where it comes from. May be
    /// used while a server runs.
    Check(Serve),
    /// Show the settings that "serve" would use, and where each of them comes from
    Show(Serve),
}

/// What the program was told, beside the command itself.
#[derive(Default)]
pub(super) struct CommandLine {
    pub(super) file: Option<ConfigFile>,
    pub(super) effective: Vec<Effective>,
    /// Why nobody knows which database it is.
    pub(super) no_database: Option<anyhow::Error>,
}

impl ConfigCommand {
    pub(super) async fn run(
        self,
        folder: &DataFolder,
        told: CommandLine,
        output: Output,
    ) -> anyhow::Result<()> {
        match self {
            Self::Check(serve) => check::run(&serve, folder, &told, output).await,
            Self::Show(_) => output.table(&told.effective, ["SETTING", "VALUE", "SOURCE"], |one| {
                let value = one.value.clone().filter(|value| !value.is_empty());
                [one.setting.clone(), value.unwrap_or_else(|| "-".to_owned()), one.source.clone()]
            }),
        }
    }
}
