use super::super::{AppState, auth, problem::RequestId};
use super::error::WebError;
use super::form::PageQuery;
use super::sign_in::{entered, own_path, refused};
use super::{PageResult, go, with_cookie};
use crate::crypto::seal::Secret;
use crate::domain::Issuer;
use crate::oidc::{Bond, Claims, Expected, RelyingParty, authorization_url, exchange};
use crate::service::SignInError;
use axum::{
    extract::State,
    http::{Extensions, HeaderMap},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{AccessToken, UnixTime};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Only for the way to the issuer and back.
const COOKIE: &str = "__Host-seatlock-sign-in";
/// What the cookie is sealed for.
const SEALED: &[u8] = b"seatlock-sign-in-v1\0";
/// Seconds that somebody may take to sign in at the issuer.
const PATIENCE: u64 = 600;
/// Where the issuer sends people back to.
const BACK: &str = "/sign-in/back";

#[derive(Deserialize)]
pub(super) struct IssuerSignInQuery {
    issuer: String,
    #[serde(default)]
    next: String,
}

/// What the issuer says by way of the browser.
#[derive(Deserialize)]
pub(super) struct IssuerReturnQuery {
    #[serde(default)]
    state: String,
    code: Option<Zeroizing<String>>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// What the cookie remembers meanwhile, sealed.
#[derive(Serialize, Deserialize)]
struct PendingSignIn {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: UnixTime,
}

/// Why nobody is let in: one sentence for the person.
type SignInRefusal = &'static str;

const AGAIN: SignInRefusal = "The sign-in took too long, or was begun in another browser. Try again.";
const AWAY: SignInRefusal =
    "The sign-in service does not answer as it should. Try again later, or use your password.";
const NOT_BELIEVED: SignInRefusal =
    "What the sign-in service says could not be verified. Nobody was signed in.";
const NOT_ADMITTED: SignInRefusal = "You are signed in there, but have no access here. Ask the administrator of this licensing server to admit you.";

/// On to the issuer.
pub(super) async fn leave(
    State(state): State<Arc<AppState>>,
    PageQuery(leaving): PageQuery<IssuerSignInQuery>,
) -> PageResult {
    let list = state.services.issuers().await?;
    let issuer = list.issuers.into_iter().find(|issuer| issuer.url == leaving.issuer);
    let Some((issuer, id)) = issuer.and_then(|issuer| Some((issuer.url, issuer.client?.id))) else {
        return Err(WebError::NotFound);
    };
    let Ok(endpoints) = state.services.issuer_keys().endpoints(&issuer).await else {
        return refused(&state, AWAY).await;
    };
    let random = || Secret::generate().map(|secret| secret.expose().to_string()).map_err(WebError::failed);
    let next = own_path(&leaving.next).unwrap_or_default().to_owned();
    let (own, nonce, verifier) = (random()?, random()?, random()?);
    let pending = PendingSignIn { issuer, state: own, nonce, verifier, next, until: list.now.plus(PATIENCE) };
    let bond = Bond { state: &pending.state, nonce: &pending.nonce, verifier: &pending.verifier };
    let client = RelyingParty { id: &id, secret: None, redirect: &redirect(&state) };
    let Ok(url) = authorization_url(&endpoints, client, bond) else {
        return refused(&state, AWAY).await;
    };
    let plain = serde_json::to_vec(&pending).map_err(WebError::failed)?;
    let sealed = state.services.seal_key(SEALED).seal(&[], &plain).map_err(WebError::failed)?;
    Ok(with_cookie(cookie(URL_SAFE_NO_PAD.encode(sealed)), go(&url)))
}

/// Back from the issuer.
pub(super) async fn enter(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    headers: HeaderMap,
    extensions: Extensions,
    PageQuery(returning): PageQuery<IssuerReturnQuery>,
) -> PageResult {
    let shown = match believe(&state, id, &headers, returning).await? {
        Ok((claims, issuer, next)) => match state.services.admit(&issuer, &claims).await? {
            Some(known) => {
                let browser = super::sign_in::browser(&state, &headers, &extensions);
                let shown = auth::shown_session(&headers);
                let begun = state.services.sign_in_known(known, browser, shown).await;
                let secret = begun.map_err(|denied| match denied {
                    SignInError::Store(error) => error.into(),
                    other => WebError::failed(other),
                })?;
                entered(&secret, &next)
            }
            None => {
                let identity = &claims.identity;
                tracing::info!(request = %id, issuer = identity.issuer, subject = identity.subject, "not admitted to the pages");
                refused(&state, NOT_ADMITTED).await?
            }
        },
        Err(denied) => refused(&state, denied).await?,
    };
    // It was good for one answer.
    let mut none = cookie(String::new());
    none.make_removal();
    Ok(with_cookie(none, shown))
}

/// What the issuer says of whoever comes back, and where he wanted to go.
async fn believe(
    state: &AppState,
    id: RequestId,
    headers: &HeaderMap,
    returning: IssuerReturnQuery,
) -> Result<Result<(Claims, Issuer, String), SignInRefusal>, WebError> {
    let list = state.services.issuers().await?;
    let pending = pending(headers, state).filter(|pending| pending.until > list.now);
    let Some(pending) = pending.filter(|pending| pending.state == returning.state) else {
        return Ok(Err(AGAIN));
    };
    let Some(code) = returning.code else {
        return Ok(Err("The sign-in was cancelled or refused. Try again."));
    };
    let issuer = list.issuers.into_iter().find(|issuer| issuer.url == pending.issuer);
    let Some((issuer, client)) = issuer.and_then(|issuer| Some((issuer.clone(), issuer.client?))) else {
        return Ok(Err(AGAIN));
    };
    if returning.iss.is_some_and(|answers| answers != issuer.url) {
        return Ok(Err(NOT_BELIEVED));
    }
    let secret = state.services.client_secret(&issuer).map_err(WebError::failed)?;
    let redirect = redirect(state);
    let shown = RelyingParty {
        id: &client.id,
        secret: secret.as_ref().map(|secret| secret.as_str()),
        redirect: &redirect,
    };
    let expected = Expected { issuer: &issuer.url, audience: &client.id };
    let verified = async {
        let endpoints = state.services.issuer_keys().endpoints(&issuer.url).await?;
        let token = exchange(&endpoints, shown, &code, &pending.verifier).await?;
        match AccessToken::read(&token) {
            Ok(token) => state.services.issuer_keys().verify(&token, expected, list.now).await.map(Some),
            Err(_) => Ok(None),
        }
    };
    match verified.await {
        Ok(Some(Ok(claims))) => {
            let ours = claims.nonce.as_ref() == Some(&pending.nonce)
                && claims.client.as_ref().is_none_or(|other| *other == client.id);
            Ok(if ours { Ok((claims, issuer, pending.next)) } else { Err(NOT_BELIEVED) })
        }
        Ok(_) => {
            tracing::warn!(request = %id, issuer = issuer.url, "an ID token could not be verified");
            Ok(Err(NOT_BELIEVED))
        }
        Err(reason) => {
            tracing::warn!(request = %id, issuer = issuer.url, %reason, "a sign-in could not be finished");
            Ok(Err(AWAY))
        }
    }
}

fn redirect(state: &AppState) -> String {
    format!("{}{BACK}", state.settings.public_url)
}

fn pending(headers: &HeaderMap, state: &AppState) -> Option<PendingSignIn> {
    let jar = CookieJar::from_headers(headers);
    let sealed = URL_SAFE_NO_PAD.decode(jar.get(COOKIE)?.value()).ok()?;
    serde_json::from_slice(&state.services.seal_key(SEALED).open(&[], &sealed).ok()?).ok()
}

fn cookie(value: String) -> Cookie<'static> {
    Cookie::build((COOKIE, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}
