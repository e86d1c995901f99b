use super::tls::Untrusted;
use crate::license::{Reply, Signed, SignedObject, Trouble};
use crate::scarcity::{scarce, shortage};
use chrono::DateTime;
use rustls::CertificateError;
use seatlock_protocol::{
    Code, UnixTime,
    api::{JSON, LeaseAnswer, PROBLEM_JSON, Problem, VerdictAnswer},
};
use std::error::Error;
use std::io::ErrorKind;

/// Sorts an answer. The signed parts of a body decide later, whatever the status says; what has none is a failure.
pub fn answer(status: u16, content_type: Option<&str>, retry_after: Option<u64>, body: &[u8]) -> Reply {
    if status == 407 {
        return failed(Code::ProxyAuthRequired, status, None);
    }
    if let Some(signed) = signed_parts(status, content_type, body) {
        return Reply::Signed(signed);
    }
    let is_problem =
        media_type(content_type) == PROBLEM_JSON && serde_json::from_slice::<Problem>(body).is_ok();
    match (status, retry_after) {
        (429, Some(_)) => failed(Code::RateLimited, status, retry_after),
        (503, Some(_)) => failed(Code::Maintenance, status, retry_after),
        (500..=599, _) if is_problem && status != 511 => failed(Code::ServerError, status, None),
        _ => failed(Code::NotOurServer, status, None),
    }
}

fn signed_parts(status: u16, content_type: Option<&str>, body: &[u8]) -> Option<Signed> {
    let parts = |object, key_set, renewal| Some(Signed { object, key_set, renewal, http_status: status });
    match media_type(content_type) {
        _ if status == 511 => None,
        JSON => {
            if let Ok(answer) = serde_json::from_slice::<LeaseAnswer>(body) {
                return parts(SignedObject::Lease(answer.lease), answer.keyset, Some(answer.renewal));
            }
            let answer = serde_json::from_slice::<VerdictAnswer>(body).ok()?;
            parts(SignedObject::Verdict(answer.verdict), answer.keyset, None)
        }
        PROBLEM_JSON => {
            let problem = serde_json::from_slice::<Problem>(body).ok()?;
            parts(SignedObject::Verdict(problem.verdict?), problem.keyset, None)
        }
        _ => None,
    }
}

fn media_type(content_type: Option<&str>) -> &str {
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

fn failed(code: Code, status: u16, retry_after: Option<u64>) -> Reply {
    Reply::Failed(Trouble { http_status: Some(status), retry_after, ..Trouble::of(code) })
}

/// Seconds of a `Retry-After` header, which is a number or a date (RFC 9110, section 10.2.3).
pub fn retry_after(text: &str, now: UnixTime) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let date = UnixTime::new(DateTime::parse_from_rfc2822(text).ok()?.timestamp())?;
        Some(date.since(now))
    })
}

/// Nobody answered within the limit.
pub(super) fn too_late() -> Trouble {
    unreachable("There was no answer in time")
}

/// Sorts a failure below HTTP. The outermost cause that is recognised counts: it says most about where things failed.
pub(super) fn transport(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return too_late();
    }
    let first: Option<&(dyn Error + 'static)> = error.source();
    let mut causes = std::iter::successors(first, |cause| (*cause).source());
    if let Some(words) = causes.clone().find_map(|cause| cause.downcast_ref().and_then(scarce)) {
        return unreachable(words);
    }
    causes.find_map(recognised).unwrap_or_else(|| unreachable("The answer could not be read"))
}

fn recognised(cause: &(dyn Error + 'static)) -> Option<Trouble> {
    let cause = unwrapped(cause);
    if let Some(fault) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls(fault));
    }
    // The HTTP library keeps these errors' types to itself; only their words can be recognised.
    match cause.to_string().as_str() {
        "tunnel error: proxy authorization required" => {
            return Some(Trouble { http_status: Some(407), ..Trouble::of(Code::ProxyAuthRequired) });
        }
        "tunnel error: unsuccessful" => return Some(Trouble::of(Code::NotOurServer)),
        "tunnel error: failed to create underlying connection" => {
            return Some(unreachable("The proxy can not be reached"));
        }
        // The system's resolver does not say that it could not open its own files.
        "dns error" => {
            let words = shortage().unwrap_or("The server's name, or the proxy's, was not found");
            return Some(unreachable(words));
        }
        _ => {}
    }
    let reason = match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::ConnectionRefused => "The connection was refused",
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => "The connection was broken off",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => "There is no network",
        _ => return None,
    };
    Some(unreachable(reason))
}

fn tls(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => untrusted(
            other.0.downcast_ref::<Untrusted>().map_or_else(|| other.to_string(), Untrusted::to_string),
        ),
        rustls::Error::InvalidCertificate(fault) => untrusted(fault.to_string()),
        // What answered does not speak TLS at all.
        rustls::Error::InvalidMessage(_) => Trouble::of(Code::NotOurServer),
        _ => unreachable("No secure connection could be made"),
    }
}

fn untrusted(reason: String) -> Trouble {
    Trouble { detail: Some(reason), ..Trouble::of(Code::TlsUntrusted) }
}

pub(super) fn unreachable(reason: &str) -> Trouble {
    Trouble { detail: Some(reason.to_owned()), ..Trouble::of(Code::Unreachable) }
}

/// What an I/O error carries, which may be another I/O error. Its `source` would step over the first of them.
fn unwrapped<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        error = inner;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = r#"{"lease":"x","renewal":"r","seat":{"id":"00000000-0000-4000-8000-000000000000","lock_status":"in_use"}}"#;
    const VERDICT: &str = r#"{"verdict":"x"}"#;
    const SIGNED: &str =
        r#"{"type":"t","title":"t","status":403,"detail":"d","code":"token_revoked","verdict":"x"}"#;
    const UNSIGNED: &str = r#"{"type":"t","title":"t","status":500,"detail":"d","code":"server_error"}"#;
    const PROBLEM: &str = "application/problem+json";

    #[test]
    fn table_of_answers() {
        // (status, type, Retry-After, body, what it is: "signed" or a code)
        let cases: &[(u16, &str, Option<u64>, &str, &str)] = &[
            (200, JSON, None, LEASE, "signed"),
            (201, "application/json; charset=utf-8", None, LEASE, "signed"),
            (200, JSON, None, VERDICT, "signed"),
            (403, PROBLEM, None, SIGNED, "signed"),
            (200, PROBLEM, None, SIGNED, "signed"),
            (503, PROBLEM, Some(9), SIGNED, "signed"),
            (500, PROBLEM, None, UNSIGNED, "server_error"),
            (429, PROBLEM, Some(9), UNSIGNED, "rate_limited"),
            (503, PROBLEM, Some(9), UNSIGNED, "maintenance"),
            (503, "text/html", Some(9), "<html>", "maintenance"),
            (503, "text/html", None, "<html>", "not_our_server"),
            (500, "text/html", None, "<html>", "not_our_server"),
            (500, PROBLEM, None, "<html>", "not_our_server"),
            (200, "text/html", None, LEASE, "not_our_server"),
            (200, "text/html", None, "<html>", "not_our_server"),
            (200, JSON, None, "", "not_our_server"),
            (200, JSON, None, "{\"lease\":", "not_our_server"),
            (200, JSON, None, "{\"lease\":1}", "not_our_server"),
            (302, "text/html", None, "", "not_our_server"),
            (404, PROBLEM, None, UNSIGNED, "not_our_server"),
            (407, "text/html", None, "<html>", "proxy_auth_required"),
            (511, JSON, None, LEASE, "not_our_server"),
            (511, PROBLEM, None, SIGNED, "not_our_server"),
        ];
        for (status, content_type, retry_after, body, expected) in cases {
            let found = match answer(*status, Some(content_type), *retry_after, body.as_bytes()) {
                Reply::Signed(_) => "signed",
                Reply::Failed(trouble) => trouble.code.name(),
            };
            assert_eq!(found, *expected, "{status} {content_type} {body}");
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
            ("Sun, 06 Nov 1993 08:50:37 GMT", None),
            ("Sat, 06 Nov 1993 08:50:37 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }
}
