use super::{PATIENCE, Plugin, Server, Site, http_client, join_all};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const OPTIONS: [&str; 2] = ["--request-timeout", "4s"];

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
pub enum Fails {
    /// Changes must wait until somebody else is done.
    WritesByOthers,
    /// Changes fail, so the server is not ready.
    Writes,
    Everything,
}

/// Somebody of each kind, with a server to ask.
pub struct Bench<'a> {
    server: Server<'a>,
    plugin: Plugin,
    epoch: u64,
    secrets: Secrets,
    cookie: String,
    http: reqwest::Client,
}

/// The secrets of whoever asks.
pub struct Secrets {
    token: String,
    api_token: String,
    password: String,
}

pub fn prepared(url: Option<String>) -> (Site, Secrets) {
    let site = Site::at(url, &["--seats", "100"]);
    let (_, token) = site.seat("ada@example.com");
    let added = site.cli(&["user", "add", "ada@example.com", "--role", "admin"]).json();
    let made = site.cli(&["user", "api-token", "ada@example.com", "--name", "script"]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secrets = Secrets { token, api_token: text(&made["token"]), password: text(&added["password"]) };
    (site, secrets)
}

impl<'a> Bench<'a> {
    pub async fn new(server: Server<'a>, secrets: Secrets) -> Self {
        http_client();
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
    pub async fn works(&self, when: &str) {
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
    pub async fn are_turned_away(&self, trouble: &str, fails: Fails) {
        let one = async |(method, path, asking, writes): &(Method, &str, Asking, bool)| {
            let what = format!("{trouble}: {method} {path}");
            let answer = self.ask(method, path, *asking).await;
            let works = match fails {
                // Names and addresses of the server stand in no table.
                _ if *path == "/.well-known/seatlock" => true,
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
            join_all(part.into_iter().map(&one)).await;
        }
    }
}
