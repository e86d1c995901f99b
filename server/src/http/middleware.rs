use super::problem::{ProblemResponse, RequestId};
use super::{AppState, auth, web};
use crate::service::Unavailable;
use crate::service::metrics::AnsweredRequest;
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Instant};
use uuid::Uuid;

/// A browser that was here by TLS comes back by TLS only, for two years.
const TLS_ONLY: &str = "max-age=63072000";

/// What refusals and verdicts leave in their answer: the name of their code.
#[derive(Clone, Copy)]
pub(super) struct CodeName(pub(super) &'static str);

/// What all answers have in common: a request id, a limit of time, a line in the log, and that
/// nobody keeps a copy.
pub(super) async fn frame(State(state): State<Arc<AppState>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let trusted = auth::comes_by_proxy(&state, request.extensions());
    let id = trusted.then(|| request_id(request.headers())).flatten().unwrap_or_else(RequestId::new);
    let trace = trusted.then(|| trace_id(request.headers())).flatten().map(str::to_owned);
    request.extensions_mut().insert(id);
    let method = known(request.method());
    // Never the path itself: a one-time link is a secret, and so is one that was mistyped.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let for_programs = web::is_for_programs(request.uri().path());
    let mut response = match tokio::time::timeout(state.settings.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(request = %id, "a request took too long");
            if for_programs {
                ProblemResponse::unavailable(Unavailable::Busy.text()).respond(id)
            } else {
                web::late(&state, id)
            }
        }
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // By TLS of its own, or by that of a proxy (RFC 6797).
    if state.settings.own_tls || state.settings.public_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
    }
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-request-id", id);
    }
    let (endpoint, took) = (route.as_ref().map_or("none", MatchedPath::as_str), began.elapsed());
    let (status, code) =
        (response.status().as_u16(), response.extensions().get::<CodeName>().map(|told| told.0));
    state.metrics.answered(&AnsweredRequest {
        method,
        endpoint,
        status,
        code: code.unwrap_or_default(),
        took,
    });
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if ["/healthz", "/readyz"].contains(&endpoint) {
        tracing::debug!(request = %id, trace, method, route = endpoint, status, code, micros, "answered");
    } else {
        tracing::info!(request = %id, trace, method, route = endpoint, status, code, micros, "answered");
    }
    response
}

/// The name that a proxy gave the request, if it is a UUID with or without hyphens.
fn request_id(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    Uuid::try_parse(text).ok().map(RequestId::from)
}

/// The trace that the request belongs to: 32 hexadecimal digits, not all zero (W3C Trace Context,
/// section 3.2.2.3).
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let id = text.split('-').nth(1)?;
    let sound = id.len() == 32
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && id.bytes().any(|byte| byte != b'0');
    sound.then_some(id)
}

/// Methods are labels, of which nobody may make new ones.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_its_form_is_taken_over() {
        let headers = |name: &'static str, value: &str| {
            HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_str(value).unwrap())])
        };
        let id = |value: &str| request_id(&headers("x-request-id", value)).map(|id| id.to_string());
        let known = Some("3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21".to_owned());
        assert_eq!(id("3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21"), known);
        assert_eq!(id("3b0f7d529f1f4c9e8a750f8d5c1f6b21"), known);
        assert_eq!((id(""), id("sit_8uVq2Z"), id("3b0f7d52 request=x")), (None, None, None));
        let trace = |value: &str| trace_id(&headers("traceparent", value)).map(str::to_owned);
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(sound).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in ["", "00", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", &"0-".repeat(9)] {
            assert_eq!(trace(bad), None, "{bad}");
        }
        assert_eq!(trace(&format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))), None);
    }
}
