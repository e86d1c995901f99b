//! Two servers of one database, of which one lacks the key that signs.

use crate::ENGINE;
use crate::harness::{Plugin, Server, Site, logged};
use seatlock_protocol::Code;
use std::{
    fs,
    path::{Path, PathBuf},
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_newest_key_waits_for_it() {
    let site = Site::on(ENGINE, &[]);
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
    logged(&site, "is not in this server's folder lease-keys", 1).await;

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
    logged(&site, "so this server signs nothing", 1).await;

    let file = format!("{kid}.json");
    fs::copy(site.data().join("lease-keys").join(&file), second.join("lease-keys").join(&file)).unwrap();
    assert_eq!(readiness(&servers[1]).await, (200, "ready\n".to_owned()));
    assert_eq!(servers[1].call("activate", &plugin).await.lease().ks, before + 2);
}
