//! Several servers of one database, of which one lacks something: the pepper, or the key that signs.

use crate::harness::{Plugin, Server, Site, faketime::FakeClock, stores::Place};
use seatlock_protocol::{Act, Code};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// A pepper as its file has it.
const OTHER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A copy of the data folder's secrets, for another server.
fn copied(site: &Site) -> PathBuf {
    let folder = site.scratch("second");
    fs::create_dir_all(folder.join("lease-keys")).unwrap();
    fs::copy(site.data().join("pepper"), folder.join("pepper")).unwrap();
    for key in keys(&site.data()) {
        fs::copy(&key, folder.join("lease-keys").join(key.file_name().unwrap())).unwrap();
    }
    folder
}

fn keys(folder: &Path) -> Vec<PathBuf> {
    folder.join("lease-keys").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect()
}

async fn readiness(server: &Server<'_>) -> (u16, String) {
    let answer = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn another_pepper_is_refused_before_anything_is_served() {
    let Place::Postgres(url) = Place::postgres() else { panic!("it is one") };
    for url in [None, Some(url)] {
        let site = Site::at(url.clone(), &[]);
        let (_, token) = site.seat("ada@example.com");
        let pepper = site.data().join("pepper");
        let own = fs::read(&pepper).unwrap();
        fs::write(&pepper, OTHER).unwrap();
        for command in
            [&["serve", "--listen", "127.0.0.1:0"][..], &["seat", "create", "--email", "bob@example.com"]]
        {
            let done = site.cli(command);
            assert!(!done.ok && done.stderr.contains("the file \"pepper\""), "{command:?}: {}", done.stderr);
            assert!(done.stderr.contains("Copy it from a data folder of the same server"), "{}", done.stderr);
        }
        fs::write(&pepper, own).unwrap();
        // A database from before the check takes the first pepper that it sees.
        match url {
            Some(url) => Place::Postgres(url).run("UPDATE server SET pepper_check = NULL").await,
            None => {
                let mut database = site.database().await;
                sqlx::query("UPDATE server SET pepper_check = NULL").execute(&mut database).await.unwrap();
            }
        }
        let server = site.serve();
        assert_eq!(server.call("activate", &Plugin::new(&token, "a")).await.status, 201);
        fs::write(&pepper, OTHER).unwrap();
        assert!(!site.cli(&["seat", "list"]).ok, "it was written down");
    }
}

#[tokio::test]
async fn a_new_pepper_after_a_lost_one() {
    let Place::Postgres(url) = Place::postgres() else { panic!("it is one") };
    for url in [None, Some(url)] {
        let site = Site::at(url, &["--seats", "2"]);
        let (seat, token) = site.seat("ada@example.com");
        site.cli(&["user", "add", "root@example.com", "--role", "admin"]).json();
        site.cli(&["user", "api-token", "root@example.com", "--name", "script"]).json();
        let pepper = site.data().join("pepper");
        let there = site.cli(&["new-pepper", "--yes"]);
        assert!(!there.ok && there.stderr.contains("nothing was changed"), "{}", there.stderr);

        fs::remove_file(&pepper).unwrap();
        let asks = site.cli(&["new-pepper"]);
        assert!(!asks.ok && asks.stderr.contains("--yes"), "{}", asks.stderr);
        let would = site.cli(&["new-pepper", "--dry-run"]).json();
        assert_eq!((&would["seats"], &would["api_tokens"]), (&1.into(), &1.into()), "{would}");
        assert!(!pepper.exists() && !site.cli(&["serve", "--listen", "127.0.0.1:0"]).ok);
        assert!(site.cli(&["new-pepper", "--yes"]).ok);
        assert_eq!(fs::metadata(&pepper).unwrap().permissions().mode() & 0o777, 0o600);

        let server = site.serve();
        let unknown = server.call("activate", &Plugin::new(&token, "a")).await.refusal();
        assert_eq!((unknown.code, unknown.act), (Code::TokenUnknown, Act::Keep));
        let new = site.cli(&["seat", "refresh", &seat]).json()["token"].as_str().unwrap().to_owned();
        assert_eq!(server.call("activate", &Plugin::new(&new, "a")).await.status, 201);
        let trail = site.cli(&["audit"]).stdout;
        assert_eq!(trail.matches("pepper_replaced").count(), 1, "{trail}");
        assert!(site.cli(&["audit", "verify"]).ok);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_newest_key_waits_for_it() {
    let Place::Postgres(url) = Place::postgres() else { panic!("it is one") };
    let site = Site::at(Some(url), &[]);
    let (_, token) = site.seat("ada@example.com");
    let second = copied(&site);
    let servers = [site.serve(), site.serve_from(&second, &[])];
    let plugin = Plugin::new(&token, "a");
    let before = servers[1].call("activate", &plugin).await.lease().ks;
    let root = site.root_file();

    // As long as the old key is good, it signs, and the operator is told.
    let rotated = site.cli(&["keys", "rotate", "--root-key", &root]).json();
    let kid = rotated["kid"].as_str().unwrap();
    assert_eq!(servers[1].call("ping", &plugin).await.lease().ks, before + 1);
    let (status, text) = readiness(&servers[1]).await;
    assert!(status == 200 && text.starts_with("ready until ") && text.contains(kid), "{text}");
    crate::harness::logged(&site, "is not in this server's folder lease-keys", 1).await;

    // When the old ones are revoked, nothing can be signed.
    let revoked = keys(&second)[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let rotated = site.cli(&["keys", "rotate", "--root-key", &root, "--revoke", &revoked]).json();
    let kid = rotated["kid"].as_str().unwrap();
    for call in ["ping", "status", "release"] {
        let answer = servers[1].call(call, &plugin).await;
        assert_eq!(
            (answer.status, answer.problem().code),
            (503, Code::Maintenance),
            "{call}: {}",
            answer.body
        );
        assert_eq!(answer.headers["retry-after"], "5");
    }
    let (status, text) = readiness(&servers[1]).await;
    assert!(status == 503 && text.contains("lease key") && text.contains("keys rotate"), "{text}");
    assert_eq!(readiness(&servers[0]).await, (200, "ready\n".to_owned()));
    crate::harness::logged(&site, "so this server signs nothing", 1).await;

    let file = format!("{kid}.json");
    fs::copy(site.data().join("lease-keys").join(&file), second.join("lease-keys").join(&file)).unwrap();
    assert_eq!(readiness(&servers[1]).await, (200, "ready\n".to_owned()));
    assert_eq!(servers[1].call("activate", &plugin).await.lease().ks, before + 2);
}

#[tokio::test]
async fn a_key_that_has_ended_signs_nothing_more() {
    let mut site = Site::new(&[]);
    let (_, token) = site.seat("ada@example.com");
    site.clock = Some(FakeClock::new());
    let old = keys(&site.data());
    let server = site.serve();
    let plugin = Plugin::new(&token, "a");
    server.call("activate", &plugin).await.lease();
    let root = site.root_file();
    let kid = site.cli(&["keys", "rotate", "--root-key", &root]).json()["kid"].as_str().unwrap().to_owned();
    let new = site.data().join("lease-keys").join(format!("{kid}.json"));
    let away = site.scratch("away");
    fs::rename(&new, &away).unwrap();
    // It was read while the old key was good.
    assert_eq!(server.call("ping", &plugin).await.lease().ks, 2);
    site.clock.as_ref().unwrap().set("+6m");
    let answer = server.call("ping", &plugin).await;
    assert_eq!((answer.status, answer.problem().code), (503, Code::Maintenance), "{}", answer.body);
    fs::rename(&away, &new).unwrap();
    assert_eq!(server.call("ping", &plugin).await.status, 200);
    assert_eq!(old.len(), 1);
}
