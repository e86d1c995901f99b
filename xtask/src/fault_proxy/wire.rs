//! Connections that are treated badly, below HTTP or in the middle of it.

use super::http;
use anyhow::Result;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Longer than any client waits.
const FOR_EVER: Duration = Duration::from_secs(120);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Waits for the request's head. What fails afterwards fails for the client too.
fn heard(stream: &TcpStream) {
    let _ = http::read_head(&mut BufReader::new(stream));
}

/// Closes without a word.
pub(super) fn hang_up(_: TcpStream) -> Result<()> {
    Ok(())
}

/// Breaks off with a reset once the request is there.
pub(super) fn reset(stream: TcpStream) -> Result<()> {
    heard(&stream);
    reset_at_once(stream)
}

/// Breaks off with a reset before anything was said.
pub(super) fn reset_at_once(stream: TcpStream) -> Result<()> {
    Ok(SockRef::from(&stream).set_linger(Some(Duration::ZERO))?)
}

/// Takes the connection and never says anything.
pub(super) fn silent(stream: TcpStream) -> Result<()> {
    thread::sleep(FOR_EVER);
    drop(stream);
    Ok(())
}

/// Begins an answer and sends a header a byte at a time, for ever.
pub(super) fn slow_head(mut stream: TcpStream) -> Result<()> {
    heard(&stream);
    stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
    drip(&mut stream, b"a")
}

/// Sends a body of a plausible length, a byte at a time.
pub(super) fn slow_body(mut stream: TcpStream) -> Result<()> {
    heard(&stream);
    stream.write_all(HEAD)?;
    stream.write_all(b"Content-Length: 2000\r\n\r\n{")?;
    drip(&mut stream, b" ")
}

/// Sends a body in small pieces that never end.
pub(super) fn endless_chunks(mut stream: TcpStream) -> Result<()> {
    heard(&stream);
    stream.write_all(HEAD)?;
    stream.write_all(b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")?;
    drip(&mut stream, b"1\r\n \r\n")
}

fn drip(stream: &mut TcpStream, drop: &[u8]) -> Result<()> {
    stream.set_nodelay(true)?;
    loop {
        stream.write_all(drop)?;
        thread::sleep(Duration::from_millis(100));
    }
}

/// Sends a body without end, as fast as it is taken.
pub(super) fn flood(mut stream: TcpStream) -> Result<()> {
    heard(&stream);
    stream.write_all(HEAD)?;
    stream.write_all(b"Content-Length: 10737418240\r\n\r\n{")?;
    loop {
        stream.write_all(&[b' '; 64 * 1024])?;
    }
}

/// Promises the answer, again and again, and never gives it.
pub(super) fn informational(mut stream: TcpStream) -> Result<()> {
    heard(&stream);
    loop {
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
        // As fast as a bad network is, not as fast as this computer is: what is read more slowly than it
        // comes would be read without a pause for the time limit.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Speaks HTTP where TLS is expected.
pub(super) fn plain_http(mut stream: TcpStream) -> Result<()> {
    let page =
        http::answer("HTTP/1.1", "400 Bad Request", &["Content-Type: text/html"], b"<html>plain</html>");
    stream.write_all(&page)?;
    until_gone(stream)
}

/// Waits until the client has gone: closing before would break off what was said.
pub(super) fn until_gone(mut stream: TcpStream) -> Result<()> {
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

/// A port at which nobody listens. It is bound while this lives, so that nobody else takes it.
pub(super) struct Closed(Socket);

impl Closed {
    pub(super) fn new() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        Ok(Self(socket))
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        address(&self.0)
    }
}

/// A port that swallows every connection: its queue is full and nobody takes anything out, so the
/// system drops what comes.
pub(super) struct BlackHole {
    socket: Socket,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(super) fn new() -> Result<Self> {
        let Closed(socket) = Closed::new()?;
        socket.listen(0)?;
        let target = address(&socket)?;
        let more = || TcpStream::connect_timeout(&target, Duration::from_millis(300)).ok();
        // Some systems' queues are longer than they were told to be.
        let queue: Vec<_> = std::iter::from_fn(more).take(300).collect();
        anyhow::ensure!(queue.len() < 300, "the queue never fills");
        Ok(Self { socket, _queue: queue })
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        address(&self.socket)
    }
}

fn address(socket: &Socket) -> Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| anyhow::anyhow!("a socket without an address"))
}
