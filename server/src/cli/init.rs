use super::client::option_of;
use super::license::LicenseOptions;
use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_protocol::{PublicKey, SigningKey, UnixTime};
use seatlock_server::crypto::keys::{DataFolder, first_set, new_key, pepper_check, read_key, sign_set};
use seatlock_server::domain::License;
use seatlock_server::store::{
    GetServer, Initialise, KnowPepper, ServerInfo, Store, StoreError, StoredKeySet, postgres::PostgresStore,
    sqlite::SqliteStore,
};
use seatlock_server::system::clock::system_time;
use seatlock_server::system::files::place_of;
use seatlock_server::system::postgres_address::PostgresAddress;
use std::{fs, path::PathBuf};
use uuid::Uuid;

#[derive(Args)]
pub(super) struct Init {
    /// The address by which plug-ins reach this server, such as https://licenses.example.com; it is its name in everything
    /// that it signs
    #[arg(long, value_name = "URL", value_parser = super::units::issuer)]
    issuer: String,
    /// Name of the account that holds the first license [default: the issuer]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Address of the users' documentation
    #[arg(long, value_name = "URL")]
    documentation: Option<String>,
    /// Where users ask for help
    #[arg(long, value_name = "URL")]
    support: Option<String>,
    /// For farms and containers: leases of half an hour, release after one
    #[arg(long)]
    ephemeral: bool,
    /// An existing root key, made by "keys new-root"; read once, not copied
    #[arg(long, value_name = "FILE", conflicts_with = "root_key_out")]
    root_key: Option<PathBuf>,
    /// Where to write the new root key; never overwritten, never in the data folder [default:
    /// DIR-root-key.json]
    #[arg(long, value_name = "FILE")]
    root_key_out: Option<PathBuf>,
    #[command(flatten)]
    settings: LicenseOptions,
}

impl Init {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        if folder.is_taken()? {
            bail!("{} is set up already; nothing was changed. Name another folder.", folder.path().display());
        }
        if self.settings.ended(system_time()) {
            bail!("--expires is in the past: no plug-in could be activated; nothing was set up");
        }
        let usual = License::usual(Uuid::new_v4(), Uuid::new_v4(), self.ephemeral);
        let license = self.settings.clone().named().apply(usual, UnixTime::MIN);
        if let Err((member, reason)) = license.check() {
            bail!("{member}: {reason}.{}", option_of(member));
        }
        if license.seats_max == 0 {
            bail!("--seats 0: no plug-in could be activated; nothing was set up");
        }
        // Looked at before anything is made.
        let shared = match folder.postgres() {
            Some(address) => Some(empty(address).await?),
            None => None,
        };
        let mut made = PartialSetup::before(folder);
        let done = self.make(folder, shared, &license, &mut made).await;
        if done.is_err() && is_empty(folder).await {
            made.take_away();
        }
        let (root, root_file, lease) = done.context("nothing was set up")?;

        let value = serde_json::json!({
            "data": folder.path(),
            "issuer": self.issuer,
            "root_key": { "kid": root.kid(), "x": root.public().jwk_x() },
            "lease_key": { "kid": lease.thumbprint(), "x": lease.jwk_x() },
            "root_key_file": root_file,
            "account": license.account,
            "license": license.id,
        });
        let text = format!(
            "issuer     {}   (the server's address in the plug-in)\nroot key   {}   (pin this one in the plug-in)\nlease key  {}\nlicense    {}, {} seats\n\n\
             Move {} to a safe place that is not this computer, and keep a copy; it is needed only to change keys.",
            self.issuer,
            root.public().jwk_x(),
            lease.jwk_x(),
            license.id,
            license.seats_max,
            root_file.display(),
        );
        output.done(&value, &text)
    }

    async fn make(
        &self,
        folder: &DataFolder,
        shared: Option<Store>,
        license: &License,
        made: &mut PartialSetup,
    ) -> anyhow::Result<(SigningKey, PathBuf, PublicKey)> {
        folder.create()?;
        let (root, root_file) = root_key(folder, self.root_key.clone(), self.root_key_out.clone())?;
        made.root_key = self.root_key.is_none().then(|| root_file.clone());
        let server = ServerInfo {
            issuer: self.issuer.clone(),
            root_key: root.public(),
            documentation: self.documentation.clone(),
            support: self.support.clone(),
        };
        let account = self.account.clone().unwrap_or_else(|| self.issuer.clone());
        let (store, lease) = set_up(folder, shared, &root, server, (account, license.clone())).await?;
        store.close().await;
        Ok((root, root_file, lease))
    }
}

/// What a first try leaves that fails. It would be in the way of the second.
struct PartialSetup {
    folder: DataFolder,
    /// Folders that were there before.
    kept: Vec<PathBuf>,
    /// Lease keys that were there before.
    keys: Vec<PathBuf>,
    /// The root key, if it was made.
    root_key: Option<PathBuf>,
}

impl PartialSetup {
    fn before(folder: &DataFolder) -> Self {
        let kept = [folder.path().to_owned(), folder.lease_keys()];
        let kept = kept.into_iter().filter(|path| path.exists()).collect();
        Self { folder: folder.clone(), kept, keys: folder.lease_key_files(), root_key: None }
    }

    /// What cannot be removed is in the words of the next try.
    fn take_away(self) {
        let new = |path: &PathBuf| !self.keys.contains(path);
        let files = self.folder.lease_key_files().into_iter().filter(new).chain(self.root_key.clone());
        for file in files {
            let _ = fs::remove_file(file);
        }
        // There was neither when this began.
        let _ = self.folder.remove_pepper();
        if self.folder.database().exists() {
            let _ = SqliteStore::remove(&self.folder.database());
        }
        let folders = [self.folder.lease_keys(), self.folder.path().to_owned()];
        for folder in folders.iter().filter(|folder| !self.kept.contains(folder)) {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether the database knows of no server: then nobody needs the keys that were made for it.
async fn is_empty(folder: &DataFolder) -> bool {
    match folder.postgres() {
        // Its file goes with the keys.
        None => true,
        Some(address) => empty(address).await.is_ok(),
    }
}

/// A PostgreSQL database that no server was set up in.
async fn empty(address: &PostgresAddress) -> anyhow::Result<Store> {
    let store =
        PostgresStore::open(address).await.with_context(|| format!("the {address} cannot be used"))?;
    match store.run(GetServer).await {
        Err(StoreError::NotInitialised) => Ok(store),
        Err(error) => Err(error.into()),
        Ok(server) => bail!(
            "the {address} belongs to {} already; nothing was changed. Another server of it needs a copy of the data \
             folder, and no \"init\"",
            server.issuer
        ),
    }
}

/// Makes pepper and lease key in a folder that is there, and sets up the database: a new file,
/// unless there is another. Answers the database and the lease key.
pub(super) async fn set_up(
    folder: &DataFolder,
    shared: Option<Store>,
    root: &SigningKey,
    server: ServerInfo,
    (account, license): (String, License),
) -> anyhow::Result<(Store, PublicKey)> {
    let lease = new_key()?;
    folder.create_pepper()?;
    folder.write_lease_key(&lease)?;
    let store = match shared {
        Some(store) => store,
        None => {
            let made = SqliteStore::open(&folder.database(), true).await;
            made.context("the database was not made")?
        }
    };
    let set = first_set(&server.issuer, lease.key.public(), store.ready().await?);
    let keys = StoredKeySet { seq: set.seq, jws: sign_set(root, &set)? };
    let set_up = store.run(Initialise { server, account, license, keys }).await;
    set_up.context("the database was not set up")?;
    store.run(KnowPepper(pepper_check(&*folder.pepper()?))).await?;
    Ok((store, lease.key.public()))
}

/// The root key, and the file that it is in: the one that was named, or a new one.
pub(super) fn root_key(
    folder: &DataFolder,
    existing: Option<PathBuf>,
    out: Option<PathBuf>,
) -> anyhow::Result<(SigningKey, PathBuf)> {
    if let Some(file) = existing {
        return Ok((read_key(&file)?, file));
    }
    let file = out.or_else(|| folder.root_key_beside());
    let file = file.context("say with --root-key-out where to write the root key")?;
    let place = place_of(&file);
    let place = place.canonicalize().with_context(|| format!("{} cannot be used", place.display()))?;
    if place.starts_with(folder.path().canonicalize()?) {
        bail!(
            "{} would lie in the data folder, where every backup and every intruder finds it",
            file.display()
        );
    }
    if file.exists() {
        bail!(
            "{} is there already: name it with --root-key, or another place with --root-key-out",
            file.display()
        );
    }
    let root = new_key()?;
    root.write(&file)?;
    Ok((root.key, file))
}
