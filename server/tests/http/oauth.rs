//! Access tokens in the place of tokens: what is believed, whose keys, and which seat is whose.

use crate::harness::{
    Plugin, Server, Site,
    issuer::{self, AUDIENCE, Issuers, Key, Manner, key_set, with},
    join_all,
};
use seatlock_protocol::{AccessToken, Act, Code, Identity, UnixTime};
use seatlock_server::oidc::{Expected, FetchPlan, HeldKeys, KeySet, Keys, TokenRejection, plan, verify};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const URL: &str = "https://login.example";
const NOW: u64 = 1_800_000_000;

fn claims() -> Value {
    json!({
        "iss": URL, "sub": "alice", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 300, "scope": "seat:use seats:read",
        "client_id": "plugin", "email": "alice@example.com", "email_verified": true,
    })
}

fn judge(
    token: &str,
    keys: &[&Key],
    document: Option<Value>,
) -> Result<seatlock_server::oidc::Claims, TokenRejection> {
    let keys = KeySet::read(document.unwrap_or_else(|| key_set(keys)).to_string().as_bytes()).unwrap();
    let expected = Expected { issuer: URL, audience: AUDIENCE };
    let now = UnixTime::new(i64::try_from(NOW).unwrap()).unwrap();
    verify(&AccessToken::read(token).unwrap(), expected, &keys, now)
}

#[test]
fn what_is_believed_of_the_claims() {
    use TokenRejection::{Audience, Claims, Expired, Issuer, NotYet};
    let key = Key::ed25519("k");
    let token = |more: Value| key.access_token(&with(claims(), more));
    for (more, expected) in [
        (json!({}), Ok(())),
        (json!({ "aud": ["other", AUDIENCE] }), Ok(())),
        (json!({ "exp": NOW - 59 }), Ok(())),
        (json!({ "exp": NOW as f64 + 0.5 }), Ok(())),
        (json!({ "nbf": NOW + 60, "iat": NOW + 60 }), Ok(())),
        (json!({ "iss": "https://login.example/" }), Err(Issuer)),
        (json!({ "iss": "https://LOGIN.example" }), Err(Issuer)),
        (json!({ "aud": "https://licenses.example.com/" }), Err(Audience)),
        (json!({ "aud": [] }), Err(Audience)),
        (json!({ "aud": null }), Err(Claims)),
        (json!({ "aud": { "a": AUDIENCE } }), Err(Claims)),
        (json!({ "exp": NOW - 60 }), Err(Expired)),
        (json!({ "exp": -1 }), Err(Expired)),
        (json!({ "exp": null }), Err(Claims)),
        (json!({ "nbf": NOW + 61 }), Err(NotYet)),
        (json!({ "iat": NOW + 61 }), Err(NotYet)),
        (json!({ "sub": "x".repeat(256) }), Err(Claims)),
        (json!({ "scope": 7 }), Err(Claims)),
    ] {
        assert_eq!(judge(&token(more.clone()), &[&key], None).map(drop), expected, "{more}");
    }
}

#[test]
fn what_is_read_of_the_claims() {
    let key = Key::ed25519("k");
    let read = |more: Value| judge(&key.access_token(&with(claims(), more)), &[&key], None).unwrap();
    let scopes = |more| read(more).scopes.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(scopes(json!({})), "seat:use seats:read");
    assert_eq!(scopes(json!({ "scope": null, "scp": "seat:use" })), "seat:use");
    assert_eq!(scopes(json!({ "scope": null, "scp": ["seat:use", "a b"] })), "a b seat:use");
    assert_eq!(scopes(json!({ "scope": null, "roles": ["seat:use"] })), "seat:use");
    assert_eq!(scopes(json!({ "scope": null })), "");
    assert_eq!(scopes(json!({ "scope": "seat:user xseat:use" })), "seat:user xseat:use");
    for (more, email) in [
        (json!({}), Some("alice@example.com")),
        (json!({ "email_verified": "true" }), Some("alice@example.com")),
        (json!({ "email_verified": false }), None),
        (json!({ "email_verified": "false" }), None),
        (json!({ "email_verified": 1 }), None),
        (json!({ "email_verified": null }), None),
    ] {
        assert_eq!(read(more.clone()).email.as_deref(), email, "{more}");
    }
    let client = |more| read(more).client;
    assert_eq!(client(json!({ "azp": "other" })).as_deref(), Some("plugin"));
    assert_eq!(client(json!({ "client_id": null, "azp": "a" })).as_deref(), Some("a"));
    assert_eq!(client(json!({ "client_id": null, "cid": "c" })).as_deref(), Some("c"));
}

/// The shapes in which project Wycheproof spoils a JSON Web Signature, and some more.
#[test]
fn only_a_whole_compact_signature_is_believed() {
    let strangers = [Key::rsa("k", true), Key::p256("k"), Key::ed25519("k")];
    for (key, stranger) in [Key::rsa("k", false), Key::p256("k"), Key::ed25519("k")].iter().zip(strangers) {
        let good = key.access_token(&claims());
        let is_believed = |text: &str| AccessToken::read(text).is_ok() && judge(text, &[key], None).is_ok();
        assert!(is_believed(&good));
        let parts: Vec<&str> = good.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("{good}") };
        let other = key.access_token(&with(claims(), json!({ "sub": "bob" })));
        let others = other.split('.').nth(1).unwrap();
        let unsigned = key.token(&json!({ "alg": "none", "kid": "k" }), &claims());
        let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
        let own = stranger.jwk();
        let alg = if own["kty"] == "EC" {
            "ES256"
        } else if own["kty"] == "RSA" {
            "RS256"
        } else {
            "EdDSA"
        };
        let embedded = stranger.token(&json!({ "alg": alg, "kid": "k", "jwk": own }), &claims());
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let one = json!({ "protected": header, "signature": signature });
        for (what, text) in [
            ("another signature", format!("{header}.{payload}.{first}{}", &signature[1..])),
            ("a signature that is cut", format!("{header}.{payload}.{}", &signature[..signature.len() - 4])),
            ("a longer signature", format!("{header}.{payload}.{signature}AAAA")),
            ("no signature", format!("{header}.{payload}.")),
            ("no signature and no dot", format!("{header}.{payload}")),
            ("another payload", format!("{header}.{others}.{signature}")),
            ("no payload", format!("{header}..{signature}")),
            ("no payload and no dot", format!("{header}.{signature}")),
            ("no header", format!(".{payload}.{signature}")),
            ("no header and no dot", format!("{payload}.{signature}")),
            ("the payload alone", payload.to_owned()),
            ("the payload between dots", format!(".{payload}.")),
            ("nothing", String::new()),
            ("a dot more", format!("{good}.")),
            ("a part more", format!("{good}.{signature}")),
            ("padding", format!("{good}=")),
            ("white space", format!(" {good}\n")),
            ("none, without a signature", format!("{unsigned}.")),
            ("none, with a signature", format!("{unsigned}.{signature}")),
            ("a key of its own under the issuer's name", embedded),
            ("as JSON", json!({ "payload": payload, "signatures": [one] }).to_string()),
            ("as flat JSON", with(one.clone(), json!({ "payload": payload })).to_string()),
        ] {
            assert!(!is_believed(&text), "{alg}, {what}: {text}");
        }
    }
}

#[test]
fn what_is_believed_of_header_and_signature() {
    use TokenRejection::{Header, Signature, UnknownKey};
    let (rsa, stranger) = (Key::rsa("rsa", false), Key::rsa("rsa", true));
    let (p256, ed) = (Key::p256("p256"), Key::ed25519("ed"));
    let all = [&rsa, &p256, &ed];
    let head = |alg: &str, kid: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid });
    let swapped = |token: String, to: &str| {
        let (_, rest) = token.split_once('.').unwrap();
        let header = head(to, "rsa").to_string();
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
    };
    let good = rsa.access_token(&claims());
    let rows: Vec<(&str, String, Result<(), TokenRejection>)> = vec![
        ("RS256", good.clone(), Ok(())),
        ("PS256", rsa.token(&head("PS256", "rsa"), &claims()), Ok(())),
        ("ES256", p256.access_token(&claims()), Ok(())),
        ("EdDSA", ed.access_token(&claims()), Ok(())),
        ("Ed25519", ed.token(&head("Ed25519", "ed"), &claims()), Ok(())),
        ("no kid", rsa.token(&json!({ "alg": "RS256", "typ": "JWT" }), &claims()), Ok(())),
        ("no typ", rsa.token(&json!({ "alg": "RS256", "kid": "rsa" }), &claims()), Ok(())),
        (
            "long typ",
            rsa.token(&json!({ "alg": "RS256", "kid": "rsa", "typ": "application/AT+JWT" }), &claims()),
            Ok(()),
        ),
        (
            "another typ",
            rsa.token(&json!({ "alg": "RS256", "kid": "rsa", "typ": "logout+jwt" }), &claims()),
            Err(Header),
        ),
        (
            "a lease",
            rsa.token(&json!({ "alg": "RS256", "kid": "rsa", "typ": "seat-lease+jwt" }), &claims()),
            Err(Header),
        ),
        (
            "crit",
            rsa.token(&with(head("RS256", "rsa"), json!({ "crit": ["b64"], "b64": false })), &claims()),
            Err(Header),
        ),
        ("none", rsa.token(&head("none", "rsa"), &claims()), Err(Signature)),
        ("None", rsa.token(&head("nOnE", "rsa"), &claims()), Err(Signature)),
        ("the public key as a secret", rsa.token(&head("HS256", "rsa"), &claims()), Err(Signature)),
        ("called HS256", swapped(good.clone(), "HS256"), Err(Signature)),
        ("called PS256", swapped(good.clone(), "PS256"), Err(Signature)),
        ("called ES256", swapped(good.clone(), "ES256"), Err(Signature)),
        ("RS384", rsa.token(&head("RS384", "rsa"), &claims()), Err(Signature)),
        ("another key of that name", stranger.access_token(&claims()), Err(Signature)),
        ("the wrong key of the issuer", ed.token(&head("EdDSA", "p256"), &claims()), Err(Signature)),
        ("an unknown kid", rsa.token(&head("RS256", "other"), &claims()), Err(UnknownKey)),
        (
            "its own key",
            stranger.token(&with(head("RS256", "mine"), json!({ "jwk": stranger.jwk() })), &claims()),
            Err(UnknownKey),
        ),
        (
            "changed claims",
            {
                let (first, last) = (good.split('.').next().unwrap(), good.rsplit('.').next().unwrap());
                let other = rsa.access_token(&with(claims(), json!({ "sub": "bob" })));
                format!("{first}.{}.{last}", other.split('.').nth(1).unwrap())
            },
            Err(Signature),
        ),
    ];
    for (name, token, expected) in rows {
        assert_eq!(judge(&token, &all, None).map(drop), expected, "{name}");
    }
    let two = Key::p256("rsa");
    assert!(judge(&good, &[&two, &rsa], None).is_ok(), "two keys of one name and different kinds");
    assert!(judge(&good, &[&stranger, &rsa], None).is_ok(), "two keys of one name and kind");
    for (name, change, expected) in [
        ("for encryption", json!({ "use": "enc" }), UnknownKey),
        ("for another algorithm", json!({ "alg": "PS256" }), Signature),
    ] {
        // Beside a key that can be used, because a set without any is refused.
        let document = json!({ "keys": [with(rsa.jwk(), change), ed.jwk()] });
        assert_eq!(judge(&good, &[], Some(document)).map(drop), Err(expected), "{name}");
    }
    for document in
        ["", "<html>", "[]", r#"{"keys":7}"#, r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#]
    {
        assert!(KeySet::read(document.as_bytes()).is_err(), "{document}");
    }
    let giant = rsa.access_token(&with(claims(), json!({ "x": "x".repeat(AccessToken::MAX_LEN) })));
    assert!(AccessToken::read(&giant).is_err());
}

#[test]
fn when_keys_are_fetched() {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let seconds = Duration::from_secs;
    let held =
        |fetched: Option<Duration>, tried: Duration| HeldKeys { fetched_at: fetched, tried_at: Some(tried) };
    let at = minutes(10_000);
    for (name, state, known, now, expected) in [
        ("never", HeldKeys::default(), false, seconds(0), FetchPlan::Fetch),
        ("fresh", held(Some(at), at), true, at + minutes(14), FetchPlan::Use),
        ("aged", held(Some(at), at), true, at + minutes(15), FetchPlan::UseAndFetch),
        ("aged, tried before", held(Some(at), at + minutes(15)), true, at + seconds(959), FetchPlan::Use),
        ("a new key", held(Some(at), at), false, at + seconds(60), FetchPlan::Fetch),
        ("a new key, soon after", held(Some(at), at), false, at + seconds(59), FetchPlan::Use),
        ("down for long", held(Some(at), at + minutes(1439)), true, at + minutes(1439), FetchPlan::Use),
        (
            "down for too long",
            held(Some(at), at + minutes(1440)),
            true,
            at + minutes(1440),
            FetchPlan::GiveUp,
        ),
        ("down for too long, tried before", held(Some(at), at), true, at + minutes(1440), FetchPlan::Fetch),
        ("never reached", held(None, at), false, at + seconds(4), FetchPlan::GiveUp),
        ("never reached, tried again", held(None, at), false, at + seconds(5), FetchPlan::Fetch),
    ] {
        assert_eq!(plan(state, known, now), expected, "{name}");
    }
}

/// An issuer that changes its keys, goes away, and takes one back.
#[tokio::test]
async fn keys_over_the_time() {
    let issuers = Issuers::start().await;
    let (old, new) = (Key::ed25519("old"), Key::ed25519("new"));
    issuers.tell("a", Manner::Honest, &[&old]);
    let clock = Arc::new(AtomicU64::new(1_000_000));
    let seen = clock.clone();
    let keys = Keys::by(move || Duration::from_secs(seen.load(Ordering::Relaxed)));
    let url = issuers.url("a");
    let ask = async |key: &Key| {
        let token = AccessToken::read(&key.access_token(&issuers.claims("a", "s", ""))).unwrap();
        let now = UnixTime::new(i64::try_from(issuer::now()).unwrap()).unwrap();
        let expected = Expected { issuer: &url, audience: AUDIENCE };
        keys.verify(&token, expected, now).await.map(|verified| verified.map(drop))
    };
    let wait = |seconds: u64| clock.fetch_add(seconds, Ordering::Relaxed);

    let first = join_all((0..16).map(|_| ask(&old))).await;
    assert!(first.iter().all(|answer| *answer == Ok(Ok(()))));
    assert_eq!(issuers.asked("a"), 1, "sixteen at once ask once");
    issuers.tell("a", Manner::Honest, &[&old, &new]);
    for _ in 0..20 {
        assert_eq!(ask(&new).await, Ok(Err(TokenRejection::UnknownKey)));
    }
    assert_eq!(issuers.asked("a"), 1, "not again within a minute");
    wait(60);
    assert_eq!(ask(&new).await, Ok(Ok(())));
    let forged = Key::ed25519("forged");
    for _ in 0..20 {
        assert_eq!(ask(&forged).await, Ok(Err(TokenRejection::UnknownKey)));
    }
    assert_eq!(issuers.asked("a"), 2, "whatever is sent");

    issuers.tell("a", Manner::Honest, &[&new]);
    wait(15 * 60);
    assert_eq!(ask(&old).await, Ok(Ok(())), "nobody waits for the fetching");
    let withdrawn = async {
        while ask(&old).await != Ok(Err(TokenRejection::UnknownKey)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), withdrawn)
        .await
        .expect("the key that was taken back is refused");

    issuers.tell("a", Manner::Fails, &[]);
    for _ in 0..23 {
        wait(3600);
        assert_eq!(ask(&new).await, Ok(Ok(())), "while the issuer is away");
    }
    wait(3600);
    let away = ask(&new).await.unwrap_err().to_string();
    assert_eq!(away, "it answers with the HTTP status 500");
    issuers.tell("a", Manner::Honest, &[&new]);
    assert!(ask(&new).await.is_err(), "not at once again");
    wait(5);
    assert_eq!(ask(&new).await, Ok(Ok(())), "and it recovers");
}

/// Issuers as they should not be: none of them makes a token believed, and each is named.
#[tokio::test]
async fn issuers_that_lie() {
    let issuers = Issuers::start().await;
    let key = Key::ed25519("k");
    issuers.tell("honest", Manner::Honest, &[&key]);
    let keys = Keys::default();
    let now = UnixTime::new(i64::try_from(issuer::now()).unwrap()).unwrap();
    for (manner, says) in [
        (Manner::Html, "what it publishes is no OpenID configuration"),
        (Manner::Fails, "it answers with the HTTP status 500"),
        (Manner::Hangs, "it does not answer in time"),
        (Manner::Floods, "its answer is too large"),
        (Manner::OtherName, "it calls itself by another name than it is configured with"),
        (Manner::Redirects, "it answers with the HTTP status 307"),
        (Manner::NoKeys, "its keys are of no use: it has no key for RS256, PS256, ES256, ES384 or EdDSA"),
        (
            Manner::PlainHttpElsewhere,
            "its address is of no use: https is required, except for loopback addresses",
        ),
    ] {
        let name = format!("{manner:?}");
        issuers.tell(&name, manner, &[&key]);
        let token = AccessToken::read(&key.access_token(&issuers.claims(&name, "s", ""))).unwrap();
        let expected = Expected { issuer: &issuers.url(&name), audience: AUDIENCE };
        let answer = keys.verify(&token, expected, now).await;
        assert_eq!(answer.unwrap_err().to_string(), says);
    }
    let elsewhere = "http://127.0.0.1:1/nobody";
    let token = key.access_token(&with(issuers.claims("honest", "s", ""), json!({ "iss": elsewhere })));
    let expected = Expected { issuer: elsewhere, audience: AUDIENCE };
    let answer = keys.verify(&AccessToken::read(&token).unwrap(), expected, now).await;
    assert_eq!(answer.unwrap_err().to_string(), "it is not reachable");
}

/// A site that accepts an issuer, whose machine `farm` may look and act, and whose people at
/// example.com get seats.
async fn site(options: &[&str]) -> (Site, Issuers, Key) {
    let (site, issuers, key) = (Site::new(options), Issuers::start().await, Key::rsa("k", false));
    issuers.tell("login", Manner::Honest, &[&key]);
    let url = issuers.url("login");
    let rules = ["--admit", "client=farm,role=owner", "--admit", "domain=example.com"];
    let mut add = vec!["issuer", "add", &url, "--audience", AUDIENCE, "--name", "Example login"];
    add.extend(rules);
    site.cli(&add).json();
    (site, issuers, key)
}

fn identity(issuers: &Issuers, subject: &str) -> Identity {
    Identity { issuer: issuers.url("login"), subject: subject.to_owned() }
}

async fn refused(server: &Server<'_>, call: &str, plugin: &Plugin, code: Code, act: Act) {
    let answer = server.call(call, plugin).await;
    let verdict = answer.refusal();
    assert_eq!((verdict.code, verdict.act, answer.status), (code, act, code.row().http), "{}", answer.body);
}

#[tokio::test]
async fn a_life_of_a_seat_whose_user_signs_in() {
    let (site, issuers, key) = site(&["--seats", "2"]).await;
    let server = site.serve();
    let token = |subject: &str| key.access_token(&issuers.claims("login", subject, "seat:use"));
    let person = |name: &str| {
        let more =
            json!({ "client_id": "plugin", "email": format!("{name}@example.com"), "email_verified": true });
        key.access_token(&with(issuers.claims("login", name, "openid seat:use"), more))
    };
    let mut farm = Plugin::new(&token("farm"), "a");
    refused(&server, "ping", &farm, Code::TokenUnknown, Act::Keep).await;
    assert_eq!(server.call("status", &farm).await.verdict().code, Code::Ok);
    assert_eq!(site.cli(&["seat", "list"]).json(), json!([]), "a question makes no seat");

    let (status, lease) = server.lease("activate", &mut farm).await;
    assert_eq!((status, lease.tkh), (201, identity(&issuers, "farm").hash()));
    farm.token = token("farm");
    let (status, again) = server.lease("ping", &mut farm).await;
    assert_eq!(
        (status, again.sub, again.epoch),
        (200, lease.sub, lease.epoch),
        "another token of the same identity"
    );
    let seat = lease.sub.to_string();
    let shown = site.show(&seat);
    assert_eq!((&shown["shared_with"], &shown["subject"]), (&json!("farm"), &json!("farm")));
    assert_eq!(shown["issuer"], json!(issuers.url("login")));
    let other = Plugin::new(&token("farm"), "b");
    refused(&server, "activate", &other, Code::SeatInUseElsewhere, Act::Keep).await;

    let mut alice = Plugin::new(&person("alice"), "c");
    let (_, hers) = server.lease("activate", &mut alice).await;
    assert_ne!(hers.sub, lease.sub, "a seat of her own");
    assert_eq!(site.show(&hers.sub.to_string())["shared_with"], json!("alice@example.com"));
    let bob = Plugin::new(&person("bob"), "d");
    refused(&server, "activate", &bob, Code::SeatLimitReached, Act::Keep).await;
    assert_eq!(server.call("status", &bob).await.verdict().code, Code::SeatLimitReached);

    let refresh = site.cli(&["seat", "refresh", &seat]);
    assert!(!refresh.ok && refresh.stderr.contains("its user signs in"), "{}", refresh.stderr);
    assert_eq!(server.call("release", &farm).await.verdict().code, Code::Ok);
    refused(&server, "ping", &farm.with(json!({ "intent": "renew" })), Code::SeatReleased, Act::Drop).await;
    assert_eq!(server.lease("activate", &mut farm).await.1.sub, lease.sub, "the same seat again");

    site.cli(&["seat", "revoke", &seat, "--yes"]).json();
    refused(&server, "ping", &farm, Code::TokenRevoked, Act::Drop).await;
    refused(&server, "activate", &farm, Code::TokenRevoked, Act::Drop).await;
    server.lease("activate", &mut bob.clone()).await;
    assert_eq!(site.cli(&["seat", "allow", &seat]).json()["changed"], json!(true));
    assert_eq!(site.cli(&["seat", "allow", &seat]).json()["changed"], json!(false), "once is enough");
    refused(&server, "activate", &farm, Code::SeatLimitReached, Act::Keep).await;
    site.change(&["--seats", "3"]);
    let (status, new) = server.lease("activate", &mut farm).await;
    assert_eq!(status, 201);
    assert_ne!(new.sub, lease.sub, "a new seat");
    assert_eq!(
        site.cli(&["seat", "allow", &new.sub.to_string()]).json()["changed"],
        json!(false),
        "nothing to allow"
    );
    let expected =
        ["created", "activated", "released_by_machine", "activated", "revoked", "identity_allowed"];
    assert_eq!(site.audit(&seat).await, expected);
    let trail = site.cli(&["audit", "--seat", &seat]).json();
    let name = format!("farm at {}", issuers.url("login"));
    assert!(trail.to_string().contains(&name), "{trail}");
    assert_eq!(site.cli(&["audit", "verify"]).json()["broken_at"], json!(null));
}

#[tokio::test]
async fn what_a_plug_in_is_refused() {
    let (site, issuers, key) = site(&["--seats", "2", "--terms", "2026-01"]).await;
    let server = site.serve();
    let claims = |more: Value| with(issuers.claims("login", "farm", "seat:use"), more);
    let plugin = |more: Value| Plugin::new(&key.access_token(&claims(more)), "a");
    for more in [
        json!({ "aud": "https://other.example.com" }),
        json!({ "exp": issuer::now() - 61 }),
        json!({ "iss": "https://login.example" }),
    ] {
        let asking = plugin(more);
        let answer = server.call("activate", &asking).await;
        let verdict = answer.refusal();
        assert_eq!((verdict.code, verdict.act, answer.status), (Code::SignInRequired, Act::Keep, 401));
        assert_eq!(verdict.tkh, AccessToken::read(&asking.token).unwrap().identity().hash());
        assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    }
    let forged = Key::rsa("k", true).access_token(&claims(json!({})));
    refused(&server, "activate", &Plugin::new(&forged, "a"), Code::SignInRequired, Act::Keep).await;

    let answer = server.call("activate", &plugin(json!({ "scope": "seats:read" }))).await;
    assert_eq!((answer.refusal().code, answer.status), (Code::ScopeMissing, 403));
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"seat:use\"";
    assert_eq!(answer.headers["www-authenticate"], challenge);
    let stranger = plugin(json!({ "sub": "eve", "client_id": "plugin" }));
    refused(&server, "activate", &stranger, Code::IdentityUnknown, Act::Keep).await;
    let unverified = json!({ "sub": "eve", "client_id": "plugin", "email": "eve@example.com" });
    refused(&server, "activate", &plugin(unverified), Code::IdentityUnknown, Act::Keep).await;
    let other = plugin(json!({})).with(json!({ "product": "com.example.other" }));
    refused(&server, "activate", &other, Code::PlanNotEntitled, Act::Keep).await;
    refused(&server, "activate", &plugin(json!({})), Code::TermsRequired, Act::Keep).await;
    assert_eq!(site.cli(&["seat", "list"]).json(), json!([]), "none of these made a seat");

    let malformed = server.call("activate", &Plugin::new("a.b.c", "a")).await;
    assert_eq!((malformed.problem().code, malformed.status), (Code::TokenMalformed, 400));
    issuers.tell("away", Manner::Fails, &[]);
    let away = issuers.url("away");
    site.cli(&["issuer", "add", &away, "--audience", AUDIENCE, "--admit", "everybody"]).json();
    let answer = server.call("ping", &plugin(json!({ "iss": away }))).await;
    assert_eq!(
        (answer.refusal().code, answer.refusal().act, answer.status),
        (Code::IdentityProviderUnavailable, Act::Keep, 503)
    );
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.refusal().params["reason"], "127.0.0.1: it answers with the HTTP status 500");

    let good = plugin(json!({})).with(json!({ "terms": "2026-01" }));
    assert_eq!(server.call("activate", &good).await.status, 201);
    site.cli(&["issuer", "remove", &issuers.url("login")]).json();
    refused(&server, "ping", &good, Code::SignInRequired, Act::Keep).await;
    server.stop();
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(log.contains("it is for another audience") && !log.contains(&good.token), "{log}");
    let signature = good.token.rsplit('.').next().unwrap();
    assert!(!log.contains(signature));
}

#[tokio::test]
async fn the_admin_api_by_access_token() {
    let (site, issuers, key) = site(&["--seats", "2"]).await;
    let server = site.serve();
    let http = crate::harness::http_client();
    let token = |scope: &str, client: &str| key.access_token(&issuers.claims("login", client, scope));
    let ask = async |method: reqwest::Method, path: &str, token: &str| {
        let request = http.request(method, format!("{}/admin/v1{path}", server.url)).bearer_auth(token);
        let body = if path == "/accounts" {
            json!({ "name": "Mine" })
        } else {
            json!({ "email": "ada@example.com" })
        };
        let answer = request.json(&body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.json::<Value>().await.unwrap())
    };
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    for (method, path, scope, expected) in [
        (&get, "/seats", "seats:read", 200),
        (&get, "/usage", "seats:read", 200),
        (&get, "/seats", "seats:write", 403),
        (&get, "/audit", "audit:read", 200),
        (&get, "/audit", "seats:read", 403),
        (&post, "/seats", "seats:read audit:read", 403),
        (&post, "/seats", "seats:write", 201),
    ] {
        let (status, headers, body) = ask(method.clone(), path, &token(scope, "farm")).await;
        assert_eq!(status, expected, "{method} {path} {scope}: {body}");
        if status == 403 {
            assert_eq!(body["code"], "scope_missing");
            assert!(headers["www-authenticate"].to_str().unwrap().contains("insufficient_scope"));
        }
    }
    let (_, _, trail) = ask(get.clone(), "/audit", &token("audit:read", "farm")).await;
    let name = format!("farm at {}", issuers.url("login"));
    assert!(trail.to_string().contains(&name), "{trail}");
    let all = "seats:read seats:write audit:read";
    let (status, _, body) = ask(post.clone(), "/accounts", &token(all, "farm")).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &json!("admins_only")),
        "an owner's rule makes no administrator"
    );

    let person = json!({ "client_id": "plugin", "email": "a@example.com", "email_verified": true });
    let person = key.access_token(&with(issuers.claims("login", "alice", all), person));
    let (status, _, body) = ask(get.clone(), "/seats", &person).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &json!("identity_unknown")),
        "admitted to seats, but without a role"
    );
    let expired = with(issuers.claims("login", "farm", all), json!({ "exp": issuer::now() - 61 }));
    let (status, headers, body) = ask(get.clone(), "/seats", &key.access_token(&expired)).await;
    assert_eq!((status, &body["code"]), (401, &json!("sign_in_required")));
    assert_eq!(headers["www-authenticate"], "Bearer error=\"invalid_token\"");
}

/// A browser that does not follow redirects.
struct Browser<'a> {
    server: &'a Server<'a>,
    http: reqwest::Client,
}

/// What an answer says to a browser.
struct Page {
    status: u16,
    location: String,
    cookies: Vec<String>,
    text: String,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server<'a>) -> Self {
        drop(crate::harness::http_client());
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, http }
    }

    async fn get(&self, path: &str, cookie: &str) -> Page {
        let request = self.http.get(format!("{}{path}", self.server.url)).header("cookie", cookie);
        let answer = request.send().await.unwrap();
        let header = |name| {
            let values = answer.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (location, cookies) = (header("location").concat(), header("set-cookie"));
        Page { status: answer.status().as_u16(), location, cookies, text: answer.text().await.unwrap() }
    }
}

/// A way to the issuer that was begun.
struct Begun {
    cookie: String,
    asked: std::collections::HashMap<String, String>,
}

impl Browser<'_> {
    async fn begin(&self, issuers: &Issuers, next: &str) -> Begun {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("issuer", &issuers.url("login"))
            .append_pair("next", next)
            .finish();
        let page = self.get(&format!("/sign-in/with?{query}"), "").await;
        assert_eq!(page.status, 303, "{}", page.text);
        let (address, asked) = page.location.split_once('?').unwrap();
        assert_eq!(address, format!("{}/authorize", issuers.url("login")));
        let asked = form_urlencoded::parse(asked.as_bytes()).into_owned().collect();
        assert!(page.cookies[0].contains("; HttpOnly; SameSite=Lax; Secure; Path=/"), "{}", page.cookies[0]);
        Begun { cookie: page.cookies[0].split(';').next().unwrap().to_owned(), asked }
    }

    async fn back(&self, begun: &Begun, more: &str) -> Page {
        let state = &begun.asked["state"];
        self.get(&format!("/sign-in/back?code=the-code&state={state}{more}"), &begun.cookie).await
    }
}

#[tokio::test]
async fn people_sign_in_on_the_page_with_an_issuer() {
    let (site, issuers, key) = site(&["--seats", "2", "--account", "Example"]).await;
    let other = site.cli(&["account", "create", "Other"]).json()["id"].as_str().unwrap().to_owned();
    let account = site.cli(&["account", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
    for (email, account, role) in [
        ("owner@example.com", &account, "owner"),
        ("admin@example.com", &account, "admin"),
        ("other@example.com", &other, "owner"),
        ("gone@example.com", &account, "owner"),
    ] {
        site.cli(&["user", "add", email, "--account", account, "--role", role]).json();
    }
    site.cli(&["user", "disable", "gone@example.com"]).json();
    let secret = site.scratch("secret");
    std::fs::write(&secret, "a client secret\n").unwrap();
    let (url, rule) = (issuers.url("login"), format!("domain=example.com,account={account},role=owner"));
    let mut change = vec!["issuer", "change", &url, "--admit", &rule, "--client-id", "page"];
    change.extend(["--client-secret-file", secret.to_str().unwrap()]);
    let changed = site.cli(&change);
    assert_eq!(changed.json()["has_client_secret"], json!(true));
    assert!(!changed.stdout.contains("a client secret"));
    let server = site.serve();
    let browser = Browser::new(&server);
    let page = browser.get("/sign-in?next=/audit", "").await;
    assert!(page.text.contains("Sign in with Example login"), "{}", page.text);

    let id_token = |begun: &Begun, email: &str, more: Value| {
        let claims = json!({
            "iss": url, "sub": email, "aud": "page", "exp": issuer::now() + 60, "email": email,
            "email_verified": true, "nonce": begun.asked["nonce"],
        });
        key.access_token(&with(claims, more))
    };
    for (next, to) in [
        ("/audit", "/audit"),
        ("", "/seats"),
        ("//evil.example", "/seats"),
        ("https://evil.example", "/seats"),
    ] {
        let begun = browser.begin(&issuers, next).await;
        issuers.give("login", id_token(&begun, "owner@example.com", json!({})));
        let page = browser.back(&begun, "").await;
        assert_eq!((page.status, page.location.as_str()), (303, to), "{}", page.text);
        let session = page.cookies.iter().find(|cookie| cookie.starts_with("__Host-seatlock=")).unwrap();
        let session = session.split(';').next().unwrap();
        assert!(browser.get("/account", session).await.text.contains("owner@example.com"));
        assert!(
            page.cookies.iter().any(|cookie| cookie.starts_with("__Host-seatlock-sign-in=;")),
            "it was used"
        );
        let form = issuers.form("login");
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        use sha2::Digest as _;
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&form["code_verifier"]));
        assert_eq!((&challenge, form["code"].as_str()), (&begun.asked["code_challenge"], "the-code"));
        assert_eq!(form["redirect_uri"], begun.asked["redirect_uri"]);
    }
    let begun = browser.begin(&issuers, "").await;
    issuers.give("login", id_token(&begun, "new@example.com", json!({})));
    let page = browser.back(&begun, "").await;
    assert_eq!(page.status, 303, "added by the rule");
    let session = page.cookies.iter().find(|cookie| cookie.starts_with("__Host-seatlock=")).unwrap();
    let account_page = browser.get("/account", session.split(';').next().unwrap()).await.text;
    let password = account_page.contains("Change the password");
    assert!(!password && account_page.contains("You have no password here"), "{account_page}");
    let users = site.cli(&["user", "list"]).json();
    let new =
        users.as_array().unwrap().iter().find(|user| user["email"] == "new@example.com").unwrap().clone();
    assert_eq!((&new["role"], &new["account"]), (&json!("owner"), &json!(account)));

    for (name, email, more, says) in [
        ("another account", "other@example.com", json!({}), "have no access here"),
        ("more than the rule says", "admin@example.com", json!({}), "have no access here"),
        ("disabled", "gone@example.com", json!({}), "have no access here"),
        ("not verified", "owner@example.com", json!({ "email_verified": false }), "have no access here"),
        ("another domain", "owner@example.org", json!({}), "have no access here"),
        ("another nonce", "owner@example.com", json!({ "nonce": "other" }), "could not be verified"),
        ("no nonce", "owner@example.com", json!({ "nonce": null }), "could not be verified"),
        ("for another client", "owner@example.com", json!({ "aud": "other" }), "could not be verified"),
        ("an access token", "owner@example.com", json!({ "aud": AUDIENCE }), "could not be verified"),
        (
            "given to another",
            "owner@example.com",
            json!({ "aud": ["page", "x"], "azp": "x" }),
            "could not be verified",
        ),
        ("expired", "owner@example.com", json!({ "exp": 0 }), "could not be verified"),
    ] {
        let begun = browser.begin(&issuers, "").await;
        issuers.give("login", id_token(&begun, email, more));
        let page = browser.back(&begun, "").await;
        assert_eq!(page.status, 403, "{name}");
        assert!(page.text.contains(says), "{name}: {}", page.text);
        assert!(!page.cookies.iter().any(|cookie| cookie.starts_with("__Host-seatlock=")), "{name}");
    }
    let good = browser.begin(&issuers, "").await;
    issuers.give("login", id_token(&good, "owner@example.com", json!({})));
    let stranger = Begun { cookie: String::new(), asked: good.asked.clone() };
    assert!(browser.back(&stranger, "").await.text.contains("begun in another browser"));
    let second = browser.begin(&issuers, "").await;
    let mixed = Begun { cookie: second.cookie, asked: good.asked.clone() };
    assert!(browser.back(&mixed, "").await.text.contains("begun in another browser"));
    assert!(browser.back(&good, "&iss=https://evil.example").await.text.contains("could not be verified"));
    let denied = format!("/sign-in/back?error=access_denied&state={}", good.asked["state"]);
    assert!(browser.get(&denied, &good.cookie).await.text.contains("cancelled or refused"));
    issuers.give("login", String::new());
    assert!(browser.back(&good, "").await.text.contains("does not answer as it should"));
    assert_eq!(browser.get("/sign-in/with?issuer=https://evil.example", "").await.status, 404);
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(
        !log.contains("a client secret") && !log.contains("the-code") && !log.contains(&good.asked["state"])
    );
}
