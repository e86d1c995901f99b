//! The real server's answer in forms that it would not choose.

use super::http::{self, ServerAnswer};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

pub(super) fn nothing(answer: &ServerAnswer) -> Vec<u8> {
    let kind = format!("Content-Type: {}", answer.media_type);
    http::answer("HTTP/1.1", &answer.status, &[&kind], answer.body.to_string().as_bytes())
}

/// Without saying what it is.
pub(super) fn no_type(answer: &ServerAnswer) -> Vec<u8> {
    http::answer("HTTP/1.1", &answer.status, &[], answer.body.to_string().as_bytes())
}

/// In HTTP/1.0, without a length.
pub(super) fn http_1_0(answer: &ServerAnswer) -> Vec<u8> {
    format!("HTTP/1.0 {}\r\nContent-Type: {}\r\n\r\n{}", answer.status, answer.media_type, answer.body)
        .into_bytes()
}

/// In chunks of one byte.
pub(super) fn chunked(answer: &ServerAnswer) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        answer.status, answer.media_type
    )
    .into_bytes();
    for byte in answer.body.to_string().bytes() {
        bytes.extend_from_slice(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']);
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// With its headers twice, as after two proxies, and more of their own.
pub(super) fn headers_twice(answer: &ServerAnswer) -> Vec<u8> {
    let kind = format!("Content-Type: {}", answer.media_type);
    let body = answer.body.to_string();
    let length = format!("Content-Length: {}", body.len());
    let mut headers = vec![kind.as_str(), kind.as_str(), length.as_str()];
    headers.extend(["Via: 1.1 proxy.example.com"; 90]);
    http::answer("HTTP/1.1", &answer.status, &headers, body.as_bytes())
}

/// More nested than a parser's stack is deep.
pub(super) fn deep(_: &ServerAnswer) -> Vec<u8> {
    let brackets = "[".repeat(30_000);
    http::answer("HTTP/1.1", "200 OK", &["Content-Type: application/json"], brackets.as_bytes())
}

/// Compressed. A client that expands it finds a good answer, and can be made to expand a bomb.
pub(super) fn gzip(answer: &ServerAnswer) -> Vec<u8> {
    compressed(answer, answer.body.to_string().as_bytes())
}

/// A small body that is far beyond the limit when it is expanded.
pub(super) fn gzip_bomb(answer: &ServerAnswer) -> Vec<u8> {
    compressed(answer, &[b' '; 8 * 1024 * 1024])
}

fn compressed(answer: &ServerAnswer, body: &[u8]) -> Vec<u8> {
    let kind = format!("Content-Type: {}", answer.media_type);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let packed = packed.write_all(body).and_then(|()| packed.finish()).unwrap_or_default();
    http::answer("HTTP/1.1", &answer.status, &[&kind, "Content-Encoding: gzip"], &packed)
}
