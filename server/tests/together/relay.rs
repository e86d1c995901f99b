//! A network between a client and its server that loses, repeats or rewrites answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use xtask::server::Running;

/// The body of an answer: what arrives of it at the client, or `None` when the connection breaks
/// instead.
pub type Rewrite = dyn Fn(Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

/// Listens on a port of its own until the test ends, and passes every request on to `server`.
/// Answers its address.
pub fn relay(
    server: &Running,
    rewrite: impl Fn(Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = server.url().trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has gone away ends its own exchange only.
            let _ = exchange(stream, &upstream, &rewrite);
        }
    });
    url
}

fn exchange(mut client: TcpStream, upstream: &str, rewrite: &Rewrite) -> std::io::Result<()> {
    let (head, body) = message(&client)?;
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&[head, body].concat())?;
    let (head, body) = message(&server)?;
    let Some(body) = rewrite(body) else { return Ok(()) };
    client.write_all(&with_length(&head, body.len()))?;
    client.write_all(&body)
}

/// Reads one message whose length is in its head.
fn message(stream: &TcpStream) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut stream, mut head, mut length) = (BufReader::new(stream), Vec::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
        }
        head.extend(line.bytes());
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

/// The head with another length, and an end of the connection after this answer.
fn with_length(head: &[u8], length: usize) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let kept = head.lines().filter(|line| {
        let name = line.to_ascii_lowercase();
        !line.is_empty() && !name.starts_with("content-length:") && !name.starts_with("connection:")
    });
    let mut head: Vec<&str> = kept.collect();
    let length = format!("Content-Length: {length}");
    head.extend([length.as_str(), "Connection: close", "", ""]);
    head.join("\r\n").into_bytes()
}
