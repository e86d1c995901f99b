//! What the admin API does, for whom, and what it refuses.

use crate::harness::{
    Plugin, Server, Site,
    admin::{Admin, UNKNOWN, file},
    join_all,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Two accounts: one with an administrator and an owner, one with an owner only.
struct Town {
    site: Site,
    account: String,
    other: String,
    other_license: String,
    root: String,
    owner: String,
    stranger: String,
    root_id: String,
    owner_id: String,
}

fn town(options: &[&str]) -> Town {
    let site = Site::new(options);
    let account = site.account();
    let other = site.cli(&["account", "create", "Other Ltd"]).json()["id"].as_str().unwrap().to_owned();
    let license =
        ["license", "create", "--account", &other, "--product", crate::harness::PRODUCT, "--seats", "3"];
    let other_license = site.cli(&license).json()["id"].as_str().unwrap().to_owned();
    let (root, root_id) = site.user("root@example.com", "admin", &account);
    let (owner, owner_id) = site.user("owner@example.com", "owner", &account);
    let (stranger, _) = site.user("stranger@example.org", "owner", &other);
    Town { site, account, other, other_license, root, owner, stranger, root_id, owner_id }
}

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

async fn seat(admin: &Admin<'_>, token: &str, license: &str, email: &str) -> (String, String) {
    let made = admin.post(token, "/seats", json!({ "email": email, "license": license })).await.ok();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// One request for each answer that is described; nothing else is answered. What breaks servers
/// (500, 503) is left out.
#[tokio::test]
async fn what_is_described_is_answered() {
    let town = town(&["--seats", "3"]);
    let Town { site, account, other_license, root, owner, root_id, owner_id, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let license = site.license.clone();
    let (id, token) = seat(&admin, root, &license, "ada@example.com").await;
    let (held, held_token) = seat(&admin, root, &license, "bob@example.com").await;
    let cookie = site.session(root_id).await;
    let big = format!("{{\"email\":\"{}\"}}", "a".repeat(64 * 1024));

    let issuer = json!({ "issuer": "https://login.example.com", "audience": "seats" });
    let login = admin.post(root, "/issuers", issuer.clone()).await.id();

    // Nobody, and somebody with another kind of token, at every address; what is read is read by an
    // administrator.
    for (method, path, _) in admin.described() {
        let path = path.strip_prefix("/admin/v1").unwrap();
        let name = match path {
            _ if path.starts_with("/licenses") => &license,
            _ if path.starts_with("/issuers") => &login,
            _ => &id,
        };
        let path = path.replace("{id}", name).replace("{name}", "pro");
        let asked = format!("{method} {path}");
        assert_eq!(admin.ask(&asked).send().await.refusal(), (401, "no_token".to_owned()), "{asked}");
        let wrong = admin.ask(&asked).token(&token).send().await.refusal();
        assert_eq!(wrong, (403, "token_wrong_kind".to_owned()), "{asked}");
        if method == "GET" {
            assert_eq!(admin.get(root, &path).await.status, 200, "{asked}");
        }
    }

    // Bodies and parameters that cannot be so.
    for path in ["/seats", "/audit", "/accounts", "/users", "/licenses", "/issuers"] {
        for query in ["limit=0", "limit=501", "limit=x", "after=!", "color=red", "limit=1&limit=2"] {
            let answer = admin.get(root, &format!("{path}?{query}")).await.refusal();
            assert_eq!(answer, (400, "invalid_argument".to_owned()), "{path} {query}");
        }
    }
    for path in ["/seats.csv?status=lost", "/usage?account=x", "/audit/verify?from_checkpoint=x"] {
        assert_eq!(admin.get(root, path).await.status, 400, "{path}");
    }
    for asked in [
        "POST /seats".to_owned(),
        "POST /api-tokens".to_owned(),
        "POST /accounts".to_owned(),
        "POST /users".to_owned(),
        "POST /licenses".to_owned(),
        "POST /airgap".to_owned(),
        "POST /issuers".to_owned(),
        format!("PATCH /issuers/{login}"),
        format!("PATCH /licenses/{license}"),
        format!("PATCH /users/{owner_id}"),
        format!("PUT /users/{owner_id}/password"),
        "PUT /plans/pro".to_owned(),
    ] {
        let body = |kind: &str, body: &str| admin.ask(&asked).token(root).body(kind, body.to_owned()).send();
        for wrong in ["", "{", "[]", "{\"role\":null}", "null", "\u{0}", "{\"x\":1}", &"[".repeat(30_000)] {
            let refused = body("application/json", wrong).await.refusal();
            assert_eq!(refused, (400, "invalid_argument".to_owned()), "{asked} {wrong:.20}");
        }
        assert_eq!(body("application/json", &big).await.status, 413, "{asked}");
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            assert_eq!(body(kind, "{}").await.status, 415, "{asked} {kind}");
        }
    }

    let refresh = |kind: &str, body: &str| {
        admin.ask(&format!("POST /seats/{id}/refresh")).token(root).body(kind, body.to_owned()).send()
    };
    for wrong in ["{", "[]", "null", "{\"x\":1}", "{\"email\":1}"] {
        assert_eq!(refresh("application/json", wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(refresh("application/json", &big).await.status, 413);
    assert_eq!(refresh("text/plain", "{}").await.status, 415);
    for (email, status) in [("ada@example.com", 200), ("eve@example.com", 422)] {
        let ask = admin.ask(&format!("POST /seats/{id}/refresh")).token(root).header("idempotency-key", "k0");
        assert_eq!(ask.json(&json!({ "email": email })).send().await.status, status);
    }

    // What is done to a seat, and to users.
    for act in ["release", "refresh", "revoke", "allow"] {
        let path = format!("/seats/{id}/{act}");
        assert_eq!(admin.ask(&format!("POST {path}?dry_run=maybe")).token(root).send().await.status, 400);
        assert_eq!(admin.ask(&format!("POST {path}")).header("cookie", &cookie).send().await.status, 415);
        let gone = format!("POST /seats/{UNKNOWN}/{act}");
        assert_eq!(admin.ask(&gone).token(root).send().await.refusal(), (404, "not_found".to_owned()));
        let done = admin.ask(&format!("POST {path}?dry_run=true")).token(root).send().await.ok();
        assert_eq!((&done["dry_run"], &done["changed"]), (&json!(true), &json!(false)), "{act}");
    }
    let mut plugin = Plugin::new(&held_token, "bench");
    server.lease("activate", &mut plugin).await;
    let release = |seat: &str| admin.ask(&format!("POST /seats/{seat}/release")).token(root).send();
    assert_eq!(release(&held).await.ok()["lock_status"], "released");
    server.lease("activate", &mut plugin).await;
    assert_eq!(release(&held).await.refusal(), (429, "release_rate_limited".to_owned()));
    assert_eq!(admin.get(root, &format!("/seats/{UNKNOWN}")).await.status, 404);
    assert_eq!(admin.get(root, "/seats/1%3B%20DROP%20TABLE%20seat").await.status, 404);
    assert_eq!(admin.get(root, &format!("/licenses/{UNKNOWN}")).await.status, 404);
    for asked in [format!("PATCH /users/{UNKNOWN}"), format!("PATCH /licenses/{UNKNOWN}")] {
        let body = if asked.contains("users") {
            json!({ "role": "owner" })
        } else {
            json!({ "settings": { "seats_max": 1 } })
        };
        assert_eq!(admin.ask(&asked).token(root).json(&body).send().await.status, 404, "{asked}");
    }
    let password = |user: &str| admin.ask(&format!("POST /users/{user}/password")).token(root).send();
    assert_eq!(password(UNKNOWN).await.status, 404);
    assert_eq!(password(root_id).await.refusal(), (400, "invalid_argument".to_owned()));
    assert_eq!(password(owner_id).await.ok()["password"].as_str().unwrap().len(), 20);
    for (user, status) in [(UNKNOWN, 404), (owner_id, 200)] {
        let set = admin.ask(&format!("PUT /users/{user}/password")).token(root);
        assert_eq!(set.json(&json!({ "password": "correct horse battery" })).send().await.status, status);
    }
    let path = format!("POST /users/{owner_id}/password");
    assert_eq!(admin.ask(&path).header("cookie", &cookie).send().await.status, 415);
    let owner_user = format!("PATCH /users/{owner_id}");
    assert_eq!(admin.ask(&owner_user).token(root).json(&json!({ "role": "owner" })).send().await.status, 200);

    // What is made.
    let again = |path: &str, key: &str, body: Value| {
        admin.ask(&format!("POST {path}")).token(root).header("idempotency-key", key).json(&body).send()
    };
    let lost = again("/seats", "k1", json!({ "email": "eve@example.com", "license": other_license })).await;
    let (location, eve) = (lost.headers["location"].to_str().unwrap().to_owned(), lost.ok());
    assert_eq!(location, format!("/admin/v1/seats/{}", eve["id"].as_str().unwrap()));
    let reused = again("/seats", "k1", json!({ "email": "mallory@example.com", "license": other_license }))
        .await
        .refusal();
    assert_eq!(reused, (422, "idempotency_key_reused".to_owned()));
    let none = json!({ "email": "ada@example.com", "license": UNKNOWN });
    assert_eq!(admin.post(root, "/seats", none).await.refusal(), (404, "not_found".to_owned()));
    seat(&admin, root, &license, "third@example.com").await;
    let fourth = json!({ "email": "fourth@example.com", "license": license });
    assert_eq!(admin.post(root, "/seats", fourth).await.refusal(), (409, "seat_limit_reached".to_owned()));

    let made = again("/api-tokens", "k2", json!({ "name": "two" })).await;
    assert_eq!(again("/api-tokens", "k2", json!({ "name": "other" })).await.status, 422);
    assert_eq!(admin.post(root, "/api-tokens", json!({ "name": "three" })).await.status, 201);
    let fourth = admin.post(root, "/api-tokens", json!({ "name": "four" })).await;
    assert_eq!(fourth.refusal(), (409, "api_token_limit".to_owned()));
    assert!(fourth.json()["detail"].as_str().unwrap().contains("3 API tokens"), "{}", fourth.text);
    let own = format!("DELETE /api-tokens/{}", made.id());
    assert_eq!(admin.ask(&own).header("cookie", &cookie).send().await.status, 415);
    assert_eq!(admin.ask(&own).token(owner).send().await.status, 404, "somebody else's");
    assert_eq!(admin.ask(&own).token(root).send().await.status, 204);
    assert_eq!(admin.ask(&own).token(root).send().await.status, 404);
    assert_eq!(
        again("/api-tokens", "k2", json!({ "name": "two" })).await.status,
        404,
        "made, and deleted since"
    );

    assert_eq!(admin.post(root, "/accounts", json!({ "name": "New" })).await.ok()["name"], "New");
    let user = |account: &str| json!({ "email": "new@example.com", "role": "owner", "account": account });
    assert_eq!(admin.post(root, "/users", user(UNKNOWN)).await.refusal(), (404, "not_found".to_owned()));
    let added = admin.post(root, "/users", user(account)).await.ok();
    assert_eq!((added["password"].as_str().unwrap().len(), &added["role"]), (20, &json!("owner")));
    assert_eq!(admin.post(root, "/users", user(account)).await.refusal(), (409, "conflict".to_owned()));
    let licensed = |account: &str| json!({ "account": account, "settings": { "products": ["p"] } });
    assert_eq!(admin.post(root, "/licenses", licensed(account)).await.ok()["settings"]["seats_max"], 1);
    assert_eq!(
        admin.post(root, "/licenses", licensed(UNKNOWN)).await.refusal(),
        (404, "not_found".to_owned())
    );
    let change =
        |body: Value| admin.ask(&format!("PATCH /licenses/{license}")).token(root).json(&body).send();
    assert_eq!(change(json!({ "settings": { "seats_max": 4 } })).await.ok()["settings"]["seats_max"], 4);
    let late = change(json!({ "settings": { "seats_max": 5 }, "version": "old" })).await.refusal();
    assert_eq!(late, (409, "conflict".to_owned()));
    let plan = json!({ "carries_seats": true, "entitlements": { "cad": {}, "sim": { "value": 2, "until": "2027-01-31T00:00:00Z" } } });
    assert_eq!(admin.ask("PUT /plans/studio").token(root).json(&plan).send().await.ok()["name"], "studio");

    assert_eq!(admin.post(root, "/issuers", issuer).await.refusal(), (409, "conflict".to_owned()));
    for (name, expected) in [(login.as_str(), 200), (UNKNOWN, 404)] {
        assert_eq!(admin.get(root, &format!("/issuers/{name}")).await.status, expected);
        let change =
            admin.ask(&format!("PATCH /issuers/{name}")).token(root).json(&json!({ "name": "Login" }));
        assert_eq!(change.send().await.status, expected);
        let remove = |query: &str| admin.ask(&format!("DELETE /issuers/{name}{query}"));
        assert_eq!(remove("").header("cookie", &cookie).send().await.status, 415);
        assert_eq!(remove("?dry_run=maybe").token(root).send().await.status, 400);
        assert_eq!(remove("").token(root).send().await.status, expected);
    }

    // Files of machines without a network.
    let carried = async |query: &str, call: &str, plugin: &Plugin| {
        admin.post(root, &format!("/airgap{query}"), file(call, plugin)).await
    };
    let mut lost = Plugin::new(eve["token"].as_str().unwrap(), "studio");
    let preview = carried("?dry_run=true", "lease", &lost).await;
    assert_eq!((preview.status, &preview.ok()["dry_run"]), (200, &json!(true)));
    let lease = carried("", "lease", &lost).await;
    assert_eq!((lease.status, &lease.ok()["format"]), (201, &json!("seatlock-lease")));
    let thief = Plugin::new(&lost.token, "thief");
    assert_eq!(carried("", "lease", &thief).await.refusal(), (409, "seat_in_use_elsewhere".to_owned()));
    lost.renewal = Some("no renewal secret".to_owned());
    assert_eq!(carried("", "release", &lost).await.refusal(), (409, "not_the_holder".to_owned()));
    (lost.renewal, lost.epoch) = (lease.ok()["renewal"].as_str().map(str::to_owned), Some(1));
    assert_eq!(carried("", "release", &lost).await.ok()["lease_until"], Value::Null);
    let again = carried("", "lease", &lost).await.ok();
    (lost.renewal, lost.epoch) = (again["renewal"].as_str().map(str::to_owned), Some(3));
    assert_eq!(carried("", "release", &lost).await.refusal(), (429, "release_rate_limited".to_owned()));
    let nobody = Plugin::new(&root.replace("sat_", "sit_"), "x");
    let nobody = seatlock_protocol::Token::parse(&nobody.token, seatlock_protocol::TokenKind::Integration);
    assert!(nobody.is_err(), "the kinds have checks of their own");
    let unknown = Plugin::new("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs", "x");
    assert_eq!(carried("", "lease", &unknown).await.refusal(), (404, "token_unknown".to_owned()));
    let mut elsewhere = file("lease", &lost);
    elsewhere["issuer"] = json!("other.example.com");
    assert_eq!(admin.post(root, "/airgap", elsewhere).await.refusal(), (400, "invalid_argument".to_owned()));
    site.cli(&["license", "change", other_license, "--terms", "2"]).json();
    assert_eq!(carried("", "lease", &lost).await.refusal(), (422, "terms_required".to_owned()));
    site.cli(&["license", "change", other_license, "--min-plugin", "9"]).json();
    assert_eq!(carried("", "lease", &lost).await.refusal(), (426, "plugin_too_old".to_owned()));

    let sign_in = "UPDATE seat SET issuer = 'https://login.example', subject = 'alice' WHERE id = ?";
    sqlx::query(sign_in).bind(&held).execute(&mut site.database().await).await.unwrap();
    let refresh = admin.ask(&format!("POST /seats/{held}/refresh")).token(root).send().await;
    assert_eq!(refresh.refusal(), (409, "conflict".to_owned()), "its user signs in");

    let given: BTreeSet<_> = admin.seen.lock().unwrap().clone();
    let described =
        admin.described().into_iter().filter(|(.., status)| ![500, 503].contains(status)).collect();
    let missing: Vec<_> = BTreeSet::difference(&described, &given).collect();
    assert!(missing.is_empty(), "described, but not given: {missing:#?}");
}

#[tokio::test]
async fn owners_see_and_change_what_is_theirs() {
    let town = town(&["--seats", "5"]);
    let Town { site, account, other, other_license, root, owner, stranger, owner_id, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let (mine, _) = seat(&admin, owner, &site.license, "ada@example.com").await;
    let (theirs, _) = seat(&admin, stranger, other_license, "bob@example.org").await;
    let ids = |list: &Value, name: &str| -> BTreeSet<String> {
        list["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    for (who, token, seats, licenses, accounts) in [
        ("owner", owner, set(&[&mine]), set(&[&site.license]), set(&[account])),
        ("stranger", stranger, set(&[&theirs]), set(&[other_license]), set(&[other])),
        ("root", root, set(&[&mine, &theirs]), set(&[&site.license, other_license]), set(&[account, other])),
    ] {
        for query in ["", "?account=", "?license="] {
            // Naming somebody else's account or license opens nothing.
            let query = match query {
                "?account=" if who != "root" => format!("?account={other}"),
                "?license=" if who == "owner" => format!("?license={other_license}"),
                _ => String::new(),
            };
            let seen = ids(&admin.get(token, &format!("/seats{query}")).await.ok(), "id");
            let expected = if query.starts_with("?license") { BTreeSet::new() } else { seats.clone() };
            assert_eq!(seen, expected, "{who} {query}");
        }
        let csv = admin.get(token, "/seats.csv").await.text;
        for id in [&mine, &theirs] {
            assert_eq!(csv.contains(id.as_str()), seats.contains(id), "{who}: {csv}");
        }
        assert_eq!(ids(&admin.get(token, "/licenses").await.ok(), "id"), licenses, "{who}");
        assert_eq!(ids(&admin.get(token, "/usage").await.ok(), "license"), licenses, "{who}");
        assert_eq!(ids(&admin.get(token, "/accounts").await.ok(), "id"), accounts, "{who}");
        assert_eq!(ids(&admin.get(token, "/users").await.ok(), "account"), accounts, "{who}");
        assert_eq!(ids(&admin.get(token, "/audit").await.ok(), "account"), accounts, "{who}");
    }

    // What belongs to another account is not there: not even the words differ from what does not exist.
    for (asked, body) in [
        (format!("GET /seats/{theirs}"), None),
        (format!("GET /licenses/{other_license}"), None),
        (format!("POST /seats/{theirs}/release"), None),
        (format!("POST /seats/{theirs}/refresh"), None),
        (format!("POST /seats/{theirs}/revoke"), None),
        ("POST /seats".to_owned(), Some(json!({ "email": "x@example.com", "license": other_license }))),
    ] {
        let send = |asked: &str, body: Option<Value>| {
            let ask = admin.ask(asked).token(owner);
            let ask = if let Some(body) = &body { ask.json(body) } else { ask };
            ask.send()
        };
        let refused = send(&asked, body.clone()).await;
        assert_eq!(refused.refusal(), (404, "not_found".to_owned()), "{asked}");
        let nowhere =
            |text: &str| text.replace(theirs.as_str(), UNKNOWN).replace(other_license.as_str(), UNKNOWN);
        let body = body.map(|body| serde_json::from_str(&nowhere(&body.to_string())).unwrap());
        let unknown = send(&nowhere(&asked), body).await;
        assert_eq!(nowhere(refused.json()["detail"].as_str().unwrap()), unknown.json()["detail"], "{asked}");
    }
    assert_eq!(
        admin.get(stranger, &format!("/seats/{theirs}")).await.ok()["epoch"],
        0,
        "nothing was changed"
    );

    // For administrators.
    for (asked, body) in [
        ("POST /accounts".to_owned(), json!({ "name": "x" })),
        ("POST /users".to_owned(), json!({ "email": "x@example.com", "role": "admin", "account": account })),
        (format!("PATCH /users/{owner_id}"), json!({ "role": "admin" })),
        (format!("POST /users/{owner_id}/password"), json!({})),
        ("POST /licenses".to_owned(), json!({ "account": account, "settings": { "products": ["p"] } })),
        (format!("PATCH /licenses/{}", site.license), json!({ "settings": { "seats_max": 1000 } })),
        ("PUT /plans/pro".to_owned(), json!({ "carries_seats": true, "entitlements": { "all": {} } })),
        ("POST /issuers".to_owned(), json!({ "issuer": "https://login.example.com", "audience": "x" })),
        (format!("PATCH /issuers/{UNKNOWN}"), json!({ "audience": "x" })),
        (format!("DELETE /issuers/{UNKNOWN}"), json!({})),
    ] {
        let refused = admin.ask(&asked).token(owner).json(&body).send().await.refusal();
        assert_eq!(refused, (403, "admins_only".to_owned()), "{asked}");
        let mine = admin.ask("PUT /plans/pro").token(owner).json(&json!({})).send().await.status;
        assert_eq!(mine, 400);
    }
    let me = admin.get(owner, "/me").await.ok();
    assert_eq!((&me["user"]["role"], &me["api_token"]), (&json!("owner"), &json!("script")));
    let entry = admin.get(owner, &format!("/audit?seat={mine}")).await.ok()["items"][0].clone();
    assert_eq!(entry["actor_name"], "owner@example.com");
    assert_eq!(entry["api_token"], "script");
}

#[tokio::test]
async fn nobody_is_let_in_by_something_else_than_his_own_token() {
    let town = town(&["--seats", "2"]);
    let Town { site, root, owner, root_id, owner_id, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let (_, seat_token) = seat(&admin, owner, &site.license, "ada@example.com").await;
    let cookie = site.session(root_id).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let guessed = format!("{}0HOh8r", "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE");
    let oauth = "soc_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE23XUDe".to_owned();
    let mistyped = root.get(..39).unwrap().to_owned();
    let cases: Vec<(String, u16, &str)> = vec![
        (bearer(&guessed), 401, "token_unknown"),
        (bearer(&mistyped), 401, "token_malformed"),
        (bearer(""), 401, "no_token"),
        (bearer("' OR 1=1 --"), 401, "token_malformed"),
        (bearer(&seat_token), 403, "token_wrong_kind"),
        (bearer(&oauth), 403, "token_wrong_kind"),
        (format!("Basic {root}"), 401, "no_token"),
        (root.clone(), 401, "no_token"),
        (bearer(&format!(" \"{root}\"")), 200, ""),
        (format!("bearer {root}"), 200, ""),
    ];
    for (header, status, code) in cases {
        // A session beside it does not help.
        let ask = admin.ask("GET /seats").header("authorization", &header).header("cookie", &cookie);
        let reply = ask.send().await;
        if status == 200 {
            assert_eq!(reply.status, 200, "{header}");
        } else {
            assert_eq!(reply.refusal(), (status, code.to_owned()), "{header}");
            assert!(!reply.text.contains("8uVq2Z") && !reply.text.contains(&mistyped), "{}", reply.text);
        }
    }
    let wrong = admin.get(&seat_token, "/seats").await.json()["detail"].as_str().unwrap().to_owned();
    assert!(wrong.contains("integration token") && wrong.contains("sat_"), "{wrong}");
    let wrong = admin.get(&oauth, "/seats").await.json()["detail"].as_str().unwrap().to_owned();
    assert!(wrong.contains("OAuth client") && wrong.contains("sat_"), "{wrong}");

    // Deleted: at once.
    let second = site.api_token("owner@example.com", "second");
    assert_eq!(admin.get(&second, "/seats").await.status, 200);
    let tokens = admin.get(owner, "/api-tokens").await.ok();
    let id = tokens["items"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(tokens["items"][1]["name"], "second");
    assert_eq!(admin.ask(&format!("DELETE /api-tokens/{id}")).token(&second).send().await.status, 204);
    assert_eq!(admin.get(&second, "/seats").await.refusal(), (401, "token_unknown".to_owned()));

    // Disabled: at once, and for good.
    let owner_user = format!("PATCH /users/{owner_id}");
    let disable = admin.ask(&owner_user).token(root).json(&json!({ "disabled": true })).send().await.ok();
    assert!(disable["disabled_at"].is_string());
    assert_eq!(admin.get(owner, "/seats").await.refusal(), (401, "token_unknown".to_owned()));
    let enable = admin.ask(&owner_user).token(root).json(&json!({ "disabled": false })).send().await.ok();
    assert_eq!(enable["disabled_at"], Value::Null);
    assert_eq!(admin.get(owner, "/seats").await.status, 401);
    let oneself = format!("PATCH /users/{root_id}");
    let oneself = admin.ask(&oneself).token(root).json(&json!({ "disabled": true })).send().await.refusal();
    assert_eq!(oneself, (400, "invalid_argument".to_owned()));
    let both = json!({ "disabled": true, "role": "admin" });
    assert_eq!(admin.ask(&owner_user).token(root).json(&both).send().await.status, 400);
    assert_eq!(admin.ask(&owner_user).token(root).json(&json!({})).send().await.status, 400);
}

#[tokio::test]
async fn another_site_can_not_use_the_session_of_a_browser() {
    let site = Site::new(&["--seats", "9"]);
    let (_, root_id) = site.user("root@example.com", "admin", &site.account());
    let server = site.serve_with(&["--public-url", "https://Licenses.example.com/"]);
    let admin = Admin::new(&server).await;
    let cookie = site.session(&root_id).await;
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let own = format!("http://{host}");
    let json_kind = "application/json";
    let cases: [(&str, Headers, &str, u16); 11] = [
        ("another site", &[("sec-fetch-site", "cross-site")], json_kind, 403),
        ("a neighbour", &[("sec-fetch-site", "same-site")], json_kind, 403),
        ("another origin, old browser", &[("origin", "https://evil.example")], json_kind, 403),
        ("a sandboxed frame", &[("origin", "null")], json_kind, 403),
        ("a form of another site", &[("origin", "https://evil.example")], "text/plain", 403),
        ("a form, no headers", &[], "application/x-www-form-urlencoded", 415),
        ("a form, no headers", &[], "text/plain", 415),
        ("the page", &[("sec-fetch-site", "same-origin")], json_kind, 201),
        ("the page, old browser", &[("origin", &own)], json_kind, 201),
        ("the page, behind a proxy", &[("origin", "https://licenses.example.com")], json_kind, 201),
        ("a script with the cookie", &[], json_kind, 201),
    ];
    for (at, (who, headers, kind, status)) in cases.into_iter().enumerate() {
        let body = json!({ "email": format!("seat{at}@example.com") }).to_string();
        let mut ask = admin.ask("POST /seats").header("cookie", &cookie).body(kind, body);
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        let reply = ask.send().await;
        assert_eq!(reply.status, status, "{who} {kind}: {}", reply.text);
        if status == 403 {
            assert_eq!(reply.refusal().1, "cross_site", "{who}");
        }
    }
    let read = admin.ask("GET /seats").header("cookie", &cookie).header("sec-fetch-site", "cross-site");
    let read = read.send().await;
    assert_eq!(read.ok()["items"].as_array().unwrap().len(), 4, "only the page's seats are there");
    assert!(!read.headers.contains_key("access-control-allow-origin"));
    let preflight = admin.ask("OPTIONS /seats").header("origin", "https://evil.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await;
    assert_eq!(preflight.status, 405);
}

#[tokio::test]
async fn a_lost_answer_comes_again_and_makes_nothing_twice() {
    let town = town(&["--seats", "30"]);
    let Town { site, root, owner, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let create = |token: &str, key: &str, email: &str| {
        let body = json!({ "email": email, "license": site.license });
        admin.ask("POST /seats").token(token).header("idempotency-key", key).json(&body).send()
    };
    let first = create(owner, "one", "ada@example.com").await.ok();
    let second = create(owner, "one", "ada@example.com").await;
    assert_eq!((second.status, &second.ok()), (201, &first), "the same token too");
    assert_eq!(
        create(owner, "one", "bob@example.com").await.refusal(),
        (422, "idempotency_key_reused".to_owned())
    );
    let others = create(root, "one", "ada@example.com").await.ok();
    assert_ne!(others["id"], first["id"], "somebody else may use the same key");
    let at_once = join_all((0..16).map(|_| create(owner, "two", "eve@example.com"))).await;
    let ids: BTreeSet<String> = at_once.iter().map(|reply| reply.ok().to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    for key in ["", "a b", "\u{e9}", &"k".repeat(256)] {
        assert_eq!(create(owner, key, "x@example.com").await.refusal().0, 400, "{key}");
    }
    let twice = admin.ask("POST /seats").token(owner).json(&json!({ "email": "x@example.com" }));
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b").send().await;
    assert_eq!(twice.status, 400);

    // The server is killed after it has answered nobody.
    server.signal(Signal::KILL);
    drop(admin);
    drop(server);
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let body = json!({ "email": "ada@example.com", "license": site.license });
    let ask = admin.ask("POST /seats").token(owner).header("idempotency-key", "one").json(&body);
    assert_eq!(ask.send().await.ok(), first);

    let id = first["id"].as_str().unwrap();
    let refresh = |key: &str| {
        admin.ask(&format!("POST /seats/{id}/refresh")).token(owner).header("idempotency-key", key).send()
    };
    let (one, again, two) = (refresh("r1").await.ok(), refresh("r1").await.ok(), refresh("r2").await.ok());
    assert_eq!((&one["token"], &one["changed"]), (&again["token"], &json!(true)));
    assert_ne!(one["token"], two["token"]);
    assert_eq!((&one["epoch"], &two["epoch"]), (&json!(1), &json!(2)));
    let seats = admin.get(owner, "/seats").await.ok();
    assert_eq!(seats["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refresh_may_pass_the_seat_on() {
    let town = town(&["--seats", "3"]);
    let Town { site, root, owner, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let (id, _) = seat(&admin, owner, &site.license, "leaver@example.com").await;
    let path = format!("/seats/{id}/refresh");
    let to = |email: &str, key: &str, query: &str| {
        let ask = admin.ask(&format!("POST {path}{query}")).token(owner).header("idempotency-key", key);
        ask.json(&json!({ "email": email })).send()
    };
    for wrong in ["", "nobody", "a@", "a b@example.com"] {
        assert_eq!(to(wrong, "k", "").await.refusal(), (400, "invalid_argument".to_owned()), "{wrong}");
    }
    let dry = to("next@example.com", "k", "?dry_run=true").await.ok();
    assert_eq!((&dry["shared_with"], &dry["changed"]), (&json!("leaver@example.com"), &json!(false)));
    let first = to("next@example.com", "k", "").await.ok();
    assert_eq!((&first["shared_with"], &first["epoch"]), (&json!("next@example.com"), &json!(1)));
    assert_eq!(to("next@example.com", "k", "").await.ok(), first, "the answer that was lost");
    let other = to("other@example.com", "k", "").await.refusal();
    assert_eq!(other, (422, "idempotency_key_reused".to_owned()));
    let same = admin.ask(&format!("POST {path}")).token(owner).send().await.ok();
    assert_eq!(same["shared_with"], "next@example.com");
    let run = site.cli(&["seat", "refresh", &id, "--email", "last@example.com"]).json();
    assert_eq!(run["shared_with"], "last@example.com");

    let trail = admin.get(root, &format!("/audit?seat={id}")).await.ok();
    let passed: Vec<_> = trail["items"].as_array().unwrap().iter().map(|entry| &entry["detail"]).collect();
    let from_to = |from: &str, to: &str| json!({ "from": from, "to": to });
    let (leaver, next, last) = ("leaver@example.com", "next@example.com", "last@example.com");
    assert_eq!(passed, [&from_to(next, last), &from_to(next, next), &from_to(leaver, next), &Value::Null]);
}

#[tokio::test]
async fn two_administrators_and_sixteen_callers_at_once() {
    let town = town(&["--seats", "1"]);
    let Town { site, root, owner, .. } = &town;
    let second = site.api_token("root@example.com", "second");
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let path = format!("/licenses/{}", site.license);
    let version = admin.get(root, &path).await.ok()["version"].clone();
    let change = |token: &str, seats: u32| {
        let body = json!({ "settings": { "seats_max": seats }, "version": version });
        admin.ask(&format!("PATCH {path}")).token(token).json(&body).send()
    };
    let replies = join_all(vec![change(root, 5), change(&second, 7)]).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    let won = replies.iter().find(|reply| reply.status == 200).unwrap().ok();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(admin.get(root, &path).await.ok(), won);
    assert_eq!(change(root, 9).await.refusal(), (409, "conflict".to_owned()));

    // One token is left of as many as there are callers.
    let shrink = json!({ "settings": { "seats_max": 1 } });
    admin.ask(&format!("PATCH {path}")).token(root).json(&shrink).send().await.ok();
    let create = |at: u32| admin.post(owner, "/seats", json!({ "email": format!("artist{at}@example.com") }));
    let replies = join_all((0..16).map(create)).await;
    let mut count = BTreeMap::new();
    for reply in &replies {
        *count.entry(reply.status).or_insert(0) += 1;
    }
    assert_eq!(count, BTreeMap::from([(201, 1), (409, 15)]));
    let usage = admin.get(owner, "/usage").await.ok()["items"][0].clone();
    assert_eq!((&usage["tokens"], &usage["seats_max"], &usage["in_use"]), (&json!(1), &json!(1), &json!(0)));
}

#[tokio::test]
async fn the_second_release_waits_and_says_how_long() {
    let town = town(&["--seats", "2"]);
    let Town { site, owner, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let mut held = Vec::new();
    for email in ["ada@example.com", "bob@example.com"] {
        let (id, token) = seat(&admin, owner, &site.license, email).await;
        server.lease("activate", &mut Plugin::new(&token, email)).await;
        held.push(id);
    }
    let release =
        |id: &str, query: &str| admin.ask(&format!("POST /seats/{id}/release{query}")).token(owner).send();
    let asked = release(&held[0], "?dry_run=true").await.ok();
    assert_eq!((&asked["would_change"], &asked["lock_status"]), (&json!(true), &json!("in_use")));
    let done = release(&held[0], "").await.ok();
    assert_eq!(
        (&done["changed"], &done["lock_status"], &done["epoch"]),
        (&json!(true), &json!("released"), &json!(2))
    );
    assert!(done["lease_until"].is_string() && done["machine_short"].is_string());
    let again = release(&held[0], "").await.ok();
    assert_eq!((&again["changed"], &again["would_change"]), (&json!(false), &json!(false)));

    let refused = release(&held[1], "").await;
    assert_eq!(refused.refusal(), (429, "release_rate_limited".to_owned()));
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((86_300..=86_400).contains(&wait), "{wait}");
    let (time, detail) = (refused.json()["params"]["time"].clone(), refused.json()["detail"].clone());
    let time = time.as_str().unwrap().to_owned();
    assert!(time.ends_with(" UTC") && detail.as_str().unwrap().contains(&time), "{detail}");
    assert_eq!(release(&held[1], "?dry_run=true").await.status, 429);
    site.age(wait + 1).await;
    assert_eq!(release(&held[1], "").await.ok()["changed"], true);

    let revoke = |id: &str| admin.ask(&format!("POST /seats/{id}/revoke")).token(owner).send();
    assert_eq!(revoke(&held[1]).await.ok()["lock_status"], "closed");
    assert_eq!(revoke(&held[1]).await.ok()["changed"], false);
    assert_eq!(release(&held[1], "").await.refusal(), (403, "token_revoked".to_owned()));
}

#[tokio::test]
async fn hostile_texts_are_texts() {
    let town = town(&["--seats", "20"]);
    let Town { site, root, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    // What separates addresses, or would be quoted, or is not seen, is in nobody's.
    let names = [
        ("'; DROP TABLE seat; --", false),
        ("<script>alert(1)</script>", false),
        ("\" onmouseover=\"x", false),
        ("{{7*7}}", true),
        ("%00%n%s", true),
        ("\u{202e}gnp.exe", false),
        ("\u{1f469}\u{200d}\u{1f680}", false),
    ];
    for (name, is_address) in names {
        let made = admin.post(root, "/accounts", json!({ "name": name })).await.ok();
        assert_eq!(made["name"], name);
        let email = format!("{}@example.com", name.replace(char::is_whitespace, ""));
        if !is_address {
            let body = json!({ "license": site.license, "email": email });
            assert_eq!(admin.post(root, "/seats", body).await.status, 400, "{email:?} is nobody's address");
            continue;
        }
        let made = seat(&admin, root, &site.license, &email).await;
        assert_eq!(admin.get(root, &format!("/seats/{}", made.0)).await.ok()["shared_with"], email);
    }
    let accounts = admin.get(root, "/accounts?limit=500").await.ok();
    assert_eq!(accounts["items"].as_array().unwrap().len(), 2 + names.len());
    for search in ["' OR '1'='1", "%", "_", "\\", "\"", "*", "\u{0}"] {
        let url = format!("{}/admin/v1/seats", server.url);
        let url = reqwest::Url::parse_with_params(&url, [("search", search)]).unwrap();
        let path = url.as_str().split("/admin/v1").nth(1).unwrap().to_owned();
        let found = admin.get(root, &path).await.ok()["items"].as_array().unwrap().len();
        assert!(found <= 1, "{search} finds {found}");
    }
    for (path, body) in [
        ("/accounts", json!({ "name": "a\nb" })),
        ("/accounts", json!({ "name": " " })),
        ("/accounts", json!({ "name": "n".repeat(201) })),
        ("/api-tokens", json!({ "name": "\u{1b}[2J" })),
        ("/seats", json!({ "email": "no address" })),
        ("/seats", json!({ "email": "a@b\r\nBcc: c@d" })),
        ("/seats", json!({ "email": format!("{}@example.com", "a".repeat(250)) })),
        ("/licenses", json!({ "account": town.account, "settings": { "products": ["a b"] } })),
        ("/licenses", json!({ "account": town.account, "settings": { "products": [] } })),
        (
            "/licenses",
            json!({ "account": town.account, "settings": { "products": ["p"], "plan": "nothing" } }),
        ),
        (
            "/licenses",
            json!({ "account": town.account, "settings": { "products": ["p"], "seats_max": 4_294_967_296_u64 } }),
        ),
        ("/licenses", json!({ "account": town.account, "settings": { "products": ["p"], "seats_max": -1 } })),
        (
            "/licenses",
            json!({ "account": town.account, "settings": { "products": ["p"], "offline_ttl": 0 } }),
        ),
        ("/licenses", json!({ "account": town.account, "settings": { "products": ["p"], "renew": 1.5 } })),
        (
            "/licenses",
            json!({ "account": town.account, "settings": { "products": ["p"], "expires_at": "tomorrow" } }),
        ),
    ] {
        let refused = admin.post(root, path, body.clone()).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument".to_owned()), "{path} {body}");
    }
    let with = |name: &str, value: Value| {
        let mut new = json!({ "account": town.account, "settings": { "products": ["p"] } });
        new["settings"][name] = value;
        new
    };
    for (name, value) in [
        ("entitlements", json!(["cad"])),
        ("entitlements", json!({ "a b": {} })),
        ("entitlements", json!({ "a=1": {} })),
        ("entitlements", json!({ "cad": null })),
        ("entitlements", json!({ "cad": { "value": 1.5 } })),
        ("entitlements", json!({ "cad": { "value": "1" } })),
        ("entitlements", json!({ "cad": { "until": "2027-01-31" } })),
        ("entitlements", json!({ "cad": { "amount": 1 } })),
        ("updates_until", json!("tomorrow")),
        ("min_plugin", json!("v2")),
        ("data", json!([])),
        ("data", json!("{}")),
        ("data", json!({ "a": "x".repeat(2041) })),
    ] {
        let refused = admin.post(root, "/licenses", with(name, value.clone())).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument".to_owned()), "{name} {value}");
    }
    let full = json!({
        "entitlements": { "export.max": { "value": 25, "until": "2027-01-31T00:00:00Z" }, "cad": {} },
        "updates_until": "2027-01-31T00:00:00Z", "min_plugin": "2.4.1", "data": { "a": "x".repeat(2040) },
    });
    let mut new = json!({ "account": town.account, "settings": { "products": ["p"] } });
    new["settings"].as_object_mut().unwrap().extend(full.as_object().unwrap().clone());
    let made = admin.post(root, "/licenses", new).await.ok()["settings"].clone();
    assert_eq!(made["entitlements"]["cad"], json!({ "value": null, "until": null }));
    for member in ["updates_until", "min_plugin", "data"] {
        assert_eq!(made[member], full[member]);
    }
    assert_eq!(made["entitlements"]["export.max"], full["entitlements"]["export.max"]);
    let long = "p".repeat(256);
    let content = json!({ "carries_seats": true, "entitlements": {} });
    for name in ["a%20b", "%00", "%ff", long.as_str()] {
        let refused = admin.ask(&format!("PUT /plans/{name}")).token(root).json(&content).send().await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
    }

    // A secret that was put into the wrong place is not repeated.
    let secret = root.as_str();
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(!log.contains(secret), "the log has a token");
    for (asked, body) in [
        ("POST /seats", json!({ "email": secret }).to_string()),
        ("POST /seats", json!({ "email": "a@b", "license": secret }).to_string()),
        ("POST /seats", json!({ "email": "a@b", secret: 1 }).to_string()),
        ("POST /seats", format!("\"{secret}\"")),
        ("POST /users", json!({ "email": "a@b", "role": secret, "account": UNKNOWN }).to_string()),
        (
            "POST /licenses",
            json!({ "account": UNKNOWN, "settings": { "products": ["p"], "plan": secret } }).to_string(),
        ),
        (
            "POST /licenses",
            json!({ "account": UNKNOWN, "settings": { "products": ["p"], "expires_at": secret } })
                .to_string(),
        ),
        ("POST /airgap", json!({ "format": secret, "version": 1 }).to_string()),
    ] {
        let refused = admin.ask(asked).token(root).body("application/json", body).send().await;
        assert_eq!(refused.status, 400, "{asked}: {}", refused.text);
        assert!(!refused.text.contains(&secret[4..20]), "{asked}: {}", refused.text);
    }
    for path in [format!("/seats?after={secret}"), format!("/seats?{secret}=1"), format!("/seats/{secret}")] {
        let refused = admin.get(root, &path).await;
        assert!(!refused.text.contains(&secret[4..20]), "{}", refused.text);
    }
}

/// Pages of every length, while others make seats.
#[tokio::test]
async fn a_thousand_seats_page_by_page() {
    const SEATS: usize = 1000;
    let town = town(&["--seats", "2000"]);
    let Town { site, root, owner, .. } = &town;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    for part in 0..20 {
        let create = |at: usize| {
            let email = format!("artist{:04}@example.com", part * 50 + at);
            admin.post(owner, "/seats", json!({ "email": email }))
        };
        for reply in join_all((0..50).map(create)).await {
            assert_eq!(reply.status, 201, "{}", reply.text);
        }
    }
    let before: BTreeSet<String> = pages(&admin, owner, "", 500, &server).await.into_iter().collect();
    assert_eq!(before.len(), SEATS);
    for limit in [1_usize, 7, 50, 333, 500] {
        // One at a time would be a thousand requests; a part of it says as much.
        let query = if limit == 1 { "&search=artist001" } else { "" };
        let seen = pages(&admin, owner, query, limit, &server).await;
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "{limit}: something came twice");
        let wanted = if limit == 1 { 10 } else { SEATS };
        assert_eq!(before.iter().filter(|id| distinct.contains(*id)).count(), wanted, "{limit}");
    }
    let audit = async {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let part = admin.get(root, &format!("/audit?limit=500{after}")).await.ok();
            seen.extend(part["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()));
            match part["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return seen,
            }
        }
    };
    let audit = audit.await;
    let newest = audit[0];
    assert_eq!(audit, (1..=newest).rev().collect::<Vec<u64>>(), "the whole trail, without a gap");
    let verified = admin.get(root, "/audit/verify").await.ok();
    assert_eq!(
        admin.get(owner, "/audit/verify").await.status,
        403,
        "an owner may not make the server read it all"
    );
    assert_eq!((&verified["entries"], &verified["broken_at"]), (&json!(newest), &Value::Null));

    let csv = admin.get(owner, "/seats.csv").await.text;
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    let ids: BTreeSet<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    assert!(before.iter().all(|id| ids.contains(id.as_str())));
    assert_eq!(ids.len(), lines.len() - 1);
}

/// The ids of a list, in its order, while a seat is made between each two of its first pages.
async fn pages(
    admin: &Admin<'_>,
    token: &str,
    query: &str,
    limit: usize,
    server: &Server<'_>,
) -> Vec<String> {
    let (mut seen, mut after, mut page) = (Vec::new(), String::new(), 0);
    loop {
        let part = admin.get(token, &format!("/seats?limit={limit}{query}{after}")).await.ok();
        let items = part["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        if page < 5 && limit < 500 {
            let email = format!("late{}@example.com", uuid::Uuid::new_v4());
            let made = admin.post(token, "/seats", json!({ "email": email })).await;
            assert_eq!(made.status, 201, "{} {}", server.url, made.text);
        }
        page += 1;
        match part["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn a_table_for_spreadsheets_has_no_formulas() {
    let site = Site::new(&["--seats", "9"]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let emails = ["=1+cmd|calc!A1@x", "+1@x", "-1@x", "@@x", "plain@example.com", "a,b@x", "a\"b@x"];
    for email in emails {
        let made = admin.post(&root, "/seats", json!({ "email": email })).await;
        let is_address = !["@@x", "a,b@x", "a\"b@x"].contains(&email);
        assert_eq!(made.status, if is_address { 201 } else { 400 }, "{email}");
    }
    let reply = admin.get(&root, "/seats.csv").await;
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"seats.csv\"");
    assert!(reply.text.starts_with("\u{feff}id,"), "Excel would take it for another encoding");
    let mut table = csv::Reader::from_reader(reply.text.as_bytes());
    assert_eq!(table.headers().unwrap().get(2), Some("shared_with"));
    let cells: BTreeSet<String> = table.records().map(|row| row.unwrap()[2].to_owned()).collect();
    let expected = ["'=1+cmd|calc!A1@x", "'+1@x", "'-1@x", "plain@example.com"];
    assert_eq!(cells, expected.map(str::to_owned).into());
    let one = admin.get(&root, "/seats.csv?search=plain").await.text;
    assert_eq!(one.lines().count(), 2);
}

#[tokio::test]
async fn the_description_and_its_page_are_for_everybody() {
    let site = Site::new(&[]);
    let server = site.serve_with(&["--public-url", "https://licenses.example.com"]);
    let admin = Admin::new(&server).await;
    assert_eq!(admin.api["openapi"], "3.1.0");
    assert_eq!(admin.api["servers"][0]["url"], "https://licenses.example.com");
    let text = admin.api.to_string();
    for (at, header) in text.match_indices("Idempotency-") {
        assert!(text[at + header.len()..].starts_with("Key"), "{}", &text[at..at + 40]);
    }
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(admin.api["components"]["schemas"][name].is_object(), "{name} is not described");
    }
    let page = admin.ask("GET /docs").send().await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    for foreign in ["<script", "style=", "onclick", "src=", "//cdn"] {
        assert!(!page.text.contains(foreign), "{foreign}");
    }
    let mut operations = 0;
    for (path, item) in admin.api["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.text.contains(&format!("<article id=\"{id}\">")), "{id}");
            assert!(page.text.contains(&format!("<code>{path}</code>")), "{path}");
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{id}");
            operations += 1;
        }
    }
    for name in admin.api["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.text.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
    for link in page.text.split("href=\"#").skip(1).map(|part| part.split('"').next().unwrap()) {
        assert!(page.text.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
    }
    assert!(operations >= 27, "{operations}");
    let style = admin.ask("GET /docs.css").send().await;
    assert_eq!(
        (style.status, style.headers["content-type"].to_str().unwrap()),
        (200, "text/css; charset=utf-8")
    );
    for (asked, status, code) in [
        ("GET /nothing", 404, "not_found"),
        ("GET /seats/", 404, "not_found"),
        ("DELETE /seats", 405, "wrong_method"),
        ("PUT /docs", 405, "wrong_method"),
    ] {
        let refused = admin.ask(asked).send().await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{asked}");
        assert_eq!(refused.headers.contains_key("allow"), status == 405, "{asked}");
    }
}
