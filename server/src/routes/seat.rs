use super::problem::{Refusal, RequestId};
use super::{AppState, access, sign::Signer};
use crate::rules::{Answer, Call, Caller, SecretHash};
use crate::store::{Answered, Question, Store};
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{
    AccessToken, Code, Token, TokenHash, TokenKind,
    api::{Intent, JSON, SeatCall, SeatRequest, VerdictAnswer},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Longest product name: it is repeated in what is signed.
const MAX_PRODUCT: usize = 255;

/// What a plug-in shows.
enum Shown {
    /// An integration token.
    Token(Token),
    /// What an issuer says of its user.
    Access(AccessToken),
}

impl Shown {
    fn read(text: &str) -> Result<Self, Refusal> {
        if AccessToken::resembles(text) {
            return AccessToken::read(text).map(Self::Access).map_err(Refusal::access_token);
        }
        Token::parse(text, TokenKind::Integration).map(Self::Token).map_err(Refusal::token)
    }

    fn hash(&self) -> TokenHash {
        match self {
            Self::Token(token) => token.hash(),
            Self::Access(token) => token.identity().hash(),
        }
    }
}

/// Answers one call of a plug-in.
pub(super) async fn answer<S: Store>(
    call: SeatCall,
    State(state): State<Arc<AppState<S>>>,
    id: RequestId,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let answered = match read(&headers, body) {
        Ok((shown, request)) => decide(&state, call, id, &shown, &request).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| refusal.respond(id))
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(Shown, SeatRequest), Refusal> {
    let authorization = headers.get(header::AUTHORIZATION).ok_or_else(Refusal::no_token)?;
    let token = authorization.to_str().ok().and_then(bearer).ok_or_else(Refusal::no_token)?;
    let shown = Shown::read(token)?;

    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(Refusal::not_json());
    }
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
        _ => Refusal::unreadable(),
    })?;
    let request: SeatRequest = serde_json::from_slice(&body).map_err(|error| Refusal::body(&error))?;
    if request.product.is_empty() || request.product.len() > MAX_PRODUCT {
        return Err(Refusal::field("The product must have 1 to 255 bytes."));
    }
    Ok((shown, request))
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

async fn decide<S: Store>(
    state: &AppState<S>,
    call: SeatCall,
    id: RequestId,
    shown: &Shown,
    request: &SeatRequest,
) -> Result<Response, Refusal> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(request = %id, %error, "a seat call failed");
        Refusal::server_error()
    };
    tracing::debug!(request = %id, path = call.path(), "asked");
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(|error| failed(&error))?;
    let [low, high, secret @ ..] = random;
    let secret = URL_SAFE_NO_PAD.encode::<[u8; 16]>(secret);
    let caller = caller(request, renewal_hash(&secret), u16::from_le_bytes([low, high]));
    let question = |token| Question { token, call: Call::new(call, request.intent), caller };
    let answered = match shown {
        Shown::Token(token) => state.store.call(question(token.stored_hash(&state.pepper))).await,
        Shown::Access(token) => access::answer(state, token, question([0; 32])).await,
    };
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) if error.passes() => {
            tracing::warn!(request = %id, %error, "a seat call was turned away");
            return Err(Refusal::overloaded());
        }
        Err(error) => return Err(failed(&error)),
    };
    let ring = state.rings.at(answered.seq, &state.store, &state.folder).await;
    let ring = ring.map_err(|error| failed(&error))?;
    if request.ks > ring.set.seq {
        // It will believe nothing that is signed by a key that its own key set does not list.
        tracing::warn!(request = %id, theirs = request.ks, ours = ring.set.seq, "a client knows a newer key set");
    }
    let signer = Signer { ring: &ring, issuer: &state.info.issuer, request, token: shown.hash() };
    seal(&signer, call, id, &answered, secret).map_err(|error| failed(&error))?
}

/// Signs what was decided; by now it is on disk.
fn seal(
    signer: &Signer<'_>,
    call: SeatCall,
    id: RequestId,
    answered: &Answered,
    secret: String,
) -> Result<Result<Response, Refusal>, crate::keys::RingError> {
    let seat = answered.subject.as_ref().map(|(seat, _)| seat);
    match (&answered.answer, &answered.subject) {
        (Answer::Lease(terms), Some((seat, license))) => {
            let lease = signer.lease(terms, seat, license, secret)?;
            let created = call == SeatCall::Offline || terms.bound && call == SeatCall::Activate;
            if terms.bound {
                tracing::info!(request = %id, seat = %seat.id, epoch = seat.epoch, "bound");
            }
            Ok(json(if created { StatusCode::CREATED } else { StatusCode::OK }, &lease))
        }
        (Answer::Verdict(verdict), _) => {
            let jws = signer.verdict(verdict, seat, answered.now)?;
            let seat = seat.map(|seat| tracing::field::display(seat.id));
            tracing::info!(request = %id, seat, code = %verdict.code, path = call.path(), "verdict");
            let keyset = signer.newer_key_set();
            if call == SeatCall::Status || verdict.code == Code::Ok {
                Ok(json(StatusCode::OK, &VerdictAnswer { verdict: jws, keyset }))
            } else {
                Ok(Err(Refusal::signed(verdict, jws, keyset)))
            }
        }
        _ => Ok(Err(Refusal::server_error())),
    }
}

pub(crate) fn caller(request: &SeatRequest, next_renewal: SecretHash, jitter: u16) -> Caller {
    let launched = u64::from(request.intent == Intent::Launch);
    let reported = request.offline.as_ref().map_or(0, |offline| offline.launches);
    // A client counts a launch before it asks, so the one that asks is among those that it reports.
    let offline = request.offline.as_ref().filter(|_| reported > 1);
    Caller {
        machine: request.machine.id.clone(),
        token_revoked: false,
        product: request.product.clone(),
        client: request.client.lib.clone(),
        terms: request.terms.clone(),
        epoch: request.have.as_ref().map(|have| have.epoch),
        launches: launched.max(reported),
        last_offline: offline.map(|offline| offline.last_used_at),
        install_id: request.install_id,
        install: None,
        renewal: request.renewal.as_deref().map(renewal_hash),
        next_renewal,
        jitter,
    }
}

/// The secret is 128 random bits, so a plain hash gives nothing away.
pub(crate) fn renewal_hash(secret: &str) -> SecretHash {
    Sha256::new().chain_update(b"seatlock-renewal-v1\0").chain_update(secret).finalize().into()
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(body).map_err(|_| Refusal::server_error())?;
    Ok((status, [(header::CONTENT_TYPE, JSON)], body).into_response())
}
