use super::output::{Output, cell};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use seatlock_server::{
    keys::DataFolder,
    rules::timestamp,
    store::{Account, Actor, AnyStore, People as _, Store as _, StoreError},
};
use serde_json::{Value, json};
use uuid::Uuid;

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
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::Create { name } => {
                let name = name.trim().to_owned();
                if name.is_empty() || name.len() > 200 {
                    bail!("an account needs a name of 1 to 200 bytes; none was made");
                }
                let made = store.add_account(Uuid::new_v4(), name, Actor::Console).await;
                let account = made.context("the account was not made")?;
                output.done(&view(&account), &format!("account {} of {} made", account.id, account.name))?;
            }
            Self::List => {
                let accounts: Vec<Value> = store.accounts().await?.iter().map(view).collect();
                let names = ["id", "name", "created_at"];
                output.table(&accounts, ["ACCOUNT", "NAME", "MADE"], |account| {
                    names.map(|name| cell(account, name))
                })?;
            }
        }
        store.close().await;
        Ok(())
    }
}

fn view(account: &Account) -> Value {
    json!({ "id": account.id, "name": account.name, "created_at": timestamp(account.created_at) })
}

/// The account that was named, or the only one.
pub(super) async fn chosen(store: &AnyStore, named: Option<Uuid>) -> anyhow::Result<Account> {
    let mut accounts = store.accounts().await?;
    match (named, accounts.len()) {
        (Some(id), _) => {
            let found = accounts.into_iter().find(|account| account.id == id);
            found.ok_or_else(|| StoreError::NotFound(format!("account {id}")).into())
        }
        (None, 1) => accounts.pop().context("there is no account"),
        (None, count) => bail!("there are {count} accounts; say which one with --account"),
    }
}
