use super::{AppState, address};
use crate::crypto::seal::{Hash, Secret};
use crate::service::{SignedIn, StoreError, session_hash};
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use seatlock_protocol::{AccessToken, Token, TokenKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Once;

/// The browser refuses it from anywhere but this very host over TLS, or from the own computer.
const COOKIE: &str = "__Host-seatlock";

/// The cookie of a session that begins. It ends with the browser, or before by the server's own
/// limits.
pub(super) fn session_cookie(secret: &Secret) -> Cookie<'static> {
    Cookie::build((COOKIE, secret.expose().to_string()))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

/// The cookie of a session that has ended.
pub(super) fn no_session_cookie() -> Cookie<'static> {
    Cookie::build((COOKIE, ""))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .removal()
        .build()
}

/// The session that the browser shows.
pub(super) fn shown_session(headers: &HeaderMap) -> Option<Hash> {
    let jar = CookieJar::from_headers(headers);
    Some(session_hash(&Secret::parse(jar.get(COOKIE)?.value())?))
}

/// Who is signed in with this browser.
pub(super) async fn by_session(
    state: &AppState,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, StoreError> {
    match shown_session(headers) {
        Some(hash) => state.services.signed_in_by(hash).await,
        None => Ok(None),
    }
}

/// Who shows an API token, and what the header says if it is none.
pub(super) async fn by_api_token(
    state: &AppState,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, StoreError> {
    match bearer(headers).map(|text| Token::parse(text, TokenKind::Api)) {
        Some(Ok(token)) => state.services.signed_in_with(&token).await,
        Some(Err(_)) | None => Ok(None),
    }
}

/// The network address at the other end of the connection.
fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connected| connected.0.ip().to_canonical())
}

/// Whether the request comes from a proxy whose words are believed.
pub(super) fn comes_by_proxy(state: &AppState, extensions: &Extensions) -> bool {
    let peer = peer(extensions);
    state.settings.trusted_proxies.iter().any(|network| network.contains(&peer))
}

/// What `Authorization: Bearer` shows (RFC 6750, section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, text) = shown?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text)
}

/// The access token that is shown, if it is one.
pub(super) fn access_token(headers: &HeaderMap) -> Option<AccessToken> {
    bearer(headers).and_then(|text| AccessToken::read(text).ok())
}

/// The network address of whoever asks.
pub(super) fn address_of(state: &AppState, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    // Once: the proxy writes the same each time.
    static UNREAD: Once = Once::new();
    let unread = |proxy: IpAddr| {
        UNREAD.call_once(|| {
            tracing::warn!(
                %proxy,
                "the X-Forwarded-For of a trusted proxy cannot be read, so its own address counts: all that it forwards \
                 share the limits of one. Have it write an address, with or without a port"
            );
        });
    };
    address::client(peer(extensions), forwarded.into_iter(), &state.settings.trusted_proxies, unread)
}
