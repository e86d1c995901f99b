use super::output::{Output, cell};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use seatlock_protocol::{Typ, jws};
use seatlock_server::{
    keys::{DataFolder, KeyRing, new_key, next_set, read_key, read_set},
    rules::timestamp,
    store::{Store as _, StoreError, StoredKeySet, sqlite::SqliteStore},
};
use std::path::PathBuf;

/// Leases that a license issued before its durations were changed are over by then.
const LEASES_AT_LEAST: u64 = 30 * 86_400;

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys of the newest key set
    List,
    /// Make a new lease key that signs from now on; a running server takes it up by itself
    Rotate {
        /// The root key, which signs the new key set [default: root-key.json in the data folder]
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
        /// A lease key that got into wrong hands: what it signed from now on must be renewed within 24 hours
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        revoke: Option<String>,
    },
}

impl KeysCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::List => list(&store, folder, output).await?,
            Self::Rotate { root_key, revoke } => {
                let file = root_key.unwrap_or_else(|| folder.root_key());
                rotate(&store, folder, output, file, revoke).await?;
            }
        }
        store.close().await;
        Ok(())
    }
}

async fn list(store: &SqliteStore, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
    let set = read_set(&store.key_set().await?.jws)?;
    let signing = KeyRing::load(store, folder).await.ok();
    let keys: Vec<_> = set
        .keys
        .iter()
        .map(|key| {
            let revoked = set.revoked.iter().find(|revoked| revoked.kid == key.kid);
            serde_json::json!({
                "kid": key.kid,
                "x": key.x.jwk_x(),
                "seq": set.seq,
                "nbf": timestamp(key.nbf),
                "exp": timestamp(key.exp),
                "signs": signing.as_ref().is_some_and(|ring| ring.kid() == key.kid),
                "revoked_since": revoked.map(|revoked| timestamp(revoked.since)),
            })
        })
        .collect();
    output.table(&keys, ["KEY", "X", "FROM", "UNTIL", "SIGNS", "REVOKED"], |key| {
        ["kid", "x", "nbf", "exp", "signs", "revoked_since"].map(|name| cell(key, name))
    })
}

async fn rotate(
    store: &SqliteStore,
    folder: &DataFolder,
    output: Output,
    root_file: PathBuf,
    revoke: Option<String>,
) -> anyhow::Result<()> {
    let root = read_key(&root_file)
        .context("the keys were not rotated: the root key is needed. Say where it is with --root-key")?;
    let last = store.key_set().await?;
    if jws::verify::<serde_json::Value>(&last.jws, Typ::KeySet, |kid| {
        (kid == root.kid()).then(|| root.public())
    })
    .is_err()
    {
        bail!("the keys were not rotated: {} is not this server's root key", root_file.display());
    }
    let last = read_set(&last.jws)?;
    if let Some(kid) = revoke.as_ref().filter(|kid| last.keys.iter().all(|key| key.kid != **kid)) {
        bail!("the keys were not rotated: there is no key {kid}. See: keys list");
    }
    let licenses = store.licenses().await?;
    let leases =
        licenses.iter().map(|license| license.offline_ttl.max(license.airgap_ttl)).max().unwrap_or(0);
    let new = new_key()?;
    let longest = leases.max(LEASES_AT_LEAST);
    let set = next_set(&last, new.key.public(), revoke.as_deref(), longest, store.ready().await?);
    let signed = jws::sign(Typ::KeySet, &root, &set)?;
    if signed.len() > jws::MAX_LEN {
        bail!("the keys were not rotated: the key set would be too long. Wait until old leases are over.");
    }
    // The key must be on disk before any server can be told to sign with it.
    folder.write_lease_key(&new)?;
    match store.publish(StoredKeySet { seq: set.seq, jws: signed }).await {
        Err(StoreError::Conflict) => bail!("somebody else rotated the keys at the same moment; try again"),
        published => published.context("the keys were not rotated")?,
    }
    let value = serde_json::json!({ "seq": set.seq, "kid": new.key.kid(), "x": new.key.public().jwk_x() });
    output.done(&value, &format!("key set {} made; {} signs from now on", set.seq, new.key.kid()))
}
