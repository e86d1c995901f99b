use crate::license::reply::{SentRequest, Signed, SignedObject};
use crate::license::state::{LeaseState, SERVER_CLOCK_SLACK, State};
use crate::license::trust::{Binding, Distrust, Trust, VerifiedText};
use seatlock_protocol::{
    Act, Code, MachineId, RenewalHash, UnixTime,
    api::SeatCall,
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
    is_renewal,
};

/// What a signed answer means, cases 2 to 7 of the classification in `docs/protocol.md`.
pub(super) enum Judgement {
    /// A lease that is to be taken.
    Lease(Box<VerifiedText<LeaseClaims>>),
    /// A verdict that changes nothing stored.
    Keep(Box<VerifiedText<VerdictClaims>>),
    /// A verdict that takes the lease away.
    Drop(Box<VerifiedText<VerdictClaims>>),
    /// A sound lease from before the newest signed answer. The server's clock was ahead and is
    /// corrected now, so this one is not taken, but says what time it is; otherwise nobody
    /// could connect until that time has come.
    Early(UnixTime),
    /// An answer that is not believed.
    Distrusted(Code),
}

/// The key set to verify with: the held one, or the one that came along when it is sound and not
/// older.
pub(super) fn newest_key_set(
    state: &State,
    trust: &Trust,
    offered: Option<&str>,
) -> Option<VerifiedText<KeySetClaims>> {
    let held = state.key_set.as_ref();
    let sound = offered
        .and_then(|text| trust.key_set(text).ok())
        .filter(|new| held.is_none_or(|held| new.claims.seq >= held.claims.seq));
    sound.or_else(|| held.cloned())
}

/// Judges a signed answer. The state must hold the key set of [`newest_key_set`] already.
pub(super) fn judge(
    state: &State,
    trust: &Trust,
    machine: &MachineId,
    asked: &SentRequest,
    signed: &Signed,
) -> Judgement {
    let binding = Binding { machine: machine.clone(), token: Some(asked.token) };
    let call = asked.call;
    match &signed.object {
        SignedObject::Lease(text) => match trust.answer::<LeaseClaims>(text, state.keys(), &binding) {
            Err(distrust) => Judgement::Distrusted(reported(&distrust)),
            Ok(lease) if lease.claims.nonce != asked.nonce => Judgement::Distrusted(Code::ReplayedResponse),
            Ok(_) if !takes_a_lease(call) => Judgement::Distrusted(Code::ReplayedResponse),
            Ok(lease) if is_stale(state, &lease.claims) => Judgement::Distrusted(Code::ReplayedResponse),
            Ok(lease) if lease.claims.iat < state.clock.signed.minus(SERVER_CLOCK_SLACK) => {
                Judgement::Early(lease.claims.iat)
            }
            Ok(lease) => Judgement::Lease(Box::new(lease)),
        },
        SignedObject::Verdict(text) => match trust.answer::<VerdictClaims>(text, state.keys(), &binding) {
            Err(distrust) => Judgement::Distrusted(reported(&distrust)),
            Ok(verdict) if verdict.claims.nonce != asked.nonce => {
                Judgement::Distrusted(Code::ReplayedResponse)
            }
            Ok(verdict) if !is_answer_to(call, &verdict.claims) => {
                Judgement::Distrusted(Code::ReplayedResponse)
            }
            Ok(verdict) if takes_away(state, call, &verdict.claims) => Judgement::Drop(Box::new(verdict)),
            Ok(verdict) => Judgement::Keep(Box::new(verdict)),
        },
    }
}

/// The secret that came with a lease, if it is the one that the lease names. Nobody has signed it:
/// what anybody could have changed on its way would make the next request that of a copy.
pub(super) fn renewal_of(signed: &Signed, lease: &LeaseClaims) -> Option<String> {
    let named = |text: &&String| lease.rnh.is_none_or(|hash| hash == RenewalHash::of(text));
    signed.renewal.as_ref().filter(|text| is_renewal(text)).filter(named).cloned()
}

fn takes_a_lease(call: SeatCall) -> bool {
    matches!(call, SeatCall::Activate | SeatCall::Ping | SeatCall::Airgap)
}

/// Who can change the path of a request gets a signed answer to another call, with the right nonce.
/// A refusal may answer any call; a question takes nothing away.
fn is_answer_to(call: SeatCall, verdict: &VerdictClaims) -> bool {
    match (verdict.code, verdict.act) {
        (Code::Ok, Act::Drop) => call == SeatCall::Release,
        (Code::Ok, Act::Keep) => call == SeatCall::Status,
        (_, Act::Drop) => call != SeatCall::Status,
        (_, Act::Keep) => true,
    }
}

fn is_stale(state: &State, lease: &LeaseClaims) -> bool {
    lease.epoch < state.license.known_epoch(lease.sub) || lease.exp <= lease.iat
}

/// A verdict takes away only the lease of its own token, and only up to its own epoch: one that
/// names none takes nothing away, or the known epoch would be forgotten. `token_unknown` never
/// does: it means a typo or a restored backup.
fn takes_away(state: &State, call: SeatCall, verdict: &VerdictClaims) -> bool {
    let epoch = verdict.sub.zip(verdict.epoch);
    let covers_known = epoch.is_some_and(|(seat, epoch)| epoch >= state.license.known_epoch(seat));
    let concerns_held = match &state.license {
        LeaseState::Lease(lease) => lease.claims.tkh == verdict.tkh && covers_known,
        LeaseState::Dropped(_) | LeaseState::HandedBack(_) => covers_known,
        // It is nobody's to drop, but for the user who gives its seat back: the token is not to take it
        // again.
        LeaseState::Unusable { .. } => call == SeatCall::Release && verdict.code == Code::Ok,
        LeaseState::Missing | LeaseState::Awaited => true,
    };
    verdict.act == Act::Drop && verdict.code != Code::TokenUnknown && concerns_held
}

fn reported(distrust: &Distrust) -> Code {
    match distrust {
        Distrust::OtherMachine => Code::MachineMismatch,
        _ => Code::BadSignature,
    }
}
