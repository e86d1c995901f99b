//! The pages as a browser meets them: a real server process, cookies and forms.

use crate::browser::{Browser, OWNER, user};
use crate::harness::{Plugin, Site, http_client, join_all};
use reqwest::{Method, StatusCode};
use seatlock_protocol::Code;

/// The cookie of a session.
const SESSION: &str = "__Host-seatlock";
/// Statements that one page may need, those that find the session and the moment among them.
const STATEMENTS: usize = 6;
const HOSTILE: &str = "\"><script>alert('x')</script>@example.com";

#[tokio::test]
async fn an_owner_walks_through_every_page() {
    let site = Site::new(&["--seats", "3"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    assert_eq!(browser.get("/").await.location(), "/seats");
    browser.get("/seats").await.says("No seats yet");

    // The first form, and the same again: one seat, one token.
    let key = browser.get("/seats/new").await.field("form_key");
    let form = [("form_key", key.as_str()), ("email", "artist@example.com")];
    let token = browser.submit("/seats/new", &form).await.secret();
    assert_eq!(browser.submit("/seats/new", &form).await.secret(), token);
    let other = browser.post("/seats/new", &[("form_key", &key), ("email", "other@example.com")]).await;
    assert_eq!(other.status, 409);
    other.says("Nothing was").says("other@example.com");
    let seats = site.cli(&["seat", "list"]).json();
    assert_eq!(seats.as_array().unwrap().len(), 1);
    let id = seats[0]["id"].as_str().unwrap().to_owned();

    let mut plugin = Plugin::new(&token, "one");
    server.lease("activate", &mut plugin).await;
    browser.get(&format!("/seats/{id}")).await.says("In use").says(&plugin.machine.short());
    for search in ["artist", &id[..8], &plugin.machine.short(), "%22"] {
        let found = browser.get(&format!("/seats?q={search}&status=in_use&license=&after=x")).await;
        assert_eq!(found.status, 200);
        found.says(if search == "%22" { "Nothing found" } else { "artist@" });
    }
    let table = browser.get("/seats.csv?q=artist").await;
    assert!(table.header("content-disposition").starts_with("attachment"));
    assert_eq!(table.html.lines().count(), 2, "{}", table.html);

    // Refresh: the old token is refused, the new one is shown once.
    let path = format!("/seats/{id}/refresh");
    let key = browser.get(&path).await.says("never works again").field("form_key");
    let form = [("form_key", key.as_str()), ("email", "artist@example.com")];
    let new = browser.submit(&path, &form).await.secret();
    assert_ne!(new, token);
    assert_eq!(browser.submit(&path, &form).await.secret(), new);
    assert_eq!(server.call("ping", &plugin).await.refusal().code, Code::TokenRevoked);
    let mut plugin = Plugin::new(&new, "one");
    server.lease("activate", &mut plugin).await;

    // Release, and a second one within the day.
    let (second, other_token) = browser.seat("second@example.com").await;
    let mut other = Plugin::new(&other_token, "two");
    server.lease("activate", &mut other).await;
    let path = format!("/seats/{id}/release");
    browser.get(&path).await.says("Release the seat");
    browser.submit(&path, &[]).await.says("was released");
    browser.submit(&path, &[]).await.says("nothing left to do");
    let refused = browser.post(&format!("/seats/{second}/release"), &[]).await;
    assert_eq!(refused.status, 409);
    refused.says("Not yet").says("24 hours");

    // Revoke asks first.
    let path = format!("/seats/{id}/revoke");
    browser.get(&path).await.says("cannot be undone");
    let unticked = browser.post(&path, &[]).await;
    assert_eq!(unticked.status, 422);
    unticked.says("tick the box");
    browser.submit(&path, &[("confirm", "revoke")]).await.says("closed for good");
    assert_eq!(browser.get(&format!("/seats/{id}/refresh")).await.location(), format!("/seats/{id}"));

    browser.get("/audit").await.says("Token replaced").says("Each row is tied");
    browser.get("/audit?verify").await.says("Each row is tied");
    let admin = user(&site, "admin@example.com", &["--role", "admin"]);
    let mut admin = Browser::signed_in(&server, "admin@example.com", &admin).await;
    admin.get("/audit").await.says("Verify the record");
    admin.get("/audit?verify").await.says("The record is intact");
    browser.get(&format!("/audit?seat={second}")).await.says("second@");
    browser.get("/airgap").await.says("Answer a file");
    browser.get("/account").await.says(OWNER).says("This one");
    site.cli(&["audit", "verify"]);
}

#[tokio::test]
async fn a_seat_whose_user_signs_in_has_no_token_to_refresh() {
    let site = Site::new(&["--seats", "2"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _) = browser.seat("artist@example.com").await;
    let pages = ["", "/release", "/revoke"].map(|path| format!("/seats/{id}{path}"));
    let refresh = format!("/seats/{id}/refresh");
    browser.get(&pages[0]).await.says(&refresh);
    let sign_in = "UPDATE seat SET issuer = 'https://login.example', subject = 'alice' WHERE id = ?";
    sqlx::query(sign_in).bind(&id).execute(&mut site.database().await).await.unwrap();
    browser.get(&pages[0]).await.says("Its user signs in").says("https://login.example");
    for page in pages {
        let shown = browser.get(&page).await;
        assert!(shown.status == 200 && !shown.html.contains(&refresh), "{page}: {}", shown.html);
    }
    for refused in
        [browser.get(&refresh).await, browser.post(&refresh, &[("form_key", "x"), ("email", OWNER)]).await]
    {
        assert_eq!(refused.status, 409);
        refused.says("its user signs in");
    }
}

#[tokio::test]
async fn api_tokens_to_the_limit() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let mut first = String::new();
    for name in ["one", "two", "three"] {
        let key = browser.get("/tokens").await.field("form_key");
        let form = [("form_key", key.as_str()), ("name", name)];
        let token = browser.submit("/tokens", &form).await.secret();
        assert_eq!(browser.submit("/tokens", &form).await.secret(), token);
        first = if first.is_empty() { token } else { first };
    }
    let refused = browser.post("/tokens", &[("form_key", "x"), ("name", "four")]).await;
    assert_eq!(refused.status, 409);
    refused.says("at most 3");
    let asked = http_client().get(format!("{}/admin/v1/seats", server.url)).bearer_auth(&first).send();
    assert_eq!(asked.await.unwrap().status(), 200);
    let list = browser.get("/tokens").await;
    let oldest = list.html.rsplit("href=\"/tokens/").next().unwrap()[..36].to_owned();
    let path = format!("/tokens/{oldest}/delete");
    browser.get(&path).await.says("Delete this API token?").says("one");
    browser.submit(&path, &[]).await.says("was deleted");
    let asked = http_client().get(format!("{}/admin/v1/seats", server.url)).bearer_auth(&first).send();
    assert_eq!(asked.await.unwrap().status(), 401);
    assert_eq!(browser.get(&path).await.status, 404);
}

#[tokio::test]
async fn signing_in_and_out() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::new(&server);

    // Signed out: to the sign-in page, and on from there; what was typed comes along, a token does not.
    assert_eq!(browser.get("/audit?seat=x").await.location(), "/sign-in?next=%2Faudit%3Fseat%3Dx");
    let typed = browser.post("/seats/new", &[("email", "a+b@example.com"), ("send", "on")]).await;
    let next = browser.get(typed.location()).await.field("next");
    let on = browser.post("/sign-in", &[("email", OWNER), ("password", &password), ("next", &next)]).await;
    browser.get(on.location()).await.says("value=\"a+b@example.com\"");
    let first = browser.cookies[SESSION].clone();

    // Nobody chooses another's session, and a sign-in ends the one that was shown.
    browser.cookies.insert(SESSION.to_owned(), "A".repeat(43));
    browser.sign_in(OWNER, &password).await.location();
    assert!(!browser.cookies[SESSION].contains("AAAAAAAAAAAA"));
    browser.cookies.insert(SESSION.to_owned(), first.clone());
    browser.sign_in(OWNER, &password).await.location();
    let second = browser.cookies[SESSION].clone();
    assert_ne!(first, second);
    browser.cookies.insert(SESSION.to_owned(), first);
    assert_eq!(browser.get("/seats").await.location(), "/sign-in?next=%2Fseats");

    browser.cookies.insert(SESSION.to_owned(), second.clone());
    assert_eq!(browser.get("/sign-in").await.location(), "/seats");
    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in");
    assert!(!browser.cookies.contains_key(SESSION));
    browser.cookies.insert(SESSION.to_owned(), second);
    assert_eq!(browser.get("/seats").await.status, 303, "the session has ended, not only the cookie");

    for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"] {
        browser.cookies.clear();
        let form = [("email", OWNER), ("password", password.as_str()), ("next", foreign)];
        assert_eq!(browser.post("/sign-in", &form).await.location(), "/seats", "{foreign}");
    }

    // Everywhere.
    let mut elsewhere = Browser::signed_in(&server, OWNER, &password).await;
    browser.get("/account").await.says("Sign out everywhere");
    browser.submit("/account/sign-out-everywhere", &[]).await.says("signed out everywhere");
    assert_eq!(elsewhere.get("/seats").await.status, 303);

    // Another password.
    elsewhere.sign_in(OWNER, &password).await.location();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let form = |current, new, again| [("current", current), ("new", new), ("again", again)];
    let new = "four plain words here";
    for (current, new, again, words) in [
        ("wrong", new, new, "current password"),
        (password.as_str(), new, "other", "not the same"),
        (&password, "short", "short", "12 characters"),
    ] {
        let refused = browser.post("/account/password", &form(current, new, again)).await;
        assert_eq!(refused.status, 422);
        refused.says(words);
    }
    browser.submit("/account/password", &form(&password, new, new)).await.says("password was changed");
    assert_eq!(browser.get("/seats").await.status, 200);
    assert_eq!(elsewhere.get("/seats").await.status, 303);
}

#[tokio::test]
async fn ten_wrong_passwords_and_then_a_wait() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::new(&server);
    for _ in 0..10 {
        let wrong = browser.sign_in(OWNER, "not the password").await;
        assert_eq!(wrong.status, 403);
        wrong.says("e-mail address or the password is wrong");
        assert_eq!(wrong.field("email"), OWNER);
        assert!(!wrong.html.contains("not the password"));
    }
    let waits = browser.sign_in(OWNER, &password).await;
    assert_eq!(waits.status, 429);
    waits.says("The next one is possible at").says(" UTC");
    let seconds: u32 = waits.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds), "{seconds}");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn other_websites_are_refused() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve_with(&["--public-url", "https://licenses.example.com/"]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        for path in ["/sign-out", "/seats/new", "/account/sign-out-everywhere", "/sign-in"] {
            let refused = browser.post_from(path, &[], headers).await;
            assert_eq!(refused.status, 403, "{path} {headers:?}");
            refused.says("sent from another website");
            assert!(refused.headers.contains_key("content-security-policy"));
        }
    }
    assert_eq!(browser.get("/seats").await.status, 200, "nothing was done");
    // The public address is the own one, whatever a proxy calls the server; and the plug-in API is no
    // page.
    let own = [("origin", "https://licenses.example.com")];
    assert_eq!(browser.post_from("/sign-out", &[], &own).await.status, 303);
    assert_eq!(
        browser.post_from("/v1/seat/ping", &[], &[("sec-fetch-site", "cross-site")]).await.status,
        401
    );
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let admin = user(&site, "admin@example.com", &["--role", "admin"]);
    let account = site.cli(&["account", "create", "Others"]).json();
    let other = user(&site, "other@example.com", &["--account", account["id"].as_str().unwrap()]);
    let server = site.serve();
    let mut owner = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _) = owner.seat("artist@example.com").await;
    let mut other = Browser::signed_in(&server, "other@example.com", &other).await;
    for path in ["", "/refresh", "/release", "/revoke"] {
        assert_eq!(other.get(&format!("/seats/{id}{path}")).await.status, 404, "{path}");
        if !path.is_empty() {
            let form = [("form_key", "x"), ("confirm", "revoke")];
            let refused = other.post(&format!("/seats/{id}{path}"), &form).await;
            assert_eq!(refused.status, 404, "{path}");
            refused.says("There is nothing here");
        }
    }
    assert_eq!(other.get(&format!("/audit?seat={id}")).await.status, 404);
    other.get("/seats").await.says("no license yet");
    assert_eq!(other.get("/seats.csv").await.html.lines().count(), 1);
    Browser::signed_in(&server, "admin@example.com", &admin)
        .await
        .get("/seats")
        .await
        .says("customers are in their own accounts")
        .says("Admin");
}

#[tokio::test]
async fn two_admins_release_at_once() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut one = Browser::signed_in(&server, OWNER, &password).await;
    let two = Browser::signed_in(&server, OWNER, &password).await;
    let (id, token) = one.seat("artist@example.com").await;
    server.lease("activate", &mut Plugin::new(&token, "one")).await;
    let path = format!("/seats/{id}/release");
    let own = [("sec-fetch-site", "same-origin")];
    let pages = join_all(vec![one.post_from(&path, &[], &own), two.post_from(&path, &[], &own)]).await;
    assert!(pages.iter().all(|page| page.location() == format!("/seats/{id}")));
    let released = site.audit(&id).await.into_iter().filter(|event| event == "released_by_owner").count();
    assert_eq!(released, 1);
}

#[tokio::test]
async fn hostile_words_come_out_as_text() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let search = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    let key = browser.get("/seats/new").await.field("form_key");
    let refused = browser.try_submit("/seats/new", &[("form_key", &key), ("email", HOSTILE)]).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.html.contains("<script>") && refused.html.contains("script"), "{}", refused.html);
    // A sign-in service may call somebody so.
    site.seat_of(HOSTILE).await;
    let id = site.cli(&["seat", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
    for path in [
        &format!("/seats?q={search}"),
        "/seats",
        &format!("/seats/{id}"),
        &format!("/seats/{id}/revoke"),
        "/audit",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.html.contains("<script>") && page.html.contains("script"), "{path}");
    }
}

#[tokio::test]
async fn every_page_has_the_headers() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve_with(&["--public-url", "https://licenses.example.com"]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _) = browser.seat("artist@example.com").await;
    let seat = |page: &str| format!("/seats/{id}{page}");
    let rows: [(&str, u16); 17] = [
        ("/", 303),
        ("/sign-in", 303),
        ("/seats", 200),
        ("/seats/new", 200),
        ("/seats.csv", 200),
        (&seat(""), 200),
        (&seat("/refresh"), 200),
        (&seat("/release"), 200),
        (&seat("/revoke"), 200),
        ("/airgap", 200),
        ("/tokens", 200),
        ("/account", 200),
        ("/audit?verify", 200),
        ("/open/AAAA", 410),
        ("/sign-out", 405),
        ("/nothing", 404),
        ("/seats/not-an-id", 404),
    ];
    for (path, status) in rows {
        let page = browser.get(path).await;
        assert_eq!(page.status, status, "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", if path.starts_with("/open/") { "no-referrer" } else { "same-origin" }),
            ("strict-transport-security", "max-age=63072000"),
        ] {
            assert_eq!(page.header(name), value, "{path}");
        }
        assert!(page.header("permissions-policy").contains("camera=()"), "{path}");
        assert!(page.headers.contains_key("x-request-id"), "{path}");
    }
    for name in ["style.css", "copy.js", "icon.svg"] {
        let asset = browser.get(&format!("/assets/{name}")).await;
        assert_eq!((asset.status, asset.header("x-content-type-options")), (StatusCode::OK, "nosniff"));
        let tag = asset.header("etag").to_owned();
        let again =
            browser.send(Method::GET, &format!("/assets/{name}"), &[("if-none-match", &tag)], "", "").await;
        assert_eq!(again.status, 304);
    }
    assert_eq!(browser.get("/assets/../Cargo.toml").await.status, 404);
    // Programs keep their problem documents.
    for path in ["/v1/nothing", "/admin/v1/nothing", "/.well-known/nothing"] {
        let page = browser.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    let large = "x".repeat(100_000);
    let refused = browser.post("/seats/new", &[("email", &large)]).await;
    assert_eq!(refused.status, 413);
    refused.says("too large");
    assert_eq!(browser.post(&seat("/refresh"), &[]).await.status, 400);
}

#[tokio::test]
async fn a_one_time_link_shows_its_token_once() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    // A sender and a mail server that is not there: the seat is made all the same.
    let mail = site.scratch("smtp");
    std::fs::write(&mail, "smtp://127.0.0.1:9").unwrap();
    let server =
        site.serve_with(&["--mail-from", "l@example.com", "--smtp-url-file", mail.to_str().unwrap()]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let key = browser.get("/seats/new").await.says("Send it by e-mail").field("form_key");
    let form =
        [("form_key", key.as_str()), ("email", "artist@example.com"), ("send", "on"), ("send_as", "link")];
    let made = browser.submit("/seats/new", &form).await;
    made.says("could not be sent").says("Try again");
    let (token, key, form_key) = (made.secret(), made.field("key"), made.field("form_key"));
    let id = site.cli(&["seat", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
    let form = [
        ("key", key.as_str()),
        ("form_key", form_key.as_str()),
        ("email", "artist@example.com"),
        ("send_as", "token"),
    ];
    let sent = browser.submit(&format!("/seats/{id}/share"), &form).await;
    assert_eq!(sent.says("could not be sent").secret(), token);

    // The letter did not arrive, so the link is written here as the server would.
    let link = put_link(&site, &id, &token).await;
    let mut receiver = Browser::new(&server);
    for _ in 0..3 {
        let ready = receiver.get(&link).await;
        ready.says("Show the token");
        assert!(!ready.html.contains(&token), "looking shows nothing");
        assert_eq!(receiver.send(Method::HEAD, &link, &[], "", "").await.status, 200);
    }
    assert_eq!(receiver.post_from(&link, &[], &[("origin", "null")]).await.secret(), token);
    let used = receiver.post(&link, &[]).await;
    assert_eq!(used.status, 410);
    used.says("does not work any more");
    assert_eq!(receiver.get(&link).await.status, 410);
    assert!(site.audit(&id).await.contains(&"share_opened".to_owned()));

    let link = put_link(&site, &id, &token).await;
    let path = format!("/seats/{id}/refresh");
    let key = browser.get(&path).await.field("form_key");
    browser.submit(&path, &[("form_key", &key), ("email", "artist@example.com")]).await;
    assert_eq!(receiver.post(&link, &[]).await.status, 410, "a refresh ends every link");

    // Nothing secret is in the log.
    server.stop();
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(log.contains("a one-time link was opened"), "{log}");
    let log = log.replace("/open/{secret}", "the route");
    for secret in [&token, &password, &link["/open/".len()..], "/open/"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Keeps a one-time link, and answers its path.
async fn put_link(site: &Site, seat: &str, token: &str) -> String {
    use seatlock_protocol::{Token, TokenKind, UnixTime};
    use seatlock_server::crypto::keys::DataFolder;
    use seatlock_server::crypto::one_time_link;
    use seatlock_server::crypto::seal::Secret;
    use seatlock_server::store::*;
    let store = sqlite::SqliteStore::open(&site.data().join("seatlock.db"), false).await.unwrap();
    let (seat, secret) = (seat.parse().unwrap(), Secret::generate().unwrap());
    let token = Token::parse(token, TokenKind::Integration).unwrap();
    let expires_at = UnixTime::new(4_000_000_000).unwrap();
    let sealed = one_time_link::seal_token(&secret, &token, seat, expires_at).unwrap();
    let kept = OneTimeLink { id: one_time_link::id(&secret), seat, sealed, expires_at };
    let pepper = DataFolder::new(site.data()).pepper().unwrap();
    store
        .run(AddOneTimeLink { link: kept, token: token.stored_hash(&pepper), by: Actor::Console })
        .await
        .unwrap();
    store.close().await;
    format!("/open/{}", *secret.expose())
}

#[tokio::test]
async fn files_of_machines_without_a_network() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let own = [("sec-fetch-site", "same-origin")];
    let upload = |file: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n\r\n{file}\r\n--x--\r\n"
        )
    };
    let kind = "multipart/form-data; boundary=x";
    for (body, status) in [
        (upload("no file of a plug-in"), 422),
        (upload(&"x".repeat(70_000)), 422),
        (upload(&"x".repeat(300_000)), 413),
        ("nonsense".to_owned(), 400),
    ] {
        let refused = browser.send(Method::POST, "/airgap", &own, kind, &body).await;
        assert_eq!(refused.status, status);
        assert!(refused.html.contains("othing was"), "{}", refused.html);
    }
    let (id, token) = browser.seat("artist@example.com").await;
    let token = seatlock_protocol::Token::parse(&token, seatlock_protocol::TokenKind::Integration).unwrap();
    let machine = seatlock_protocol::MachineId::derive(crate::harness::PRODUCT, "linux", "vault");
    let file = serde_json::json!({
        "format": "seatlock-request", "version": 1, "call": "lease", "issuer": crate::harness::ISSUER,
        "token_hash": token.hash(),
        "request": {
            "nonce": seatlock_protocol::Nonce::new([7; 16]).to_string(), "product": crate::harness::PRODUCT,
            "machine": { "id": machine, "source": "os" }, "install_id": uuid::Uuid::new_v4(), "intent": "launch",
            "renewal": null, "client": { "lib": "1.0.0", "host": "blender" }, "clock": { "wall": 0 },
        },
    });
    let check = browser.send(Method::POST, "/airgap", &own, kind, &upload(&file.to_string())).await;
    check.says(&machine.short()).says("Make the lease file");
    browser.get(&format!("/seats/{id}")).await.says("Never used");
    let (_, carried) = check.html.split_once("name=\"file\" value=\"").unwrap();
    let carried = carried.split('"').next().unwrap().replace("&#34;", "\"").replace("&quot;", "\"");
    let done = browser.post("/airgap/answer", &[("file", &carried)]).await;
    done.says("data:application/json;base64,").says("Lease file made");
    browser.get(&format!("/seats/{id}")).await.says("In use");
}

/// However many rows a page shows, the database is asked as often as for few.
#[tokio::test]
async fn each_page_asks_the_database_a_few_times_only() {
    let site = Site::new(&["--seats", "40"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let statements = || site.said().matches("sqlx::query").count();
    let mut counted = Vec::new();
    for seats in [2, 38] {
        site.seats(seats).await;
        let id = site.cli(&["seat", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
        let of_the_seat = ["", "/refresh", "/release", "/revoke"].map(|page| format!("/seats/{id}{page}"));
        let pages = ["/seats", "/seats.csv", "/seats/new", "/tokens", "/account", "/audit", "/airgap"];
        for page in pages.iter().map(ToString::to_string).chain(of_the_seat) {
            // A sweep, or a session that was seen again, may come between.
            let mut least = usize::MAX;
            for _ in 0..3 {
                let before = statements();
                assert!(browser.get(&page).await.status.as_u16() < 400, "{page}");
                least = least.min(statements() - before);
            }
            counted.push((page.replace(&id, "ID"), least));
        }
    }
    let (many, few) = (counted.split_off(counted.len() / 2), counted);
    assert_eq!(few, many);
    assert!(few.iter().all(|(_, count)| (1..=STATEMENTS).contains(count)), "{few:?}");
}
