//! What the pages of an owner say, after every way in which a browser can come back to them.

use crate::browser::{Browser, OWNER, Page, user};
use crate::harness::{Plugin, Site, http_client};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use seatlock_protocol::Code;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

const ARTIST: &str = "artist@example.com";

/// A mail server that takes every letter: its URL in a file, and what it took.
fn mail_server(site: &Site) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let file = site.scratch("smtp");
    std::fs::write(&file, format!("smtp://{}", listener.local_addr().unwrap())).unwrap();
    let letters = Arc::new(Mutex::new(Vec::new()));
    let taken = letters.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (mut answers, taken) = (stream.try_clone().unwrap(), taken.clone());
            thread::spawn(move || {
                let mut letter: Option<String> = None;
                let mut say = |words: &str| answers.write_all(words.as_bytes()).unwrap();
                say("220 mail.example.com\r\n");
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    match (&mut letter, line.as_str()) {
                        (Some(_), ".") => {
                            taken.lock().unwrap().push(letter.take().unwrap());
                            say("250 OK\r\n");
                        }
                        (Some(text), line) => text.push_str(&format!("{line}\n")),
                        (None, "DATA") => {
                            letter = Some(String::new());
                            say("354 go on\r\n");
                        }
                        (None, "QUIT") => return say("221 bye\r\n"),
                        (None, _) => say("250 OK\r\n"),
                    }
                }
            });
        }
    });
    (file.to_str().unwrap().to_owned(), letters)
}

/// The parts of a letter, read as a mail program does.
fn read(letter: &str) -> String {
    let mut text = String::new();
    for part in letter.split("Content-Transfer-Encoding: ").skip(1) {
        let (how, body) = part.split_once("\n\n").unwrap();
        let body = body.split("\n--").next().unwrap();
        text.push_str(&match how.lines().next().unwrap() {
            "base64" => {
                let bytes = STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap();
                String::from_utf8(bytes).unwrap()
            }
            "quoted-printable" => body.replace("=\n", "").replace("=3D", "="),
            _ => body.to_owned(),
        });
    }
    text
}

/// The path of the one-time link in a letter.
fn link(letter: &str) -> String {
    let text = read(letter);
    let (_, rest) = text.split_once("/open/").unwrap_or_else(|| panic!("no link in {text}"));
    format!("/open/{}", &rest[..43])
}

#[tokio::test]
async fn a_token_page_is_gone_back_to_and_loaded_again() {
    let site = Site::new(&["--seats", "5"]);
    let password = user(&site, OWNER, &[]);
    let other = user(&site, "other@nordlicht.example", &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;

    // The answer to a form is an address, so neither Back nor Reload sends the form again.
    let key = browser.get("/seats/new").await.field("form_key");
    let form = [("form_key", key.as_str()), ("email", ARTIST)];
    let at = browser.post("/seats/new", &form).await.location().to_owned();
    let shown = browser.get(&at).await;
    let token = shown.reads("Seat created").secret();
    for _ in 0..2 {
        let back = browser.get(&at).await;
        assert_eq!(back.status, 200);
        assert_eq!(back.reads("Seat created").find_secret().as_ref(), Some(&token));
    }
    assert_eq!(
        browser.post("/seats/new", &form).await.location(),
        at,
        "sent again, it leads to the same page"
    );
    assert_eq!(site.cli(&["seat", "list"]).json().as_array().unwrap().len(), 1);

    // The address alone is worth nothing.
    let mut colleague = Browser::signed_in(&server, "other@nordlicht.example", &other).await;
    let foreign = colleague.get(&at).await;
    assert_eq!((foreign.status.as_u16(), foreign.find_secret()), (410, None));
    browser.cookies.clear();
    assert!(browser.get(&at).await.location().starts_with("/sign-in?next=%2Fseats%2F"));
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;

    // A refresh is shown the same way; then the older page tells the truth, and shows no token that is
    // dead.
    let id = &at["/seats/".len()..][..36];
    let path = format!("/seats/{id}/refresh");
    let key = browser.get(&path).await.field("form_key");
    let form = [("form_key", key.as_str()), ("email", ARTIST)];
    let refreshed = browser.post(&path, &form).await.location().to_owned();
    let new = browser.get(&refreshed).await.reads("Token replaced").secret();
    assert_ne!(new, token);
    assert_eq!(browser.post(&path, &form).await.location(), refreshed);
    let older = browser.get(&at).await;
    assert_eq!((older.status.as_u16(), older.find_secret()), (410, None));
    older.reads("no longer works");
    let shown = browser.get(&refreshed).await;
    assert_eq!(shown.reads("Token replaced").find_secret(), Some(new));

    // A day later nobody can look it up.
    site.age(86_401).await;
    sqlx::query("UPDATE remembered SET created_at = created_at - 86401")
        .execute(&mut site.database().await)
        .await
        .unwrap();
    let late = browser.get(&refreshed).await;
    assert_eq!((late.status.as_u16(), late.find_secret()), (410, None));
    late.reads("cannot be shown again");

    // API tokens.
    let key = browser.get("/tokens").await.field("form_key");
    let form = [("form_key", key.as_str()), ("name", "nightly")];
    let at = browser.post("/tokens", &form).await.location().to_owned();
    let token = browser.get(&at).await.reads("API token created").find_secret();
    assert!(token.as_ref().is_some_and(|token| token.starts_with("sat_")));
    assert_eq!(browser.get(&at).await.find_secret(), token);
    assert_eq!(browser.post("/tokens", &form).await.location(), at);
    assert_eq!(colleague.get(&at).await.find_secret(), None);
    let id = &at["/tokens/".len()..][..36];
    browser.try_submit(&format!("/tokens/{id}/delete"), &[]).await;
    let deleted = browser.get(&at).await;
    assert_eq!((deleted.status.as_u16(), deleted.find_secret()), (410, None));
}

#[tokio::test]
async fn what_is_sent_twice_arrives_once() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let (url, letters) = mail_server(&site);
    let server = site.serve_with(&["--mail-from", "l@example.com", "--smtp-url-file", &url]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _, at) = browser.seat_and_address(ARTIST).await;
    let path = format!("/seats/{id}/share");
    let send = async |browser: &mut Browser<'_>, form_key: &str, key: &str| {
        let form = [("key", key), ("form_key", form_key), ("email", ARTIST), ("send_as", "link")];
        browser.try_submit(&path, &form).await
    };
    let page = browser.get(&at).await;
    let (form_key, key) = (page.field("form_key"), page.field("key"));
    send(&mut browser, &form_key, &key).await.reads("A one-time link was sent to artist@example.com");
    assert_eq!(letters.lock().unwrap().len(), 1);
    // By a double click, or Back and Send.
    send(&mut browser, &form_key, &key).await.reads("no second e-mail");
    assert_eq!(letters.lock().unwrap().len(), 1);
    // A reload says nothing of sending, because nothing was sent by it.
    let reloaded = browser.get(&at).await;
    reloaded.does_not_read("was sent to");
    // Whoever means it sends another one, and only the newest link works.
    send(&mut browser, &reloaded.field("form_key"), &key).await.reads("was sent to");
    let links: Vec<String> = letters.lock().unwrap().iter().map(|letter| link(letter)).collect();
    assert_eq!(links.len(), 2);
    assert_eq!(browser.get(&links[0]).await.status, 410, "withdrawn");
    assert_eq!(browser.get(&links[1]).await.status, 200);
    assert!(browser.post(&links[1], &[]).await.find_secret().is_some());
    assert_eq!(browser.post(&links[1], &[]).await.status, 410);
}

#[tokio::test]
async fn no_address_can_lie() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let other = user(&site, "other@nordlicht.example", &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, token, _) = browser.seat_and_address(ARTIST).await;
    let seat = format!("/seats/{id}");
    for (address, lie) in [
        (format!("{seat}?done=revoked"), "was revoked"),
        (format!("{seat}?done=released"), "was released"),
        (format!("{seat}?done=nothing"), "nothing left to do"),
        ("/account?done=password".to_owned(), "was changed"),
        ("/tokens?done=deleted".to_owned(), "was deleted"),
    ] {
        browser.get(&address).await.does_not_read(lie);
    }

    // What was really done is said once, on its own page, and to whoever did it.
    server.lease("activate", &mut Plugin::new(&token, "one")).await;
    let done = browser.post(&format!("{seat}/release"), &[]).await;
    assert_eq!(done.location(), seat);
    let (name, value) = browser.cookies.iter().find(|(name, _)| name.contains("flash")).unwrap();
    let flash = (name.clone(), value.clone());
    browser.get("/account").await.does_not_read("was released");
    browser.get(&seat).await.reads("The seat was released.");
    assert!(!browser.cookies.contains_key(&flash.0));
    browser.get(&seat).await.does_not_read("The seat was released.");
    let mut colleague = Browser::signed_in(&server, "other@nordlicht.example", &other).await;
    colleague.cookies.insert(flash.0.clone(), flash.1.clone());
    colleague.get(&seat).await.does_not_read("The seat was released.");
    let mut changed = flash.1.into_bytes();
    let last = changed.len() - 3;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    browser.cookies.insert(flash.0, String::from_utf8(changed).unwrap());
    browser.get(&seat).await.does_not_read("The seat was released.");

    browser.try_submit(&format!("{seat}/release"), &[]).await.reads("nothing left to do");
    browser
        .try_submit(&format!("{seat}/revoke"), &[("confirm", "revoke")])
        .await
        .reads("The seat was revoked.");
    let new = "four plain words here";
    let form = [("current", password.as_str()), ("new", new), ("again", new)];
    browser.try_submit("/account/password", &form).await.reads("password was changed");
    browser.get("/account").await.does_not_read("password was changed");
    let out = browser.try_submit("/account/sign-out-everywhere", &[]).await;
    out.reads("You are signed out everywhere.");
    browser.get("/sign-in?out=everywhere").await.does_not_read("signed out");
    // Whoever comes with a session that is over is told why there is a form.
    browser.cookies.insert("__Host-seatlock".to_owned(), "A".repeat(43));
    browser.get("/sign-in?next=%2Fseats").await.reads("Your session has ended");
}

/// Every control that is grey says why, in words that belong to it.
fn grey_controls_have_reasons(page: &Page) {
    for tag in page.html.split('<').filter(|tag| tag.split('>').next().unwrap().contains(" disabled")) {
        if tag.starts_with("option") {
            continue;
        }
        let described = tag.split_once("aria-describedby=\"").unwrap_or_else(|| panic!("{tag}")).1;
        let id = described.split('"').next().unwrap();
        assert!(page.html.contains(&format!("id=\"{id}\"")), "{tag}");
    }
}

#[tokio::test]
async fn where_no_seat_can_be_made_the_page_says_why() {
    for (name, options, reason) in [
        ("starter", &["--plan", "starter"][..], "The Starter plan does not include plug-ins"),
        ("suspended", &["--suspend"], "The Pro subscription is suspended"),
        ("ended", &["--expires", "2020-01-01"], "The Pro subscription ended"),
        ("no place", &["--seats", "1"], "All tokens are issued"),
    ] {
        let site = Site::new(&[]);
        let password = user(&site, OWNER, &[]);
        if name == "no place" {
            site.seat(ARTIST);
        }
        site.change(options);
        let server = site.serve();
        let mut browser = Browser::signed_in(&server, OWNER, &password).await;
        let page = browser.get("/seats/new").await;
        page.reads(reason);
        assert!(!page.html.contains("type=\"submit\">Create seat"), "{name}: {}", page.html);
        let list = browser.get("/seats").await;
        list.reads(reason.split(" does").next().unwrap()).does_not_read("Create a seat for");
        for page in [page, list] {
            grey_controls_have_reasons(&page);
        }
    }
    let site = Site::new(&[]);
    let account = site.cli(&["account", "create", "Empty"]).json()["id"].as_str().unwrap().to_owned();
    let password = user(&site, OWNER, &["--account", &account]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    browser.get("/seats/new").await.reads("no license yet");
}

#[tokio::test]
async fn buttons_of_a_seat_that_are_grey_have_reasons() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _, _) = browser.seat_and_address(ARTIST).await;
    let page = browser.get(&format!("/seats/{id}")).await;
    assert!(page.html.contains(" disabled"), "nobody uses the seat, so it cannot be released");
    grey_controls_have_reasons(&page);
    site.change(&["--suspend"]);
    browser.get(&format!("/seats/{id}")).await.reads("Suspended");
}

#[tokio::test]
async fn a_license_says_what_it_is_for_and_when_it_ends() {
    let site = Site::new(&["--seats", "12"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve_with(&["--product-name", "com.example.bridge=Example Bridge"]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    browser.get("/seats").await.reads("Example Bridge").does_not_read("com.example.bridge");
    let in_days = |days: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let end =
            seatlock_protocol::UnixTime::new(i64::try_from(now + days * 86_400 + 3600).unwrap()).unwrap();
        seatlock_server::domain::timestamp(end)
    };
    site.change(&["--expires", &in_days(5)]);
    browser.get("/seats").await.reads("The Pro subscription ends in 5 days").reads("Ends soon");
    site.change(&["--expires", &in_days(90)]);
    browser.get("/seats").await.does_not_read("subscription ends in").reads("Active");

    for person in 0..9 {
        site.seat(&format!("artist{person}@example.com"));
    }
    let changed = site.command(&["license", "change", &site.license, "--seats", "4"]).output().unwrap();
    let told = String::from_utf8(changed.stdout).unwrap();
    assert!(told.contains("9 tokens") && told.contains("4 seats"), "{told}");
    browser.get("/seats").await.reads("9 tokens exist, but the license has 4 seats").reads("Revoke 5");
}

#[tokio::test]
async fn windows_are_told_in_their_real_length() {
    let site = Site::new(&["--seats", "5"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (mut ids, mut plugins) = (Vec::new(), Vec::new());
    for name in ["one", "two"] {
        let (id, token, _) = browser.seat_and_address(&format!("{name}@example.com")).await;
        let mut plugin = Plugin::new(&token, name);
        server.lease("activate", &mut plugin).await;
        ids.push(id);
        plugins.push(plugin);
    }
    for (option, words) in [
        ("60s", "60 seconds"),
        ("61s", "61 seconds"),
        ("30m", "30 minutes"),
        ("1h", "60 minutes"),
        ("90m", "90 minutes"),
        ("121m", "121 minutes"),
        ("24h", "24 hours"),
        ("25h", "25 hours"),
        ("7d", "7 days"),
    ] {
        site.change(&["--release-window", option, "--airgap-ttl", option]);
        browser
            .get(&format!("/seats/{}", ids[0]))
            .await
            .reads(&format!("One release per license in {words}"));
        browser.get(&format!("/seats/{}/release", ids[0])).await.reads(&format!("one release in {words}"));
        browser.get("/airgap").await.reads(&format!("for {words}"));
    }
    site.change(&["--release-window", "30m"]);
    browser.try_submit(&format!("/seats/{}/release", ids[0]), &[]).await;
    let refused = browser.post(&format!("/seats/{}/release", ids[1]), &[]).await;
    assert_eq!(refused.status, 409);
    refused.reads("One release is possible per license in 30 minutes");
    let refusal = server.call("release", &plugins[1]).await.refusal();
    assert_eq!(refusal.code, Code::ReleaseRateLimited);
    assert_eq!(refusal.params.get("window").map(String::as_str), Some("30 minutes"));
    let text = refusal.code.text(|name| refusal.params.get(name).map(String::as_str));
    assert!(text.contains("in 30 minutes") && !text.contains("24 hours"), "{text}");
    let unknown = refusal.code.text(|_| None);
    assert!(!unknown.contains("24") && !refusal.code.row().remedy.contains("24"), "{unknown}");
}

#[tokio::test]
async fn trouble_with_mail_says_nothing_of_the_mail_server() {
    let site = Site::new(&["--seats", "9"]);
    let password = user(&site, OWNER, &[]);
    let nobody = xtask::port::Port::hold().unwrap();
    let file = site.scratch("smtp");
    std::fs::write(&file, format!("smtp://127.0.0.1:{}", nobody.number())).unwrap();
    let server =
        site.serve_with(&["--mail-from", "l@example.com", "--smtp-url-file", file.to_str().unwrap()]);
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let key = browser.get("/seats/new").await.field("form_key");
    let form = [("form_key", key.as_str()), ("email", ARTIST), ("send", "on"), ("send_as", "link")];
    let page = browser.try_submit("/seats/new", &form).await;
    page.reads("could not be sent").reads("Try again");
    for foreign in ["127.0.0.1", &nobody.number().to_string(), "refused", "os error", "mail server"] {
        page.does_not_read(foreign);
    }
    assert!(page.find_secret().is_some(), "the token is there all the same");
    assert!(site.said().contains("127.0.0.1"), "the log knows");
}

#[tokio::test]
async fn a_letter_names_the_product_and_whom_to_ask() {
    let site = Site::new(&["--support", "https://example.com/help"]);
    let password = user(&site, OWNER, &[]);
    let (url, letters) = mail_server(&site);
    let options = ["--mail-from", "l@example.com", "--smtp-url-file", &url, "--product-name"];
    let server = site.serve_with(&[&options[..], &["com.example.bridge=Example Bridge"]].concat());
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let key = browser.get("/seats/new").await.field("form_key");
    let form = [("form_key", key.as_str()), ("email", ARTIST), ("send", "on"), ("send_as", "link")];
    browser.try_submit("/seats/new", &form).await.reads("was sent to");
    let letter = letters.lock().unwrap()[0].clone();
    assert!(letter.contains("Subject: mira@nordlicht.example shares Example Bridge with you"), "{letter}");
    let text = read(&letter);
    assert!(text.contains("Example Bridge") && !text.contains("com.example.bridge"), "{text}");
    assert!(text.contains("https://example.com/help"), "{text}");
}

#[tokio::test]
async fn an_admin_is_no_member_of_a_customers_account() {
    let site = Site::new(&["--account", "Pixel Forge Studio"]);
    let password = user(&site, "admin@example.com", &["--role", "admin"]);
    user(&site, "second@example.com", &["--role", "admin"]);
    // The customer is still the only one to be meant.
    user(&site, OWNER, &[]);
    let users = site.cli(&["user", "list"]).json();
    let account = |email: &str| {
        let found = users.as_array().unwrap().iter().find(|user| user["email"] == email).unwrap();
        found["account"].as_str().unwrap().to_owned()
    };
    assert_ne!(account("admin@example.com"), account(OWNER));
    assert_eq!(account("admin@example.com"), account("second@example.com"));
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, "admin@example.com", &password).await;
    for path in ["/seats", "/account", "/audit"] {
        let page = browser.get(path).await;
        assert!(!page.html.contains("Pixel Forge Studio"), "{path}: {}", page.html);
    }
    browser.get("/audit?verify").await.reads("The record is intact");
}

#[tokio::test]
async fn api_tokens_need_a_plan_with_seats() {
    for (options, status) in [
        (&["--plan", "starter"][..], 409),
        (&["--suspend"], 409),
        (&["--expires", "2020-01-01"], 409),
        (&["--plan", "pro"], 303),
    ] {
        let site = Site::new(&[]);
        let password = user(&site, OWNER, &[]);
        site.change(options);
        let server = site.serve();
        let mut browser = Browser::signed_in(&server, OWNER, &password).await;
        let page = browser.get("/tokens").await;
        assert_eq!(page.html.contains("name=\"form_key\""), status == 303, "{options:?}: {}", page.html);
        let key = "a key of a form";
        let made = browser.post("/tokens", &[("form_key", &key.replace(' ', "-")), ("name", "script")]).await;
        assert_eq!(made.status.as_u16(), status, "{options:?} {}", made.words());
        if status != 303 {
            let why = match options {
                ["--suspend"] => "paused",
                ["--expires", _] => "ended on 2020-01-01",
                _ => "plan",
            };
            page.reads("API tokens can be created").reads(why);
        }
    }
}

#[tokio::test]
async fn a_new_token_can_be_for_somebody_else() {
    let site = Site::new(&["--seats", "2"]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let (id, _, _) = browser.seat_and_address("leaver@example.com").await;
    let path = format!("/seats/{id}/refresh");
    let page = browser.get(&path).await;
    assert_eq!(page.field("email"), "leaver@example.com");
    let key = page.field("form_key");
    let wrong = browser.post(&path, &[("form_key", &key), ("email", "nobody")]).await;
    assert_eq!(wrong.status, 422);
    wrong.reads("There is no @ in it; it looks like name@example.com.");
    let done = browser.try_submit(&path, &[("form_key", &key), ("email", "successor@example.com")]).await;
    done.reads("successor@example.com").does_not_read("leaver@example.com");
    browser.get(&format!("/seats/{id}")).await.reads("successor@example.com");
    assert_eq!(site.show(&id)["shared_with"], "successor@example.com");
    browser.get("/audit").await.reads("from leaver@example.com to successor@example.com");
    site.cli(&["audit", "verify"]).json();
}

#[tokio::test]
async fn a_page_that_is_not_possible_now_offers_to_try_again() {
    let site = Site::new(&[]);
    let password = user(&site, OWNER, &[]);
    let server = site.serve();
    let mut browser = Browser::signed_in(&server, OWNER, &password).await;
    let mut database = site.database().await;
    sqlx::query("ALTER TABLE license RENAME TO licence").execute(&mut database).await.unwrap();
    let page = browser.get("/seats?q=jonas").await;
    assert!(page.status.is_server_error());
    assert!(page.html.contains("href=\"/seats?q=jonas\""), "{}", page.html);
    page.reads("Try again");
}

#[tokio::test]
async fn the_description_of_the_api_belongs_to_the_pages() {
    let site = Site::new(&[]);
    let server = site.serve();
    let page = http_client().get(format!("{}/admin/v1/docs", server.url)).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("href=\"/tokens\""), "no way back");
    for tag in html.split('<').filter(|tag| tag.starts_with("pre")) {
        let tag = tag.split('>').next().unwrap();
        assert!(tag.contains("tabindex=\"0\"") && tag.contains("aria-label=\""), "{tag}");
    }
    // Both style sheets give the same names the same colours.
    let colours = async |path: &str| {
        let text = http_client().get(format!("{}{path}", server.url)).send().await.unwrap();
        let text = text.text().await.unwrap();
        let of = |name: &str| {
            text.split(&format!("--{name}: "))
                .skip(1)
                .map(|rest| rest.split(';').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        ["ground", "surface", "raised", "line", "text", "muted", "accent"].map(of)
    };
    assert_eq!(colours("/admin/v1/docs.css").await, colours("/assets/style.css").await);
}
