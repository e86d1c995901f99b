use super::output::{Output, agreed};
use super::units::duration;
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_protocol::{PublicKey, UnixTime, claims::KeySetClaims, edited};
use seatlock_server::crypto::keys::{
    DataFolder, NewKey, Proposal, Rotation, accept_set, new_key, next_set, read_key, sign_set,
};
use seatlock_server::domain::timestamp;
use seatlock_server::service::key_ring::{KeyRing, read_set};
use seatlock_server::store::{
    GetKeySet, GetServer, ListLicenses, PublishKeySet, Store, StoreError, StoredKeySet,
};
use seatlock_server::system::files;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Leases that a license issued before its durations were changed are over by then.
const LEASES_AT_LEAST: u64 = 30 * 86_400;

#[derive(Args)]
pub(super) struct Revocation {
    /// A lease key that got into wrong hands: what it signs from now on must be renewed within 24
    /// hours
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub(super) revoke: Option<String>,
}

#[derive(Args)]
pub(super) struct Propose {
    #[command(flatten)]
    revocation: Revocation,
    /// By when the signed key set will be installed; until then the present key is good
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    within: u64,
    /// Where to write the proposal; never overwritten. There is nothing secret in it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct Sign {
    /// What "keys propose" wrote
    proposal: PathBuf,
    /// The root key
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// Where to write the signed key set; never overwritten. There is nothing secret in it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(super) struct InstallKeySet {
    /// What "keys sign" wrote
    key_set: PathBuf,
}

/// A signed key set on its way back.
#[derive(Serialize, Deserialize)]
struct SignedSet {
    key_set: String,
}

/// A new lease key and the key set in which it follows the newest one.
pub(super) struct NextKeySet {
    pub(super) key: NewKey,
    pub(super) last: StoredKeySet,
    pub(super) set: KeySetClaims,
}

impl NextKeySet {
    /// `within` seconds from now the set is in force at the latest.
    pub(super) async fn new(store: &Store, revoke: Option<&str>, within: u64) -> anyhow::Result<Self> {
        let last = store.run(GetKeySet).await?;
        let claims = read_set(&last.jws)?;
        if let Some(kid) = revoke.filter(|kid| claims.keys.iter().all(|key| key.kid != **kid)) {
            bail!("there is no key {kid}. See: keys list");
        }
        let licenses = store.run(ListLicenses(None)).await?;
        let leases = licenses.iter().map(|license| license.offline_ttl.max(license.airgap_ttl)).max();
        let (key, now) = (new_key()?, store.ready().await?);
        let rotation = Rotation {
            key: key.key.public(),
            revoke,
            longest_lease: leases.unwrap_or(0).max(LEASES_AT_LEAST),
            now,
            in_force_by: now.plus(within),
        };
        let set = next_set(&claims, &rotation);
        Ok(Self { key, last, set })
    }
}

/// Makes a key set the newest one.
pub(super) async fn publish(store: &Store, seq: u64, jws: String) -> anyhow::Result<()> {
    match store.run(PublishKeySet(StoredKeySet { seq, jws })).await {
        Err(StoreError::Conflict) => bail!("somebody else changed the keys at the same moment; try again"),
        published => Ok(published?),
    }
}

impl Propose {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let next = NextKeySet::new(&store, self.revocation.revoke.as_deref(), self.within).await;
        let next = next.context("nothing was proposed")?;
        let root_key = store.run(GetServer).await?.root_key;
        store.close().await;
        // The key must be on disk before anybody is asked to sign for it.
        folder.write_lease_key(&next.key)?;
        let proposal = Proposal { root_key, last: next.last.jws, next: next.set };
        let kid = next.key.key.kid();
        if let Err(error) = write_new(&self.out, &proposal) {
            // Nobody will ever sign for it.
            folder.remove_lease_key(kid)?;
            return Err(error.context("nothing was proposed"));
        }
        let value = json!({ "proposal": self.out, "seq": proposal.next.seq, "kid": kid });
        let text = format!(
            "{}\nproposal written to {}. Nothing is changed yet. Take it to the root key, and there run: keys sign",
            summary(&proposal.next, None),
            self.out.display()
        );
        output.done(&value, &text)
    }
}

impl Sign {
    /// Runs where the root key is: needs no data folder and no server.
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        let root = read_key(&self.root_key).context("nothing was signed")?;
        let proposal: Proposal = read(&self.proposal)?;
        let last = proposal.check(root.public()).context("nothing was signed")?;
        let shown = summary(&proposal.next, Some(&last));
        let question = format!("{shown}\nSign this with {}?", self.root_key.display());
        if !self.yes && !agreed(&question, "nothing was signed")? {
            bail!("nothing was signed");
        }
        write_new(&self.out, &SignedSet { key_set: sign_set(&root, &proposal.next)? })?;
        let value = json!({ "key_set": self.out, "seq": proposal.next.seq, "signed": proposal.next });
        let text = format!(
            "{shown}\nsigned key set written to {}. Take it to the server, and there run: keys install",
            self.out.display()
        );
        output.done(&value, &text)
    }
}

impl InstallKeySet {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let nothing = "the key set was not installed";
        let store = super::open(folder).await?;
        let SignedSet { key_set } = read(&self.key_set)?;
        let (server, held, now) =
            (store.run(GetServer).await?, store.run(GetKeySet).await?, store.ready().await?);
        let set = accept_set(&key_set, server.root_key, &server.issuer, held.seq).context(nothing)?;
        let newest = set.keys.last().context("the key set is empty").context(nothing)?;
        if folder.lease_key(&newest.kid)?.is_none() {
            bail!("{nothing}: the private half of {} is not in this data folder", newest.kid);
        }
        let voided = voided_until_renewed(&store, folder, &set, now).await;
        publish(&store, set.seq, key_set).await.context(nothing)?;
        let kid = KeyRing::load(&store, folder).await?.kid().to_owned();
        store.close().await;

        let value = json!({ "seq": set.seq, "kid": kid, "leases_to_renew_since": voided.map(timestamp) });
        let mut text = format!("key set {} installed; {kid} signs from now on", set.seq);
        if let Some(since) = voided {
            text.push_str(&format!(
                "\nIt came late: leases since {} are not valid any more, and must be renewed online.",
                timestamp(since)
            ));
        }
        output.done(&value, &text)
    }
}

/// Since when the key that signed until now was not to sign any more; `None` when the key set came
/// in time.
async fn voided_until_renewed(
    store: &Store,
    folder: &DataFolder,
    set: &KeySetClaims,
    now: UnixTime,
) -> Option<UnixTime> {
    let ring = KeyRing::load(store, folder).await.ok()?;
    let listed = set.keys.iter().find(|key| key.kid == ring.kid())?;
    (listed.exp < now).then_some(listed.exp)
}

/// What a key set says, for the person who signs it. `last` tells which keys are new.
fn summary(set: &KeySetClaims, last: Option<&KeySetClaims>) -> String {
    let mut text = format!("key set {} of {}, decided {}", set.seq, set.iss, timestamp(set.iat));
    for key in &set.keys {
        let new = last.is_some_and(|last| last.keys.iter().all(|old| old.kid != key.kid));
        let revoked = set.revoked.iter().find(|revoked| revoked.kid == key.kid);
        text.push_str(&format!(
            "\n  {}  from {}  until {}{}{}",
            key.kid,
            timestamp(key.nbf),
            timestamp(key.exp),
            if new { "  NEW" } else { "" },
            revoked
                .map_or_else(String::new, |revoked| format!("  REVOKED since {}", timestamp(revoked.since))),
        ));
    }
    text
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    Ok(files::read(path, edited::object)?)
}

fn write_new<T: Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Checks that `root` is the key that clients of this server pin.
pub(super) async fn check_root(store: &Store, root: PublicKey, file: &Path) -> anyhow::Result<()> {
    if store.run(GetServer).await?.root_key != root {
        bail!("{} is not this server's root key", file.display());
    }
    Ok(())
}
