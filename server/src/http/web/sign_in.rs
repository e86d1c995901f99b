use super::super::{AppState, auth, problem::RequestId};
use super::error::WebError;
use super::flash::{self, FlashMessage};
use super::form::{FormData, PageQuery};
use super::layout::help;
use super::pages::{Help, Moment, Notice, Tone};
use super::{PageResult, go, show, show_as, with_cookie};
use crate::crypto::seal::Secret;
use crate::service::{Browser, SignInAttempt, SignInError};
use askama::Template;
use axum::{
    extract::State,
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;
use zeroize::Zeroizing;

#[derive(Debug, Clone)]
pub struct SignInOption {
    /// As people call it.
    pub name: String,
    /// Where the way to it begins.
    pub href: String,
}

/// `/sign-in`.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Where to read more, and whom to ask.
    pub help: Help,
    /// Such as "You are signed out."
    pub notice: Option<Notice>,
    /// What was typed before.
    pub email: String,
    /// Why the last try failed. The same words for an unknown address and a wrong password.
    pub error: Option<String>,
    /// When the next try is possible, after too many.
    pub wait_until: Option<Moment>,
    /// Sign-in services that may be used instead of a password.
    pub ways: Vec<SignInOption>,
    /// Path to go to afterwards; empty for the list of seats. The handler takes only a path of its
    /// own.
    pub next: String,
}

const PAGE: &str = "/sign-in";
/// Where somebody is who has just signed in.
const HOME: &str = "/seats";
/// Characters of the longest path that is gone on to.
const NEXT_MAX: usize = 1024;

#[derive(Deserialize)]
pub(super) struct SignInQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    email: String,
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
}

pub(super) async fn ask(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    PageQuery(coming): PageQuery<SignInQuery>,
) -> PageResult {
    if auth::by_session(&state, &headers).await?.is_some() {
        return Ok(go(own_path(&coming.next).unwrap_or(HOME)));
    }
    let done = flash::said(&state, &headers, None, PAGE).await?;
    let ended = auth::shown_session(&headers)
        .map(|_| Notice::new(Tone::Calm, "Your session has ended. Sign in again to continue."));
    let said = done.as_ref().and_then(FlashMessage::words).map(|(tone, text)| Notice::new(tone, text));
    let notice = said.or(ended);
    let next = own_path(&coming.next).unwrap_or_default().to_owned();
    let ways = ways(&state, &next).await?;
    let page = SignInPage { help: help(&state), notice, next, ways, ..SignInPage::default() };
    flash::once(done.is_some(), show(&page))
}

pub(super) async fn enter(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    headers: HeaderMap,
    extensions: Extensions,
    FormData(form): FormData<SignInForm>,
) -> PageResult {
    let next = own_path(&form.next).unwrap_or_default().to_owned();
    let browser = browser(&state, &headers, &extensions);
    let asking = SignInAttempt { email: form.email.clone(), password: form.password, browser };
    let shown = auth::shown_session(&headers);
    let ways = ways(&state, &next).await?;
    let page = SignInPage { help: help(&state), next, ways, email: form.email, ..SignInPage::default() };
    match state.services.sign_in(asking, shown).await {
        Ok(secret) => Ok(entered(&secret, &page.next)),
        Err(SignInError::Wrong) => {
            // The e-mail address is not logged: people type their password there.
            tracing::info!(request = %id, "a sign-in failed");
            let error = Some("The e-mail address or the password is wrong.".to_owned());
            show_as(StatusCode::FORBIDDEN, &SignInPage { error, ..page })
        }
        Err(SignInError::TooMany { until }) => {
            tracing::warn!(request = %id, "too many sign-ins failed");
            let wait = until.seconds().saturating_sub(state.services.now().await?.seconds()).max(1);
            let page = SignInPage { wait_until: Some(until.into()), ..page };
            let mut response = show_as(StatusCode::TOO_MANY_REQUESTS, &page)?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            Ok(response)
        }
        Err(SignInError::Store(error)) => Err(error.into()),
        Err(SignInError::Password(error)) => Err(error.into()),
        Err(error @ SignInError::Random(_)) => Err(WebError::failed(error)),
    }
}

/// A session has begun: on to where somebody was going.
pub(super) fn entered(secret: &Secret, next: &str) -> Response {
    let to = if next.is_empty() { HOME } else { next };
    with_cookie(auth::session_cookie(secret), go(to))
}

/// The page once more, with the reason why a sign-in service did not help.
pub(super) async fn refused(state: &AppState, error: &str) -> PageResult {
    let (ways, error) = (ways(state, "").await?, Some(error.to_owned()));
    show_as(StatusCode::FORBIDDEN, &SignInPage { help: help(state), error, ways, ..SignInPage::default() })
}

/// The sign-in services at which the seat page is known.
async fn ways(state: &AppState, next: &str) -> Result<Vec<SignInOption>, WebError> {
    let list = state.services.issuers().await?;
    let known = list.issuers.into_iter().filter(|issuer| issuer.client.is_some());
    let way = known.map(|issuer| {
        let mut query =
            form_urlencoded::Serializer::for_suffix("/sign-in/with?".to_owned(), "/sign-in/with?".len());
        query.append_pair("issuer", &issuer.url).append_pair("next", next);
        SignInOption { name: issuer.name, href: query.finish() }
    });
    Ok(way.collect())
}

/// Where somebody sits who signs in.
pub(super) fn browser(state: &AppState, headers: &HeaderMap, extensions: &Extensions) -> Browser {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Browser { address: auth::address_of(state, headers, extensions), agent: agent.to_owned() }
}

/// Signs out whoever asks, even if the session has ended already.
pub(super) async fn leave(State(state): State<Arc<AppState>>, headers: HeaderMap) -> PageResult {
    if let Some(session) = auth::shown_session(&headers) {
        state.services.sign_out(session).await?;
    }
    signed_out(&state, FlashMessage::SignedOut).await
}

/// To the way in, without a session.
pub(super) async fn signed_out(state: &AppState, done: FlashMessage) -> PageResult {
    Ok(with_cookie(auth::no_session_cookie(), flash::go_and_say(state, None, PAGE, done).await?))
}

/// `text`, if it is a path of this server. Browsers take `//host` and `/\host` for other servers,
/// and skip tabs and line ends while they read.
pub(super) fn own_path(text: &str) -> Option<&str> {
    let plain = text.len() <= NEXT_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = text.starts_with('/') && !text.starts_with("//");
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let useful = !path.starts_with("/sign-") && text.parse::<Uri>().is_ok();
    (plain && own && useful).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_on_to() {
        for own in ["/seats", "/seats/new?email=a%40b&license=", "/audit?after=x"] {
            assert_eq!(own_path(own), Some(own));
        }
        let long = format!("/{}", "x".repeat(NEXT_MAX));
        for foreign in [
            "",
            "seats",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/x\r\nSet-Cookie: a=b",
            "https://evil.example/",
            "javascript:alert(1)",
            "/sign-in?next=/seats",
            "/sign-out",
            "/ä",
            &long,
        ] {
            assert_eq!(own_path(foreign), None, "{foreign:?}");
        }
    }
}
