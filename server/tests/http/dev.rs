//! `seatlock-server dev`: everything that it prints works, and nothing of value is ever deleted.

use crate::harness::{Plugin, send_signal};
use rustix::process::Signal;
use seatlock_protocol::{
    PublicKey, Typ,
    api::LeaseAnswer,
    claims::{KeySetClaims, LeaseClaims},
    jws,
};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::crypto::password::Passwords;
use seatlock_server::domain::Role;
use seatlock_server::service::{SignInAttempt, SignInError, session_hash, sign_in};
use seatlock_server::store::{AuditPart, FindSession, ListLicenses, VerifyAudit, sqlite::SqliteStore};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};
use tempfile::TempDir;
use xtask::port::Port;
use zeroize::Zeroizing;

const PROGRAM: &str = env!("CARGO_BIN_EXE_seatlock-server");
const OWNER: &str = "owner@example.com";

/// A running `dev`, as a person sees it.
struct Dev {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: PathBuf,
    /// The first line of `--json`.
    said: Value,
}

/// The folder in which commands are typed.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SEATLOCK_SERVER_DATA").env_remove("SEATLOCK_PUBLIC_URL");
        command
    }

    fn start(&self, options: &[&str]) -> Dev {
        let stderr = self.path("stderr");
        let mut command = self.command(&[&["dev", "--json"], options].concat());
        let log = fs::File::create(&stderr).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = [String::new(), String::new()];
        lines.iter_mut().for_each(|line| {
            stdout.read_line(line).unwrap();
        });
        let text = fs::read_to_string(&stderr).unwrap();
        let said: Value = serde_json::from_str(&lines[0]).unwrap_or_else(|_| panic!("{lines:?} {text}"));
        assert_eq!(lines[1].trim(), format!("listening on {}", said["url"].as_str().unwrap()));
        Dev { child, stdout, stderr, said }
    }

    /// What a `dev` says that does not start.
    fn refused(&self, options: &[&str]) -> String {
        let done = self.command(&[&["dev"], options].concat()).output().unwrap();
        assert!(!done.status.success(), "{options:?}");
        assert!(done.stdout.is_empty(), "{options:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        found
    }
}

impl Dev {
    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }

    /// Ends it as Ctrl-C does: in order.
    fn stop(mut self) -> String {
        send_signal(self.child.id(), Signal::INT);
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "nothing but the first two lines");
        fs::read_to_string(&self.stderr).unwrap()
    }

    async fn activate(&self, token: &str) -> (u16, LeaseClaims) {
        let plugin = Plugin::new(token, "mine");
        let request = json!({
            "nonce": seatlock_protocol::Nonce::new([7; 16]), "product": self.text("product"),
            "machine": { "id": plugin.machine, "source": "os" }, "install_id": plugin.install,
            "intent": "launch", "client": { "lib": "1.0.0", "host": "blender" }, "clock": { "wall": 0 },
        });
        let url = format!("{}/v1/seat/activate", self.text("url"));
        let http = crate::harness::http_client();
        let answer = http.post(url).bearer_auth(token).json(&request).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        let answer: LeaseAnswer = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
        // As a plug-in does that has compiled the printed key in.
        let root = PublicKey::from_jwk_x(self.text("root_key")).unwrap();
        let find = |kid: &str| (kid == root.thumbprint()).then_some(root);
        let set: KeySetClaims = jws::verify(&answer.keyset.unwrap(), Typ::KeySet, find).unwrap().claims;
        let find = |kid: &str| set.keys.iter().find(|key| key.kid == kid).map(|key| key.x);
        (status, jws::verify(&answer.lease, Typ::Lease, find).unwrap().claims)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Already stopped in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether somebody is let in who types this.
async fn signs_in(data: &str, password: &str) -> bool {
    let folder = DataFolder::new(data.into());
    let store = SqliteStore::open(&folder.database(), false).await.unwrap();
    let asking = SignInAttempt {
        email: OWNER.to_owned(),
        password: Zeroizing::new(password.to_owned()),
        browser: seatlock_server::service::Browser { address: [127, 0, 0, 1].into(), agent: String::new() },
    };
    let pepper = folder.pepper().unwrap();
    let done = sign_in(&store, &Passwords::new(), &pepper, asking, None).await;
    let let_in = match done {
        Ok(secret) => {
            let who = store.run(FindSession(session_hash(&secret))).await.unwrap().unwrap();
            assert_eq!((who.user.role, who.account.name.as_str()), (Role::Owner, "Example Studio"));
            true
        }
        Err(SignInError::Wrong) => false,
        Err(other) => panic!("{other}"),
    };
    store.close().await;
    let_in
}

#[tokio::test]
async fn what_is_printed_once_works_and_the_next_start_goes_on() {
    let (desk, port) = (Desk::new(), Port::hold().unwrap());
    let dev = desk.start(&["--listen", &port.address().to_string()]);
    let (url, data) = (dev.text("url").to_owned(), dev.text("data").to_owned());
    assert_eq!((&dev.said["new"], dev.text("product")), (&json!(true), "com.example.bridge"));
    assert_eq!(dev.text("seat_page"), format!("{url}/seats"));
    assert_eq!(PathBuf::from(&data), desk.path("seatlock-dev").canonicalize().unwrap());
    assert_eq!(dev.said["login"]["email"], OWNER);
    let password = dev.said["login"]["password"].as_str().unwrap().to_owned();
    assert!(signs_in(&data, &password).await);
    assert!(!signs_in(&data, "another one").await);

    let seats = async || {
        let store = SqliteStore::open(&Path::new(&data).join("seatlock.db"), false).await.unwrap();
        let query = seatlock_server::store::SeatQuery { limit: 100, ..Default::default() };
        let page = store.run(query).await.unwrap();
        let audit = store.run(VerifyAudit(AuditPart::ALL)).await.unwrap();
        let license = store.run(ListLicenses(None)).await.unwrap().remove(0);
        store.close().await;
        assert_eq!(audit.broken_at, None);
        assert_eq!((license.plan.name.as_str(), license.seats_max), ("pro", 5));
        let state = |seat: &seatlock_server::domain::Seat| {
            (seat.shared_with.clone(), format!("{:?}", seat.lock_status()))
        };
        page.rows.iter().map(|listed| state(&listed.seat)).collect::<BTreeMap<_, _>>()
    };
    let wanted = |ada: &str| {
        [("ada", ada), ("alan", "Released"), ("grace", "InUse")]
            .map(|(name, state)| (format!("{name}@example.com"), state.to_owned()))
            .into()
    };
    assert_eq!(seats().await, wanted("NeverUsed"));
    let (status, lease) = dev.activate(dev.text("token")).await;
    assert_eq!((status, lease.iss.as_str(), lease.epoch), (201, url.as_str(), 1));
    assert_eq!(seats().await, wanted("InUse"));
    let log = dev.stop();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");

    // Without a word about where: the same folder, the same address.
    let dev = desk.start(&[]);
    assert_eq!((dev.text("url"), &dev.said["new"]), (url.as_str(), &json!(false)));
    assert_eq!((&dev.said["login"]["password"], &dev.said["token"]), (&Value::Null, &Value::Null));
    assert!(signs_in(&data, &password).await, "the password is the same");
    assert_eq!(seats().await, wanted("InUse"));
    let second = desk.refused(&[]);
    assert!(second.contains("running already"), "{second}");
    for (options, named) in [
        (&["--listen", "127.0.0.1:1"][..], "--listen"),
        (&["--product", "com.example.other"], "--product"),
        (&["--fresh"], "a server is running"),
    ] {
        let said = desk.refused(options);
        assert!(said.contains(named) && (options == ["--fresh"] || said.contains("--fresh")), "{said}");
    }
    dev.stop();

    // The commands that a second start names instead of secrets.
    let mut person = desk.command(&["dev"]);
    let mut person = person.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(person.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.by_ref().take_while(|line| !line.starts_with("listening")).collect();
    for (name, wanted) in [("password", "password  "), ("token", "token  sit_")] {
        let line = said.iter().find(|line| line.starts_with(name)).unwrap();
        let (_, command) = line.split_once("a new one: ").unwrap();
        let done = Command::new("sh").args(["-c", command]).current_dir("/").output().unwrap();
        let (printed, complaint) =
            (String::from_utf8(done.stdout).unwrap(), String::from_utf8_lossy(&done.stderr));
        assert!(printed.contains(wanted), "{command}: {printed}{complaint}");
        let made = printed.lines().find(|line| line.starts_with(name)).unwrap();
        let made = made.split_whitespace().nth(1).unwrap();
        if name == "password" {
            assert!(signs_in(&data, made).await && !signs_in(&data, &password).await);
        }
    }
    person.kill().unwrap();
    person.wait().unwrap();
}

#[tokio::test]
async fn fresh_begins_anew_and_deletes_only_what_dev_has_made() {
    let (desk, port) = (Desk::new(), Port::hold().unwrap());
    let listen = port.address().to_string();
    let options = ["--data", "trial", "--listen", &listen, "--product", "com.example.other"];
    let dev = desk.start(&options);
    let (first, root) = (dev.said["login"]["password"].clone(), dev.text("root_key").to_owned());
    assert!(dev.said["commands"].to_string().contains("EXAMPLE_PRODUCT=com.example.other"));
    assert_eq!(dev.activate(dev.text("token")).await.0, 201, "for that product");
    dev.stop();
    let mine = desk.path("trial/notes.txt");
    fs::write(&mine, "mine").unwrap();
    let dev = desk.start(&[&options[..], &["--fresh"]].concat());
    assert_ne!(dev.said["login"]["password"], first);
    assert_ne!(dev.text("root_key"), root);
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    let said = dev.stop();
    assert!(said.starts_with("deleting what \"dev\" has made in trial before"), "{said}");

    // Another root key in its place is somebody's.
    let root_file = desk.path("trial-root-key.json");
    let other = desk.command(&["keys", "new-root", "--out", "other.json"]).output().unwrap();
    assert!(other.status.success());
    fs::rename(desk.path("other.json"), &root_file).unwrap();
    let kept = fs::read(&root_file).unwrap();
    let said = desk.refused(&[&options[..], &["--fresh"]].concat());
    assert!(said.contains("trial-root-key.json"), "{said}");
    assert_eq!(fs::read(&root_file).unwrap(), kept);
    // Which leaves a folder that is begun again.
    fs::rename(&root_file, desk.path("elsewhere.json")).unwrap();
    fs::remove_file(&mine).unwrap();
    desk.start(&options).stop();
}

#[test]
fn what_is_not_devs_own_is_left_alone() {
    let desk = Desk::new();
    let init = ["--data", "real", "init", "--issuer", "https://x.example", "--product", "y"];
    assert!(desk.command(&init).output().unwrap().status.success());
    fs::create_dir(desk.path("photos")).unwrap();
    fs::write(desk.path("photos/cat.jpg"), "cat").unwrap();
    let before = desk.files();
    for data in ["real", "photos"] {
        for fresh in [&[][..], &["--fresh"]] {
            let said = desk.refused(&[&["--data", data], fresh].concat());
            assert!(
                said.contains("was not made by \"dev\"") && said.contains("nothing was touched"),
                "{said}"
            );
        }
    }
    let said = desk.refused(&["--data", "photos/cat.jpg"]);
    assert!(said.contains("photos/cat.jpg"), "{said}");
    assert_eq!(desk.files(), before);
}

#[test]
fn nobody_else_can_reach_it() {
    let desk = Desk::new();
    for listen in ["0.0.0.0:0", "192.0.2.1:8787", "[::]:0", "[2001:db8::1]:1"] {
        let said = desk.refused(&["--listen", listen]);
        assert!(said.contains("other computers"), "{listen}: {said}");
    }
    for (options, part) in [
        (&["--product", "two words"][..], "not the name of a product"),
        (&["--product", ""], "not the name of a product"),
        (&["--listen", "nonsense"], "--listen"),
    ] {
        let said = desk.refused(options);
        assert!(said.contains(part), "{said}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = desk.refused(&["--listen", &taken.local_addr().unwrap().to_string()]);
    assert!(said.contains("cannot be listened on"), "{said}");
    assert!(desk.files().is_empty(), "nothing was made");
}
