//! Sign-in services that an administrator accepts, changes and removes by the admin API and its
//! commands.

use crate::harness::{
    Plugin, Server, Site,
    admin::{Admin, UNKNOWN, command},
    issuer::{AUDIENCE, Issuers, Key, Manner, with},
};
use seatlock_protocol::Code;
use serde_json::{Value, json};
use std::process::Stdio;

const SECRET: &str = "a client secret that nobody may see again";

/// A server, an administrator's API token, and an issuer that the server does not know yet.
async fn town() -> (Site, String, Issuers, Key) {
    let (site, issuers, key) = (Site::new(&["--seats", "2"]), Issuers::start().await, Key::ed25519("k"));
    issuers.tell("login", Manner::Honest, &[&key]);
    let (root, _) = site.user("root@example.com", "admin", &site.account());
    (site, root, issuers, key)
}

/// What a plug-in of `farm` is answered.
async fn status(server: &Server<'_>, issuers: &Issuers, key: &Key) -> Code {
    let token = key.access_token(&issuers.claims("login", "farm", "seat:use"));
    server.call("status", &Plugin::new(&token, "farm")).await.verdict().code
}

#[tokio::test]
async fn an_issuer_is_accepted_changed_and_removed() {
    let (site, root, issuers, key) = town().await;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let (url, account) = (issuers.url("login"), site.account());
    let looks = key.access_token(&issuers.claims("login", "farm", "seats:read"));
    assert_eq!(status(&server, &issuers, &key).await, Code::SignInRequired);
    assert_eq!(admin.get(&looks, "/seats").await.status, 401);

    let new = json!({
        "issuer": url, "audience": AUDIENCE, "client_id": "page", "client_secret": SECRET,
        "admits": [{ "who": { "client": "farm" }, "account": account, "role": "owner" }],
    });
    let added = admin.post(&root, "/issuers", new.clone()).await;
    let path = added.headers["location"].to_str().unwrap().strip_prefix("/admin/v1").unwrap().to_owned();
    let shown = added.ok();
    assert_eq!((&shown["name"], &shown["has_client_secret"]), (&json!("127.0.0.1"), &json!(true)));
    assert_eq!(admin.post(&root, "/issuers", new).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(admin.get(&root, &path).await.ok(), shown);
    assert_eq!(admin.get(&root, "/issuers").await.ok()["items"], json!([shown]));
    assert_eq!(status(&server, &issuers, &key).await, Code::Ok);
    assert_eq!(admin.get(&looks, "/seats").await.status, 200);
    assert_eq!(admin.get(&looks, "/issuers").await.refusal(), (403, "admins_only".to_owned()));

    let change =
        |query: &str, body: Value| admin.ask(&format!("PATCH {path}{query}")).token(&root).json(&body).send();
    let named = change("?dry_run=true", json!({ "name": "Example login", "admits": [] })).await.ok();
    assert_eq!((&named["name"], &named["dry_run"]), (&json!("Example login"), &json!(true)));
    assert_eq!(admin.get(&root, &path).await.ok(), shown, "a dry run changes nothing");
    let other = change("", json!({ "client_id": "other" })).await.ok();
    assert_eq!(other["has_client_secret"], false, "a secret belongs to its client");
    let none = change("", json!({ "client_id": null })).await.ok();
    assert_eq!((&none["client_id"], &none["admits"]), (&Value::Null, &shown["admits"]));
    assert_eq!(change("", json!({ "admits": [] })).await.ok()["admits"], json!([]));
    assert_eq!(status(&server, &issuers, &key).await, Code::IdentityUnknown);
    change("", json!({ "admits": shown["admits"] })).await.ok();

    let mut plugin = Plugin::new(&key.access_token(&issuers.claims("login", "farm", "seat:use")), "farm");
    server.lease("activate", &mut plugin).await;
    let remove = |query: &str| admin.ask(&format!("DELETE {path}{query}")).token(&root).send();
    let would = remove("?dry_run=true").await.ok();
    assert_eq!((&would["seats"], &would["dry_run"]), (&json!(1), &json!(true)));
    assert_eq!(status(&server, &issuers, &key).await, Code::Ok);
    assert_eq!(remove("").await.ok()["seats"], 1);
    assert_eq!(status(&server, &issuers, &key).await, Code::SignInRequired);
    assert_eq!(remove("").await.refusal(), (404, "not_found".to_owned()));

    let trail = admin.get(&root, "/audit?limit=500").await;
    let events = ["issuer_added", "issuer_changed", "issuer_removed"];
    let count = |event: &str| trail.text.matches(event).count();
    assert_eq!(events.map(count), [1, 4, 1], "{}", trail.text);
    assert!(trail.text.contains(r#""actor_name":"root@example.com","api_token":"script""#), "{}", trail.text);
    let text = format!("{shown}{other}{would}{}{}", trail.text, server.stop());
    assert!(!text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn what_can_not_be_an_issuer() {
    let (site, root, issuers, _) = town().await;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let rule = |account: &str, more: Value| {
        let mut rule = json!({ "who": "everybody", "account": account });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    let account = site.account();
    let other = admin.post(&root, "/accounts", json!({ "name": "Other" })).await.id();
    for (change, field, words) in [
        (json!({ "issuer": "http://login.example.com" }), "issuer", "https is required"),
        (json!({ "issuer": "https://user:x@login.example.com" }), "issuer", "without user name"),
        (json!({ "issuer": "https://login.example.com/?a" }), "issuer", "no query"),
        (json!({ "audience": "" }), "audience", "1 to 255 bytes"),
        (json!({ "client_secret": SECRET }), "client_secret", "needs a client_id"),
        (json!({ "client_id": "page", "client_secret": "" }), "client_secret", "1 to 4096"),
        (json!({ "admits": rule(UNKNOWN, json!({})) }), "admits", "there is no account"),
        (json!({ "admits": rule(&account, json!({ "license": UNKNOWN })) }), "admits", "there is no license"),
        (
            json!({ "admits": rule(&other, json!({ "license": site.license })) }),
            "admits",
            "not of the account",
        ),
        (json!({ "admits": rule(&account, json!({ "rule": "king" })) }), "body", "expected"),
        (json!({ "admits": rule(&account, json!({ "role": "king" })) }), "body", "expected"),
        (json!({ "name": null }), "body", "expected"),
    ] {
        let new = json!({ "issuer": issuers.url("login"), "audience": AUDIENCE });
        let refused = admin.post(&root, "/issuers", with(new, change.clone())).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument".to_owned()), "{change}");
        let problem = refused.json();
        assert_eq!(problem["params"]["field"], field, "{change}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{change}: {problem}");
        assert!(!refused.text.contains(SECRET), "{problem}");
    }
    assert_eq!(admin.get(&root, "/issuers").await.ok()["items"], json!([]), "nothing was added");
}

/// The description names a scope for each endpoint, and that is the one that is asked for.
#[tokio::test]
async fn the_scopes_that_are_described_are_needed() {
    let (site, root, issuers, key) = town().await;
    let server = site.serve();
    let admin = Admin::new(&server).await;
    let rule = json!([{ "who": { "client": "farm" }, "account": site.account(), "role": "admin" }]);
    let new = json!({ "issuer": issuers.url("login"), "audience": AUDIENCE, "admits": rule });
    admin.post(&root, "/issuers", new).await.ok();
    let all = ["seats:read", "seats:write", "audit:read"];
    let mut seen = 0;
    for (path, item) in admin.api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let accepted = operation["security"].as_array().unwrap();
            let scope = accepted.iter().find_map(|one| one["access_token"][0].as_str()).unwrap();
            let others: Vec<&str> = all.into_iter().filter(|other| *other != scope).collect();
            let asked = format!("{} {}", method.to_uppercase(), path.strip_prefix("/admin/v1").unwrap());
            let asked = asked.replace("{id}", UNKNOWN).replace("{name}", "pro");
            let ask = async |scopes: &str| {
                let token = key.access_token(&issuers.claims("login", "farm", scopes));
                admin.ask(&asked).token(&token).json(&json!([])).send().await
            };
            let refused = ask(&others.join(" ")).await;
            assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("scope_missing")), "{asked}");
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(refused.headers["www-authenticate"], challenge, "{asked}");
            assert!(![401, 403].contains(&ask(scope).await.status), "{asked}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen} endpoints");
}

#[tokio::test]
async fn the_commands_do_the_same_by_the_api() {
    let (site, root, issuers, key) = town().await;
    let server = site.serve();
    let (url, secret) = (issuers.url("login"), site.scratch("secret"));
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let said = |args: &[&str]| {
        let output = command(&server, &root, args).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let run = |args: &[&str]| {
        let (ok, text) = said(args);
        assert!(ok, "{args:?}: {text}");
        text
    };
    let added = run(&["issuer", "add", &url, "--audience", AUDIENCE, "--admit", "client=farm"]);
    assert!(added.contains("is accepted from now on"), "{added}");
    assert_eq!(status(&server, &issuers, &key).await, Code::Ok);
    let page = ["--client-id", "page", "--client-secret-file", secret.to_str().unwrap()];
    let changed = run(&[&["issuer", "change", &url, "--json"], &page[..]].concat());
    assert!(changed.contains("\"has_client_secret\":true") && !changed.contains(SECRET), "{changed}");
    let would = run(&["issuer", "change", &url, "--no-client", "--dry-run"]);
    assert!(would.contains("nothing was changed"), "{would}");
    let data = site.data().to_str().unwrap().to_owned();
    for json in [&["--json"][..], &[]] {
        let list = run(&[&["issuer", "list"], json].concat());
        // A folder that is named counts more than the server in the environment.
        let by_folder = run(&[&["--data", &data, "issuer", "list"], json].concat());
        assert_eq!(list, by_folder);
        assert!(list.contains("page") && list.contains(&site.account()), "{list}");
    }
    let would = run(&["issuer", "remove", &url, "--dry-run"]);
    assert!(would.contains("would be refused; nothing was changed"), "{would}");
    assert_eq!(status(&server, &issuers, &key).await, Code::Ok);
    run(&["issuer", "remove", &url]);
    assert_eq!(status(&server, &issuers, &key).await, Code::SignInRequired);

    let owner = site.user("owner@example.com", "owner", &site.account()).0;
    let refused = command(&server, &owner, &["issuer", "list"]).output().unwrap();
    assert!(String::from_utf8(refused.stderr).unwrap().contains("administrator"));
    for (args, words) in [
        (&["issuer", "remove", &url][..], "see \"issuer list\""),
        (&["issuer", "add", "login.example.com", "--audience", "x"], "https:// is missing"),
        (&["issuer", "add", &url, "--audience", "x", "--admit", "alice"], "it begins with subject="),
    ] {
        let (ok, text) = said(args);
        assert!(!ok && text.contains(words), "{args:?}: {text}");
    }
}
