//! The admin API in the process of a command, and whose authority that is.

use crate::harness::{Site, admin::Admin};
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    response::Response,
};
use seatlock_server::AppState;
use seatlock_server::Console;
use seatlock_server::ServerSettings;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::service::{Services, rate_limits::Rates};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tower::ServiceExt as _;

/// What somebody might take for the mark of the console.
const MARKS: [(&str, &str); 5] = [
    ("authorization", "Bearer console"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-seatlock-console", "true"),
    ("cookie", "__Host-seatlock=console"),
    ("host", "console"),
];

fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
    for (name, value) in MARKS {
        request = request.header(name, value);
    }
    request = request.header("content-type", "application/json");
    request.body(body.map(|body| body.to_string()).unwrap_or_default().into()).unwrap()
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn only_a_call_in_the_process_is_the_consoles() {
    let site = Site::new(&[]);
    let folder = DataFolder::new(site.data());
    let (store, time) = (site.place().open().await.unwrap(), Duration::from_secs(60));
    let console = Console::new(Services::without_rings(store, folder.clone(), time).await.unwrap());
    let (status, me) = read(console.call(request("GET", "/me", None)).await).await;
    assert_eq!((status, &me["user"]["role"]), (StatusCode::OK, &json!("admin")));
    let new = || request("POST", "/accounts", Some(json!({ "name": "Studio" })));
    assert_eq!(read(console.call(new()).await).await.0, StatusCode::CREATED);
    let (_, trail) = read(console.call(request("GET", "/audit?limit=1", None)).await).await;
    let newest = &trail["items"][0];
    assert_eq!((&newest["event"], &newest["actor"]), (&json!("account_created"), &json!("console")));
    assert_eq!(newest["actor_name"], Value::Null);

    // The very same requests to the router that is served, and over the network.
    let settings = ServerSettings {
        timeout: Duration::from_secs(60),
        public_url: "http://localhost:8787".to_owned(),
        product_names: BTreeMap::new(),
        trusted_proxies: Vec::new(),
        rates: Rates::default(),
        own_tls: false,
    };
    let store = site.place().open().await.unwrap();
    let state = AppState::new(Services::load(store, folder, settings.timeout).await.unwrap(), settings);
    let router = seatlock_server::http::router(Arc::new(state));
    for request in [request("GET", "/me", None), new()] {
        let (status, refused) = read(router.clone().oneshot(request).await.unwrap()).await;
        assert_eq!(
            (status, &refused["code"]),
            (StatusCode::UNAUTHORIZED, &json!("token_malformed")),
            "{refused}"
        );
    }
    let server = site.serve();
    let admin = Admin::new(&server).await;
    for asked in ["GET /me", "POST /accounts"] {
        let mut ask = admin.ask(asked).json(&json!({ "name": "Studio" }));
        for (name, value) in MARKS.into_iter().filter(|(name, _)| *name != "authorization") {
            ask = ask.header(name, value);
        }
        assert_eq!(ask.send().await.refusal(), (401, "no_token".to_owned()), "{asked}");
    }
    console.close().await;
}

/// Whoever types has no log to look into.
#[tokio::test]
async fn a_command_says_what_failed_and_the_network_does_not() {
    let site = Site::new(&[]);
    let server = site.serve();
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    site.place().run("ALTER TABLE plan RENAME TO plan_of_somebody").await;
    let said = site.cli(&["plan", "list"]);
    assert!(!said.ok && said.stderr.contains("the database failed: "), "{}", said.stderr);
    let refused = Admin::new(&server).await.get(&root, "/plans").await;
    assert_eq!(refused.refusal(), (500, "server_error".to_owned()));
    assert!(!refused.text.contains("database"), "{}", refused.text);
}

/// By the console for everybody, over the network for oneself; and a password that somebody chose.
#[tokio::test]
async fn api_tokens_are_ones_own_and_chosen_passwords_are_in_no_answer() {
    let site = Site::new(&[]);
    let account = site.account();
    let (root, root_id) = site.user("root@example.com", "admin", &account);
    let (_, owner_id) = site.user("owner@example.com", "owner", &account);
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let token = |user: &str| admin.post(&root, "/api-tokens", json!({ "name": "x", "user": user }));
    let refused = token(&owner_id).await;
    assert_eq!(refused.refusal(), (403, "own_only".to_owned()));
    assert!(refused.text.contains("root@example.com"), "{}", refused.text);
    assert_eq!(token(&root_id).await.status, 201);

    let chosen = "correct horse battery";
    let new = json!({ "account": account, "email": "new@example.com", "role": "owner", "password": chosen });
    let added = admin.post(&root, "/users", new).await;
    assert_eq!((added.status, &added.json()["password"]), (201, &Value::Null));
    assert!(!added.text.contains(chosen), "{}", added.text);
    let path = format!("PUT /users/{}/password", added.id());
    let set = |password: &str| admin.ask(&path).token(&root).json(&json!({ "password": password })).send();
    assert_eq!(set("short").await.refusal(), (400, "invalid_argument".to_owned()));
    assert_eq!(set("New@example.com").await.refusal(), (400, "invalid_argument".to_owned()));
    assert_eq!(set("another long password").await.ok()["password"], Value::Null);
}
