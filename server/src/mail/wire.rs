use lettre::transport::smtp::client::AsyncTokioStream;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// More than any mail server says for one letter, a chain of certificates included.
const MOST: usize = 32 * 1024;

/// A connection that gives out one line at a time, and ends a talk that is too long.
///
/// Who sits between us and the server can add lines to its answer to STARTTLS. What was read ahead
/// would pass for words that were said under TLS; here those lines are still on the wire when TLS
/// begins, where they are no TLS.
#[derive(Debug)]
pub(super) struct LineStream {
    stream: TcpStream,
    left: usize,
}

impl LineStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, left: MOST }
    }
}

impl AsyncRead for LineStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut space = [0; 512];
        let room = buf.remaining().min(space.len());
        let Some(space) = space.get_mut(..room) else { return Poll::Ready(Ok(())) };
        let seen = ready!(this.stream.poll_peek(cx, &mut ReadBuf::new(space)))?;
        let line = space.iter().take(seen).position(|byte| *byte == b'\n').map_or(seen, |at| at + 1);
        this.left = this.left.checked_sub(line).ok_or_else(|| io::Error::other("it talks without an end"))?;
        let Some(space) = space.get_mut(..line) else { return Poll::Ready(Ok(())) };
        let mut read = ReadBuf::new(space);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for LineStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
