//! Checkpoints: signed statements of what the audit trail was, by which somebody else can prove
//! that it still is.

use crate::crypto::keys::DataFolder;
use crate::crypto::seal::Hash;
use crate::service::key_ring::{KeyRing, RingError};
use crate::store::{
    Actor, AuditPart, AuditPoint, AuditState, Checkpoint, FindAuditPoint, GetServer, KeepCheckpoint,
    ListCheckpoints, ListKeySets, Store, StoreError, VerifyAudit,
};
use seatlock_protocol::{
    JwsError, PublicKey, Typ,
    claims::{AuditClaims, KeySetClaims},
    jws,
};

/// Why nothing is proved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be signed.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// It is no checkpoint that this server's keys have signed.
    #[error("{0} is not signed by a key of this server: {1}")]
    Unsigned(&'static str, JwsError),
    /// Signed, but of something else.
    #[error("{0} is not what it stands for: it is of the server {1:?}, entry {2}")]
    Other(&'static str, String, u64),
    /// The trail ends before the checkpoint's entry.
    #[error(
        "the newest entries were taken away, or an older backup was restored: the trail ends with entry {last}, but the \
         checkpoint was signed when there were {stated}"
    )]
    Short {
        /// Entries that are there.
        last: u64,
        /// Entries that there were.
        stated: u64,
    },
    /// The checkpoint's entry is another.
    #[error(
        "the trail was written anew: entry {0}, or one before it, is not the one that the checkpoint was signed for"
    )]
    Rewritten(u64),
    /// The checkpoint's entry is gone, as it should be.
    #[error(
        "entry {stated} was removed with all up to entry {cut}; compare with a checkpoint that was signed later"
    )]
    Removed {
        stated: u64,
        /// The last entry that was removed.
        cut: u64,
    },
}

/// Signs for the audit trail as it is up to `row`, or to its end, and keeps the checkpoint. A `cut`
/// takes the entries up to there away.
pub async fn make(
    store: &Store,
    folder: &DataFolder,
    row: Option<u64>,
    cut: bool,
    by: Actor,
) -> Result<Checkpoint, CheckpointError> {
    let ring = KeyRing::load(store, folder).await?;
    let point = store.run(FindAuditPoint(row)).await?.ok_or(StoreError::NotInitialised)?;
    let (iss, iat) = (ring.set.iss.clone(), store.ready().await?);
    let jws =
        ring.sign(Typ::Audit, &AuditClaims { iss, iat, rows: point.row, head: hex(&point.head), cut })?;
    let checkpoint = Checkpoint { point, cut, jws };
    store.run(KeepCheckpoint(checkpoint.clone(), by)).await?;
    Ok(checkpoint)
}

/// Follows the whole trail, from its beginning or from where old entries were cut off, if a lease
/// key has signed for that.
pub async fn verify(store: &Store) -> Result<AuditState, CheckpointError> {
    Ok(store.run(VerifyAudit(AuditPart::Whole(beginning(store).await?))).await?)
}

/// Follows the trail from the newest checkpoint on that is kept; all of it when there is none.
/// Where a kept checkpoint is not what was signed, the trail counts as broken.
pub async fn verify_newest(store: &Store) -> Result<AuditState, CheckpointError> {
    let checkpoints = store.run(ListCheckpoints).await?;
    // The newest comes first.
    let Some(kept) = checkpoints.first() else { return verify(store).await };
    let point = kept.point;
    let stated = signed(store, kept, "the kept checkpoint").await;
    let there = kept.cut || store.run(FindAuditPoint(Some(point.row))).await? == Some(point);
    match stated {
        Ok(_) if there && kept.cut => Ok(store.run(VerifyAudit(AuditPart::Whole(point))).await?),
        Ok(_) if there => Ok(store.run(VerifyAudit(AuditPart::After(point))).await?),
        Err(CheckpointError::Store(error)) => Err(error.into()),
        _ => {
            let rows = point.row.saturating_sub(1);
            Ok(AuditState { first: point.row, rows, broken_at: Some(point.row), head: point.head })
        }
    }
}

/// Follows the whole trail, and proves that it has the entry for which a checkpoint was signed that
/// was kept elsewhere.
pub async fn prove(store: &Store, jws: &str) -> Result<(AuditState, AuditClaims), CheckpointError> {
    const WHAT: &str = "the checkpoint";
    let claims = read(store, jws, WHAT).await?;
    let beginning = beginning(store).await?;
    let state = store.run(VerifyAudit(AuditPart::Whole(beginning))).await?;
    let stated = claims.rows;
    // A break before it says more than that it is not reached.
    if state.broken_at.is_some_and(|row| row <= stated) {
        return Ok((state, claims));
    }
    if stated < beginning.row {
        return Err(CheckpointError::Removed { stated, cut: beginning.row });
    }
    if stated > state.rows {
        return Err(CheckpointError::Short { last: state.rows, stated });
    }
    let found = if stated == beginning.row {
        Some(beginning)
    } else {
        store.run(FindAuditPoint(Some(stated))).await?
    };
    match found {
        Some(point) if hex(&point.head) == claims.head => Ok((state, claims)),
        _ => Err(CheckpointError::Rewritten(stated)),
    }
}

async fn beginning(store: &Store) -> Result<AuditPoint, CheckpointError> {
    match store.run(ListCheckpoints).await?.into_iter().find(|kept| kept.cut) {
        Some(cut) => signed(store, &cut, "the checkpoint in the place of removed entries").await,
        None => Ok(AuditPoint::START),
    }
}

/// What a checkpoint of the database states, if its signature states the same.
async fn signed(store: &Store, kept: &Checkpoint, what: &'static str) -> Result<AuditPoint, CheckpointError> {
    let claims = read(store, &kept.jws, what).await?;
    let same =
        claims.rows == kept.point.row && claims.head == hex(&kept.point.head) && claims.cut == kept.cut;
    if same { Ok(kept.point) } else { Err(CheckpointError::Other(what, claims.iss, claims.rows)) }
}

async fn read(store: &Store, jws: &str, what: &'static str) -> Result<AuditClaims, CheckpointError> {
    let (server, sets) = (store.run(GetServer).await?, store.run(ListKeySets).await?);
    let root = |kid: &str| (server.root_key.thumbprint() == kid).then_some(server.root_key);
    let sets = sets.iter().filter_map(|set| jws::verify::<KeySetClaims>(&set.jws, Typ::KeySet, root).ok());
    let sets: Vec<KeySetClaims> = sets.map(|set| set.claims).collect();
    let verified = jws::verify::<AuditClaims>(jws.trim(), Typ::Audit, |kid| lease_key(&sets, kid));
    let claims = verified.map_err(|error| CheckpointError::Unsigned(what, error))?.claims;
    if claims.iss == server.issuer {
        Ok(claims)
    } else {
        Err(CheckpointError::Other(what, claims.iss, claims.rows))
    }
}

/// A lease key of any key set, unless it was revoked: its thief chooses what he signs, and when.
fn lease_key(sets: &[KeySetClaims], kid: &str) -> Option<PublicKey> {
    let revoked = sets.iter().any(|set| set.revoked.iter().any(|revoked| revoked.kid == kid));
    let key = sets.iter().flat_map(|set| &set.keys).find(|key| key.kid == kid).map(|key| key.x);
    key.filter(|_| !revoked)
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
