use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What is asked for.
pub struct Request {
    pub method: &'static str,
    pub path: String,
    /// Header lines that say who asks, each with its line end.
    pub who: String,
    pub body: Option<String>,
}

/// One kept connection, as a browser or a script has it.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(256 * 1024) })
    }

    /// Status and body.
    pub async fn send(&mut self, request: &Request) -> anyhow::Result<(u16, &str)> {
        let body = request.body.as_deref().unwrap_or_default();
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\ncontent-type: application/json\r\n\
             {}content-length: {}\r\n\r\n{body}",
            request.method,
            request.path,
            request.who,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.buffer.clear();
        let (status, head, length) = loop {
            self.more().await?;
            let text = String::from_utf8_lossy(&self.buffer);
            let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.with_context(|| format!("an answer without a length: {head}"))?;
            break (status.context("an answer has a status")?, head.len() + 4, length.parse::<usize>()?);
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok((status, std::str::from_utf8(self.buffer.get(head..).unwrap_or_default())?))
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }
}
