use crate::crypto::keys::{DataFolder, FolderError};
use crate::domain::timestamp;
use crate::store::{GetKeySet, Store, StoreError, StoredKeySet, Unavailable};
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
    /// The private key that should sign is elsewhere, or cannot be read.
    #[error("the {lacking} (key set {seq}), so this server signs nothing; {}, or run: keys rotate", lacking.remedy())]
    Missing {
        lacking: Lacking,
        /// Number of the key set.
        seq: u64,
    },
    #[error("an answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl RingError {
    /// What is wrong, for whoever asked, when the same may succeed later.
    #[must_use]
    pub fn passing(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.unavailable().map(Unavailable::text),
            Self::Folder(_) | Self::NoKey(_) | Self::Missing { .. } => {
                Some("The server has no key to sign with at the moment.")
            }
            Self::Unreadable | Self::Json(_) => None,
        }
    }
}

/// A key that this server should sign with and cannot.
#[derive(Debug, thiserror::Error)]
#[error("lease key {kid} {}", match why {
    None => "is not in this server's folder lease-keys".to_owned(),
    Some(why) => format!("is in this server's folder lease-keys, but {}", why.reason()),
})]
pub struct Lacking {
    /// Name of the key.
    pub kid: String,
    /// What is wrong with its file; `None` when there is none.
    pub why: Option<FolderError>,
}

impl Lacking {
    /// What is to be done about it.
    fn remedy(&self) -> String {
        let kid = &self.kid;
        match &self.why {
            None => format!("copy the file {kid}.json to there from where the key was made"),
            Some(_) => format!(
                "let the user whom this server runs as read the file {kid}.json, or copy a sound one to there"
            ),
        }
    }
}

/// The newest key set and the key of it that this server signs with.
#[derive(Debug)]
pub struct KeyRing {
    /// As it is stored, signed by the root key.
    pub jws: String,
    pub set: KeySetClaims,
    key: SigningKey,
    /// The last moment at which the key is good.
    until: UnixTime,
    /// A newer key, which this server does not have.
    lacking: Option<Lacking>,
}

impl KeyRing {
    /// Reads the newest key set and the newest usable key.
    pub async fn load(store: &Store, folder: &DataFolder) -> Result<Self, RingError> {
        let now = store.ready().await?;
        Self::of(store.run(GetKeySet).await?, now, folder)
    }

    /// As [`Self::load`], of a key set that was read at `now`.
    pub fn of(stored: StoredKeySet, now: UnixTime, folder: &DataFolder) -> Result<Self, RingError> {
        let set = read_set(&stored.jws)?;
        let usable = |key: &&LeaseKey| {
            key.nbf <= now && now <= key.exp && set.revoked.iter().all(|revoked| revoked.kid != key.kid)
        };
        let mut lacking = None;
        for candidate in set.keys.iter().rev().filter(usable) {
            let why = match folder.lease_key(&candidate.kid) {
                Ok(Some(key)) => {
                    return Ok(Self { jws: stored.jws, until: candidate.exp, set, key, lacking });
                }
                Ok(None) => None,
                Err(error) => Some(error),
            };
            lacking.get_or_insert_with(|| Lacking { kid: candidate.kid.clone(), why });
        }
        let seq = stored.seq;
        Err(lacking.map_or(RingError::NoKey(seq), |lacking| RingError::Missing { lacking, seq }))
    }

    /// A newer key that this server should sign with and does not have; with the older one it signs
    /// until then.
    #[must_use]
    pub fn lacking(&self) -> Option<(&Lacking, UnixTime)> {
        self.lacking.as_ref().map(|lacking| (lacking, self.until))
    }

    /// Signs with the newest key.
    ///
    /// # Errors
    /// When `claims` cannot be written as JSON.
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
pub fn read_set(jws: &str) -> Result<KeySetClaims, RingError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = jws.split('.').nth(1).ok_or(RingError::Unreadable)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| RingError::Unreadable)?;
    serde_json::from_slice(&claims).map_err(|_| RingError::Unreadable)
}

/// The current ring, exchanged when the database has a newer key set or the key has ended.
#[derive(Debug, Default)]
pub struct Rings(RwLock<Option<Arc<KeyRing>>>);

impl Rings {
    /// Starts with the newest ring, or, while the clock says nothing of what is usable, without
    /// any.
    pub async fn load(store: &Store, folder: &DataFolder) -> Result<Self, RingError> {
        match KeyRing::load(store, folder).await {
            Ok(ring) => Ok(Self(RwLock::new(Some(Arc::new(ring))))),
            Err(RingError::Store(StoreError::Clock(doubt))) => {
                tracing::error!(%doubt, "nothing is decided or signed until the clock is right");
                Ok(Self(RwLock::new(None)))
            }
            Err(error) => Err(error),
        }
    }

    /// The ring of key set `seq`, which an answer's transaction saw at the time `now`: no answer is
    /// signed by a key that was rotated away before it.
    pub async fn at(
        &self,
        (seq, now): (u64, UnixTime),
        store: &Store,
        folder: &DataFolder,
    ) -> Result<Arc<KeyRing>, RingError> {
        match self.current().filter(|ring| ring.set.seq >= seq && now <= ring.until) {
            Some(ring) => Ok(ring),
            None => self.renew(store, folder).await,
        }
    }

    /// The ring that answers are signed with; `None` while the clock says nothing of what is
    /// usable.
    #[must_use]
    pub fn current(&self) -> Option<Arc<KeyRing>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest ring, read again: a key file may have come since.
    pub async fn renew(&self, store: &Store, folder: &DataFolder) -> Result<Arc<KeyRing>, RingError> {
        let ring = Arc::new(KeyRing::load(store, folder).await?);
        let before = self.0.write().unwrap_or_else(PoisonError::into_inner).replace(ring.clone());
        if before.is_none_or(|before| before.set.seq != ring.set.seq || before.kid() != ring.kid()) {
            tracing::info!(seq = ring.set.seq, kid = ring.kid(), "key set read again");
        }
        if let Some((lacking, until)) = ring.lacking() {
            let file = lacking.why.as_ref().map(tracing::field::display);
            tracing::error!(until = timestamp(until), file, "the newer {lacking}");
        }
        Ok(ring)
    }
}
