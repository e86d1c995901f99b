//! Runs the commands of docs/keys.md, one after the other, as they stand there, while a plug-in is
//! at work.

use crate::support::{AGREED, Computer, end_of, next_second, standing, until};
use seatlock::{Client, Code, Intent, LockState};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use xtask::{build, port::Port, repository, run};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);

/// The commands of the page, each with the place at which it is to be typed.
fn commands() -> Vec<(String, String)> {
    let page = fs::read_to_string(repository().join("docs/keys.md")).unwrap();
    let (mut place, mut commands) = (None::<String>, Vec::new());
    for line in page.lines() {
        match (&place, line.strip_prefix("```sh "), line) {
            (_, Some(named), _) => place = Some(named.to_owned()),
            (_, _, "```") => place = None,
            (Some(place), _, command) => commands.push((place.clone(), command.to_owned())),
            _ => {}
        }
    }
    commands
}

/// Two computers and what is carried between them.
struct Site {
    folder: tempfile::TempDir,
    port: Port,
    issuer: String,
    kid: String,
    serving: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for place in ["offline", "server", "server/secrets"] {
            fs::create_dir(folder.path().join(place)).unwrap();
        }
        let port = Port::hold().unwrap();
        let issuer = "https://license.example.com".to_owned();
        Self { folder, port, issuer, kid: String::new(), serving: None }
    }

    fn shell(&self, place: &str, command: &str) -> Command {
        let program = build::server().unwrap();
        let folder = if place == "offline" { "offline" } else { "server" };
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", command]).current_dir(self.folder.path().join(folder)).env("PATH", path);
        shell.env("SEATLOCK_SERVER_DATA", "seatlock-data").env("KID", &self.kid);
        shell
            .env("ISSUER", &self.issuer)
            .env("ADDRESS", self.port.address().to_string())
            .stdin(Stdio::null());
        shell
    }

    fn type_in(&mut self, place: &str, command: &str) -> String {
        match (place, &mut self.serving) {
            ("stopped", Some(serving)) => {
                serving.kill().unwrap();
                serving.wait().unwrap();
                self.serving = None;
                next_second();
            }
            ("server", None) if !command.contains(" serve ") => self.serve(SERVE),
            _ => {}
        }
        if command.contains(" serve ") {
            self.serve(command);
            return String::new();
        }
        run::output(&mut self.shell(place, command)).unwrap()
    }

    fn serve(&mut self, command: &str) {
        // The shell makes way for the server, so that ending the one ends the other.
        let mut shell = self.shell("server", &format!("exec {command}"));
        self.serving = Some(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until(command, || TcpStream::connect(self.port.address()).is_ok());
    }

    fn carry(&self, from: &str, to: &str, name: &str) {
        let (from, to) = (self.folder.path().join(from).join(name), self.folder.path().join(to).join(name));
        if from.exists() {
            // What was carried before is not needed any more.
            let _ = fs::remove_file(&to);
            fs::rename(from, to).unwrap();
        }
    }

    fn keys(&self) -> Vec<serde_json::Value> {
        let listed = run::output(&mut self.shell("server", "seatlock-server keys list --json")).unwrap();
        serde_json::from_str(&listed).unwrap()
    }

    fn signs(&self) -> String {
        let keys = self.keys();
        let key = keys.iter().find(|key| key["signs"] == true).unwrap();
        key["kid"].as_str().unwrap().to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            let _ = serving.kill();
            let _ = serving.wait();
        }
    }
}

const SERVE: &str = "seatlock-server serve --listen \"$ADDRESS\"";

#[test]
fn the_commands_of_the_page_work_as_they_stand_there() {
    let commands = commands();
    assert_eq!(commands.len(), 15, "a command was added or lost: {commands:#?}");
    assert!(commands.iter().any(|(_, command)| command == SERVE));
    let mut site = Site::new();
    let computer = Computer::new("at-work");
    let mut root = String::new();
    let mut client: Option<Client> = None;
    let mut keys_used = Vec::new();
    for (place, command) in &commands {
        match place.as_str() {
            "offline" => site.carry("server", "offline", "proposal.json"),
            _ => site.carry("offline", "server", "keyset.json"),
        }
        if place == "server" && command.contains(" serve ") {
            site.carry("offline", "server", "seatlock-data");
        }
        if command.contains("$KID") {
            site.kid = site.signs();
        }
        if command.contains("sign proposal.json") {
            // "Carry": the file of the ceremony before was taken away.
            let _ = fs::remove_file(site.folder.path().join("offline/keyset.json"));
        }
        let printed = site.type_in(place, command);
        if command.contains("new-root") {
            root = printed.split_whitespace().nth(2).unwrap().to_owned();
        }
        if client.is_none() && site.serving.is_some() {
            let made = "seatlock-server seat create --email artist@example.com --json";
            let seat = run::output(&mut site.shell("server", made)).unwrap();
            let seat: serde_json::Value = serde_json::from_str(&seat).unwrap();
            let url = format!("http://{}", site.port.address());
            let opened = Client::open(&computer.options_for(&url, &site.issuer, &root)).unwrap();
            let token = seat["token"].as_str().unwrap();
            assert_eq!(end_of(&opened, opened.activate(token, AGREED)).code, Code::Ok);
            client = Some(opened);
        }
        if let Some(client) = client.as_ref().filter(|_| site.serving.is_some()) {
            assert_eq!(end_of(client, client.ping(Intent::Launch)).code, Code::Ok, "after {command}");
            assert_eq!(standing(client), UNLOCKED, "after {command}");
            keys_used.push(site.signs());
        }
    }
    keys_used.dedup();
    assert_eq!(keys_used.len(), 3, "changed once, revoked once: {keys_used:?}");
    // The server of the page's end: restored, with the newest key set.
    site.serve(SERVE);
    let client = client.unwrap();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&client), UNLOCKED);
    assert_eq!(Some(&site.signs()), keys_used.last());
    assert!(site.keys().iter().any(|key| key["revoked_since"].is_string()));
    let private = fs::read_to_string(site.folder.path().join("offline/root-key.json")).unwrap();
    let private: serde_json::Value = serde_json::from_str(&private).unwrap();
    assert!(!anywhere(&site.folder.path().join("server"), private["d"].as_str().unwrap().as_bytes()));
}

/// Whether a file below `folder` holds `secret`.
fn anywhere(folder: &Path, secret: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().map(Result::unwrap).any(|entry| match entry.path() {
        path if path.is_dir() => anywhere(&path, secret),
        path => fs::read(path).unwrap().windows(secret.len()).any(|part| part == secret),
    })
}
