use super::Scene::{
    self, Asks, Does, DoesOnTls, Forges, Proxy, ProxyGone, Refuses, Rewrites, Says, Sends, Swallows, Tls,
};
use super::tls::Fault;
use super::{forge, rewrite, wire};
use seatlock_protocol::Code;

/// One way in which a network can go wrong.
pub struct Case {
    /// Its name, for `cargo xtask fault-proxy`.
    pub name: &'static str,
    /// What the network does.
    pub what: &'static str,
    pub(super) scene: Scene,
    /// What a ping must be answered with.
    pub code: Code,
    /// The HTTP status that goes with it, 0 for none.
    pub status: u16,
    /// What the sentence must say beside the code's own words, so that a person knows what to do.
    pub says: &'static str,
}

const fn row(
    name: &'static str,
    what: &'static str,
    scene: Scene,
    code: Code,
    status: u16,
    says: &'static str,
) -> Case {
    Case { name, what, scene, code, status, says }
}

const HTML: &[&str] = &["Content-Type: text/html"];
const JSON: &[&str] = &["Content-Type: application/json"];
const TEN_YEARS: &[&str] = &["Retry-After: 315360000"];
const LEASE: &str = r#"{"lease":"a.b.c","renewal":"r","seat":{"id":"00000000-0000-4000-8000-000000000000","lock_status":"in_use"}}"#;
const SIGN_IN: &str = "<html>Sign in</html>";

#[rustfmt::skip] // one row, one case
pub const CASES: &[Case] = &[
    // Control: through this proxy a ping succeeds, so what fails below fails for its own reason.
    row("honest", "the real server, passed through", Rewrites(rewrite::nothing), Code::Ok, 200, "Licensed"),

    // Somebody else answers.
    row("ok-html", "200 with a web page", Says("200 OK", HTML, SIGN_IN), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("redirect", "302 to a sign-in page", Says("302 Found", &["Location: http://portal.invalid/"], ""), Code::UnexpectedResponse, 302, "HTTP status: 302"),
    row("redirect-keeping-the-method", "307 to somebody who would like the token", Says("307 Temporary Redirect", &["Location: http://127.0.0.1:1/"], ""), Code::UnexpectedResponse, 307, "HTTP status: 307"),
    row("forbidden", "403 with a web page", Says("403 Forbidden", HTML, SIGN_IN), Code::UnexpectedResponse, 403, "HTTP status: 403"),
    row("not-found", "404 with a web page", Says("404 Not Found", HTML, SIGN_IN), Code::UnexpectedResponse, 404, "HTTP status: 404"),
    row("bad-gateway", "502 with a web page", Says("502 Bad Gateway", HTML, SIGN_IN), Code::ServerError, 502, "HTTP status: 502"),
    row("portal", "511 of a captive portal", Says("511 Network Authentication Required", HTML, SIGN_IN), Code::UnexpectedResponse, 511, "HTTP status: 511"),
    row("portal-json", "511 that looks like ours", Says("511 Network Authentication Required", JSON, LEASE), Code::UnexpectedResponse, 511, "HTTP status: 511"),
    row("empty", "204 without a body", Says("204 No Content", &[], ""), Code::UnexpectedResponse, 204, "HTTP status: 204"),
    row("wrong-json", "half of a JSON text", Says("200 OK", JSON, "{\"lease\":"), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("other-json", "JSON of another service", Says("200 OK", JSON, "{\"status\":\"ok\"}"), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("deep-json", "a thousand brackets", Rewrites(rewrite::deep), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("no-type", "our answer without a content type", Rewrites(rewrite::no_type), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("gzip", "our answer, compressed though nobody asked", Rewrites(rewrite::gzip), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("gzip-bomb", "a small answer that would be 8 MiB", Rewrites(rewrite::gzip_bomb), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("unsigned", "our JSON without a signature", Says("200 OK", JSON, LEASE), Code::BadSignature, 200, "signature"),
    row("ssh", "another protocol on the port", Sends("SSH-2.0-OpenSSH_9.2p1\r\n"), Code::Unreachable, 0, "could not be read"),

    // It asks to wait.
    row("retry-after", "503: come back in ten years", Says("503 Service Unavailable", TEN_YEARS, ""), Code::Maintenance, 503, "being maintained"),
    row("retry-after-date", "503: come back in 2099", Says("503 Service Unavailable", &["Retry-After: Thu, 01 Jan 2099 00:00:00 GMT"], ""), Code::Maintenance, 503, "being maintained"),
    row("retry-after-limit", "429: come back in ten years", Says("429 Too Many Requests", TEN_YEARS, ""), Code::RateLimited, 429, "Too many tries"),
    row("retry-after-overflow", "503: come back in 2^64 s", Says("503 Service Unavailable", &["Retry-After: 18446744073709551616"], ""), Code::Maintenance, 503, "being maintained"),
    row("retry-after-twice", "503 with two opinions", Says("503 Service Unavailable", &["Retry-After: 315360000", "Retry-After: 1"], ""), Code::Maintenance, 503, "being maintained"),

    // The answer never ends, or never begins.
    row("truncated", "a body that is cut off", Sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"lease\":"), Code::Unreachable, 0, "could not be read"),
    row("truncated-chunks", "chunks that are cut off", Sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"lea"), Code::Unreachable, 0, "could not be read"),
    row("two-lengths", "two different lengths", Sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), Code::Unreachable, 0, "could not be read"),
    row("endless-chunks", "small chunks for ever", Does(wire::endless_chunks), Code::Unreachable, 0, "no answer in time"),
    row("slow-head", "a header for ever, byte by byte", Does(wire::slow_head), Code::Unreachable, 0, "no answer in time"),
    row("slow-body", "a body, byte by byte", Does(wire::slow_body), Code::Unreachable, 0, "no answer in time"),
    row("informational", "103 for ever", Does(wire::informational), Code::Unreachable, 0, ""),
    row("flood", "a body of 10 GiB", Does(wire::flood), Code::UnexpectedResponse, 200, "HTTP status: 200"),
    row("silent", "takes the request, says nothing", Does(wire::silent), Code::Unreachable, 0, "no answer in time"),
    row("hang-up", "closes at once", Does(wire::hang_up), Code::Unreachable, 0, ""),
    row("reset", "resets instead of answering", Does(wire::reset), Code::Unreachable, 0, "broken off"),
    row("refused", "nobody listens", Refuses, Code::Unreachable, 0, "refused"),
    row("black-hole", "connections are dropped without a word", Swallows, Code::Unreachable, 0, "no answer in time"),

    // TLS.
    row("tls", "the real server over TLS, its authority in the extra-CA option", Tls(Fault::None), Code::Ok, 200, "Licensed"),
    row("tls-other-name", "a certificate for another name", Tls(Fault::OtherName), Code::TlsUntrusted, 0, "made for another name; the certificate is by \"Test Company CA\""),
    row("tls-expired", "a certificate that has ended", Tls(Fault::Expired), Code::TlsUntrusted, 0, "expired; the certificate is by \"Test Company CA\""),
    row("tls-not-yet", "a certificate of the year 3019", Tls(Fault::NotYet), Code::TlsUntrusted, 0, "not valid yet; the certificate is by \"Test Company CA\""),
    row("tls-self-signed", "a certificate that is its own issuer", Tls(Fault::SelfSigned), Code::TlsUntrusted, 0, "the certificate is by \"127.0.0.1\""),
    row("tls-unknown-issuer", "a firewall that signs anew, its authority not in the extra-CA option", Tls(Fault::UnknownIssuer), Code::TlsUntrusted, 0, "unknown issuer; the certificate is by \"Test Firewall CA\""),
    row("tls-chatty-issuer", "an issuer whose name is a message to the user", Tls(Fault::Chatty), Code::TlsUntrusted, 0, "\"Call +1 555 0100 to unlock your license now now now now now now \""),
    row("tls-hangs", "says nothing during the handshake", DoesOnTls(wire::silent), Code::Unreachable, 0, "no answer in time"),
    row("tls-reset", "resets during the handshake, as some firewalls do", DoesOnTls(wire::reset_at_once), Code::Unreachable, 0, "broken off"),
    row("tls-plain-http", "HTTP on the port of TLS", DoesOnTls(wire::plain_http), Code::UnexpectedResponse, 0, "login page"),

    // A proxy.
    row("proxy-password", "a proxy that wants a password", Proxy("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"), Code::ProxyAuthRequired, 407, "password"),
    row("proxy-password-http", "407 without a tunnel", Says("407 Proxy Authentication Required", HTML, SIGN_IN), Code::ProxyAuthRequired, 407, "password"),
    row("proxy-login", "a proxy that answers CONNECT with a sign-in page", Proxy("HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/\r\nContent-Length: 0\r\n\r\n"), Code::UnexpectedResponse, 0, "login page"),
    row("proxy-forbids", "a proxy that forbids the server", Proxy("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), Code::UnexpectedResponse, 0, "proxy"),
    row("proxy-lies", "a proxy that grants CONNECT and sends a page", Proxy("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<html>Sign in</html>"), Code::UnexpectedResponse, 0, "login page"),
    row("proxy-gone", "a proxy that is not there", ProxyGone, Code::Unreachable, 0, "The proxy cannot be reached"),

    // Unusual and right.
    row("http-1.0", "our answer in HTTP/1.0, ended by closing", Rewrites(rewrite::http_1_0), Code::Ok, 200, "Licensed"),
    row("chunked", "our answer in pieces of one byte", Rewrites(rewrite::chunked), Code::Ok, 200, "Licensed"),
    row("headers-twice", "every header twice, and a hundred of a proxy's own", Rewrites(rewrite::headers_twice), Code::Ok, 200, "Licensed"),

    // Signed by nobody who may.
    row("alg-none", "no signature, and says so", Forges(forge::no_algorithm), Code::BadSignature, 200, "signature"),
    row("alg-hs256", "HMAC with the public key as secret", Forges(forge::public_key_as_secret), Code::BadSignature, 200, "signature"),
    row("other-key", "signed by a stranger", Forges(forge::strangers_key), Code::BadSignature, 200, "signature"),
    row("other-key-same-kid", "signed by a stranger, under the real kid", Forges(forge::strangers_key_under_our_name), Code::BadSignature, 200, "signature"),
    row("jwk", "signed by a stranger, whose key is in the header", Forges(forge::key_in_the_header), Code::BadSignature, 200, "signature"),
    row("kid-path", "a kid that is a path", Forges(forge::path_as_kid), Code::BadSignature, 200, "signature"),
    row("bent-signature", "one bit of the signature is another", Forges(forge::bent_signature), Code::BadSignature, 200, "signature"),
    row("better-plan", "one claim is another", Forges(forge::better_plan), Code::BadSignature, 200, "signature"),
    row("forged-revocation", "a revocation signed by a stranger", Forges(forge::forged_revocation), Code::BadSignature, 200, "signature"),
    row("older-key-set", "signed by a revoked key, with the key set before", Forges(forge::older_key_set), Code::BadSignature, 200, "signature"),

    // Signed by the real key, and still not to be taken.
    row("crit", "an extension that must be understood", Forges(forge::critical_extension), Code::BadSignature, 200, "signature"),
    row("jku", "an address of a key", Forges(forge::key_by_address), Code::BadSignature, 200, "signature"),
    row("typ", "a type that every JWT has", Forges(forge::another_type), Code::BadSignature, 200, "signature"),
    row("other-product", "a lease for another product", Forges(forge::another_product), Code::BadSignature, 200, "signature"),
    row("other-server", "a lease of another server", Forges(forge::another_issuer), Code::BadSignature, 200, "signature"),
    row("replayed", "a real answer to another question", Asks(forge::another_nonce), Code::ReplayedResponse, 200, "old answer"),
    row("other-machine", "a real lease of another computer", Asks(forge::another_machine), Code::MachineMismatch, 201, "another computer"),
    row("other-token", "a real lease of another token", Asks(forge::another_token), Code::BadSignature, 201, "signature"),
    row("older-epoch", "a lease from before the last release", Forges(forge::older_epoch), Code::ReplayedResponse, 200, "old answer"),
    row("expired-lease", "last year's lease, which is older than its key", Forges(forge::expired), Code::BadSignature, 200, "signature"),
    row("no-time", "a lease that ends before it begins", Forges(forge::ends_before_it_begins), Code::ReplayedResponse, 200, "old answer"),
];
