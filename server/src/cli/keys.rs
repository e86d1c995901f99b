use super::ceremony::{InstallKeySet, NextKeySet, Propose, Revocation, Sign, check_root, publish};
use super::output::{Output, cell};
use anyhow::Context as _;
use clap::Subcommand;
use seatlock_protocol::SigningKey;
use seatlock_server::crypto::keys::{DataFolder, new_key, read_key, sign_set};
use seatlock_server::domain::timestamp;
use seatlock_server::service::key_ring::{KeyRing, read_set};
use seatlock_server::store::{GetKeySet, Store};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Make a root key, on a computer that is not the server
    ///
    /// Needs no data folder and no network. What it prints is public; the file is not.
    NewRoot {
        /// Where to write the key; never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the keys of the newest key set
    List,
    /// Make a new lease key that signs from now on; a running server takes it up by itself
    ///
    /// Where the root key must not come to the server: keys propose, keys sign, keys install.
    Rotate {
        /// The root key, which signs the new key set
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
        #[command(flatten)]
        revocation: Revocation,
    },
    /// Make a new lease key and write down the key set that the root key is to sign
    Propose(Propose),
    /// Sign a proposal where the root key is, after showing it; needs no data folder and no network
    Sign(Sign),
    /// Take a signed key set; a running server takes it up by itself
    Install(InstallKeySet),
}

impl KeysCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        match self {
            Self::NewRoot { out } => new_root(&out, output),
            Self::List => list(folder, output).await,
            Self::Rotate { root_key, revocation } => rotate(folder, output, &root_key, revocation).await,
            Self::Propose(propose) => propose.run(folder, output).await,
            Self::Sign(sign) => sign.run(output),
            Self::Install(install) => install.run(folder, output).await,
        }
    }
}

fn new_root(out: &Path, output: Output) -> anyhow::Result<()> {
    let root = new_key()?;
    root.write(out).context("no root key was made")?;
    let (kid, x) = (root.key.kid(), root.key.public().jwk_x());
    let text = format!(
        "root key   {x}   (pin this one in the plug-in)\nwritten to {}; keep it off every server, and keep a copy",
        out.display()
    );
    output.done(&serde_json::json!({ "kid": kid, "x": x, "file": out }), &text)
}

async fn list(folder: &DataFolder, output: Output) -> anyhow::Result<()> {
    let store = super::open(folder).await?;
    let set = read_set(&store.run(GetKeySet).await?.jws)?;
    let signing = KeyRing::load(&store, folder).await.ok();
    store.close().await;
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
    folder: &DataFolder,
    output: Output,
    root_file: &Path,
    revocation: Revocation,
) -> anyhow::Result<()> {
    let store = super::open(folder).await?;
    let (seq, key) =
        rotated(&store, folder, root_file, revocation).await.context("the keys were not rotated")?;
    store.close().await;
    let value = serde_json::json!({ "seq": seq, "kid": key.kid(), "x": key.public().jwk_x() });
    output.done(&value, &format!("key set {seq} made; {} signs from now on", key.kid()))
}

async fn rotated(
    store: &Store,
    folder: &DataFolder,
    root_file: &Path,
    revocation: Revocation,
) -> anyhow::Result<(u64, SigningKey)> {
    let root = read_key(root_file)?;
    check_root(store, root.public(), root_file).await?;
    let next = NextKeySet::new(store, revocation.revoke.as_deref(), 0).await?;
    let signed = sign_set(&root, &next.set)?;
    // The key must be on disk before any server can be told to sign with it.
    folder.write_lease_key(&next.key)?;
    publish(store, next.set.seq, signed).await?;
    Ok((next.set.seq, next.key.key))
}
