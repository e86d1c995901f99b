use super::ceremony::check_root;
use super::output::{Output, agreed};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_protocol::claims::KeySetClaims;
use seatlock_server::crypto::keys::{DataFolder, read_key, sign_set};
use seatlock_server::service::key_ring::read_set;
use seatlock_server::store::{
    Actor, CountBoundSeats, GetKeySet, GetServer, ReplaceIssuer, Store, StoreError, StoredKeySet,
};
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum ServerCommand {
    /// Show the issuer that plug-ins must name, and the root key that they pin
    Show,
    /// Give the server another issuer, while no seat is bound; then start every server of it again
    ///
    /// A plug-in that has a license of the old issuer believes nothing that the new one says. So
    /// this is refused as long as a computer has a seat, or a lease that is not over.
    SetIssuer(SetIssuer),
}

#[derive(Args)]
pub(super) struct SetIssuer {
    /// The address by which plug-ins reach the server, such as https://licenses.example.com
    #[arg(value_parser = super::units::issuer)]
    issuer: String,
    /// The root key, which signs the key set of the new issuer
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

impl ServerCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let done = match self {
            Self::Show => show(&store, output).await,
            Self::SetIssuer(wanted) => {
                wanted.carry_out(&store, output).await.context("the issuer was not changed")
            }
        };
        store.close().await;
        done
    }
}

async fn show(store: &Store, output: Output) -> anyhow::Result<()> {
    let (server, bound) = (store.run(GetServer).await?, store.run(CountBoundSeats).await?);
    let change = match bound {
        0 => "no seat is bound: \"server set-issuer\" can still change the issuer".to_owned(),
        bound => format!("{bound} seats are bound, so the issuer cannot be changed"),
    };
    let text = format!(
        "issuer         {}\nroot key       {}\ndocumentation  {}\nsupport        {}\n\n{change}",
        server.issuer,
        server.root_key.jwk_x(),
        server.documentation.as_deref().unwrap_or("-"),
        server.support.as_deref().unwrap_or("-"),
    );
    let mut value = serde_json::to_value(&server)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("bound_seats".to_owned(), json!(bound));
    }
    output.done(&value, &text)
}

impl SetIssuer {
    async fn carry_out(&self, store: &Store, output: Output) -> anyhow::Result<()> {
        let root = read_key(&self.root_key)?;
        check_root(store, root.public(), &self.root_key).await?;
        let (old, bound) = (store.run(GetServer).await?.issuer, store.run(CountBoundSeats).await?);
        if old == self.issuer {
            bail!("it is {old} already");
        }
        if bound > 0 {
            bail!("{}", still_bound(bound));
        }
        let new = &self.issuer;
        if self.dry_run {
            let text = format!("the issuer {old} would become {new}; nothing was changed");
            return output.done(&json!({ "issuer": new, "before": old, "dry_run": true }), &text);
        }
        let question = format!("Give the server the issuer {new} instead of {old}?");
        if !self.yes && !agreed(&question, "nothing was changed")? {
            bail!("nothing was changed");
        }
        let last = read_set(&store.run(GetKeySet).await?.jws)?;
        let set = KeySetClaims { iss: new.clone(), seq: last.seq + 1, iat: store.ready().await?, ..last };
        let keys = StoredKeySet { seq: set.seq, jws: sign_set(&root, &set)? };
        match store.run(ReplaceIssuer { issuer: new.clone(), keys, by: Actor::Console }).await {
            // A plug-in was activated, or a key set installed, since it was looked at.
            Err(StoreError::Conflict) => match store.run(CountBoundSeats).await? {
                0 => bail!("somebody else changed the keys at the same moment; try again"),
                bound => bail!("{}", still_bound(bound)),
            },
            renamed => renamed?,
        }
        let text = format!(
            "the issuer is {new} now. Start every server of this database again; until then they say {old}"
        );
        output.done(&json!({ "issuer": new, "before": old }), &text)
    }
}

fn still_bound(seats: u64) -> String {
    format!(
        "{seats} seats are bound, and their plug-ins would believe nothing that this server says. Close them with \"seat \
         revoke\", or release them and wait for the end of their leases"
    )
}
