use super::client::AdminClient;
use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use seatlock_server::http::api::schema::{AccountJson, NewAccount};
use uuid::Uuid;

/// Name of the account of those who run the server.
const ADMINISTRATORS: &str = "Administrators";

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
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Create { name } => {
                let account = create(client, &name).await.context("the account was not made")?;
                output.done(&account, &format!("account {} of {} made", account.id, account.name))
            }
            Self::List => output.table(&all(client).await?, ["ACCOUNT", "NAME", "MADE"], |account| {
                [account.id.to_string(), account.name.clone(), account.created_at.to_string()]
            }),
        }
    }
}

async fn create(client: &AdminClient, name: &str) -> anyhow::Result<AccountJson> {
    Ok(client.post("/accounts", &NewAccount { name: name.to_owned() }).await?)
}

pub(super) async fn all(client: &AdminClient) -> anyhow::Result<Vec<AccountJson>> {
    Ok(client.all("/accounts").await?)
}

/// The account that was named, or the only one. That of the administrators has no licenses, so it
/// is never meant.
pub(super) async fn chosen(client: &AdminClient, named: Option<Uuid>) -> anyhow::Result<AccountJson> {
    let mut accounts = all(client).await?;
    if let Some(id) = named {
        let found = accounts.into_iter().find(|account| account.id == id);
        return found.with_context(|| format!("there is no account {id}"));
    }
    accounts.retain(|account| account.name != ADMINISTRATORS);
    match accounts.len() {
        1 => accounts.pop().context("there is no account"),
        count => bail!("there are {count} accounts; say which one with --account"),
    }
}

/// The account of those who run the server, who are members of no customer's. It is made for the
/// first of them.
pub(super) async fn administrators(client: &AdminClient) -> anyhow::Result<AccountJson> {
    let found = all(client).await?.into_iter().find(|account| account.name == ADMINISTRATORS);
    match found {
        Some(account) => Ok(account),
        None => create(client, ADMINISTRATORS).await,
    }
}
