use super::license::{Settings, usual};
use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_protocol::{Typ, jws};
use seatlock_server::{
    keys::{DataFolder, first_set, new_key},
    store::{ServerInfo, Store as _, StoredKeySet, sqlite::SqliteStore},
};

#[derive(Args)]
pub(super) struct Init {
    /// Name of this server, such as licenses.example.com; plug-ins compare it with what was signed
    #[arg(long)]
    issuer: String,
    /// Address of the users' documentation
    #[arg(long, value_name = "URL")]
    documentation: Option<String>,
    /// Where users ask for help
    #[arg(long, value_name = "URL")]
    support: Option<String>,
    /// For farms and containers: leases of half an hour, release after one
    #[arg(long)]
    ephemeral: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Init {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        if folder.is_taken() {
            bail!("{} is set up already; nothing was changed. Name another folder.", folder.path().display());
        }
        if self.issuer.is_empty() || self.issuer.len() > 255 {
            bail!("the issuer must have 1 to 255 bytes");
        }
        let license = self.settings.apply(usual(self.ephemeral))?;
        let (root, lease) = (new_key()?, new_key()?);
        folder.create()?;
        folder.create_pepper()?;
        root.write(&folder.root_key())?;
        folder.write_lease_key(&lease)?;

        let store = SqliteStore::open(&folder.database(), true).await.context("the database was not made")?;
        let set = first_set(&self.issuer, lease.key.public(), store.ready().await?);
        let keys = StoredKeySet { seq: set.seq, jws: jws::sign(Typ::KeySet, &root.key, &set)? };
        let server = ServerInfo {
            issuer: self.issuer.clone(),
            documentation: self.documentation,
            support: self.support,
        };
        store.initialise(server, license.clone(), keys).await.context("the database was not set up")?;
        store.close().await;

        let root_file = folder.root_key();
        let value = serde_json::json!({
            "data": folder.path(),
            "issuer": self.issuer,
            "root_key": { "kid": root.key.kid(), "x": root.key.public().jwk_x() },
            "lease_key": { "kid": lease.key.kid(), "x": lease.key.public().jwk_x() },
            "root_key_file": root_file,
            "license": license.id,
        });
        let text = format!(
            "issuer     {}\nroot key   {}   (pin this one in the plug-in)\nlease key  {}\nlicense    {}, {} seats\n\n\
             Move {} to a safe place that is not this computer; it is needed only to rotate keys.",
            self.issuer,
            root.key.public().jwk_x(),
            lease.key.public().jwk_x(),
            license.id,
            license.seats_max,
            root_file.display(),
        );
        output.done(&value, &text)
    }
}
