//! How long people wait for the seat page and the admin API when there are 10,000 seats, and how
//! fast seats are made.
//!
//! `cargo bench --profile server -p seatlock-server --bench seats -- [requests] [--check]`. The
//! server is the real program on the real disk; the requests come one after the other from this
//! process, on the same processors. What is compared with was measured in the same run. A row whose
//! path the server does not know is said to be missing.

/// Minimal HTTP over one kept connection: what is measured is the server, not a client library.
mod http;

use anyhow::{Context as _, ensure};
use http::{Connection, Request};
use seatlock_protocol::{MachineId, Token, TokenKind};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::crypto::password::PasswordHash;
use seatlock_server::crypto::seal::Secret;
use seatlock_server::domain::{CallerContext, License, PresentedRenewal, Role, SeatAction, SeatOperation};
use seatlock_server::service::{Service, session_hash};
use seatlock_server::store::{
    Actor, AddApiToken, AddUser, AuditQuery, BeginSession, ChangeLicense, ListAccounts, ListLicenses,
    ListedSeat, NewApiToken, NewSeat, NewSession, NewUser, SeatCommand, SeatQuery, SignedIn, Store,
    TokenHashes, sqlite::SqliteStore,
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
const SEATS: usize = 10_000;
/// Seats that are made one by one, and as many again some at a time.
const MADE: usize = 1000;
const AT_ONCE: usize = 16;
/// Nobody notices that he waits.
const LIMIT: Duration = Duration::from_millis(30);
/// A page of a list, and the pages before one that lies deep in it.
const PAGE: u32 = 50;
const DEEP: usize = 100;

/// A row of the table: what it is called, and the path. `{seat}` is a seat that nobody uses,
/// `{held}` one that is in use and was not asked for before, `{deep}` what leads to a page in the
/// middle, as the first page says it.
type Row = (&'static str, Who, &'static str, &'static str, Option<&'static str>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// With the cookie of the page.
    Page,
    /// With an API token.
    Api,
}

const ROWS: [Row; 14] = [
    ("healthz", Who::Nobody, "GET", "/healthz", None),
    ("page: seats", Who::Page, "GET", "/seats", None),
    ("page: seats, deep", Who::Page, "GET", "/seats?{deep}", None),
    ("page: seats, search", Who::Page, "GET", "/seats?q=user77", None),
    ("page: one seat", Who::Page, "GET", "/seats/{seat}", None),
    ("page: audit", Who::Page, "GET", "/audit", None),
    ("API: seats", Who::Api, "GET", "/admin/v1/seats", None),
    ("API: seats, deep", Who::Api, "GET", "/admin/v1/seats?{deep}", None),
    ("API: seats, search", Who::Api, "GET", "/admin/v1/seats?search=user77", None),
    ("API: one seat", Who::Api, "GET", "/admin/v1/seats/{seat}", None),
    ("API: usage", Who::Api, "GET", "/admin/v1/usage", None),
    ("API: audit", Who::Api, "GET", "/admin/v1/audit", None),
    ("API: make a seat", Who::Api, "POST", "/admin/v1/seats", Some("{\"email\":\"bench@example.com\"}")),
    ("API: release", Who::Api, "POST", "/admin/v1/seats/{held}/release", Some("{}")),
];

fn main() -> anyhow::Result<()> {
    let requests = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(500);
    let check = std::env::args().any(|arg| arg == "--check");
    tokio::runtime::Runtime::new()?.block_on(bench(requests, check))
}

async fn bench(requests: usize, check: bool) -> anyhow::Result<()> {
    // Beside the build, because the folder for temporary files is often not on a disk.
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = place.path().join("data");
    let init = ["init", "--issuer", "https://bench.example.com", "--product", PRODUCT, "--seats", "100000"];
    let mut program = Command::new(PROGRAM);
    program.arg("--data").arg(&data).args(init).stdout(Stdio::null());
    ensure!(program.status()?.success(), "init failed");
    let cores = std::thread::available_parallelism()?;
    say(&format!(
        "{cores} processors, {SEATS} seats, {requests} requests for each row, one after the other"
    ))?;

    let mut slow = Vec::new();
    let visitor = Visitor::new(&data, 2 * requests, &mut slow).await?;
    let mut service = visitor.service_rows(requests).await?;
    let (address, mut server) = serve(&data)?;
    for row in ROWS {
        if let Some(measured) = visitor.http_row(address, row, requests).await? {
            service.push((row.0, measured));
        } else {
            say(&format!("{:24} missing: {}", row.0, row.3))?;
        }
    }
    ensure!(Command::new("kill").arg(server.id().to_string()).status()?.success(), "the server is gone");
    ensure!(server.wait()?.success(), "the server failed");
    service.push(("bare axum handler", bare(requests).await?));
    for (name, measured) in service {
        let (line, p95) = summary(name, measured)?;
        say(&line)?;
        if p95 >= LIMIT {
            slow.push(name);
        }
    }
    say(&format!("limit: 95 % within {} ms; missed by: {slow:?}", LIMIT.as_millis()))?;
    ensure!(!check || slow.is_empty(), "{slow:?} are too slow");
    Ok(())
}

fn serve(data: &Path) -> anyhow::Result<(SocketAddr, std::process::Child)> {
    let mut server = Command::new(PROGRAM)
        .arg("--data")
        .arg(data)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().context("the server has an output")?).read_line(&mut line)?;
    Ok((line.trim().trim_start_matches("listening on http://").parse()?, server))
}

/// Somebody with 10,000 seats.
struct Visitor {
    data: DataFolder,
    who: SignedIn,
    license: License,
    cookie: String,
    bearer: String,
    seat: Uuid,
    /// In use; each is released once.
    held: std::sync::Mutex<Vec<Uuid>>,
}

impl Visitor {
    async fn new(data: &Path, held: usize, slow: &mut Vec<&'static str>) -> anyhow::Result<Self> {
        let data = DataFolder::new(data.to_owned());
        let (store, pepper) = (SqliteStore::open(&data.database(), false).await?, data.pepper()?);
        let old = store.run(ListLicenses(None)).await?.pop().context("a license")?;
        // So that one release follows the other.
        let new = License { release_window: 0, ..old.clone() };
        let license = store.run(ChangeLicense { old, new, by: Actor::Console }).await?;
        let account = store.run(ListAccounts).await?.pop().context("an account")?;
        let password = PasswordHash("$argon2id$nobody".to_owned());
        let (id, email) = (Uuid::new_v4(), "bench@example.com".to_owned());
        let user = NewUser { id, account: account.id, email, role: Role::Owner, password: password.clone() };
        let user = store.run(AddUser(user, Actor::Console)).await?;
        let (secret, token) = (Secret::generate()?, Token::generate(TokenKind::Api, getrandom::fill)?);
        let (hash, id, agent, address) =
            (session_hash(&secret), Uuid::new_v4(), String::new(), String::new());
        store
            .run(BeginSession {
                session: NewSession { hash, id, user: user.id, password, agent, address },
                forget: [0; 32],
            })
            .await?;
        let (id, hash, name) = (Uuid::new_v4(), token.stored_hash(&pepper), "bench".to_owned());
        store
            .run(AddApiToken(NewApiToken { id, user: user.id, name, hash, remember: None }, Actor::Console))
            .await?;
        let who = SignedIn { user, account, api_token: None, session: None };

        made_by_desk(&store, &pepper, &who, slow).await?;
        let mut in_use = Vec::new();
        let mut seat = Uuid::nil();
        let rest = SEATS - 2 * MADE;
        for from in (0..rest).step_by(200) {
            let batch = (from..rest.min(from + 200))
                .map(|number| make(&store, &pepper, &license, number, number < held));
            for made in at_once(batch.collect()).await {
                let (id, used) = made?;
                if used { in_use.push(id) } else { seat = id }
            }
        }
        store.close().await;
        let cookie = format!("cookie: __Host-seatlock={}\r\n", *secret.expose());
        let bearer = format!("authorization: Bearer {}\r\n", token.expose_secret());
        let held = std::sync::Mutex::new(in_use);
        Ok(Self { data, who, license, cookie, bearer, seat, held })
    }

    fn next_held(&self) -> anyhow::Result<Uuid> {
        let mut held = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.pop().context("too few seats are in use")
    }

    /// What the server does for each row, without HTTP.
    async fn service_rows(&self, requests: usize) -> anyhow::Result<Vec<(&'static str, Vec<Duration>)>> {
        let (store, pepper) = (SqliteStore::open(&self.data.database(), false).await?, self.data.pepper()?);
        let service = Service::new(&store, &pepper, &self.who);
        let query = SeatQuery { limit: PAGE, ..SeatQuery::default() };
        let mut deep = query.clone();
        for _ in 0..DEEP {
            deep.after = service.seats(deep.clone()).await?.rows.last().map(ListedSeat::cursor);
        }
        let search = |word: &str| SeatQuery { search: Some(word.to_owned()), ..query.clone() };
        let machine = MachineId::derive(PRODUCT, "linux", "17").short();
        let mut rows = Vec::new();
        for (name, query) in [
            ("service: seats", query.clone()),
            ("service: seats, deep", deep),
            ("service: seats, e-mail", search("user77")),
            ("service: seats, machine", search(&machine)),
            ("service: seats, nobody", search("no such person")),
        ] {
            let list = async || service.seats(query.clone()).await.map(drop);
            rows.push((name, timed(requests, list).await?));
        }
        rows.push((
            "service: one seat",
            timed(requests, async || service.seat(self.seat).await.map(drop)).await?,
        ));
        let audit = async || {
            let query = AuditQuery { limit: PAGE, ..AuditQuery::default() };
            service.audit(query).await.map(drop)
        };
        rows.push(("service: audit", timed(requests, audit).await?));
        let make =
            async || service.create_seat("bench@example.com", Some(self.license.id), None).await.map(drop);
        rows.push(("service: make a seat", timed(requests, make).await?));
        let release = async || {
            let acted = service.act(self.next_held()?, SeatAction::Release, false).await?;
            ensure!(acted.changed, "it was not in use");
            Ok(())
        };
        rows.push(("service: release", timed(requests, release).await?));
        let checked = Instant::now();
        let state = service.verify_audit(false).await?;
        say(&format!(
            "the chain of {} audit rows is checked in {:.2} s",
            state.rows,
            checked.elapsed().as_secs_f64()
        ))?;
        ensure!(state.broken_at.is_none(), "the chain is broken");
        store.close().await;
        Ok(rows)
    }

    async fn http_row(
        &self,
        address: SocketAddr,
        (_, who, method, path, body): Row,
        requests: usize,
    ) -> anyhow::Result<Option<Vec<Duration>>> {
        let mut connection = Connection::open(address).await?;
        let who = match who {
            Who::Nobody => "",
            Who::Page => &self.cookie,
            Who::Api => &self.bearer,
        };
        let request =
            |path: String| Request { method, path, who: who.to_owned(), body: body.map(str::to_owned) };
        let mut path = path.replace("{seat}", &self.seat.to_string());
        if let Some(list) = path.strip_suffix("?{deep}").map(str::to_owned) {
            let Some(deep) = walk(&mut connection, &request, &list).await? else { return Ok(None) };
            path = deep;
        }
        let mut latencies = Vec::with_capacity(requests);
        for _ in 0..requests {
            let path = if path.contains("{held}") {
                path.replace("{held}", &self.next_held()?.to_string())
            } else {
                path.clone()
            };
            let request = request(path);
            let start = Instant::now();
            let (status, said) = connection.send(&request).await?;
            latencies.push(start.elapsed());
            if status == 404 {
                return Ok(None);
            }
            ensure!((200..300).contains(&status), "{} {}: {status} {said}", request.method, request.path);
        }
        Ok(Some(latencies))
    }
}

/// From page to page, by the link or the cursor that each names.
async fn walk(
    connection: &mut Connection,
    request: &impl Fn(String) -> Request,
    list: &str,
) -> anyhow::Result<Option<String>> {
    let mut path = list.to_owned();
    for _ in 0..DEEP {
        let (status, said) = connection.send(&request(path.clone())).await?;
        if status == 404 {
            return Ok(None);
        }
        ensure!(status == 200, "{path}: {status}");
        let cursor = said.split_once("\"next\":\"").and_then(|(_, rest)| rest.split('"').next());
        let link = said.split_once("after=").and_then(|(_, rest)| rest.split(['"', '&']).next());
        let next = cursor.or(link).with_context(|| format!("{path} names no next page"))?;
        path = format!("{list}?after={next}");
    }
    Ok(Some(path))
}

/// How fast an account gets its seats.
async fn made_by_desk(
    store: &Store,
    pepper: &[u8; 32],
    who: &SignedIn,
    slow: &mut Vec<&'static str>,
) -> anyhow::Result<()> {
    let service = Service::new(store, pepper, who);
    for (name, at_a_time) in [("one after the other", 1), ("16 at a time", AT_ONCE)] {
        let began = Instant::now();
        for from in (0..MADE).step_by(at_a_time) {
            let emails: Vec<String> =
                (from..MADE.min(from + at_a_time)).map(|at| format!("made{at}@example.com")).collect();
            let made = emails.iter().map(|email| service.create_seat(email, None, None)).collect();
            for made in at_once(made).await {
                made?;
            }
        }
        let time = began.elapsed();
        say(&format!("{MADE} seats made {name}: {:.0} /s", MADE as f64 / time.as_secs_f64()))?;
        if time > Duration::from_secs(60) {
            slow.push("making seats");
        }
    }
    Ok(())
}

/// Straight into the store: what is measured comes later.
async fn make(
    store: &Store,
    pepper: &[u8; 32],
    license: &License,
    number: usize,
    used: bool,
) -> anyhow::Result<(Uuid, bool)> {
    let token = Token::generate(TokenKind::Integration, getrandom::fill)?;
    let (id, shared_with) = (Uuid::new_v4(), format!("user{number}@example.com"));
    let (hashes, by) = (TokenHashes::of(&token, pepper), Actor::Console);
    let new = NewSeat {
        id,
        license: Some(license.id),
        shared_with,
        token: hashes,
        identity: None,
        remember: None,
        by,
    };
    store.run(new).await?;
    if used {
        let caller = CallerContext {
            machine: MachineId::derive(PRODUCT, "linux", &number.to_string()),
            source: seatlock_protocol::MachineSource::Os,
            token_revoked: false,
            product: PRODUCT.to_owned(),
            plugin: seatlock_protocol::api::Plugin::default(),
            terms: None,
            epoch: None,
            gave_up: false,
            lost: None,
            launches: 1,
            last_offline: None,
            install_id: Uuid::new_v4(),
            install: None,
            others: 0,
            is_one: false,
            renewal: PresentedRenewal::Nothing,
            jitter: 0,
        };
        store
            .run(SeatCommand { token: token.stored_hash(pepper), call: SeatOperation::Activate, caller })
            .await?;
    }
    Ok((id, used))
}

/// A handler that does nothing, with an answer as long as a page of a list.
async fn bare(requests: usize) -> anyhow::Result<Vec<Duration>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = "x".repeat(16 * 1024);
    let router = axum::Router::new().route("/", axum::routing::get(move || async move { answer }));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut connection = Connection::open(address).await?;
    let request = Request { method: "GET", path: "/".to_owned(), who: String::new(), body: None };
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let start = Instant::now();
        connection.send(&request).await?;
        latencies.push(start.elapsed());
    }
    serving.abort();
    Ok(latencies)
}

async fn timed<E: Into<anyhow::Error>>(
    requests: usize,
    work: impl AsyncFn() -> Result<(), E>,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let start = Instant::now();
        work().await.map_err(Into::into)?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

/// Waits for all of them, which run at the same time.
async fn at_once<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn summary(name: &str, mut latencies: Vec<Duration>) -> anyhow::Result<(String, Duration)> {
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied().context("a request");
    let (p50, p95, p99) = (at(50)?, at(95)?, at(99)?);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let line = format!("{name:24} p50 {:6.2} ms   p95 {:6.2} ms   p99 {:6.2} ms", ms(p50), ms(p95), ms(p99));
    Ok((line, p95))
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
