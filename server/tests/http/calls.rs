//! What is true of every answer, and what becomes of requests that are none.

use crate::harness::{Plugin, Site};
use reqwest::{Method, StatusCode};
use seatlock_protocol::api::Problem;
use serde_json::{Value, json};

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const JSON: &str = "application/json";

#[tokio::test]
async fn what_is_no_request_gets_a_problem_without_a_verdict() {
    let site = Site::new(&[]);
    let server = site.serve();
    let http = crate::harness::http_client();
    let bearer = format!("Bearer {TOKEN}");
    let big = format!("{{\"nonce\":\"{}\"}}", "A".repeat(64 * 1024));
    let deep = "[".repeat(30_000);
    let cases: [(_, _, Option<&str>, _, &str, _, _); 15] = [
        ("/v1/seat/ping", Method::POST, None, JSON, "{}", 401, "no_token"),
        ("/v1/seat/ping", Method::POST, Some("Basic eDp5"), JSON, "{}", 401, "no_token"),
        ("/v1/seat/ping", Method::POST, Some("Bearer "), JSON, "{}", 401, "no_token"),
        ("/v1/seat/ping", Method::POST, Some("Bearer \u{e9}"), JSON, "{}", 401, "no_token"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), JSON, "", 400, "invalid_argument"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), JSON, "{}", 400, "invalid_argument"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), JSON, "\u{0}\u{ff}garbage", 400, "invalid_argument"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), JSON, &deep, 400, "invalid_argument"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), JSON, &big, 413, "invalid_argument"),
        ("/v1/seat/ping", Method::POST, Some(&bearer), "text/plain", "{}", 415, "invalid_argument"),
        ("/v1/seat/ping", Method::GET, Some(&bearer), JSON, "", 405, "invalid_argument"),
        ("/v1/seat/borrow", Method::POST, Some(&bearer), JSON, "{}", 404, "invalid_argument"),
        ("/v1/seat/ping/", Method::POST, Some(&bearer), JSON, "{}", 404, "invalid_argument"),
        ("/v1", Method::GET, None, JSON, "", 404, "invalid_argument"),
        ("/v1/keys", Method::POST, None, JSON, "", 405, "invalid_argument"),
    ];
    for (path, method, authorization, kind, body, status, code) in cases {
        let mut request = http.request(method, format!("{}{path}", server.url)).header("content-type", kind);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let what = format!("{path} {authorization:?} {status}");
        assert_eq!(answer.status().as_u16(), status, "{what}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{what}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401, "{what}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!((problem.code.name(), problem.status), (code, status), "{what}");
        assert_eq!((problem.verdict, problem.keyset), (None, None), "{what}");
        assert_eq!(problem.instance, Some(format!("urn:uuid:{id}")));
        assert!(!text.contains("8uVq2Z") && !text.contains("garbage"), "{text}");
    }
}

#[tokio::test]
async fn members_out_of_range_are_refused() {
    let site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let server = site.serve();
    let plugin = Plugin::new(&token, "a");
    for body in [
        json!({ "product": "" }),
        json!({ "product": "p".repeat(256) }),
        json!({ "nonce": "short" }),
        json!({ "machine": { "id": "m1_x", "source": "os" } }),
        json!({ "intent": "bind" }),
        json!({ "clock": { "wall": -1 } }),
        json!({ "have": { "jti": "x", "epoch": 1 } }),
    ] {
        assert_eq!(server.call("activate", &plugin.with(body.clone())).await.status, 400, "{body}");
    }
    let unknown_members = plugin.with(
        json!({ "later": true, "ks": u64::MAX, "offline": { "last_used_at": 0, "launches": u64::MAX } }),
    );
    assert_eq!(server.call("activate", &unknown_members).await.status, 201);
    assert_eq!(server.call("activate", &unknown_members).await.status, 200);
}

#[tokio::test]
async fn the_key_set_has_a_tag_and_follows_a_rotation_at_once() {
    let site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    let server = site.serve();
    let http = crate::harness::http_client();
    let url = format!("{}/v1/keys", server.url);
    let first = http.get(&url).send().await.unwrap();
    assert_eq!((first.headers()["etag"].clone(), first.status()), ("\"1\"".parse().unwrap(), StatusCode::OK));
    let body: Value = first.json().await.unwrap();
    assert_eq!(site.key_set(body["keyset"].as_str().unwrap()).keys.len(), 1);
    let same = http.get(&url).header("if-none-match", "\"0\", W/\"1\"").send().await.unwrap();
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        (same.headers()["etag"].clone(), same.text().await.unwrap()),
        ("\"1\"".parse().unwrap(), String::new())
    );

    let mut plugin = Plugin::new(&token, "a");
    let before = server.lease("activate", &mut plugin).await.1;
    let rotated = site.cli(&["keys", "rotate", "--root-key", &site.root_file()]).json();
    let answer = server.call("ping", &plugin).await;
    assert_eq!((before.ks, answer.lease().ks, rotated["seq"].as_u64()), (1, 2, Some(2)));
    let signer = signer(&answer.body);
    assert_eq!(signer, rotated["kid"]);
    let known = plugin.with(json!({ "ks": 2 }));
    let without = server.call("ping", &known).await;
    assert_eq!(serde_json::from_str::<Value>(&without.body).unwrap()["keyset"], Value::Null);

    let changed = http.get(&url).header("if-none-match", "\"1\"").send().await.unwrap();
    let set = site.key_set(changed.json::<Value>().await.unwrap()["keyset"].as_str().unwrap());
    assert_eq!((set.seq, set.keys.len()), (2, 2));
    assert!(set.keys[0].exp.since(set.iat) <= 300, "the old key signs no more");

    let stolen = rotated["kid"].as_str().unwrap().to_owned();
    let third = site.cli(&["keys", "rotate", "--root-key", &site.root_file(), "--revoke", &stolen]).json();
    let answer = server.call("ping", &plugin).await;
    assert_eq!((answer.lease().ks, self::signer(&answer.body)), (3, third["kid"].clone()));
    let listed = site.cli(&["keys", "list"]).json();
    let revoked: Vec<_> =
        listed.as_array().unwrap().iter().filter(|key| key["revoked_since"].is_string()).collect();
    assert_eq!((revoked.len(), revoked[0]["kid"].as_str()), (1, Some(stolen.as_str())));
}

/// The `kid` of the lease in an answer.
fn signer(body: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let body: Value = serde_json::from_str(body).unwrap();
    let header = body["lease"].as_str().unwrap().split('.').next().unwrap().to_owned();
    serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()["kid"].clone()
}

#[tokio::test]
async fn the_server_says_where_things_are_and_how_it_is() {
    let site = Site::new(&["--documentation", "https://docs.example.com"]);
    let server = site.serve();
    let http = crate::harness::http_client();
    let body: Value =
        http.get(format!("{}/.well-known/seatlock", server.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["issuer"], crate::harness::ISSUER);
    assert_eq!(body["endpoints"]["activate"], "/v1/seat/activate");
    assert_eq!(body["documentation"], "https://docs.example.com");
    let state =
        async |path: &str| http.get(format!("{}{path}", server.url)).send().await.unwrap().status().as_u16();
    assert_eq!((state("/healthz").await, state("/readyz").await), (200, 200));
    let mut database = site.database().await;
    sqlx::query("ALTER TABLE server RENAME TO gone").execute(&mut database).await.unwrap();
    assert_eq!((state("/healthz").await, state("/readyz").await), (200, 503));
}
