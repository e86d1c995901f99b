use super::lenient::fitting;
use super::tls::{Untrusted, in_words};
use crate::license::{Reply, RequestError, Signed, SignedObject};
use crate::scarcity::{scarce, shortage};
use crate::words::{Message, Phrase};
use rustls::CertificateError;
use seatlock_protocol::{
    Code, UnixTime,
    api::{JSON, PROBLEM_JSON, Problem},
};
use serde::Deserialize;
use std::error::Error;
use std::io::ErrorKind;
use std::time::UNIX_EPOCH;

/// Sorts an answer. The signed parts of a body decide later, whatever the status says; what has
/// none is a failure.
pub fn answer(status: u16, content_type: Option<&str>, retry_after: Option<u64>, body: &[u8]) -> Reply {
    if status == 407 {
        return failed(Code::ProxyAuthRequired, status, None);
    }
    if let Some(signed) = signed_parts(status, content_type, body) {
        return Reply::Signed(signed);
    }
    let is_problem =
        media_type(content_type) == Some(PROBLEM_JSON) && serde_json::from_slice::<Problem>(body).is_ok();
    let (code, reason) = match status {
        429 => return failed(Code::RateLimited, status, retry_after.or(Some(USUAL_WAIT))),
        503 if retry_after.is_some() => return failed(Code::Maintenance, status, retry_after),
        511 => (Code::UnexpectedResponse, Phrase::NET_SIGN_IN),
        404 | 405 if is_problem => (Code::Unreachable, Phrase::NET_NOTHING_THERE),
        500..=599 if is_problem => return failed(Code::ServerError, status, None),
        _ if is_problem => (Code::ServerError, Phrase::NET_UNSIGNED),
        // Of a gateway, and of those that networks in front of servers have made up.
        502..=504 | 520..=527 => (Code::ServerError, Phrase::NET_GATEWAY),
        301 | 308 => (Code::Unreachable, Phrase::NET_MOVED),
        300..=399 => (Code::UnexpectedResponse, Phrase::NET_SENT_ON),
        _ if body.is_empty() => (Code::UnexpectedResponse, Phrase::NET_EMPTY),
        _ if is_page(content_type) => (Code::UnexpectedResponse, Phrase::NET_PAGE),
        _ => (Code::UnexpectedResponse, Phrase::NET_FOREIGN),
    };
    Reply::Failed(RequestError { http_status: Some(status), ..RequestError::because(code, reason) })
}

/// Seconds to wait when too much was asked, and nobody said how long.
const USUAL_WAIT: u64 = 60;

fn signed_parts(status: u16, content_type: Option<&str>, body: &[u8]) -> Option<Signed> {
    let parts = |object, key_set, renewal| Some(Signed { object, key_set, renewal, http_status: status });
    match media_type(content_type) {
        _ if status == 511 => None,
        Some(JSON) => {
            if let Ok(Leased { lease, renewal, keyset }) = serde_json::from_slice(body) {
                return parts(SignedObject::Lease(lease), keyset, renewal);
            }
            let Judged { verdict, keyset } = serde_json::from_slice(body).ok()?;
            parts(SignedObject::Verdict(verdict), keyset, None)
        }
        Some(PROBLEM_JSON) => {
            let Judged { verdict, keyset } = serde_json::from_slice(body).ok()?;
            parts(SignedObject::Verdict(verdict), keyset, None)
        }
        _ => None,
    }
}

/// What is read of a lease answer. Beside the lease nothing in it is signed, so nothing else can
/// spoil it.
#[derive(Deserialize)]
struct Leased {
    lease: String,
    #[serde(default, deserialize_with = "fitting")]
    renewal: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    keyset: Option<String>,
}

/// What is read of an answer with a verdict, and of a refusal.
#[derive(Deserialize)]
struct Judged {
    verdict: String,
    #[serde(default, deserialize_with = "fitting")]
    keyset: Option<String>,
}

/// The one of our media types that it is. Their letter case says nothing (RFC 9110, section 8.3.1).
fn media_type(content_type: Option<&str>) -> Option<&'static str> {
    let named = content_type?.split(';').next()?.trim();
    [JSON, PROBLEM_JSON].into_iter().find(|known| named.eq_ignore_ascii_case(known))
}

fn is_page(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|named| named.to_ascii_lowercase().contains("html"))
}

fn failed(code: Code, status: u16, retry_after: Option<u64>) -> Reply {
    Reply::Failed(RequestError { http_status: Some(status), retry_after, ..RequestError::of(code) })
}

/// Seconds of a `Retry-After` header, which is a number or a date in one of three forms (RFC 9110,
/// sections 10.2.3 and 5.6.7).
pub fn retry_after(text: &str, now: UnixTime) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are as long as can be.
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::new(i64::try_from(date.as_secs()).ok()?)?.since(now))
}

/// Nobody answered within the limit.
pub(super) fn too_late() -> RequestError {
    unreachable(Phrase::NET_LATE)
}

/// Sorts a failure below HTTP. The outermost cause that is recognised counts: it says most about
/// where things failed.
pub(super) fn transport(error: &reqwest::Error) -> RequestError {
    if error.is_timeout() {
        return too_late();
    }
    let first: Option<&(dyn Error + 'static)> = error.source();
    let mut causes = std::iter::successors(first, |cause| (*cause).source());
    if let Some(short) = causes.clone().find_map(|cause| cause.downcast_ref().and_then(scarce)) {
        return unreachable(short);
    }
    causes.find_map(recognised).unwrap_or_else(|| unreachable(Phrase::NET_UNREADABLE))
}

fn recognised(cause: &(dyn Error + 'static)) -> Option<RequestError> {
    let cause = unwrapped(cause);
    if let Some(fault) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls(fault));
    }
    // The HTTP library keeps these errors' types to itself; only their words can be recognised.
    match cause.to_string().as_str() {
        "tunnel error: proxy authorization required" => {
            return Some(RequestError {
                http_status: Some(407),
                ..RequestError::of(Code::ProxyAuthRequired)
            });
        }
        "tunnel error: unsuccessful" => {
            return Some(RequestError::because(Code::UnexpectedResponse, Phrase::NET_TUNNEL_REFUSED));
        }
        "tunnel error: failed to create underlying connection" => {
            return Some(unreachable(Phrase::NET_PROXY_UNREACHABLE));
        }
        "connection closed before message completed" => {
            return Some(unreachable(Phrase::NET_CLOSED));
        }
        // The system's resolver does not say that it could not open its own files.
        "dns error" => {
            return Some(unreachable(shortage().unwrap_or(Phrase::NET_NAME_UNKNOWN)));
        }
        _ => {}
    }
    let reason = match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::ConnectionRefused => Phrase::NET_REFUSED,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Phrase::NET_BROKEN,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Phrase::NET_NONE,
        _ => return None,
    };
    Some(unreachable(reason))
}

fn tls(error: &rustls::Error) -> RequestError {
    match error {
        rustls::Error::InvalidCertificate(fault) => {
            let named = match fault {
                CertificateError::Other(other) => other.0.downcast_ref::<Untrusted>(),
                _ => None,
            };
            let reason = named.map_or_else(|| in_words(fault).into(), |named| named.0.clone());
            RequestError::because(Code::TlsUntrusted, reason)
        }
        rustls::Error::InvalidMessage(_) => {
            RequestError::because(Code::UnexpectedResponse, Phrase::NET_NO_TLS)
        }
        _ => unreachable(Phrase::NET_INSECURE),
    }
}

pub(super) fn unreachable(reason: impl Into<Message>) -> RequestError {
    RequestError::because(Code::Unreachable, reason)
}

/// What an I/O error carries, which may be another I/O error. Its `source` would step over the
/// first of them.
fn unwrapped<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        error = inner;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::Outcome;

    const LEASE: &str = r#"{"lease":"x","renewal":"r","seat":{"id":"00000000-0000-4000-8000-000000000000","lock_status":"in_use"}}"#;
    const VERDICT: &str = r#"{"verdict":"x"}"#;
    const SIGNED: &str =
        r#"{"type":"t","title":"t","status":403,"detail":"d","code":"token_revoked","verdict":"x"}"#;
    const UNSIGNED: &str = r#"{"type":"t","title":"t","status":500,"detail":"d","code":"server_error"}"#;
    const PROBLEM: &str = "application/problem+json";

    /// Each cause that can be told apart has its own code or its own words.
    #[test]
    fn table_of_answers() {
        let html = "text/html; charset=utf-8";
        let (page, refused) = ("The answer was a web page", "It refused the request without a signed answer");
        let (gateway, none) =
            ("What stands in front of it cannot reach it", "The answer was none of a license server");
        // (status, type, Retry-After, body, what it is: "signed" or a code, and the reason)
        type Row = (u16, &'static str, Option<u64>, &'static str, &'static str, &'static str);
        let cases: &[Row] = &[
            (200, JSON, None, LEASE, "signed", ""),
            (201, "application/json; charset=utf-8", None, LEASE, "signed", ""),
            (200, JSON, None, VERDICT, "signed", ""),
            (200, "Application/JSON", None, LEASE, "signed", ""),
            (403, "APPLICATION/PROBLEM+JSON ;x=y", None, SIGNED, "signed", ""),
            (200, JSON, None, r#"{"lease":"x"}"#, "signed", ""),
            (200, JSON, None, r#"{"lease":"x","renewal":7,"keyset":[],"seat":"odd"}"#, "signed", ""),
            (200, JSON, None, r#"{"verdict":"x","keyset":{}}"#, "signed", ""),
            (403, PROBLEM, None, r#"{"type":1,"verdict":"x","params":7}"#, "signed", ""),
            (500, "Application/Problem+JSON", None, UNSIGNED, "server_error", ""),
            (200, "TEXT/HTML", None, "<html>", "unexpected_response", page),
            (403, PROBLEM, None, SIGNED, "signed", ""),
            (200, PROBLEM, None, SIGNED, "signed", ""),
            (503, PROBLEM, Some(9), SIGNED, "signed", ""),
            (500, PROBLEM, None, UNSIGNED, "server_error", ""),
            (503, PROBLEM, None, UNSIGNED, "server_error", ""),
            (429, PROBLEM, Some(9), UNSIGNED, "rate_limited", ""),
            (429, PROBLEM, None, UNSIGNED, "rate_limited", ""),
            (503, PROBLEM, Some(9), UNSIGNED, "maintenance", ""),
            (404, PROBLEM, None, UNSIGNED, "unreachable", "has nothing at this address; HTTP status: 404"),
            (405, PROBLEM, None, UNSIGNED, "unreachable", "has nothing at this address; HTTP status: 405"),
            (400, PROBLEM, None, UNSIGNED, "server_error", refused),
            (413, PROBLEM, None, UNSIGNED, "server_error", refused),
            (502, html, None, "<html>", "server_error", "cannot reach it; HTTP status: 502"),
            (503, html, None, "<html>", "server_error", gateway),
            (504, html, None, "<html>", "server_error", gateway),
            (502, "text/plain", None, "", "server_error", gateway),
            (522, html, None, "<html>", "server_error", gateway),
            (503, html, Some(9), "<html>", "maintenance", ""),
            (429, html, Some(9), "<html>", "rate_limited", ""),
            (429, html, None, "<html>", "rate_limited", ""),
            (301, html, None, "<html>", "unreachable", "Its address has moved"),
            (308, html, None, "", "unreachable", "Its address has moved"),
            (302, html, None, "", "unexpected_response", "It sends on to another page"),
            (303, html, None, "<html>", "unexpected_response", "It sends on to another page"),
            (307, html, None, "<html>", "unexpected_response", "It sends on to another page"),
            (200, html, None, LEASE, "unexpected_response", page),
            (200, html, None, "<html>", "unexpected_response", page),
            (403, html, None, "<html>", "unexpected_response", page),
            (404, html, None, "<html>", "unexpected_response", page),
            (500, html, None, "<html>", "unexpected_response", page),
            (500, PROBLEM, None, "<html>", "unexpected_response", none),
            (200, JSON, None, "", "unexpected_response", "The answer was empty"),
            (204, "", None, "", "unexpected_response", "The answer was empty"),
            (200, JSON, None, "{\"lease\":", "unexpected_response", none),
            (200, JSON, None, "{\"lease\":1}", "unexpected_response", none),
            (407, html, None, "<html>", "proxy_auth_required", ""),
            (511, html, None, "<html>", "unexpected_response", "The network wants you to sign in"),
            (511, JSON, None, LEASE, "unexpected_response", "The network wants you to sign in"),
            (511, PROBLEM, None, SIGNED, "unexpected_response", "The network wants you to sign in"),
        ];
        for (status, content_type, retry_after, body, expected, reason) in cases {
            let (found, said) = match answer(*status, Some(content_type), *retry_after, body.as_bytes()) {
                Reply::Signed(_) => ("signed", None),
                Reply::Failed(error) => {
                    let values = Outcome::of_error(&error).params;
                    let said = error.reason.map(|reason| Message { values, ..reason }.to_string());
                    (error.code.name(), said)
                }
            };
            assert_eq!(found, *expected, "{status} {content_type} {body}");
            let said = said.unwrap_or_default();
            assert!(said.contains(reason) && said.is_empty() == reason.is_empty(), "{status} {body}: {said}");
        }
        assert!(matches!(answer(200, None, None, LEASE.as_bytes()), Reply::Failed(_)), "no content type");
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = UnixTime::new(784_111_777).unwrap(); // Sun, 06 Nov 1994 08:49:37 GMT
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sat, 06 Nov 1993 08:50:37 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("+5", None),
            ("5.5", None),
            ("Sun, 06 Nov 1994", None),
            ("-5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }
}
