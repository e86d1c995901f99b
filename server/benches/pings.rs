//! How many signed pings a server answers in a second, beside the limits of its two halves in the same run.
//!
//! `cargo bench --profile server -p seatlock-server --bench pings -- [connections] [seconds] [runs]`. The server is the real program
//! on the real disk with `synchronous=FULL`; the load comes from this process, on the same processors.

/// Minimal HTTP over one kept connection: what is measured is the server, not a client library.
mod load;

use anyhow::{Context as _, ensure};
use load::{Measured, Plugin, drive};
use seatlock_protocol::{MachineId, Nonce, Token, TokenKind};
use seatlock_server::{
    keys::DataFolder,
    store::{Actor, NewSeat, Store as _, TokenHashes, sqlite::SqliteStore},
};
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_seatlock-server");
const PRODUCT: &str = "com.example.bridge";
const SEATS: usize = 1000;

fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let number = |at: usize, usual| numbers.get(at).copied().unwrap_or(usual);
    let (connections, seconds, runs) = (number(0, 64), number(1, 4), number(2, 5));
    tokio::runtime::Runtime::new()?.block_on(bench(connections, Duration::from_secs(seconds as u64), runs))
}

async fn bench(connections: usize, time: Duration, runs: usize) -> anyhow::Result<()> {
    // Beside the build, because the folder for temporary files is often not on a disk.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = folder.path().join("data");
    let mut program = Command::new(PROGRAM);
    program.arg("--data").arg(&data);
    let seats = SEATS.to_string();
    let init = ["init", "--issuer", "bench.example.com", "--product", PRODUCT, "--seats", &seats];
    ensure!(program.args(init).stdout(Stdio::null()).status()?.success(), "init failed");
    let plugins = make_seats(&data).await?;

    let mut server = Command::new(PROGRAM)
        .arg("--data")
        .arg(&data)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().context("the server has an output")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().trim_start_matches("listening on http://").parse()?;

    say(&format!(
        "{} processors, {SEATS} seats, {connections} connections, {runs} runs of {} s",
        std::thread::available_parallelism()?,
        time.as_secs()
    ))?;
    let mut shares: Vec<Vec<Plugin>> = (0..connections).map(|_| Vec::new()).collect();
    for (at, plugin) in plugins.into_iter().enumerate() {
        shares.get_mut(at % connections).context("a share for every plug-in")?.push(plugin);
    }
    drive(address, "activate", &mut shares, Duration::ZERO).await?;
    let mut pings = Vec::new();
    for _ in 0..runs {
        pings.push(drive(address, "ping", &mut shares, time).await?);
    }
    ensure!(Command::new("kill").arg(server.id().to_string()).status()?.success(), "the server is gone");
    ensure!(server.wait()?.success(), "the server failed");

    let (listener, answer) = (tokio::net::TcpListener::bind("127.0.0.1:0").await?, "x".repeat(920));
    let bare = listener.local_addr()?;
    let handler = move |_: axum::body::Bytes| async move { answer };
    let router = axum::Router::new().route("/v1/seat/ping", axum::routing::post(handler));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut requests = Vec::new();
    for _ in 0..runs {
        requests.push(drive(bare, "ping", &mut shares, time).await?);
    }
    serving.abort();
    let mut commits = Vec::new();
    for _ in 0..runs {
        commits.push(group_commit(&folder.path().join("bare.db"), connections, time).await?);
    }

    report("signed pings", pings)?;
    report("bare axum handler", requests)?;
    report("bare group commit", commits)
}

/// Seats straight into the store: a thousand processes would only measure how fast processes start.
async fn make_seats(data: &Path) -> anyhow::Result<Vec<Plugin>> {
    let folder = DataFolder::new(data.to_owned());
    let (store, pepper) = (SqliteStore::open(&folder.database(), false).await?, folder.pepper()?);
    let mut plugins = Vec::new();
    for number in 0..SEATS {
        let token = Token::generate(TokenKind::Integration, getrandom::fill)?;
        let (id, shared_with) = (Uuid::new_v4(), format!("user{number}@example.com"));
        store
            .create_seat(NewSeat {
                id,
                license: None,
                shared_with,
                token: TokenHashes::of(&token, &pepper),
                identity: None,
                remember: None,
                by: Actor::Console,
            })
            .await?;
        plugins.push(plugin(&token, number));
    }
    store.close().await;
    Ok(plugins)
}

fn plugin(token: &Token, number: usize) -> Plugin {
    let body = serde_json::json!({
        "nonce": Nonce::new([7; 16]),
        "product": PRODUCT,
        "machine": { "id": MachineId::derive(PRODUCT, "linux", &number.to_string()), "source": "os" },
        "install_id": Uuid::new_v4(),
        "intent": "renew",
        "ks": 1,
        "client": { "lib": "0.1.0", "host": "blender", "host_version": "5.0", "os": "linux", "arch": "x86_64" },
        "clock": { "wall": 1_795_338_000 },
    });
    Plugin { token: token.expose_secret().to_owned(), body: body.to_string(), renewal: None }
}

/// Transactions of `rows` updates each: what the disk and SQLite allow when nothing else is done.
async fn group_commit(file: &Path, rows: usize, time: Duration) -> anyhow::Result<Measured> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let table = "CREATE TABLE IF NOT EXISTS seat (id INTEGER PRIMARY KEY, state TEXT, at INTEGER)";
    sqlx::query(table).execute(&mut conn).await?;
    let mut measured = Measured::default();
    let began = Instant::now();
    while began.elapsed() < time {
        let start = Instant::now();
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        for row in 0..rows {
            sqlx::query("INSERT INTO seat VALUES (?1, ?2, 0) ON CONFLICT DO UPDATE SET at = at + 1")
                .bind(i64::try_from(row)?)
                .bind("x".repeat(200))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        measured.latencies.extend(std::iter::repeat_n(start.elapsed(), rows));
    }
    measured.time = began.elapsed();
    Ok(measured)
}

fn report(name: &str, mut runs: Vec<Measured>) -> anyhow::Result<()> {
    runs.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    let rates: Vec<String> = runs.iter().map(|run| format!("{:.0}", run.rate())).collect();
    let median = runs.get_mut(rates.len() / 2).context("at least one run")?;
    median.latencies.sort_unstable();
    let at = |share: usize| {
        let place = median.latencies.len() * share / 100;
        median.latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    };
    let (rate, p50, p99) = (median.rate(), at(50), at(99));
    say(&format!("{name:18} {rate:>7.0} /s   p50 {p50:6.2} ms   p99 {p99:6.2} ms   runs {}", rates.join(" ")))
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
