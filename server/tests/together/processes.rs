//! Many hosts of one installation: they share a state folder, and are killed in the middle of
//! anything.

use crate::relay;
use crate::support::{AGREED, Computer, end_of};
use seatlock::{Client, Code, Intent, LockState};
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::server::{Running, Setup};
use xtask::{build, c, repository};

/// The machine id of `tests/c/common.h`.
const MACHINE: &str = "a-test-machine-of-ours";
const PROCESSES: usize = 16;
/// Operations that must have ended in all; more by the environment, for an evening.
const OPERATIONS: u64 = 4_000;

struct Farm {
    server: Running,
    token: String,
    computer: Computer,
    folder: TempDir,
}

impl Farm {
    /// A server that suspects copies and refuses them, and an installation that is licensed.
    fn new(renew: &str) -> Self {
        let more = ["--clone-policy", "enforce", "--renew", renew].map(str::to_owned).to_vec();
        let server = Running::start_with(&Setup { more, ..Setup::without_token_limit() }).unwrap();
        let token = server.create_seat("artist@example.com").unwrap().token;
        let computer = Computer { machine: MACHINE.to_owned(), ..Computer::new("many") };
        let client = computer.open(&server);
        assert_eq!(end_of(&client, client.activate(&token, AGREED)).code, Code::Ok);
        drop(client);
        let folder = tempfile::tempdir().unwrap();
        let farm = Self { server, token, computer, folder };
        let link = c::link_with(&build::shared_library(false).unwrap()).unwrap();
        let flags: Vec<&str> = c::C_WARNINGS
            .iter()
            .copied()
            .chain(["-pthread"])
            .chain(link.iter().map(String::as_str))
            .collect();
        let source = repository().join("tests/c/many.c");
        c::compile(&[&source], &[&repository().join("include")], &farm.program(), &flags).unwrap();
        farm
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("many")
    }

    /// Starts a host that goes on until it is killed.
    fn start(&self, url: &str, tally: &Arc<Tally>, seed: u64, kinds: &str) -> Child {
        let mut command = Command::new(self.program());
        command.args([url, self.server.issuer(), self.server.root_key()]);
        command.arg(self.computer.folder.path()).args([seed.to_string().as_str(), kinds]);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SEATLOCK_")) {
            command.env_remove(name);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // One that was killed at once does not read it any more.
        let _ = writeln!(child.stdin.take().unwrap(), "{}", self.token);
        let (mut said, tally) = (child.stdout.take().unwrap(), Arc::clone(tally));
        thread::spawn(move || {
            let (mut buffer, mut wrong) = ([0; 4096], Vec::new());
            while let Ok(size @ 1..) = said.read(&mut buffer) {
                let read = buffer.get(..size).unwrap();
                if !wrong.is_empty() || read.contains(&b'\n') {
                    wrong.extend(read);
                } else {
                    tally.ended.fetch_add(size as u64, Ordering::Relaxed);
                    let asked = read.iter().filter(|letter| b"rlpa".contains(letter)).count();
                    tally.asked.fetch_add(asked as u64, Ordering::Relaxed);
                }
            }
            if !wrong.is_empty() {
                tally.wrong.lock().unwrap().push(String::from_utf8_lossy(&wrong).trim().to_owned());
            }
        });
        child
    }
}

/// What the hosts have reported.
#[derive(Default)]
struct Tally {
    /// Operations.
    ended: AtomicU64,
    /// Those that the worker carried out.
    asked: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

/// Reads the state file as fast as it can, without any lock: it is whole at every moment, and its
/// epoch never falls.
fn observe(folder: &Path, stop: &AtomicBool) -> (u64, u64) {
    let (mut reads, mut epoch) = (0, 0);
    let state = folder.join("state.json");
    while !stop.load(Ordering::Relaxed) {
        let bytes = fs::read(&state).expect("it is there at every moment");
        let value: serde_json::Value = serde_json::from_slice(&bytes).expect("it is whole at every moment");
        let lease =
            value.pointer("/state/products/com.example.bridge/lease").and_then(|lease| lease.as_str());
        let lease = lease.unwrap_or_else(|| panic!("no license at one moment: {value}"));
        let claims = decoded(lease.split('.').nth(1).unwrap());
        let now = claims.get("epoch").unwrap().as_u64().unwrap();
        assert!(now >= epoch, "epoch {epoch}, then {now}");
        (reads, epoch) = (reads + 1, now);
        thread::sleep(Duration::from_millis(2));
    }
    (reads, epoch)
}

fn decoded(part: &str) -> serde_json::Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn sixteen_hosts_of_eight_threads_are_killed_at_random() {
    let wanted = env::var("SEATLOCK_TEST_OPERATIONS").ok().map_or(OPERATIONS, |text| text.parse().unwrap());
    let farm = Farm::new("2s");
    let tally = Arc::<Tally>::default();
    let state = farm.computer.file("state.json").unwrap();
    let stop = AtomicBool::new(false);
    let (mut kills, mut seed) = (0, 0_u64);
    let (reads, epoch) = thread::scope(|scope| {
        let observer = scope.spawn(|| observe(state.parent().unwrap(), &stop));
        let mut start = || {
            seed += 1;
            farm.start(&farm.server.url(), &tally, seed, "sssssssttttrrrrlpa")
        };
        let mut hosts: Vec<Child> = (0..PROCESSES).map(|_| start()).collect();
        let begin = Instant::now();
        while tally.ended.load(Ordering::Relaxed) < wanted && tally.wrong.lock().unwrap().is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(300) || wanted > OPERATIONS, "{:?}", tally.ended);
            thread::sleep(Duration::from_millis(40));
            let victim = kills * 7 % PROCESSES;
            let host = hosts.get_mut(victim).unwrap();
            host.kill().unwrap();
            host.wait().unwrap();
            *host = start();
            kills += 1;
        }
        for mut host in hosts {
            host.kill().unwrap();
            host.wait().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        observer.join().unwrap()
    });
    assert_eq!(*tally.wrong.lock().unwrap(), Vec::<String>::new());
    let (ended, asked) = (tally.ended.load(Ordering::Relaxed), tally.asked.load(Ordering::Relaxed));
    println!("{ended} operations, {asked} of them the worker's; {kills} kills; {reads} reads; epoch {epoch}");
    assert!(kills > 20 && reads > 100 && asked > wanted / 20, "{kills} kills, {reads} reads, {asked} asked");
    assert_eq!(epoch, 1, "one binding is all that was needed");

    let client = farm.computer.open(&farm.server);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    // A busy computer may take longer than the two seconds for which an answer counts as fresh.
    assert_ne!(client.status().unwrap().lock_state, LockState::Locked);
    let corrupt = farm.computer.files().into_keys().find(|path| path.to_string_lossy().contains("corrupt"));
    assert_eq!(corrupt, None);
    let audit = farm.server.administer(&["audit"]).unwrap();
    assert!(!audit.contains("clone_suspected"), "{audit}");
}

#[test]
fn one_renewal_is_enough_for_all_hosts() {
    let farm = Farm::new("3s");
    let tally = Arc::<Tally>::default();
    let answers = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answers);
    let url = relay::relay(&farm.server, move |body| {
        counted.fetch_add(1, Ordering::Relaxed);
        Some(body)
    });
    let begin = Instant::now();
    let mut hosts: Vec<Child> =
        (0..PROCESSES as u64).map(|seed| farm.start(&url, &tally, seed, "rs")).collect();
    let enough = || {
        let (pings, asked) = (answers.load(Ordering::Relaxed), tally.asked.load(Ordering::Relaxed));
        begin.elapsed() >= Duration::from_secs(6) && pings >= 2 && asked > 1000
    };
    while !enough() && begin.elapsed() < Duration::from_secs(300) {
        thread::sleep(Duration::from_millis(20));
    }
    for host in &mut hosts {
        host.kill().unwrap();
        host.wait().unwrap();
    }
    assert_eq!(*tally.wrong.lock().unwrap(), Vec::<String>::new());
    let (pings, asked) = (answers.load(Ordering::Relaxed), tally.asked.load(Ordering::Relaxed));
    // The interval is spread by a fifth, and both of its ends are whole seconds; killing at the end may
    // cost one answer.
    let most = begin.elapsed().as_secs() + 2;
    println!("{asked} renewals asked for, {pings} sent, {most} at most");
    assert!(asked > 1000 && (2..=most).contains(&pings), "{asked} asked for, {pings} sent, {most} at most");
}

#[test]
fn while_the_server_hangs_other_hosts_read_and_save() {
    let farm = Farm::new("1h");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let options = farm.computer.options_for(&url, farm.server.issuer(), farm.server.root_key());
    let waiting = Client::open(&options).unwrap();
    let ping = waiting.ping(Intent::Launch).unwrap();
    let _connection = silent.accept().unwrap();
    assert!(farm.computer.file("asking").is_some(), "it has the turn");
    #[cfg(target_os = "linux")]
    assert_eq!(locks_below(farm.computer.folder.path()), 0, "and no lock");
    let other = farm.computer.open(&farm.server);
    assert_eq!(end_of(&other, other.forget()).code, Code::Ok, "removes files under the lock");
    assert!(waiting.wait(ping, Duration::ZERO).unwrap().is_none(), "which hangs meanwhile");
}

/// Locks of this process on files below `folder`.
#[cfg(target_os = "linux")]
fn locks_below(folder: &Path) -> usize {
    use std::os::unix::fs::MetadataExt as _;
    let files = |path: &Path| fs::metadata(path).map(|file| file.ino().to_string()).unwrap();
    let mut inodes = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { inodes.push(files(&path)) }
        }
    }
    assert!(!inodes.is_empty());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    // Other processes, on other disks, have files of the same numbers.
    let ours = format!(" {} ", std::process::id());
    let held =
        |line: &&str| line.contains(&ours) && inodes.iter().any(|inode| line.contains(&format!(":{inode} ")));
    locks.lines().filter(held).count()
}
