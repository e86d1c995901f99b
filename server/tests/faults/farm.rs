//! A farm whose nodes are killed without a word: it takes the server's minutes, and a computer that
//! starts hundreds of programs.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use xtask::plugin::Plugin;
use xtask::server::{Running, Setup};

/// How many render nodes start at once. Each is a process of its own.
const NODES: usize = 200;

struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn seats_of_killed_farm_nodes_come_back_by_themselves() {
    let plugin = Plugin::build().unwrap();
    let more = ["--ephemeral", "--offline-ttl", "20s", "--auto-release", "21s", "--renew", "6s"];
    let setup = Setup { seats: NODES as u32, more: more.map(str::to_owned).to_vec(), ..Setup::default() };
    let server = Running::start_with(&setup).unwrap();
    let seats: Vec<_> =
        (0..NODES).map(|n| server.create_seat(&format!("node-{n}@example.com")).unwrap()).collect();
    let root = tempfile::tempdir().unwrap();
    let start = |n: usize, generation: &str| {
        let mut command = plugin.command(&server, &root.path().join(format!("{n}-{generation}")));
        command.env("SEATLOCK_TOKEN", &seats[n].token);
        command.env("SEATLOCK_MACHINE_ID", format!("container-{n}-{generation}")).args(["watch", "600"]);
        Node(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let in_use = || {
        let list = server.administer(&["seat", "list", "--json"]).unwrap();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        list.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").count()
    };
    let until = |what: &str, wanted: usize| {
        let begin = Instant::now();
        // The server looks for seats that are not used every minute.
        while in_use() != wanted {
            assert!(begin.elapsed() < Duration::from_secs(180), "{what}: {} in use", in_use());
            thread::sleep(Duration::from_millis(100));
        }
    };
    let mut nodes: Vec<Node> = (0..NODES).map(|n| start(n, "first")).collect();
    until("all have started", NODES);
    // Killed as an orchestrator does: no release, no word.
    nodes.truncate(NODES / 2);
    until("half were killed", NODES / 2);
    // Their jobs start again in new containers, on what the server takes for other computers.
    nodes.extend((NODES / 2..NODES).map(|n| start(n, "second")));
    until("they are back", NODES);
}
