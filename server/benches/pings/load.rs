use crate::fill::{Seat, Seats};
use anyhow::{Context as _, bail};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep_until,
};

/// Installations that ping, one after the other, at most: more would only be more memory here.
const INSTALLATIONS: usize = 100_000;
/// A prime number, so that seats which lie side by side do not ping one after the other.
const STRIDE: usize = 611_953;

/// An installation and what it has to remember from ping to ping.
struct Plugin {
    head: String,
    /// Its request behind the renewal secret.
    body: String,
    /// None before its seat is bound.
    renewal: Option<String>,
}

/// When requests are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Each connection sends its next one when it has its answer: a closed loop, which waits for a
    /// slow server.
    AsAnswered,
    /// So many in a second, come what may: an open loop. A request that is late because the one
    /// before it has no answer yet has waited since it was due.
    PerSecond(f64),
    /// As answered, and each plug-in once, however long it takes.
    Once,
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

/// Plug-ins, shared out among connections.
pub struct Load(Vec<Connection>);

#[derive(Default)]
struct Connection {
    plugins: Vec<Plugin>,
    /// Whose turn it is.
    next: usize,
    sent: usize,
    received: usize,
    requests: usize,
    buffer: Vec<u8>,
}

impl Load {
    /// Installations that hold their seats.
    pub fn pings(seats: &Seats, connections: usize) -> Self {
        let places = (0..seats.held.min(INSTALLATIONS)).map(|at| at.wrapping_mul(STRIDE) % seats.held);
        Self::new(connections, places.map(|place| Plugin::new("ping", &seats.seat(place))))
    }

    /// The installations of one run that are given a seat.
    pub fn binds(seats: &Seats, connections: usize, run: usize, number: usize) -> Self {
        let places = (0..number).map(|at| seats.held + run * number + at);
        Self::new(connections, places.map(|place| Plugin::new("activate", &seats.seat(place))))
    }

    fn new(connections: usize, plugins: impl Iterator<Item = Plugin>) -> Self {
        let mut load: Vec<_> = (0..connections).map(|_| Connection::default()).collect();
        for (at, plugin) in plugins.enumerate() {
            if let Some(connection) = load.get_mut(at % connections) {
                connection.plugins.push(plugin);
            }
        }
        Self(load)
    }

    /// Sends requests to `address` until the time is over.
    pub async fn drive(
        &mut self,
        address: SocketAddr,
        pace: Pace,
        time: Duration,
    ) -> anyhow::Result<Measured> {
        let mut running = JoinSet::new();
        let between = match pace {
            Pace::AsAnswered | Pace::Once => None,
            Pace::PerSecond(rate) => Some(Duration::from_secs_f64(self.0.len() as f64 / rate)),
        };
        let (began, all) = (Instant::now(), self.0.len().max(1));
        for (at, connection) in self.0.drain(..).enumerate() {
            let first = began + between.unwrap_or_default().mul_f64(at as f64 / all as f64);
            let once = matches!(pace, Pace::Once);
            running.spawn(connection.drive(address, first, between, (!once).then_some(began + time)));
        }
        let mut measured = Measured::default();
        while let Some(done) = running.join_next().await {
            let (connection, latencies) = done??;
            self.0.push(connection);
            measured.latencies.extend(latencies);
        }
        measured.time = began.elapsed();
        Ok(measured)
    }

    /// Mean length of a request, with its header.
    pub fn request_bytes(&self) -> Option<usize> {
        self.mean(|connection| connection.sent)
    }

    /// Mean length of an answer, with its header.
    pub fn answer_bytes(&self) -> Option<usize> {
        self.mean(|connection| connection.received)
    }

    fn mean(&self, bytes: impl Fn(&Connection) -> usize) -> Option<usize> {
        let requests: usize = self.0.iter().map(|connection| connection.requests).sum();
        self.0.iter().map(bytes).sum::<usize>().checked_div(requests)
    }
}

impl Connection {
    async fn drive(
        mut self,
        address: SocketAddr,
        first: Instant,
        between: Option<Duration>,
        end: Option<Instant>,
    ) -> anyhow::Result<(Self, Vec<Duration>)> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut latencies, mut due) = (Vec::new(), first);
        loop {
            match between {
                None => due = Instant::now(),
                Some(_) => sleep_until(due.into()).await,
            }
            if end.map_or(self.next >= self.plugins.len(), |end| due >= end) {
                return Ok((self, latencies));
            }
            self.ask(&mut stream).await?;
            latencies.push(due.elapsed());
            due += between.unwrap_or_default();
        }
    }

    async fn ask(&mut self, stream: &mut TcpStream) -> anyhow::Result<()> {
        let count = self.plugins.len().max(1);
        let plugin = self.plugins.get_mut(self.next % count).context("a plug-in for every connection")?;
        self.next += 1;
        let request = plugin.request();
        stream.write_all(request.as_bytes()).await?;
        let body = answer(stream, &mut self.buffer).await?;
        if let Some((_, rest)) = body.split_once("\"renewal\":\"") {
            plugin.renewal = rest.split('"').next().map(str::to_owned);
            self.requests += 1;
            self.sent += request.len();
            self.received += self.buffer.len();
        }
        Ok(())
    }
}

impl Plugin {
    fn new(call: &str, seat: &Seat) -> Self {
        let body = serde_json::json!({
            "nonce": seatlock_protocol::Nonce::new([7; 16]),
            "product": crate::PRODUCT,
            "machine": { "id": seat.machine, "source": "os" },
            "install_id": seat.install,
            "intent": "renew",
            "have": seat.renewal.as_ref().map(|_| serde_json::json!({ "jti": seat.install, "epoch": 1 })),
            "ks": 1,
            "client": { "lib": "0.1.0", "host": "blender", "host_version": "5.0", "os": "linux", "arch": "x86_64" },
            "clock": { "wall": 1_795_338_000, "anomaly": null },
        });
        let head = format!(
            "POST /v1/seat/{call} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: ",
            seat.token.expose_secret()
        );
        let body = body.to_string().split_off(1);
        Self { head, body, renewal: seat.renewal.clone() }
    }

    fn request(&self) -> String {
        let renewal = match &self.renewal {
            Some(renewal) => format!("{{\"renewal\":\"{renewal}\","),
            None => "{".to_owned(),
        };
        format!("{}{}\r\n\r\n{renewal}{}", self.head, renewal.len() + self.body.len(), self.body)
    }
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
