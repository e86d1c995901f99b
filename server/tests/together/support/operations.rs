//! Runs docs/operations.md from top to bottom, as it stands there, while machines hold licenses: on
//! SQLite alone, or on SQLite first and on PostgreSQL from where the page moves there.

use super::{AGREED, Computer, end_of, next_second, standing, until};
use seatlock::{Client, Code, Intent, LockState};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use xtask::{build, port::Port, repository, run};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);

/// Commands of the page, and what it says they print.
#[derive(Debug)]
struct Block {
    heading: String,
    place: String,
    commands: String,
    printed: Option<String>,
}

fn blocks() -> Vec<Block> {
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let (mut lines, mut heading) = (page.lines(), String::new());
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text.to_owned();
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n");
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("sh", place) => {
                let (heading, place) = (heading.clone(), place.to_owned());
                blocks.push(Block { heading, place, commands: text, printed: None });
            }
            ("text", _) => blocks.last_mut().unwrap().printed = Some(text),
            _ => panic!("{kind}: the page has commands and what they print"),
        }
    }
    blocks
}

/// Whether `printed` is what the page says, in which `<...>` stands for something.
pub fn fits(expected: &str, printed: &str) -> bool {
    let (expected, printed) = (expected.trim().lines(), printed.trim().lines());
    expected.clone().count() == printed.clone().count()
        && expected.zip(printed).all(|(line, said)| fits_line(line, said))
}

fn fits_line(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split('<');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    for part in parts {
        let literal = part.split_once('>').map_or("", |(_, literal)| literal);
        let found = if literal.is_empty() { Some(rest.len()) } else { rest.find(literal) };
        match found {
            Some(at @ 1..) => rest = &rest[at + literal.len()..],
            _ => return false,
        }
    }
    rest.is_empty()
}

/// The computer that the server runs on.
struct Site {
    folder: tempfile::TempDir,
    port: Port,
    /// Address of a database of PostgreSQL.
    postgres: Option<String>,
    seat: String,
    /// What was exported, for the shells that come.
    exports: String,
    serving: Option<Child>,
}

impl Site {
    fn new(postgres: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = Port::hold().unwrap();
        Self { folder, port, postgres, seat: String::new(), exports: String::new(), serving: None }
    }

    fn shell(&self, commands: &str) -> Command {
        let program = build::server().unwrap();
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &format!("{}{commands}", self.exports)]).current_dir(&self.folder);
        shell
            .env("PATH", path)
            .env("ADDRESS", self.port.address().to_string())
            .env("ISSUER", format!("http://{}", self.port.address()));
        shell.envs(self.postgres.iter().map(|address| ("POSTGRES", address)));
        shell.env("SEAT", &self.seat).stdin(Stdio::null());
        shell
    }

    fn json(&self, command: &str) -> serde_json::Value {
        serde_json::from_str(&run::output(&mut self.shell(command)).unwrap()).unwrap()
    }

    fn seat(&self, email: &str) -> (String, String) {
        let made = self.json(&format!("seatlock-server seat create --email {email} --json"));
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    fn stop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.kill().unwrap();
            serving.wait().unwrap();
            next_second();
        }
    }

    fn start(&mut self) {
        // The shell makes way for the server, so that ending the one ends the other.
        let mut shell = self.shell(&format!("exec {SERVE}"));
        self.serving = Some(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the server listens", || TcpStream::connect(self.port.address()).is_ok());
    }

    /// What commands print. Whoever has PostgreSQL has curl too; without it the test asks the
    /// server itself, before the shell has the rest.
    fn printed(&self, commands: &str) -> String {
        let asks = commands.lines().take_while(|line| self.postgres.is_none() && line.starts_with(CURL));
        let mut printed: String =
            asks.clone().map(|line| self.get(line.strip_prefix(CURL).unwrap())).collect();
        let rest: Vec<&str> = commands.lines().skip(asks.count()).collect();
        let rest = rest.join("\n");
        assert!(self.postgres.is_some() || !rest.contains("curl"), "curl is asked for first: {rest}");
        if !rest.is_empty() {
            printed.push_str(&run::output(&mut self.shell(&rest)).unwrap());
        }
        printed
    }

    /// The body at a path, written as in the page with a quote behind it.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.port.address()).unwrap();
        let path = path.strip_suffix('"').unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1) == Some("200"), "{head}");
        format!("{}\n", body.trim_end())
    }

    fn type_in(&mut self, block: &Block) {
        match block.place.as_str() {
            "stopped" => self.stop(),
            "server" if self.serving.is_none() => self.start(),
            _ => {}
        }
        if block.commands == SERVE {
            return;
        }
        let printed = self.printed(&block.commands);
        if let Some(expected) = &block.printed {
            assert!(fits(expected, &printed), "the page says\n{expected}\n--- printed was\n{printed}");
        }
        for line in block.commands.lines().filter(|line| line.starts_with("export ")) {
            self.exports.push_str(&format!("{line}\n"));
        }
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
const CURL: &str = "curl -fsS \"$URL";

fn code(client: &Client, operation: Result<seatlock::OperationId, seatlock::Failure>) -> Code {
    end_of(client, operation).code
}

/// Plays the page, with a database of PostgreSQL or without what it says about that, and looks that
/// nobody is locked out.
pub fn play(postgres: Option<String>) {
    let expected = if postgres.is_some() { 2 } else { 1 };
    let mut blocks = blocks();
    blocks.retain(|block| postgres.is_some() || !block.heading.contains("PostgreSQL"));
    let mut site = Site::new(postgres);
    // Each time that a database is lost, one more has just begun.
    let names = ["stays", "moved", "new"];
    let names = names.get(..=expected).unwrap();
    let computers: Vec<Computer> = names.iter().map(|name| Computer::new(name)).collect();
    let mut clients: Vec<Client> = Vec::new();
    let mut seats: Vec<(String, String)> = Vec::new();
    let mut drills = 0;
    for block in &blocks {
        if block.commands.contains("seat revoke") {
            site.seat = site.seat("leaver@example.com").0;
        }
        if block.commands.contains("restore ") || block.commands.contains("pg_restore") {
            lose(&clients, &seats);
            drills += 1;
        }
        site.type_in(block);
        if site.serving.is_some() && clients.is_empty() {
            let root = site.json("cat seatlock-data-root-key.json")["x"].as_str().unwrap().to_owned();
            let url = format!("http://{}", site.port.address());
            let open = |computer: &Computer| Client::open(&computer.options_for(&url, &url, &root)).unwrap();
            clients = computers.iter().map(open).collect();
            seats = names.iter().map(|name| site.seat(&format!("{name}@example.com"))).collect();
            assert_eq!(code(&clients[0], clients[0].activate(&seats[0].1, AGREED)), Code::Ok);
        }
        if site.serving.is_some() {
            for client in clients.iter().filter(|client| standing(client).0 != LockState::Locked) {
                assert_eq!(code(client, client.ping(Intent::Launch)), Code::Ok, "after {}", block.commands);
                assert_eq!(standing(client), UNLOCKED, "after {}", block.commands);
            }
        }
    }
    assert_eq!(drills, expected, "every database was restored");
    let standings: Vec<_> = clients.iter().map(standing).collect();
    assert!(standings.iter().all(|standing| *standing == UNLOCKED), "nobody was locked out: {standings:?}");
    let told = run::output(&mut site.shell("seatlock-server audit --last 500")).unwrap();
    assert_eq!(told.matches(" restored ").count(), expected, "{told}");
    assert!(told.matches(" recovered ").count() >= expected, "{told}");
}

/// What the backup does not know: a seat is taken by a machine for the first time, and a lease is
/// renewed.
fn lose(clients: &[Client], seats: &[(String, String)]) {
    let next = (1..clients.len()).find(|client| standing(&clients[*client]).0 == LockState::Locked).unwrap();
    assert_eq!(code(&clients[next], clients[next].activate(&seats[next].1, AGREED)), Code::Ok);
    assert_eq!(code(&clients[0], clients[0].ping(Intent::Launch)), Code::Ok);
}
