use super::{DataFolder, FolderError};
use crate::store::{Store, StoreError, StoredKeySet};
use seatlock_protocol::{
    SigningKey, Typ, UnixTime,
    claims::{KeySetClaims, LeaseKey},
    jws,
};
use serde::Serialize;
use std::sync::{Arc, PoisonError, RwLock};

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The key set could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key file could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stored key set is damaged.
    #[error("the key set in the database is not readable")]
    Unreadable,
    /// None of the private keys of this folder is in the key set.
    #[error(
        "no lease key of this data folder is in the key set (seq {0}); restore the folder lease-keys, or run: keys rotate"
    )]
    NoKey(u64),
    /// Signing failed.
    #[error("an answer can not be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// The newest key set and the key of it that this server signs with.
#[derive(Debug)]
pub struct KeyRing {
    /// As it is stored, signed by the root key.
    pub jws: String,
    /// What it says.
    pub set: KeySetClaims,
    key: SigningKey,
}

impl KeyRing {
    /// Reads the newest key set and the newest usable key.
    ///
    /// # Errors
    /// See [`RingError`].
    pub async fn load<S: Store>(store: &S, folder: &DataFolder) -> Result<Self, RingError> {
        let now = store.ready().await?;
        Self::of(store.key_set().await?, now, folder)
    }

    /// As [`Self::load`], of a key set that was read at `now`.
    ///
    /// # Errors
    /// See [`RingError`].
    pub fn of(stored: StoredKeySet, now: UnixTime, folder: &DataFolder) -> Result<Self, RingError> {
        let set = read_set(&stored.jws)?;
        let usable = |key: &&LeaseKey| {
            key.nbf <= now && now <= key.exp && set.revoked.iter().all(|revoked| revoked.kid != key.kid)
        };
        for candidate in set.keys.iter().rev().filter(usable) {
            if let Some(key) = folder.lease_key(&candidate.kid)? {
                return Ok(Self { jws: stored.jws, set, key });
            }
        }
        Err(RingError::NoKey(stored.seq))
    }

    /// Signs with the newest key.
    ///
    /// # Errors
    /// When `claims` can not be written as JSON.
    pub fn sign<T: Serialize>(&self, typ: Typ, claims: &T) -> Result<String, RingError> {
        Ok(jws::sign(typ, &self.key, claims)?)
    }

    /// Name of the key that signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.key.kid()
    }
}

/// Reads a key set of our own database. Clients verify it against the root key that they pin.
///
/// # Errors
/// [`RingError::Unreadable`].
pub fn read_set(jws: &str) -> Result<KeySetClaims, RingError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = jws.split('.').nth(1).ok_or(RingError::Unreadable)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| RingError::Unreadable)?;
    serde_json::from_slice(&claims).map_err(|_| RingError::Unreadable)
}

/// The current ring, exchanged when the database has a newer key set.
#[derive(Debug)]
pub struct Rings(RwLock<Arc<KeyRing>>);

impl Rings {
    /// Starts with `ring`.
    #[must_use]
    pub fn new(ring: KeyRing) -> Self {
        Self(RwLock::new(Arc::new(ring)))
    }

    /// The ring as it is.
    #[must_use]
    pub fn current(&self) -> Arc<KeyRing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ring of key set `seq`, which an answer's transaction saw: no answer is signed by a key that was rotated
    /// away before it.
    ///
    /// # Errors
    /// See [`RingError`].
    pub async fn at<S: Store>(
        &self,
        seq: u64,
        store: &S,
        folder: &DataFolder,
    ) -> Result<Arc<KeyRing>, RingError> {
        let ring = self.current();
        if ring.set.seq >= seq {
            return Ok(ring);
        }
        let ring = Arc::new(KeyRing::load(store, folder).await?);
        tracing::info!(seq = ring.set.seq, kid = ring.kid(), "key set read again");
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(ring)
    }
}
