use crate::harness::{Plugin, Server, Site, http_client, logged};
use seatlock_protocol::{Token, TokenKind};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const REQUEST: &str = "3b0f7d529f1f4c9e8a750f8d5c1f6b21";
const PASSWORD: &str = "correct-horse-battery-staple";

/// The lines of the log, each of which must be an object.
fn lines(site: &Site) -> Vec<Value> {
    site.said()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

/// The lines about requests that were answered.
fn answered(site: &Site) -> Vec<Value> {
    lines(site).into_iter().filter(|line| line["message"] == "answered").collect()
}

fn fresh(kind: TokenKind) -> String {
    Token::generate(kind, getrandom::fill).unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn each_request_is_a_line_without_any_secret() {
    let site = Site::new(&["--seats", "3"]);
    let (seat, token) = site.seat("ada@example.com");
    site.cli(&["user", "add", "root@example.com", "--role", "admin"]).json();
    let api = site.cli(&["user", "api-token", "root@example.com", "--name", "script"]).json();
    let api = api["token"].as_str().unwrap().to_owned();
    let server = site.serve_with(&["--log-format", "json"]);
    let (unknown, link) = (fresh(TokenKind::Integration), "kQ9-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s0");

    let ada = Plugin::new(&token, "a").with(json!({ "renewal": "renewal-secret-of-ada" }));
    for call in ["activate", "ping", "status", "airgap", "release"] {
        server.call(call, &ada).await;
    }
    for wrong in [unknown.as_str(), &token[..39], &api, "sit_pasted by mistake"] {
        server.call("ping", &Plugin::new(wrong, "b")).await;
    }
    server.call("ping", &ada.with(json!({ "product": token.clone(), "nonce": "broken" }))).await;
    let asked = asked(&server, &token, &api, link, &seat).await;

    let expected = 5 + 4 + 1 + asked;
    logged(&site, "\"message\":\"answered\"", expected).await;
    let answered = answered(&site);
    assert_eq!(answered.len(), expected);
    let mut ids: Vec<&str> = answered.iter().map(|line| line["request"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), expected, "each has an id of its own");
    for (route, status, code) in [
        (Some("/v1/seat/activate"), 201, None),
        (Some("/v1/seat/status"), 200, Some("ok")),
        (Some("/v1/seat/ping"), 401, Some("token_unknown")),
        (Some("/v1/seat/ping"), 403, Some("token_wrong_kind")),
        (Some("/open/{secret}"), 410, None),
        (Some("/admin/v1/seats/{id}"), 200, None),
        (Some("/admin/v1/seats/{id}"), 404, Some("not_found")),
        (None, 404, None),
    ] {
        let is = |line: &&Value| {
            (line["route"] == route.unwrap_or("none"))
                && line["status"] == status
                && line["code"] == json!(code)
        };
        let line = answered
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("no {route:?} {status} {code:?}: {answered:#?}"));
        assert!(line["micros"].as_u64().unwrap() > 0 && line["method"].is_string(), "{line}");
    }

    let log = std::fs::read_to_string(site.log()).unwrap();
    for secret in [
        &token,
        &unknown,
        &token[4..20],
        &api,
        link,
        "lost-link",
        "renewal-secret-of-ada",
        PASSWORD,
        "pasted by mistake",
        "root@example.com",
        "session-secret",
        "cookie-secret",
        TRACE,
        REQUEST,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Every other kind of request, with a secret in each place where one could stand; how many there
/// were.
async fn asked(server: &Server<'_>, token: &str, api: &str, link: &str, seat: &str) -> usize {
    let http = http_client();
    let get = |path: &str| http.get(format!("{}{path}", server.url));
    let form = format!("email=root%40example.com&password={PASSWORD}");
    let form = http.post(format!("{}/sign-in", server.url)).body(form);
    let requests = [
        get(&format!("/open/{link}")),
        http.post(format!("{}/open/{link}", server.url)),
        get(&format!("/opne/lost-link{link}")),
        get(&format!("/admin/v1/seats/{seat}")).bearer_auth(api),
        get(&format!("/admin/v1/seats/{}", uuid::Uuid::new_v4())).bearer_auth(api),
        get(&format!("/admin/v1/seats/{token}")).bearer_auth(api),
        get(&format!("/admin/v1/seats?search={token}")).bearer_auth(api),
        get("/admin/v1/seats").bearer_auth(token),
        get(&format!("/{token}")),
        get(&format!("/healthz?{token}")),
        get("/seats").header("cookie", "__Host-seatlock=session-secret; other=cookie-secret"),
        get("/v1/keys").header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01")),
        get("/v1/keys").header("x-request-id", REQUEST),
        form.header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin"),
    ];
    let count = requests.len();
    for request in requests {
        // Without following anywhere: each is one request.
        let request = request.build().unwrap();
        let alone = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        alone.execute(request).await.unwrap();
    }
    count
}

#[tokio::test]
async fn a_trusted_proxy_names_requests_and_nobody_else_does() {
    let site = Site::new(&[]);
    let server = site.serve_with(&["--log-format", "json", "--trusted-proxy", "127.0.0.1/32"]);
    let ask = async |address: &str| {
        let http = reqwest::Client::builder().local_address(Some(address.parse().unwrap())).build().unwrap();
        let request = http.get(format!("{}/v1/keys", server.url)).header("x-request-id", REQUEST);
        let request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().replace('-', "")
    };
    assert_eq!(ask("127.0.0.1").await, REQUEST);
    assert_ne!(ask("127.0.0.2").await, REQUEST);
    logged(&site, "\"message\":\"answered\"", 2).await;
    let traces: Vec<Value> = answered(&site).iter().map(|line| line["trace"].clone()).collect();
    assert_eq!(traces, [json!(TRACE), Value::Null]);
}

#[tokio::test]
async fn people_read_a_line_of_text() {
    let site = Site::new(&[]);
    let server = site.serve();
    http_client().get(format!("{}/v1/keys", server.url)).send().await.unwrap();
    logged(&site, "answered request=", 1).await;
    let log = std::fs::read_to_string(site.log()).unwrap();
    let line = log.lines().find(|line| line.contains("answered request=")).unwrap();
    assert!(line.contains(" INFO ") && line.contains("route=\"/v1/keys\" status=200"), "{line}");
}
