//! The server has a user of its own, and commands are run by root. Needs root.

use crate::harness::{Plugin, Site};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::{Child, Stdio},
};

/// "nobody", as nearly everywhere.
const USER: u32 = 65_534;

/// A server that runs as another user than the commands.
struct Service {
    child: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a file, or a folder with everything in it, to the service.
fn give(path: &Path) {
    chown(path, Some(USER), Some(USER)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

/// A site whose data folder belongs to the service.
fn site(options: &[&str]) -> Site {
    let site = Site::new(options);
    assert_eq!(fs::metadata(site.data()).unwrap().uid(), 0, "this test must be run by root");
    // Its own folder is the way to it.
    fs::set_permissions(site.scratch(""), fs::Permissions::from_mode(0o711)).unwrap();
    give(&site.data());
    site
}

/// What a command says that the service's user runs.
fn as_service(site: &Site, args: &[&str]) -> (bool, String) {
    let done = site.command(args).uid(USER).gid(USER).output().unwrap();
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap());
    (done.status.success(), said.concat())
}

impl Service {
    fn start(site: &Site) -> Result<Self, String> {
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child =
            command.uid(USER).gid(USER).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().strip_prefix("listening on ") {
            Some(url) => {
                let url = url.to_owned();
                // So that it never waits for whoever reads it.
                let mut log = child.stderr.take().unwrap();
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                Ok(Self { child, url })
            }
            None => Err(String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()),
        }
    }

    async fn call(&self, call: &str, plugin: &Plugin) -> (u16, Value) {
        let (_, body) = plugin.request();
        let url = format!("{}/v1/seat/{call}", self.url);
        let answer = crate::harness::http_client()
            .post(url)
            .bearer_auth(&plugin.token)
            .json(&body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(json!(null)))
    }

    async fn ready(&self) -> (u16, String) {
        let answer = crate::harness::http_client().get(format!("{}/readyz", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Everything below the folder is the service's.
fn belongs_to_service(path: &Path) {
    let found = fs::metadata(path).unwrap();
    assert_eq!((found.uid(), found.gid()), (USER, USER), "{}", path.display());
    assert_eq!(found.mode() & 0o077, 0, "{}: nobody else may read it", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            belongs_to_service(&entry.unwrap().path());
        }
    }
}

#[tokio::test]
async fn what_root_does_to_the_data_folder_is_for_the_service() {
    let site = site(&["--seats", "9"]);
    let plugin = Plugin::new(&site.seat("ada@example.com").1, "a");
    let service = Service::start(&site).unwrap();
    assert_eq!(service.call("activate", &plugin).await.0, 201);

    let rotated = site.cli(&["keys", "rotate", "--root-key", &site.root_file()]).json();
    assert_eq!(service.ready().await, (200, "ready\n".to_owned()), "{rotated}");
    assert_eq!(service.call("ping", &plugin).await.0, 200);
    let proposal = site.scratch("proposal.json");
    site.cli(&["keys", "propose", "--out", proposal.to_str().unwrap()]).json();
    site.seat("bob@example.com");
    let (backup, export) = (site.scratch("backup.db"), site.scratch("out.jsonl"));
    site.cli(&["backup", backup.to_str().unwrap()]).json();
    site.cli(&["export", export.to_str().unwrap()]).json();
    belongs_to_service(&site.data());
    drop(service);

    site.cli(&["restore", backup.to_str().unwrap()]).json();
    belongs_to_service(&site.data());
    let service = Service::start(&site).unwrap();
    assert_eq!(service.call("ping", &plugin).await.0, 200);
    drop(service);

    fs::rename(site.data().join("seatlock.db"), site.scratch("moved")).unwrap();
    let _ = fs::remove_file(site.data().join("seatlock.db-wal"));
    let _ = fs::remove_file(site.data().join("seatlock.db-shm"));
    site.cli(&["import", export.to_str().unwrap()]).json();
    belongs_to_service(&site.data());
    drop(Service::start(&site).unwrap());

    fs::remove_file(site.data().join("pepper")).unwrap();
    site.cli(&["new-pepper", "--yes"]).json();
    belongs_to_service(&site.data());
    drop(Service::start(&site).unwrap());

    // In a folder that the service's package has made, and below it.
    for data in [site.scratch("lib"), site.scratch("lib/below")] {
        if !data.exists() && data.ends_with("lib") {
            fs::create_dir(&data).unwrap();
            fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
            give(&data);
        }
        let init = ["init", "--issuer", "https://licenses.example.com", "--product", "com.example.bridge"];
        let key = site.scratch(&format!("{}.json", data.file_name().unwrap().display()));
        site.cli_in(&data, &[&init[..], &["--root-key-out", key.to_str().unwrap()]].concat()).json();
        belongs_to_service(&data);
        assert_eq!(fs::metadata(key).unwrap().uid(), 0, "the root key is none of the service's");
    }
}

/// Files that somebody has put there by hand, or that an older version has written.
#[tokio::test]
async fn a_key_that_the_service_may_not_read_is_told_as_that_and_bridged() {
    let site = site(&[]);
    let plugin = Plugin::new(&site.seat("ada@example.com").1, "a");
    let service = Service::start(&site).unwrap();
    assert_eq!(service.call("activate", &plugin).await.0, 201);
    let rotated = site.cli(&["keys", "rotate", "--root-key", &site.root_file()]).json();
    let key = site.data().join(format!("lease-keys/{}.json", rotated["kid"].as_str().unwrap()));
    chown(&key, Some(0), Some(0)).unwrap();
    assert_eq!(service.call("ping", &plugin).await.0, 200, "the key before is still good");
    let (status, said) = service.ready().await;
    assert_eq!(status, 200, "{said}");
    assert!(said.starts_with("ready until ") && said.contains("is not allowed to read it"), "{said}");
    assert!(!said.contains(site.data().to_str().unwrap()), "no names of files: {said}");
    let (_, said) = as_service(&site, &["config", "check"]);
    let whose = format!("{} belongs to the user 0 and the group 0, mode 600", key.display());
    assert!(said.contains(&whose) && said.contains("chown"), "{said}");

    // With no other key, nothing is signed; licenses go on until it is readable.
    let revoked: Value = site.cli(&["keys", "list"]).json();
    let old = revoked[0]["kid"].as_str().unwrap().to_owned();
    let rotated = site.cli(&["keys", "rotate", "--root-key", &site.root_file(), "--revoke", &old]).json();
    let newest = site.data().join(format!("lease-keys/{}.json", rotated["kid"].as_str().unwrap()));
    chown(&newest, Some(0), Some(0)).unwrap();
    let (status, refused) = service.call("ping", &plugin).await;
    assert_eq!((status, refused["code"].as_str()), (503, Some("maintenance")), "{refused}");
    assert!(service.ready().await.1.contains("is not allowed to read it"));
    give(&newest);
    assert_eq!(service.call("ping", &plugin).await.0, 200);
}

#[test]
fn a_folder_or_a_database_of_somebody_else_is_told_as_that() {
    let site = site(&[]);
    for (what, path) in [
        ("folder", site.data()),
        ("database", site.data().join("seatlock.db")),
        ("pepper", site.data().join("pepper")),
    ] {
        chown(&path, Some(0), Some(0)).unwrap();
        let refusals = [
            Service::start(&site).err().unwrap(),
            as_service(&site, &["seat", "list"]).1,
            as_service(&site, &["config", "check"]).1,
        ];
        for said in refusals {
            let whose = format!("{} belongs to the user 0", path.display());
            assert!(said.contains(&whose) && said.contains("Permission denied"), "{what}: {said}");
            assert!(!said.contains("not set up") && !said.contains("backup"), "{what}: {said}");
        }
        give(&path);
    }
    let (ok, said) = as_service(
        &site,
        &["init", "--issuer", "https://x.example", "--product", "p", "--root-key-out", "/nowhere/x"],
    );
    assert!(!ok && said.contains("set up already"), "{said}");
    drop(Service::start(&site).unwrap());
}

/// Whoever may write into the folder but gives nobody a file must not leave one that nobody can
/// read.
#[test]
fn who_can_not_give_a_file_to_the_service_writes_none() {
    let site = Site::new(&[]);
    fs::set_permissions(site.scratch(""), fs::Permissions::from_mode(0o711)).unwrap();
    let data = site.data();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(data.join("pepper")).unwrap();
    for file in ["seatlock.db", "seatlock.db-wal", "seatlock.db-shm"] {
        let _ = fs::remove_file(data.join(file));
    }
    let export = site.scratch("out.jsonl");
    fs::write(&export, "").unwrap();
    let key = Path::new("/tmp").join(format!("seatlock-owners-{}.json", std::process::id()));
    let init =
        ["init", "--issuer", "https://x.example", "--product", "p", "--root-key-out", key.to_str().unwrap()];
    let (ok, said) = as_service(&site, &init);
    assert!(!ok && said.contains("its folder belongs to the user 0"), "{said}");
    assert!(!data.join("pepper").exists() && !key.exists(), "{said}");
}
