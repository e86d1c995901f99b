use super::super::{AppState, auth, problem::RequestId};
use super::error::Trouble;
use super::form::Asked;
use super::sign_in::{entered, own_path, refused, with_cookie};
use super::{Shown, go};
use crate::crypto::password::PasswordHash;
use crate::crypto::seal::{SealKey, Secret, client_secret_key};
use crate::domain::{Issuer, Role, check_email};
use crate::oidc::{Bond, Claims, Client, Expected, authorization_url, exchange};
use crate::service::{Known, sign_in_known};
use crate::store::{Actor, AddUser, FindUser, ListIssuers, NewUser, User};
use axum::{
    extract::State,
    http::{Extensions, HeaderMap},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{AccessToken, UnixTime};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Only for the way to the issuer and back.
const COOKIE: &str = "__Host-seatlock-sign-in";
/// Seconds that somebody may take to sign in at the issuer.
const PATIENCE: u64 = 600;
/// Where the issuer sends people back to.
const BACK: &str = "/sign-in/back";

#[derive(Deserialize)]
pub(super) struct Leaving {
    issuer: String,
    #[serde(default)]
    next: String,
}

/// What the issuer says by way of the browser.
#[derive(Deserialize)]
pub(super) struct Returning {
    #[serde(default)]
    state: String,
    code: Option<Zeroizing<String>>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// What the cookie remembers meanwhile, sealed.
#[derive(Serialize, Deserialize)]
struct Pending {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: UnixTime,
}

/// Why nobody is let in: one sentence for the person.
type Denied = &'static str;

const AGAIN: Denied = "The sign-in took too long, or was begun in another browser. Try again.";
const AWAY: Denied =
    "The sign-in service does not answer as it should. Try again later, or use your password.";
const NOT_BELIEVED: Denied = "What the sign-in service says could not be verified. Nobody was signed in.";
const NOT_ADMITTED: Denied = "You are signed in there, but have no access here. Ask the administrator of this licensing server to admit you.";

/// On to the issuer.
pub(super) async fn leave(State(state): State<Arc<AppState>>, Asked(leaving): Asked<Leaving>) -> Shown {
    let list = state.store.run(ListIssuers).await?;
    let issuer = list.issuers.into_iter().find(|issuer| issuer.url == leaving.issuer);
    let Some((issuer, id)) = issuer.and_then(|issuer| Some((issuer.url, issuer.client?.id))) else {
        return Err(Trouble::NotFound);
    };
    let Ok(endpoints) = state.issuers.endpoints(&issuer).await else {
        return refused(&state, AWAY).await;
    };
    let random = || Secret::generate().map(|secret| secret.expose().to_string()).map_err(Trouble::failed);
    let next = own_path(&leaving.next).unwrap_or_default().to_owned();
    let (own, nonce, verifier) = (random()?, random()?, random()?);
    let pending = Pending { issuer, state: own, nonce, verifier, next, until: list.now.plus(PATIENCE) };
    let bond = Bond { state: &pending.state, nonce: &pending.nonce, verifier: &pending.verifier };
    let client = Client { id: &id, secret: None, redirect: &redirect(&state) };
    let Ok(url) = authorization_url(&endpoints, client, bond) else {
        return refused(&state, AWAY).await;
    };
    let plain = serde_json::to_vec(&pending).map_err(Trouble::failed)?;
    let sealed = key(&state.pepper).seal(&[], &plain).map_err(Trouble::failed)?;
    Ok(with_cookie(cookie(URL_SAFE_NO_PAD.encode(sealed)), go(&url)))
}

/// Back from the issuer.
pub(super) async fn enter(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    headers: HeaderMap,
    extensions: Extensions,
    Asked(returning): Asked<Returning>,
) -> Shown {
    let shown = match believe(&state, id, &headers, returning).await? {
        Ok((claims, issuer, next)) => match user(&state, &issuer, &claims).await? {
            Some(known) => {
                let browser = super::sign_in::browser(&state, &headers, &extensions);
                let shown = auth::shown_session(&headers);
                let begun = sign_in_known(&state.store, &state.pepper, known, browser, shown).await;
                let secret = begun.map_err(|denied| match denied {
                    crate::service::Denied::Store(error) => error.into(),
                    other => Trouble::failed(other),
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
    returning: Returning,
) -> Result<Result<(Claims, Issuer, String), Denied>, Trouble> {
    let list = state.store.run(ListIssuers).await?;
    let pending = pending(headers, &state.pepper).filter(|pending| pending.until > list.now);
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
    let secret = match &client.sealed_secret {
        Some(sealed) => {
            let opened = client_secret_key(&state.pepper).open(issuer.url.as_bytes(), sealed);
            Some(
                String::from_utf8(opened.map_err(Trouble::failed)?.to_vec())
                    .map(Zeroizing::new)
                    .map_err(Trouble::failed)?,
            )
        }
        None => None,
    };
    let redirect = redirect(state);
    let shown =
        Client { id: &client.id, secret: secret.as_ref().map(|secret| secret.as_str()), redirect: &redirect };
    let expected = Expected { issuer: &issuer.url, audience: &client.id };
    let verified = async {
        let endpoints = state.issuers.endpoints(&issuer.url).await?;
        let token = exchange(&endpoints, shown, &code, &pending.verifier).await?;
        match AccessToken::read(&token) {
            Ok(token) => state.issuers.verify(&token, expected, list.now).await.map(Some),
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

/// The user who is let in: the one with that verified e-mail address in the account that the rule
/// names, added now if there is none. An issuer that is trusted with one account must not reach
/// into another, nor make more of somebody than the rule says.
async fn user(state: &AppState, issuer: &Issuer, claims: &Claims) -> Result<Option<Known>, Trouble> {
    let admission = issuer.admit(claims.bearer());
    let Some((account, role)) = admission.and_then(|rule| Some((rule.account, rule.role?))) else {
        return Ok(None);
    };
    let Some(email) = claims.email.as_ref().filter(|email| check_email(email).is_ok()) else {
        return Ok(None);
    };
    let fits = |user: &User| {
        user.account == account
            && user.disabled_at.is_none()
            && (user.role == Role::Owner || role == Role::Admin)
    };
    if let Some((user, password)) = state.store.run(FindUser(email.clone())).await? {
        return Ok(fits(&user).then_some(Known { user, password }));
    }
    let password = PasswordHash::nobodys();
    let new = NewUser { id: Uuid::new_v4(), account, email: email.clone(), role, password: password.clone() };
    let by = Actor::User(format!("{} at {}", claims.identity.subject, claims.identity.issuer));
    let user = state.store.run(AddUser(new, by)).await?;
    Ok(Some(Known { user, password }))
}

fn redirect(state: &AppState) -> String {
    format!("{}{BACK}", state.settings.public_url)
}

fn key(pepper: &[u8; 32]) -> SealKey {
    SealKey::derive(pepper, b"seatlock-sign-in-v1\0", &[])
}

fn pending(headers: &HeaderMap, pepper: &[u8; 32]) -> Option<Pending> {
    let jar = CookieJar::from_headers(headers);
    let sealed = URL_SAFE_NO_PAD.decode(jar.get(COOKIE)?.value()).ok()?;
    serde_json::from_slice(&key(pepper).open(&[], &sealed).ok()?).ok()
}

fn cookie(value: String) -> Cookie<'static> {
    Cookie::build((COOKIE, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}
