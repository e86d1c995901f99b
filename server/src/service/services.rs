use super::Service;
use super::key_ring::{KeyRing, RingError, Rings};
use crate::crypto::keys::{DataFolder, pepper_check};
use crate::crypto::password::Passwords;
use crate::crypto::renewal::RenewalKey;
use crate::crypto::seal::{SealError, SealKey, client_secret_key};
use crate::domain::{Issuer, License, Restored};
use crate::oidc::Keys;
use crate::store::{
    GetKeySet, GetRecovery, GetServer, IssuerList, KnowPepper, ListIssuers, ListLicenses, Load, PurgeExpired,
    Recovery, ReleaseExpired, ServerInfo, SignedIn, Store, StoreError, StoredKeySet,
};
use seatlock_protocol::UnixTime;
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// What requests are served with. Whatever stands above reaches the store by its methods only.
pub struct Services {
    pub(super) store: Store,
    /// Where new lease keys are found.
    pub(super) folder: DataFolder,
    /// Without it, a stolen database does not even tell which tokens exist.
    pub(super) pepper: Zeroizing<[u8; 32]>,
    pub(super) renewals: RenewalKey,
    pub(super) info: ServerInfo,
    /// The mark of a database that was restored from a backup, as it was when the server started.
    pub(super) restored: Option<Restored>,
    pub(super) rings: Rings,
    /// The keys of issuers whose access tokens are accepted.
    pub(super) issuers: Keys,
    pub(super) passwords: Passwords,
}

impl Services {
    /// Reads what is needed from the store and the data folder. `request` is the longest time that
    /// a request may take.
    ///
    /// # Errors
    /// When the folder is not initialised, a secret is missing, or the pepper is another server's.
    pub async fn load(store: Store, folder: DataFolder, request: Duration) -> anyhow::Result<Self> {
        let services = Self::without_rings(store, folder, request).await?;
        let rings = Rings::load(&services.store, &services.folder).await?;
        Ok(Self { rings, ..services })
    }

    /// Of a server that has signed nothing yet, and may have nothing to sign with.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn without_rings(store: Store, folder: DataFolder, request: Duration) -> anyhow::Result<Self> {
        let pepper = folder.pepper()?;
        let info = store.run(GetServer).await?;
        store.run(KnowPepper(pepper_check(&pepper))).await?;
        let restored = store.run(GetRecovery).await?.map(|recovery| recovery.restored);
        let (renewals, passwords) = (RenewalKey::new(&pepper), Passwords::new().within(request));
        let (rings, issuers) = (Rings::default(), Keys::default());
        Ok(Self { store, folder, pepper, renewals, info, restored, rings, issuers, passwords })
    }

    /// What the server says of itself.
    pub fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// With the authority of `who`.
    pub fn of<'a>(&'a self, who: &'a SignedIn) -> Service<'a> {
        Service::new(&self.store, &self.pepper, who)
    }

    /// For the operator: see [`Service::of_console`].
    pub(crate) fn of_console<'a>(&'a self, who: &'a SignedIn) -> Service<'a> {
        Service::of_console(&self.store, &self.pepper, who)
    }

    /// Hashes and compares passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Where the keys are.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The keys of issuers.
    pub fn issuer_keys(&self) -> &Keys {
        &self.issuers
    }

    /// Seals what a browser brings back.
    pub(crate) fn seal_key(&self, purpose: &'static [u8]) -> SealKey {
        SealKey::derive(&self.pepper, purpose, &[])
    }

    /// The secret of the seat page's client at an issuer, where it has one.
    pub(crate) fn client_secret(&self, issuer: &Issuer) -> Result<Option<Zeroizing<String>>, SealError> {
        let Some(sealed) = issuer.client.as_ref().and_then(|client| client.sealed_secret.as_ref()) else {
            return Ok(None);
        };
        let opened = client_secret_key(&self.pepper).open(issuer.url.as_bytes(), sealed)?;
        let text = String::from_utf8(opened.to_vec()).map_err(|_| SealError::Closed)?;
        Ok(Some(Zeroizing::new(text)))
    }

    /// The clock by which everything is decided.
    ///
    /// # Errors
    /// When the database does not answer, or its clock cannot be believed.
    pub async fn now(&self) -> Result<UnixTime, StoreError> {
        self.store.ready().await
    }

    /// The sign-in services, for a person who wants to be let in.
    pub(crate) async fn issuers(&self) -> Result<IssuerList, StoreError> {
        self.store.run(ListIssuers).await
    }

    /// The newest key set.
    pub(crate) async fn key_set(&self) -> Result<StoredKeySet, StoreError> {
        self.store.run(GetKeySet).await
    }

    /// Whether requests can be answered: the database is there and takes changes, the clock can be
    /// believed, and there is a key to sign with.
    pub(crate) async fn readiness(&self) -> Result<(Arc<KeyRing>, Option<Recovery>), RingError> {
        let ring = self.rings.renew(&self.store, &self.folder).await?;
        self.store.writable().await?;
        Ok((ring, self.store.run(GetRecovery).await?))
    }

    /// Releases seats whose time is over, and answers how many.
    pub(crate) async fn release_expired(&self) -> Result<u64, StoreError> {
        self.store.run(ReleaseExpired).await
    }

    /// Takes away what has ended by itself.
    pub(crate) async fn purge_expired(&self) -> Result<(), StoreError> {
        self.store.run(PurgeExpired).await
    }

    /// Every license, for monitoring.
    pub(crate) async fn licenses(&self) -> Result<Vec<License>, StoreError> {
        self.store.run(ListLicenses(None)).await
    }

    /// How the store is doing. Waits for nothing.
    pub(crate) fn load_of_store(&self) -> Load {
        self.store.load()
    }

    /// Number of the key set that answers are signed with.
    pub(crate) fn key_set_number(&self) -> Option<u64> {
        self.rings.current().map(|ring| ring.set.seq)
    }

    /// Ends when everything that was acknowledged is on disk.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
