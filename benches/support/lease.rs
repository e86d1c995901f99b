use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, UnparsedPublicKey};
use seatlock::store::{Folder, Loaded};
use serde_json::Value;
use xtask::server::Running;

/// The `x` of the key that signs a server's leases.
pub fn signing_key(server: &Running) -> Result<String> {
    let keys: Value = serde_json::from_str(&server.administer(&["keys", "list", "--json"])?)?;
    let key = keys.pointer("/0/x").and_then(Value::as_str).context("the server has a key")?;
    Ok(key.to_owned())
}

/// A stored lease, ready to be verified by ring alone: what an offline answer costs at least.
pub struct StoredLease {
    signed: String,
    signature: Vec<u8>,
    key: UnparsedPublicKey<Vec<u8>>,
}

impl StoredLease {
    /// Takes the lease from a state folder.
    pub fn read(folder: &Folder, key: &str) -> Result<Self> {
        let Loaded::Current::<Value>(record) = folder.load()? else {
            anyhow::bail!("{} holds no state", folder.path().display())
        };
        let products = record.get("products").and_then(Value::as_object).context("no product")?;
        let lease = products.values().find_map(|product| product.get("lease")?.as_str());
        let lease = lease.context("a lease is stored")?;
        let (signed, signature) = lease.rsplit_once('.').context("a lease is a compact JWS")?;
        Ok(Self {
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature)?,
            key: UnparsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(key)?),
        })
    }

    /// One Ed25519 verification, and nothing else.
    pub fn verify(&self) -> Result<()> {
        ensure!(
            self.key.verify(self.signed.as_bytes(), &self.signature).is_ok(),
            "the lease does not verify"
        );
        Ok(())
    }
}
