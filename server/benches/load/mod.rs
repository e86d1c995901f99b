use anyhow::{Context as _, bail};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// An installation and what it has to remember from ping to ping.
#[derive(Clone)]
pub struct Plugin {
    pub token: String,
    /// Its request, without the renewal secret.
    pub body: String,
    pub renewal: Option<String>,
}

/// One run.
#[derive(Default)]
pub struct Measured {
    pub time: Duration,
    pub latencies: Vec<Duration>,
}

impl Measured {
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }
}

/// Sends requests over one connection per share until the time is over, at least one for every plug-in.
pub async fn drive(
    address: SocketAddr,
    call: &'static str,
    shares: &mut Vec<Vec<Plugin>>,
    time: Duration,
) -> anyhow::Result<Measured> {
    let mut connections = JoinSet::new();
    let began = Instant::now();
    for share in shares.drain(..) {
        connections.spawn(one_connection(address, call, share, began, time));
    }
    let mut measured = Measured::default();
    while let Some(done) = connections.join_next().await {
        let (share, latencies) = done??;
        shares.push(share);
        measured.latencies.extend(latencies);
    }
    measured.time = began.elapsed();
    Ok(measured)
}

async fn one_connection(
    address: SocketAddr,
    call: &str,
    mut share: Vec<Plugin>,
    began: Instant,
    time: Duration,
) -> anyhow::Result<(Vec<Plugin>, Vec<Duration>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(4096));
    loop {
        for plugin in &mut share {
            let start = Instant::now();
            stream.write_all(&request(call, plugin)).await?;
            let body = answer(&mut stream, &mut buffer).await?;
            if let Some((_, rest)) = body.split_once("\"renewal\":\"") {
                plugin.renewal = rest.split('"').next().map(str::to_owned);
            }
            latencies.push(start.elapsed());
        }
        if began.elapsed() >= time {
            return Ok((share, latencies));
        }
    }
}

fn request(call: &str, plugin: &Plugin) -> Vec<u8> {
    let body = match &plugin.renewal {
        Some(renewal) => format!("{{\"renewal\":\"{renewal}\",{}", plugin.body.trim_start_matches('{')),
        None => plugin.body.clone(),
    };
    format!(
        "POST /v1/seat/{call} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        plugin.token,
        body.len()
    )
    .into_bytes()
}

/// Reads one answer; anything but a success ends the run.
async fn answer<'a>(stream: &mut TcpStream, buffer: &'a mut Vec<u8>) -> anyhow::Result<&'a str> {
    buffer.clear();
    let (head, length) = loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server hung up");
        }
        let text = std::str::from_utf8(buffer)?;
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            if !head.starts_with("HTTP/1.1 20") {
                bail!("refused: {text}");
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            break (head.len() + 4, length.context("an answer has a length")?.parse::<usize>()?);
        }
    };
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server hung up");
        }
    }
    std::str::from_utf8(buffer.get(head..).unwrap_or_default()).context("an answer is text")
}
