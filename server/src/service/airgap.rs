//! Answers the files of machines without a network. Whoever may open the data folder decides; the
//! token is not needed.

use crate::crypto::keys::DataFolder;
use crate::crypto::renewal::RenewalKey;
use crate::domain::{
    CallerContext, License, LostLease, PresentedRenewal, Seat, SeatAnswer, SeatEvent, SeatOperation,
    SeatState, Verdict, decide, token_unknown,
};
use crate::service::key_ring::{KeyRing, RingError, read_set};
use crate::service::seat_call::{Signer, caller, recipient};
use crate::store::{FindSeatOfToken, GetKeySet, GetRecovery, GetServer, SeatCommand, Store, StoreError};
use seatlock_protocol::{
    UnixTime,
    address::is_same_issuer,
    claims::KeySetClaims,
    file::{FileCall, LeaseFile, RequestFile},
};

/// Why a file could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AirgapError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be signed.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// The file is for another server.
    #[error("the file is for the server {0:?}")]
    OtherIssuer(String),
    /// Refused by the rules.
    #[error("{}", .0.code.text(|name| .0.params.get(name).map(String::as_str)))]
    Refused(Verdict),
    /// The confirmation does not come from the installation that holds the seat now.
    #[error(
        "the confirmation is not by the installation that holds the seat now: it is older than the seat's present \
         use, or was not made by its machine"
    )]
    NotTheHolder,
}

/// What a file leads to.
#[derive(Debug, Clone)]
pub struct AirgapOutcome {
    /// The seat; after it was answered, as it is then.
    pub seat: Seat,
    /// When the lease ends; `None` for a release.
    pub lease_until: Option<UnixTime>,
    /// The answer to be carried back; `None` for a release, and as long as nothing was decided for
    /// good.
    pub lease: Option<LeaseFile>,
}

/// What answering `file` would do. Changes nothing.
pub async fn preview(store: &Store, file: &RequestFile) -> Result<AirgapOutcome, AirgapError> {
    let (_, seat, license) = seat_of(store, file).await?;
    let keys = read_set(&store.run(GetKeySet).await?.jws)?;
    let lost = lost(store, &keys, file).await?;
    let asking = CallerContext { lost, ..caller(&file.request, PresentedRenewal::Nothing, 0) };
    if file.call == FileCall::Release {
        // Whether the file proves it is decided when it counts, together with what is known of the
        // installation.
        let holder = match &seat.state {
            SeatState::InUse(holding) => Some(&holding.machine),
            SeatState::Released(Some(left)) => Some(&left.machine),
            _ => None,
        };
        let fits = holder == Some(&asking.machine);
        return if fits {
            Ok(AirgapOutcome { seat, lease_until: None, lease: None })
        } else {
            Err(AirgapError::NotTheHolder)
        };
    }
    let event = SeatEvent::Call(SeatOperation::Airgap, Box::new(asking));
    let decision = decide(&license, Some(&seat), &event, store.ready().await?);
    match decision.answer {
        SeatAnswer::Lease { terms, .. } => {
            Ok(AirgapOutcome { seat, lease_until: Some(terms.exp), lease: None })
        }
        SeatAnswer::Verdict(verdict) => Err(AirgapError::Refused(verdict)),
        SeatAnswer::Done | SeatAnswer::Unchanged => Err(AirgapError::NotTheHolder),
    }
}

/// Answers `file` for good.
pub async fn answer(
    store: &Store,
    folder: &DataFolder,
    file: &RequestFile,
) -> Result<AirgapOutcome, AirgapError> {
    let (token, ..) = seat_of(store, file).await?;
    let ring = KeyRing::load(store, folder).await?;
    let (key, recipient) = (
        RenewalKey::new(&*folder.pepper().map_err(RingError::from)?),
        recipient(&file.request, file.token_hash),
    );
    let presented = key.read(recipient, file.request.renewal.as_deref());
    let mut jitter = [0; 2];
    getrandom::fill(&mut jitter)?;
    let call = match file.call {
        FileCall::Lease => SeatOperation::Airgap,
        FileCall::Release => SeatOperation::Confirm,
    };
    let caller = caller(&file.request, presented, u16::from_le_bytes(jitter));
    let caller = CallerContext { lost: lost(store, &ring.set, file).await?, ..caller };
    let answered = store.run(SeatCommand { token, call, caller }).await?;
    let unknown = || AirgapError::Refused(token_unknown());
    let (seat, license) = answered.subject.ok_or_else(unknown)?;
    match answered.answer {
        SeatAnswer::Lease { terms, renewal } => {
            let issuer = &ring.set.iss;
            let signer = Signer { ring: &ring, issuer, request: &file.request, token: file.token_hash };
            let signed = signer.lease(&terms, &seat, &license, key.secret(recipient, renewal))?;
            let lease = LeaseFile { lease: signed.lease, renewal: signed.renewal, keyset: signed.keyset };
            Ok(AirgapOutcome { seat, lease_until: Some(terms.exp), lease: Some(lease) })
        }
        SeatAnswer::Verdict(verdict) if verdict.code != seatlock_protocol::Code::Ok => {
            Err(AirgapError::Refused(verdict))
        }
        SeatAnswer::Verdict(_) | SeatAnswer::Done => {
            Ok(AirgapOutcome { seat, lease_until: None, lease: None })
        }
        SeatAnswer::Unchanged => Err(AirgapError::NotTheHolder),
    }
}

/// The lease that the file shows, if the database may not know of it.
async fn lost(
    store: &Store,
    keys: &KeySetClaims,
    file: &RequestFile,
) -> Result<Option<LostLease>, StoreError> {
    let restored = store.run(GetRecovery).await?.map(|recovery| recovery.restored);
    Ok(restored.and_then(|restored| restored.lost(&file.issuer, keys, &file.request, file.token_hash)))
}

async fn seat_of(store: &Store, file: &RequestFile) -> Result<([u8; 32], Seat, License), AirgapError> {
    if !is_same_issuer(&store.run(GetServer).await?.issuer, &file.issuer) {
        return Err(AirgapError::OtherIssuer(file.issuer.clone()));
    }
    store.run(FindSeatOfToken(file.token_hash)).await?.ok_or_else(|| AirgapError::Refused(token_unknown()))
}
