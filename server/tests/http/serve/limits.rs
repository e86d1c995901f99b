use crate::ENGINE;
use crate::harness::{Answer, Plugin, Server, Site, join_all, logged};
use seatlock_protocol::{Code, Token, TokenKind};
use serde_json::json;

const SEATS: usize = 500;

/// A token that belongs to no seat.
fn stranger() -> Plugin {
    let token = Token::generate(TokenKind::Integration, getrandom::fill).unwrap();
    Plugin::new(token.expose_secret(), "stranger")
}

/// A refusal that nobody signed, with the seconds to wait.
fn told_to_wait(answer: &Answer) -> u64 {
    let problem = answer.problem();
    assert_eq!((answer.status, problem.code), (429, Code::RateLimited), "{}", answer.body);
    assert_eq!((problem.verdict, problem.keyset), (None, None));
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn five_hundred_computers_behind_one_address_start_at_nine() {
    let (site, tokens) = Site::with_tokens(ENGINE, SEATS).await;
    let server = site.serve();
    let one = async |token: &String| {
        let plugin = Plugin::new(token, token);
        // A looped host asks three times, and its user looks twice.
        for (call, status) in
            [("activate", 201), ("ping", 200), ("ping", 200), ("status", 200), ("status", 200)]
        {
            assert_eq!(server.call(call, &plugin).await.status, status);
        }
    };
    for some in tokens.chunks(50) {
        join_all(some.iter().map(one)).await;
    }
}

#[tokio::test]
async fn a_loop_with_one_token_is_slowed_and_its_neighbour_is_not() {
    let site = Site::new(&["--seats", "2"]);
    let (ada, grace) = (site.seat("ada@example.com").1, site.seat("grace@example.com").1);
    let server = site.serve_with(&["--token-limit", "5"]);
    let (ada, grace) = (Plugin::new(&ada, "a"), Plugin::new(&grace, "b"));
    assert_eq!(server.call("activate", &ada).await.status, 201);
    for _ in 0..4 {
        assert_eq!(server.call("ping", &ada).await.status, 200);
    }
    // Whatever it asks, sound or not.
    let wait = told_to_wait(&server.call("ping", &ada).await);
    assert!((1..=12).contains(&wait), "{wait}");
    told_to_wait(&server.call("status", &ada.with(json!({ "nonce": "short" }))).await);
    assert_eq!(server.call("activate", &grace).await.status, 201);
    // Nothing was taken away by the refusals.
    let again = site.serve();
    assert_eq!(again.call("ping", &ada).await.status, 200);
}

#[tokio::test]
async fn whoever_guesses_is_slowed_and_tokens_that_were_good_pass() {
    let site = Site::new(&["--seats", "3"]);
    let tokens =
        ["ada", "grace", "joan"].map(|name| Plugin::new(&site.seat(&format!("{name}@example.com")).1, name));
    let [ada, grace, joan] = &tokens;
    let server = site.serve_with(&["--wrong-token-limit", "4"]);
    assert_eq!(server.call("activate", ada).await.status, 201);
    assert_eq!(server.call("ping", &Plugin::new("sit_nonsense", "x")).await.status, 400);
    assert_eq!(server.call("ping", &Plugin::new("", "x")).await.status, 401);
    for _ in 0..2 {
        assert_eq!(server.call("activate", &stranger()).await.status, 401);
    }
    let wait = told_to_wait(&server.call("activate", &stranger()).await);
    assert!((1..=15).contains(&wait), "{wait}");
    told_to_wait(&server.call("ping", &Plugin::new("sit_nonsense", "x")).await);
    // Somebody who is new at this address waits too, because he may be the one who guesses.
    told_to_wait(&server.call("activate", grace).await);
    assert_eq!(server.call("ping", ada).await.status, 200);
    assert_eq!(from("127.0.0.2", &server, joan).await, 201);
}

#[tokio::test]
async fn addresses_behind_a_trusted_proxy_have_a_limit_each() {
    let site = Site::new(&[]);
    let token = site.seat("ada@example.com").1;
    let (ada, limit) =
        (Plugin::new(&token, "a"), ["--address-limit", "2", "--trusted-proxy", "127.0.0.1/32"]);
    let server = site.serve_with(&limit);
    let asked = async |through: &str| forwarded(through, &server, &ada).await;
    assert_eq!(
        [asked("192.0.2.1").await, asked("192.0.2.1").await, asked("192.0.2.1").await],
        [201, 200, 429]
    );
    assert_eq!(asked("6.6.6.6, 192.0.2.1").await, 429, "nobody chooses his own address");
    assert_eq!(
        [asked("2001:db8::1").await, asked("2001:db8::2").await, asked("2001:db8::3").await],
        [200, 200, 429]
    );
    assert_eq!(asked("2001:db8:0:1::1").await, 200);
    // As other proxies write it.
    for (one, two, three) in [
        ("198.51.100.7:41000", "198.51.100.7:41001", "\"198.51.100.7:5\""),
        ("[2001:db8:7::1]:443", "[2001:db8:7::1]", "\"[2001:db8:7::1]:9\""),
    ] {
        assert_eq!([asked(one).await, asked(two).await, asked(three).await], [200, 200, 429], "{one}");
    }
    let unread = "the X-Forwarded-For of a trusted proxy cannot be read";
    assert!(!site.said().contains(unread), "{}", site.said());
    for _ in 0..3 {
        asked("unknown").await;
    }
    logged(&site, unread, 1).await;
    assert_eq!(site.said().matches(unread).count(), 1);
}

/// The status that a plug-in at another address gets.
async fn from(address: &str, server: &Server<'_>, plugin: &Plugin) -> u16 {
    let http = reqwest::Client::builder().local_address(Some(address.parse().unwrap())).build().unwrap();
    let request = http.post(format!("{}/v1/seat/activate", server.url)).bearer_auth(&plugin.token);
    request.json(&plugin.request().1).send().await.unwrap().status().as_u16()
}

/// The status that a plug-in at another address gets, as a proxy says.
async fn forwarded(through: &str, server: &Server<'_>, plugin: &Plugin) -> u16 {
    let request = crate::harness::http_client().post(format!("{}/v1/seat/activate", server.url));
    let request = request.bearer_auth(&plugin.token).header("x-forwarded-for", through);
    request.json(&plugin.request().1).send().await.unwrap().status().as_u16()
}
