use super::middleware::CodeName;
use super::problem::{ProblemResponse, RequestId};
use super::rate_limit::{PeerAddress, slowed};
use super::{AppState, auth};
use crate::crypto::seal::keyed_hash;
use crate::domain::{CallerContext, SeatAnswer, SeatOperation, WORD_MAX};
use crate::service::seat_call::{Signer, access, caller, recipient};
use crate::store::{SeatCommand, SeatOutcome, Unavailable};
use axum::{
    body::Bytes,
    extract::{Extension, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use seatlock_protocol::{
    AccessToken, Code, Token, TokenHash, TokenKind,
    api::{JSON, SeatCall, SeatRequest, VerdictAnswer},
};
use serde::Serialize;
use std::{fmt::Display, sync::Arc};

/// Longest product name: it is repeated in what is signed.
const MAX_PRODUCT: usize = 255;

/// What a plug-in shows.
enum Credential {
    /// An integration token.
    Token(Token),
    /// What an issuer says of its user.
    Access(AccessToken),
}

impl Credential {
    fn read(text: &str) -> Result<Self, ProblemResponse> {
        if AccessToken::resembles(text) {
            return AccessToken::read(text).map(Self::Access).map_err(ProblemResponse::access_token);
        }
        Token::parse(text, TokenKind::Integration).map(Self::Token).map_err(ProblemResponse::token)
    }

    fn hash(&self) -> TokenHash {
        match self {
            Self::Token(token) => token.hash(),
            Self::Access(token) => token.identity().hash(),
        }
    }

    /// An integration token is found by it; of an access token it only tells how often it was
    /// shown.
    fn stored_hash(&self, pepper: &[u8; 32]) -> [u8; 32] {
        match self {
            Self::Token(token) => token.stored_hash(pepper),
            Self::Access(token) => {
                keyed_hash(pepper, b"seatlock-shown-v1\0", &[token.expose_secret().as_bytes()])
            }
        }
    }
}

/// Answers one call of a plug-in.
pub(super) async fn answer(
    call: SeatCall,
    State(state): State<Arc<AppState>>,
    (id, Extension(PeerAddress(address))): (RequestId, Extension<PeerAddress>),
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let answer = async {
        let shown = shown(&headers).or_else(|refusal| {
            state.limits.may_err(address).map_err(|slow| slowed(&state, id, slow))?;
            state.limits.wrong(address);
            Err(refusal)
        })?;
        let hash = shown.stored_hash(&state.pepper);
        state.limits.token(&hash, address).map_err(|slow| slowed(&state, id, slow))?;
        let request = read(&headers, body)?;
        let (answer, known) = decide(&state, call, id, (&shown, hash), &request).await?;
        if known {
            state.limits.good(&hash)
        } else {
            state.limits.wrong(address)
        }
        answer
    };
    answer.await.unwrap_or_else(|refusal: ProblemResponse| refusal.respond(id))
}

/// What the request shows.
fn shown(headers: &HeaderMap) -> Result<Credential, ProblemResponse> {
    Credential::read(auth::bearer(headers).ok_or_else(ProblemResponse::no_token)?)
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<SeatRequest, ProblemResponse> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(ProblemResponse::not_json());
    }
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemResponse::too_large(),
        _ => ProblemResponse::unreadable(),
    })?;
    let request: SeatRequest =
        serde_json::from_slice(&body).map_err(|error| ProblemResponse::body(&error))?;
    if request.product.is_empty() || request.product.len() > MAX_PRODUCT {
        return Err(ProblemResponse::field("The product must have 1 to 255 bytes."));
    }
    if request.terms.as_ref().is_some_and(|terms| terms.len() > WORD_MAX) {
        return Err(ProblemResponse::field("The terms must have 255 bytes at most."));
    }
    Ok(request)
}

/// What is answered, and whether the token belongs to a seat.
async fn decide(
    state: &AppState,
    call: SeatCall,
    id: RequestId,
    (shown, hash): (&Credential, [u8; 32]),
    request: &SeatRequest,
) -> Result<(Result<Response, ProblemResponse>, bool), ProblemResponse> {
    let failed = |error: &dyn Display, passing| ProblemResponse::failed(id, "a seat call", error, passing);
    tracing::debug!(request = %id, path = call.path(), "asked");
    let mut jitter = [0; 2];
    getrandom::fill(&mut jitter).map_err(|error| failed(&error, None))?;
    let recipient = recipient(request, shown.hash());
    let presented = state.renewals.read(recipient, request.renewal.as_deref());
    let question = SeatCommand {
        token: hash,
        call: SeatOperation::new(call, request.intent),
        caller: CallerContext {
            lost: state.restored.zip(state.rings.current()).and_then(|(restored, ring)| {
                restored.lost(&state.info.issuer, &ring.set, request, shown.hash())
            }),
            ..caller(request, presented, u16::from_le_bytes(jitter))
        },
    };
    let answered = match shown {
        Credential::Token(_) => state.store.run(question).await,
        Credential::Access(token) => {
            access::answer(&state.store, &state.issuers, &state.pepper, token, question).await
        }
    };
    let answered = answered.map_err(|error| failed(&error, error.unavailable().map(Unavailable::text)))?;
    // What was decided stays so, and is answered the same when the plug-in asks again.
    let ring = state.rings.at((answered.seq, answered.now), &state.store, &state.folder).await;
    let ring = ring.map_err(|error| failed(&error, error.passing()))?;
    if request.ks > ring.set.seq {
        // It will believe nothing that is signed by a key that its own key set does not list.
        tracing::warn!(request = %id, theirs = request.ks, ours = ring.set.seq, "a client knows a newer key set");
    }
    let signer = Signer { ring: &ring, issuer: &state.info.issuer, request, token: shown.hash() };
    let secret = |number| state.renewals.secret(recipient, number);
    let answer = seal(&signer, call, id, &answered, secret).map_err(|error| failed(&error, None))?;
    Ok((answer, is_known(&answered.answer)))
}

/// Whether what was shown is good for anything.
fn is_known(answer: &SeatAnswer) -> bool {
    let SeatAnswer::Verdict(verdict) = answer else { return true };
    !matches!(verdict.code, Code::TokenUnknown | Code::SignInRequired)
}

/// Signs what was decided; by now it is on disk.
fn seal(
    signer: &Signer<'_>,
    call: SeatCall,
    id: RequestId,
    answered: &SeatOutcome,
    secret: impl Fn(u64) -> String,
) -> Result<Result<Response, ProblemResponse>, crate::service::key_ring::RingError> {
    let seat = answered.subject.as_ref().map(|(seat, _)| seat);
    match (&answered.answer, &answered.subject) {
        (SeatAnswer::Lease { terms, renewal }, Some((seat, license))) => {
            let lease = signer.lease(terms, seat, license, secret(*renewal))?;
            let created = call == SeatCall::Airgap || terms.bound && call == SeatCall::Activate;
            if terms.bound {
                tracing::info!(request = %id, seat = %seat.id, epoch = seat.epoch, "bound");
            }
            Ok(json(if created { StatusCode::CREATED } else { StatusCode::OK }, &lease))
        }
        (SeatAnswer::Verdict(verdict), _) => {
            let jws = signer.verdict(verdict, seat, answered.now)?;
            let seat = seat.map(|seat| tracing::field::display(seat.id));
            tracing::info!(request = %id, seat, code = %verdict.code, path = call.path(), "verdict");
            let keyset = signer.newer_key_set();
            if call == SeatCall::Status || verdict.code == Code::Ok {
                let mut response = json(StatusCode::OK, &VerdictAnswer { verdict: jws, keyset });
                if let Ok(response) = &mut response {
                    response.extensions_mut().insert(CodeName(verdict.code.name()));
                }
                Ok(response)
            } else {
                Ok(Err(ProblemResponse::signed(verdict, jws, keyset)))
            }
        }
        _ => Ok(Err(ProblemResponse::server_error())),
    }
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, ProblemResponse> {
    let body = serde_json::to_vec(body).map_err(|_| ProblemResponse::server_error())?;
    Ok((status, [(header::CONTENT_TYPE, JSON)], body).into_response())
}
