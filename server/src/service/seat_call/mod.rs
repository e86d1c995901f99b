//! A plug-in's request, whether it came by the network or by a file: what the rules are told of it,
//! and what is signed as their answer.

/// Access tokens: who shows one, and what is open to them.
mod access;
/// Signs leases and verdicts.
mod signer;

pub(crate) use signer::Signer;

use super::Services;
use super::key_ring::RingError;
use crate::crypto::renewal::Recipient;
use crate::crypto::seal::{Hash, keyed_hash};
use crate::domain::{CallerContext, PresentedRenewal, SeatAnswer, SeatOperation, Verdict};
use crate::store::SeatCommand;
use seatlock_protocol::{
    AccessToken, Token, TokenHash,
    api::{Intent, LeaseAnswer, SeatCall, SeatRequest},
};
use uuid::Uuid;

/// What a plug-in shows.
pub(crate) enum PluginCredential {
    Token(Token),
    /// What an issuer says of its user.
    Access(AccessToken),
}

impl PluginCredential {
    fn hash(&self) -> TokenHash {
        match self {
            Self::Token(token) => token.hash(),
            Self::Access(token) => token.identity().hash(),
        }
    }
}

/// What a plug-in is answered. What was decided is on disk, and is answered the same when the
/// plug-in asks again.
pub(crate) struct SeatReply {
    /// Number of the key set whose key signed it.
    pub(crate) key_set: u64,
    pub(crate) content: ReplyContent,
}

pub(crate) enum ReplyContent {
    Lease {
        lease: Box<LeaseAnswer>,
        bound: bool,
        seat: Uuid,
        epoch: u64,
    },
    Verdict {
        verdict: Verdict,
        jws: String,
        keyset: Option<String>,
        seat: Option<Uuid>,
    },
    /// An answer that is none for plug-ins.
    Nothing,
}

impl Services {
    /// An integration token is found by it; of an access token it only tells how often it was
    /// shown.
    pub(crate) fn stored_hash(&self, shown: &PluginCredential) -> Hash {
        match shown {
            PluginCredential::Token(token) => token.stored_hash(&self.pepper),
            PluginCredential::Access(token) => {
                keyed_hash(&self.pepper, b"seatlock-shown-v1\0", &[token.expose_secret().as_bytes()])
            }
        }
    }

    /// Answers one call of a plug-in. `hash` is [`Self::stored_hash`] of what it shows, `jitter`
    /// spreads the next pings.
    pub(crate) async fn answer(
        &self,
        call: SeatCall,
        (shown, hash): (&PluginCredential, Hash),
        request: &SeatRequest,
        jitter: u16,
    ) -> Result<SeatReply, RingError> {
        let recipient = recipient(request, shown.hash());
        let presented = self.renewals.read(recipient, request.renewal.as_deref());
        let lost = self
            .restored
            .zip(self.rings.current())
            .and_then(|(restored, ring)| restored.lost(&self.info.issuer, &ring.set, request, shown.hash()));
        let command = SeatCommand {
            token: hash,
            call: SeatOperation::new(call, request.intent),
            caller: CallerContext { lost, ..caller(request, presented, jitter) },
        };
        let outcome = match shown {
            PluginCredential::Token(_) => self.store.run(command).await?,
            PluginCredential::Access(token) => {
                access::answer(&self.store, &self.issuers, &self.pepper, token, command).await?
            }
        };
        let ring = self.rings.at((outcome.seq, outcome.now), &self.store, &self.folder).await?;
        let signer = Signer { ring: &ring, issuer: &self.info.issuer, request, token: shown.hash() };
        let content = match (outcome.answer, &outcome.subject) {
            (SeatAnswer::Lease { terms, renewal }, Some((seat, license))) => {
                let secret = self.renewals.secret(recipient, renewal);
                let lease = Box::new(signer.lease(&terms, seat, license, secret)?);
                ReplyContent::Lease { lease, bound: terms.bound, seat: seat.id, epoch: seat.epoch }
            }
            (SeatAnswer::Verdict(verdict), subject) => {
                let seat = subject.as_ref().map(|(seat, _)| seat);
                let jws = signer.verdict(&verdict, seat, outcome.now)?;
                let (keyset, seat) = (signer.newer_key_set(), seat.map(|seat| seat.id));
                ReplyContent::Verdict { verdict, jws, keyset, seat }
            }
            _ => ReplyContent::Nothing,
        };
        Ok(SeatReply { key_set: ring.set.seq, content })
    }
}

/// To whom the renewal secrets of a request's answers belong.
pub(crate) fn recipient(request: &SeatRequest, token: TokenHash) -> Recipient {
    Recipient { token, install: request.install_id }
}

/// What the rules are told of a request. `renewal` is what its secret proves, `jitter` spreads the
/// next pings.
pub(crate) fn caller(request: &SeatRequest, renewal: PresentedRenewal, jitter: u16) -> CallerContext {
    let launched = u64::from(request.intent == Intent::Launch);
    let reported = request.offline.as_ref().map_or(0, |offline| offline.launches);
    // A client counts a launch before it asks, so the one that asks is among those that it reports.
    let launches = launched.max(reported);
    CallerContext {
        machine: request.machine.id.clone(),
        source: request.machine.source,
        token_revoked: false,
        product: request.product.clone(),
        plugin: request.plugin.clone().unwrap_or_default(),
        terms: request.terms.clone(),
        epoch: request.have.as_ref().map(|have| have.epoch),
        gave_up: request.have.as_ref().is_some_and(|have| have.jti.is_none()),
        lost: None,
        launches,
        last_offline: request.offline.as_ref().and_then(|offline| offline.last_used_at),
        install_id: request.install_id,
        install: None,
        others: 0,
        is_one: false,
        renewal,
        jitter,
    }
}
