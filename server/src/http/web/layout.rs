use super::super::{
    AppState,
    problem::{RETRY_AFTER, RequestId},
};
use super::WebError;
use super::assets::CONTENT_SECURITY_POLICY;
use super::pages::Help;
use askama::Template as _;
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse as _, Response},
};
use std::sync::Arc;
use tower_http::csrf::ProtectionError;

/// What a browser tells the next page of this one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Referrer {
    /// Nothing at all, because a secret stands in the address.
    None,
    /// Everything, to this server only: browsers that do not send `Sec-Fetch-Site` would send no
    /// `Origin` either.
    Own,
}

/// Headers of every page, whatever it says. The browser is told to allow nothing that the pages do
/// not use.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-read=(), \
         clipboard-write=(self)",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What all pages have in common.
pub(super) async fn dress(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    request: Request,
    next: Next,
) -> Response {
    let secret = request.uri().path().starts_with("/open/");
    let again = (request.method().is_safe() && !secret)
        .then(|| request.uri().path_and_query().map(ToString::to_string))
        .flatten();
    let response = next.run(request).await;
    finish(&state, id, response, if secret { Referrer::None } else { Referrer::Own }, again.as_deref())
}

/// Writes failures as pages, and the headers. `again` is where what failed can be tried once more.
pub(super) fn finish(
    state: &AppState,
    id: RequestId,
    mut response: Response,
    referrer: Referrer,
    again: Option<&str>,
) -> Response {
    let refused = response.extensions_mut().remove::<ProtectionError>().map(|_| WebError::CrossSite);
    if let Some(trouble) = response.extensions_mut().remove::<WebError>().or(refused) {
        match &trouble {
            WebError::Failed(error) => tracing::error!(request = %id, %error, "a page failed"),
            WebError::Unavailable { cause, .. } => {
                tracing::warn!(request = %id, cause, "a page was turned away")
            }
            _ => {}
        }
        let page = trouble.page(help(state), &id.to_string(), again);
        let (status, allow) = (response.status(), response.headers_mut().remove(header::ALLOW));
        response = match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => status.into_response(),
        };
        if let Some(methods) = allow {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let referrer = if referrer == Referrer::None { "no-referrer" } else { "same-origin" };
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    response
}

/// What the server names to its users.
pub(super) fn help(state: &AppState) -> Help {
    Help {
        documentation: state.services.info().documentation.clone(),
        support: state.services.info().support.clone(),
    }
}
