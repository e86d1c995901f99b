use super::access::{Access, Place};
use super::output::Output;
use anyhow::Context as _;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account, which licenses and users belong to
    Create {
        /// Its name, for people
        name: String,
    },
    /// List accounts
    List,
}

impl AccountCommand {
    pub(super) async fn run(self, place: &Place, output: Output) -> anyhow::Result<()> {
        let access = Access::open(place).await?;
        let done = self.carry_out(&access, output).await;
        access.close().await;
        done
    }

    async fn carry_out(self, access: &Access, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Create { name } => {
                let account = access.create_account(&name).await.context("the account was not made")?;
                output.done(&account, &format!("account {} of {} made", account.id, account.name))
            }
            Self::List => output.table(&access.accounts().await?, ["ACCOUNT", "NAME", "MADE"], |account| {
                [account.id.to_string(), account.name.clone(), account.created_at.to_string()]
            }),
        }
    }
}
