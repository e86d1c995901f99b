use super::super::AppState;
use super::pages::{Moment, Tone};
use super::{PageResult, error::WebError, go, with_cookie};
use crate::crypto::seal::SealKey;
use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::UnixTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What became of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// None was asked for.
    NotAsked,
    /// The page is shown once more; if one was asked for, it was sent before.
    NotAgain,
    /// A one-time link is on its way.
    LinkSent {
        to: String,
        /// When the link ends.
        until: Moment,
    },
    /// The token is on its way.
    TokenSent { to: String },
    /// Nobody knows whether it is on its way.
    Unconfirmed { to: String },
    /// It could not be sent.
    Failed {
        to: String,
        /// Why, as one sentence.
        why: String,
    },
}

const COOKIE: &str = "__Host-seatlock-flash";
/// Seconds in which the next page comes.
const LIFE: u64 = 60;

/// What a form has just done, for the page that follows. It comes along in a cookie, sealed for
/// that page of that session: an address, or another website, could say what was never done.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum FlashMessage {
    Released,
    Revoked,
    NothingLeft,
    PasswordChanged,
    ApiTokenDeleted,
    SignedOut,
    SignedOutEverywhere,
    LinkSent { to: String, until: UnixTime },
    TokenSent { to: String },
    NotSent { to: String, why: String },
    MaybeSent { to: String },
    NotAsked,
}

impl FlashMessage {
    /// In words, above the page.
    pub(super) fn words(&self) -> Option<(Tone, &'static str)> {
        match self {
            Self::Released => Some((
                Tone::Good,
                "The seat was released. Another computer can use it by entering its token.",
            )),
            Self::Revoked => Some((Tone::Good, "The seat was revoked. Its token never works again.")),
            Self::NothingLeft => Some((
                Tone::Calm,
                "There was nothing left to do: somebody else, or this form, did it before.",
            )),
            Self::PasswordChanged => {
                Some((Tone::Good, "The password was changed. You are signed out everywhere else."))
            }
            Self::ApiTokenDeleted => Some((Tone::Good, "The API token was deleted. It no longer works.")),
            Self::SignedOut => Some((Tone::Calm, "You are signed out.")),
            Self::SignedOutEverywhere => Some((Tone::Calm, "You are signed out everywhere.")),
            Self::LinkSent { .. }
            | Self::TokenSent { .. }
            | Self::NotSent { .. }
            | Self::MaybeSent { .. }
            | Self::NotAsked => None,
        }
    }

    /// What became of an e-mail.
    pub(super) fn mail(self) -> Option<MailOutcome> {
        Some(match self {
            Self::LinkSent { to, until } => MailOutcome::LinkSent { to, until: Moment::from(until) },
            Self::TokenSent { to } => MailOutcome::TokenSent { to },
            Self::NotSent { to, why } => MailOutcome::Failed { to, why },
            Self::MaybeSent { to } => MailOutcome::Unconfirmed { to },
            Self::NotAsked => MailOutcome::NotAsked,
            _ => return None,
        })
    }
}

/// As it lies in the cookie.
#[derive(Serialize, Deserialize)]
struct FlashCookie {
    done: FlashMessage,
    until: UnixTime,
}

/// On to `path`, which says what was done.
pub(super) async fn go_and_say(
    state: &AppState,
    session: Option<Uuid>,
    path: &str,
    done: FlashMessage,
) -> PageResult {
    let flash = FlashCookie { done, until: state.services.now().await?.plus(LIFE) };
    let plain = serde_json::to_vec(&flash).map_err(WebError::failed)?;
    let page = path.split('?').next().unwrap_or_default();
    let sealed = key(state).seal(&context(session, page), &plain).map_err(WebError::failed)?;
    Ok(with_cookie(cookie(URL_SAFE_NO_PAD.encode(sealed)), go(path)))
}

/// What was done before `page` was asked for, if that page is to say it.
pub(super) async fn said(
    state: &AppState,
    headers: &HeaderMap,
    session: Option<Uuid>,
    page: &str,
) -> Result<Option<FlashMessage>, WebError> {
    let Some(FlashCookie { done, until }) = opened(state, headers, session, page) else { return Ok(None) };
    Ok((until > state.services.now().await?).then_some(done))
}

fn opened(state: &AppState, headers: &HeaderMap, session: Option<Uuid>, page: &str) -> Option<FlashCookie> {
    let jar = CookieJar::from_headers(headers);
    let sealed = URL_SAFE_NO_PAD.decode(jar.get(COOKIE)?.value()).ok()?;
    serde_json::from_slice(&key(state).open(&context(session, page), &sealed).ok()?).ok()
}

/// The page has said it, this once.
pub(super) fn once(said: bool, shown: PageResult) -> PageResult {
    let mut none = cookie(String::new());
    none.make_removal();
    if said { Ok(with_cookie(none, shown?)) } else { shown }
}

fn key(state: &AppState) -> SealKey {
    state.services.seal_key(b"seatlock-flash-v1\0")
}

fn context(session: Option<Uuid>, page: &str) -> Vec<u8> {
    [session.unwrap_or_default().as_bytes(), page.as_bytes()].concat()
}

fn cookie(value: String) -> Cookie<'static> {
    Cookie::build((COOKIE, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}
