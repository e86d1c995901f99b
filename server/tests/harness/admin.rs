use super::{ISSUER, PROGRAM, Plugin, Server, Site, http_client};
use reqwest::{Method, header::HeaderMap};
use seatlock_protocol::{Token, TokenKind};
use seatlock_server::crypto::seal::Secret;
use seatlock_server::service::session_hash;
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::{collections::BTreeSet, process::Command, sync::Mutex};

pub const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

impl Site {
    /// Adds a user with an API token: the token and the user's id.
    pub fn user(&self, email: &str, role: &str, account: &str) -> (String, String) {
        let added = self.cli(&["user", "add", email, "--role", role, "--account", account]).json();
        (self.api_token(email, "script"), added["id"].as_str().unwrap().to_owned())
    }

    pub fn api_token(&self, email: &str, name: &str) -> String {
        let made = self.cli(&["user", "api-token", email, "--name", name]).json();
        made["token"].as_str().unwrap().to_owned()
    }

    /// The first account.
    pub fn account(&self) -> String {
        self.cli(&["account", "list"]).json()[0]["id"].as_str().unwrap().to_owned()
    }

    /// Signs a user in, past the page: the cookie.
    pub async fn session(&self, user: &str) -> String {
        let secret = Secret::generate().unwrap();
        let mut database = self.database().await;
        let sql = "INSERT INTO session (hash, id, user_id, agent, address, created_at, seen_at) \
                   VALUES (?, ?, ?, '', '', unixepoch(), unixepoch())";
        sqlx::query(sql)
            .bind(session_hash(&secret).as_slice())
            .bind(uuid::Uuid::new_v4().to_string())
            .bind(user)
            .execute(&mut database)
            .await
            .unwrap();
        database.close().await.unwrap();
        format!("__Host-seatlock={}", *secret.expose())
    }
}

/// A request or release file as a plug-in writes it.
pub fn file(call: &str, plugin: &Plugin) -> Value {
    let token = Token::parse(&plugin.token, TokenKind::Integration).unwrap();
    json!({
        "format": "seatlock-request", "version": 1, "call": call, "issuer": ISSUER,
        "token_hash": token.hash(), "request": plugin.request().1,
    })
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.json()
    }

    pub fn id(&self) -> String {
        self.ok()["id"].as_str().unwrap().to_owned()
    }

    /// Status and code of a refusal, which is a whole problem document.
    pub fn refusal(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{}", self.text);
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{}", self.text);
        assert_eq!(self.headers.contains_key("www-authenticate"), self.status == 401, "{}", self.text);
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

/// A caller of the admin API. Whatever is answered must be described.
pub struct Admin<'a> {
    pub server: &'a Server<'a>,
    pub http: reqwest::Client,
    pub api: Value,
    /// Method, path and status of what was answered.
    pub seen: Mutex<BTreeSet<(String, String, u16)>>,
}

/// One request.
pub struct Ask<'a> {
    pub admin: &'a Admin<'a>,
    request: reqwest::RequestBuilder,
    method: Method,
    path: String,
}

impl<'a> Admin<'a> {
    pub async fn new(server: &'a Server<'a>) -> Self {
        let http = http_client();
        let url = format!("{}/admin/v1/openapi.json", server.url);
        let api = http.get(url).send().await.unwrap().json().await.unwrap();
        Self { server, http, api, seen: Mutex::default() }
    }

    /// Begins a request; `asked` is a method and a path below `/admin/v1`.
    pub fn ask(&self, asked: &str) -> Ask<'_> {
        let (method, path) = asked.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let url = format!("{}/admin/v1{path}", self.server.url);
        Ask {
            admin: self,
            request: self.http.request(method.clone(), url),
            method,
            path: path.split('?').next().unwrap().to_owned(),
        }
    }

    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.ask(&format!("GET {path}")).token(token).send().await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Reply {
        self.ask(&format!("POST {path}")).token(token).json(&body).send().await
    }

    /// Every method, path and status that is described.
    pub fn described(&self) -> BTreeSet<(String, String, u16)> {
        let mut all = BTreeSet::new();
        for (path, item) in self.api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for status in operation["responses"].as_object().unwrap().keys() {
                    all.insert((method.to_uppercase(), path.clone(), status.parse().unwrap()));
                }
            }
        }
        all
    }

    /// The path as it is described, with names where this one has values.
    fn described_path(&self, path: &str) -> Option<String> {
        let path = format!("/admin/v1{path}");
        let paths = self.api["paths"].as_object().unwrap();
        if paths.contains_key(&path) {
            return Some(path);
        }
        let fits = |described: &&String| {
            let (one, other): (Vec<_>, Vec<_>) = (described.split('/').collect(), path.split('/').collect());
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| *a == b || a.starts_with('{'))
        };
        paths.keys().find(fits).cloned()
    }
}

impl Ask<'_> {
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header("content-type", kind).body(body.into());
        self
    }

    pub async fn send(self) -> Reply {
        let answer = self.request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        assert_eq!(headers["cache-control"], "no-store");
        if let Some(path) = self.admin.described_path(&self.path) {
            let method = self.method.as_str();
            let operation = &self.admin.api["paths"][&path][method.to_lowercase()];
            if operation.is_object() {
                let answer = &operation["responses"][status.to_string()];
                assert!(
                    answer.is_object(),
                    "{method} {path} answers {status}, which is not described: {text}"
                );
                if let Some(content) = answer["content"].as_object() {
                    let kind = headers["content-type"].to_str().unwrap().split(';').next().unwrap();
                    assert!(content.contains_key(kind), "{method} {path} {status}: {kind}");
                }
                self.admin.seen.lock().unwrap().insert((method.to_owned(), path, status));
            }
        }
        Reply { status, headers, text }
    }
}

/// A command with the address of the server and an API token in its environment.
pub fn command(server: &Server<'_>, token: &str, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env("SEATLOCK_SERVER_URL", &server.url).env("SEATLOCK_API_TOKEN", token);
    command
}
