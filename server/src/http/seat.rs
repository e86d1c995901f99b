use super::middleware::CodeName;
use super::problem::{ProblemResponse, RequestId};
use super::rate_limit::{PeerAddress, slowed};
use super::{AppState, auth};
use crate::crypto::seal::Hash;
use crate::domain::WORD_MAX;
use crate::service::seat_call::{PluginCredential, ReplyContent};
use axum::{
    body::Bytes,
    extract::{Extension, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use seatlock_protocol::{
    AccessToken, Code, Token, TokenKind,
    api::{JSON, SeatCall, SeatRequest, VerdictAnswer},
};
use serde::Serialize;
use std::{fmt::Display, sync::Arc};

/// Longest product name: it is repeated in what is signed.
const MAX_PRODUCT: usize = 255;

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
        let hash = state.services.stored_hash(&shown);
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
fn shown(headers: &HeaderMap) -> Result<PluginCredential, ProblemResponse> {
    let text = auth::bearer(headers).ok_or_else(ProblemResponse::no_token)?;
    if AccessToken::resembles(text) {
        return AccessToken::read(text).map(PluginCredential::Access).map_err(ProblemResponse::access_token);
    }
    Token::parse(text, TokenKind::Integration).map(PluginCredential::Token).map_err(ProblemResponse::token)
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

/// What is answered, and whether what was shown is good for anything.
async fn decide(
    state: &AppState,
    call: SeatCall,
    id: RequestId,
    shown: (&PluginCredential, Hash),
    request: &SeatRequest,
) -> Result<(Result<Response, ProblemResponse>, bool), ProblemResponse> {
    let failed = |error: &dyn Display, passing| ProblemResponse::failed(id, "a seat call", error, passing);
    tracing::debug!(request = %id, path = call.path(), "asked");
    let mut jitter = [0; 2];
    getrandom::fill(&mut jitter).map_err(|error| failed(&error, None))?;
    let reply = state.services.answer(call, shown, request, u16::from_le_bytes(jitter)).await;
    let reply = reply.map_err(|error| failed(&error, error.passing()))?;
    if request.ks > reply.key_set {
        // It will believe nothing that is signed by a key that its own key set does not list.
        tracing::warn!(request = %id, theirs = request.ks, ours = reply.key_set, "a client knows a newer key set");
    }
    let known = !matches!(&reply.content, ReplyContent::Verdict { verdict, .. }
        if matches!(verdict.code, Code::TokenUnknown | Code::SignInRequired));
    Ok((respond(call, id, reply.content), known))
}

fn respond(call: SeatCall, id: RequestId, content: ReplyContent) -> Result<Response, ProblemResponse> {
    match content {
        ReplyContent::Lease { lease, bound, seat, epoch } => {
            let created = call == SeatCall::Airgap || bound && call == SeatCall::Activate;
            if bound {
                tracing::info!(request = %id, %seat, epoch, "bound");
            }
            json(if created { StatusCode::CREATED } else { StatusCode::OK }, &lease)
        }
        ReplyContent::Verdict { verdict, jws, keyset, seat } => {
            let seat = seat.map(tracing::field::display);
            tracing::info!(request = %id, seat, code = %verdict.code, path = call.path(), "verdict");
            if call != SeatCall::Status && verdict.code != Code::Ok {
                return Err(ProblemResponse::signed(&verdict, jws, keyset));
            }
            let mut response = json(StatusCode::OK, &VerdictAnswer { verdict: jws, keyset })?;
            response.extensions_mut().insert(CodeName(verdict.code.name()));
            Ok(response)
        }
        ReplyContent::Nothing => Err(ProblemResponse::server_error()),
    }
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, ProblemResponse> {
    let body = serde_json::to_vec(body).map_err(|_| ProblemResponse::server_error())?;
    Ok((status, [(header::CONTENT_TYPE, JSON)], body).into_response())
}
