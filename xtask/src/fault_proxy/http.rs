use anyhow::{Context, Result};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A seat call on its way up.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) token: String,
    pub(super) body: Value,
}

/// What the real server said.
#[derive(Clone)]
pub(super) struct ServerAnswer {
    pub(super) status: String,
    pub(super) media_type: String,
    pub(super) body: Value,
}

/// Reads a client's request. Whatever is not a seat call is an error, and the connection ends.
pub(super) fn read(stream: &mut impl Read) -> Result<Request> {
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let first = head.first().context("nothing was asked")?;
    let path = first.split(' ').nth(1).context("no path")?.to_owned();
    let token = header(&head, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let token = token.context("no token")?.to_owned();
    let length: usize = header(&head, "content-length").context("no length")?.parse()?;
    let mut body = vec![0; length.min(64 * 1024)];
    reader.read_exact(&mut body)?;
    Ok(Request { path, token, body: serde_json::from_slice(&body)? })
}

/// Reads a request's head, and nothing of its body.
pub(super) fn read_head(reader: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        match line.trim_end() {
            "" if read == 0 => anyhow::bail!("the connection ended"),
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let mut found = head.iter().filter_map(|line| line.split_once(':'));
    found.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Puts a seat call to the real server at `address`.
pub(super) fn ask(address: &str, request: &Request) -> Result<ServerAnswer> {
    let body = request.body.to_string();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST {} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        request.path,
        request.token,
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the server's answer has no end of its head")?;
    let head: Vec<String> = head.lines().map(str::to_owned).collect();
    let status = head.first().and_then(|line| line.split_once(' ')).context("no status")?.1.to_owned();
    let media_type = header(&head, "content-type").unwrap_or_default().to_owned();
    let body = serde_json::from_str(body).context("the server's answer is no JSON")?;
    Ok(ServerAnswer { status, media_type, body })
}

/// An answer as it goes over the wire, in one piece.
pub(super) fn answer(version: &str, status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{version} {status}\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
        .extend_from_slice(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}
