//! A plug-in's request, whether it came by the network or by a file: what the rules are told of it,
//! and what is signed as their answer.

/// Access tokens: who shows one, and what is open to them.
pub(crate) mod access;
/// Signs leases and verdicts.
mod signer;

pub(crate) use signer::Signer;

use crate::crypto::renewal::Recipient;
use crate::domain::{Caller, Presented};
use seatlock_protocol::{
    TokenHash,
    api::{Intent, SeatRequest},
};

/// To whom the renewal secrets of a request's answers belong.
pub(crate) fn recipient(request: &SeatRequest, token: TokenHash) -> Recipient {
    Recipient { token, install: request.install_id }
}

/// What the rules are told of a request. `renewal` is what its secret proves, `jitter` spreads the
/// next pings.
pub(crate) fn caller(request: &SeatRequest, renewal: Presented, jitter: u16) -> Caller {
    let launched = u64::from(request.intent == Intent::Launch);
    let reported = request.offline.as_ref().map_or(0, |offline| offline.launches);
    // A client counts a launch before it asks, so the one that asks is among those that it reports.
    let launches = launched.max(reported);
    Caller {
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
