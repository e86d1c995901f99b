//! A database that is away, slow, full or read-only: everybody is told to come back, and afterwards nothing is lost.

use crate::harness::{Plugin, Server, Site};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};
use xtask::postgres::{Postgres, name_of};

/// In which everything works again, on a computer that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);
const OPTIONS: [&str; 2] = ["--request-timeout", "4s"];

/// Who asks, which decides what a refusal looks like.
#[derive(Clone, Copy)]
enum Asking {
    Plugin,
    Admin,
    Browser,
    Nobody,
}
use Asking::{Admin, Browser, Nobody, Plugin as APlugin};

/// One endpoint of each kind, and whether it writes.
const ENDPOINTS: [(Method, &str, Asking, bool); 11] = [
    (Method::POST, "/v1/seat/ping", APlugin, true),
    (Method::POST, "/v1/seat/activate", APlugin, true),
    (Method::GET, "/v1/keys", Nobody, false),
    (Method::GET, "/.well-known/seatlock", Nobody, false),
    (Method::GET, "/readyz", Nobody, false),
    (Method::GET, "/admin/v1/seats", Admin, false),
    (Method::GET, "/admin/v1/seats.csv", Admin, false),
    (Method::POST, "/admin/v1/seats", Admin, true),
    (Method::GET, "/seats", Browser, false),
    (Method::GET, "/audit", Browser, false),
    (Method::POST, "/sign-in", Browser, true),
];

/// What does not work meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    /// Changes must wait until somebody else is done.
    WritesByOthers,
    /// Changes fail, so the server is not ready.
    Writes,
    Everything,
}

/// Somebody of each kind, with a server to ask.
struct Bench<'a> {
    server: Server<'a>,
    plugin: Plugin,
    epoch: u64,
    secrets: Secrets,
    cookie: String,
    http: reqwest::Client,
}

/// The secrets of whoever asks.
struct Secrets {
    token: String,
    api_token: String,
    password: String,
}

fn prepared(url: Option<String>) -> (Site, Secrets) {
    let site = Site::at(url, &["--seats", "100"]);
    let (_, token) = site.seat("ada@example.com");
    let added = site.cli(&["user", "add", "ada@example.com", "--role", "admin"]).json();
    let made = site.cli(&["user", "api-token", "ada@example.com", "--name", "script"]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secrets = Secrets { token, api_token: text(&made["token"]), password: text(&added["password"]) };
    (site, secrets)
}

impl<'a> Bench<'a> {
    async fn new(server: Server<'a>, secrets: Secrets) -> Self {
        crate::harness::http_client();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (mut plugin, cookie) = (Plugin::new(&secrets.token, "a"), String::new());
        let epoch = server.lease("activate", &mut plugin).await.1.epoch;
        let mut bench = Self { server, plugin, epoch, secrets, cookie, http };
        let entered = bench.answered(&Method::POST, "/sign-in", Browser, "before").await;
        let cookie = entered.headers()["set-cookie"].to_str().unwrap();
        bench.cookie = cookie.split(';').next().unwrap().to_owned();
        bench.works("before").await;
        bench
    }

    async fn ask(&self, method: &Method, path: &str, asking: Asking) -> Response {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.server.url));
        request = match asking {
            APlugin => request.bearer_auth(&self.plugin.token).json(&self.plugin.request().1),
            Admin => request.bearer_auth(&self.secrets.api_token),
            // Whoever signs in ends the session that the browser shows.
            Browser if path == "/sign-in" => request.header("sec-fetch-site", "same-origin"),
            Browser => request.header("cookie", &self.cookie),
            Nobody => request,
        };
        if path == "/sign-in" {
            let form = [("email", "ada@example.com"), ("password", &*self.secrets.password)];
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        if (method, path) == (&Method::POST, "/admin/v1/seats") {
            request = request.json(&json!({ "email": "bob@example.com" }));
        }
        request.send().await.unwrap()
    }

    /// The answer of a server that works, which may take its time.
    async fn answered(&self, method: &Method, path: &str, asking: Asking, when: &str) -> Response {
        let begin = Instant::now();
        loop {
            let answer = self.ask(method, path, asking).await;
            if !answer.status().is_server_error() {
                return answer;
            }
            let text = answer.text().await.unwrap();
            assert!(begin.elapsed() < PATIENCE, "{when}: {path} {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everything answers, and whoever holds a seat holds it still.
    async fn works(&self, when: &str) {
        for (method, path, asking, _) in &ENDPOINTS {
            self.answered(method, path, *asking, when).await;
        }
        let renewal = self.plugin.with(json!({ "intent": "renew" }));
        let answer = self.server.call("ping", &renewal).await;
        assert_eq!((answer.status, answer.lease().epoch), (200, self.epoch), "{when}: {}", answer.body);
        let whole = self.ask(&Method::GET, "/admin/v1/audit/verify", Admin).await;
        assert_eq!(whole.json::<Value>().await.unwrap()["broken_at"], Value::Null, "{when}");
    }

    /// Nearly all ask at once, because each of them may wait for as long as a request may take.
    async fn are_turned_away(&self, trouble: &str, fails: Fails) {
        let one = async |(method, path, asking, writes): &(Method, &str, Asking, bool)| {
            let what = format!("{trouble}: {method} {path}");
            let answer = self.ask(method, path, *asking).await;
            let works = match fails {
                Fails::WritesByOthers => !writes,
                Fails::Writes => !writes && *path != "/readyz",
                Fails::Everything => false,
            };
            if works {
                assert_eq!(answer.status(), 200, "{what}");
                return;
            }
            assert_eq!(answer.status(), 503, "{what}");
            assert_eq!(answer.headers()["retry-after"], "5", "{what}");
            let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
            let text = answer.text().await.unwrap();
            match asking {
                Browser => {
                    assert!(kind.starts_with("text/html"), "{what}: {kind}");
                    assert!(text.contains("Try again in a minute"), "{what}: {text}");
                }
                Nobody if *path == "/readyz" => assert!(text.contains("The server"), "{what}: {text}"),
                _ => {
                    let problem: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(
                        (kind.as_str(), &problem["code"]),
                        ("application/problem+json", &json!("maintenance"))
                    );
                    assert!(problem["detail"].as_str().unwrap().starts_with("The server"), "{what}: {text}");
                }
            }
            assert!(!text.contains("sqlx") && !text.contains("postgres"), "{what}: {text}");
        };
        // Readiness knows of the trouble once somebody has met it.
        let (last, first): (Vec<_>, Vec<_>) = ENDPOINTS.iter().partition(|(_, path, ..)| *path == "/readyz");
        for part in [first, last] {
            crate::harness::join_all(part.into_iter().map(&one).collect()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_database_in_every_trouble() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let name = name_of(&url).to_owned();
    let (site, secrets) = prepared(Some(url.clone()));
    let bench = Bench::new(site.serve_with(&OPTIONS), secrets).await;

    let all = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'";
    let tables = postgres.sql(&name, all).unwrap();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.trim());
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    bench.are_turned_away("locked", Fails::Everything).await;
    holder.close().await.unwrap();
    bench.works("after a lock").await;

    let ended = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let change = |what: &str| {
        postgres.sql("postgres", &format!("ALTER DATABASE {name} {what}")).unwrap();
        postgres.sql("postgres", &ended).unwrap();
    };
    change("SET default_transaction_read_only = on");
    bench.are_turned_away("read-only", Fails::Writes).await;
    change("RESET default_transaction_read_only");
    bench.works("after it was read-only").await;

    // A password that was changed, a limit of connections: who asks can not know.
    change("ALLOW_CONNECTIONS false");
    bench.are_turned_away("closed", Fails::Everything).await;
    change("ALLOW_CONNECTIONS true");
    bench.works("after it was closed").await;

    tokio::task::block_in_place(|| postgres.halt());
    bench.are_turned_away("halted", Fails::Everything).await;
    tokio::task::block_in_place(|| postgres.resume()).unwrap();
    bench.works("after a restart").await;
}

#[tokio::test]
async fn a_file_that_somebody_locks() {
    let (site, secrets) = prepared(None);
    let bench = Bench::new(site.serve_with(&OPTIONS), secrets).await;
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    bench.are_turned_away("locked", Fails::WritesByOthers).await;
    sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    bench.works("after a lock").await;
}

#[tokio::test]
async fn a_file_on_a_disk_that_is_full() {
    let (site, secrets) = prepared(None);
    let server = site.serve_on_small_disk(&OPTIONS);
    let disk = server.small_disk();
    let bench = Bench::new(server, secrets).await;
    let filler = disk.join("filler");
    let full = std::fs::write(&filler, vec![0; 64 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    bench.are_turned_away("full", Fails::Writes).await;
    std::fs::remove_file(filler).unwrap();
    bench.works("with room again").await;
}
