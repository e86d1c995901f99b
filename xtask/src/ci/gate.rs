use super::strace;
use anyhow::{Context, Result, ensure};
use std::fs;
use xtask::plugin::Plugin;
use xtask::run;
use xtask::server::Running;

/// Every verb that could use the network, and a watching host whose lease is due.
const VERBS: &[&[&str]] =
    &[&["status"], &["ping"], &["preflight"], &["activate", "-"], &["release"], &["watch", "3"]];

/// How the network is switched off: an argument, or a variable.
const SWITCHES: &[(&str, Option<&str>, Option<&str>)] =
    &[("option", Some("--no-network"), None), ("SEATLOCK_OFFLINE", None, Some("1"))];

/// strace sees no socket of any family while the gate is closed, and sees them while it is open.
/// The server's address is a name, so that the resolver would be asked too.
pub fn closed() -> Result<String> {
    // As it is shipped: in the quick build, the server's features let the runtime of the library use
    // sockets of its own.
    let plugin = Plugin::with(&super::shipped()?)?;
    let server = Running::start_with(&xtask::server::Setup {
        more: vec!["--renew".into(), "1s".into()],
        ..Default::default()
    })?;
    let seat = server.create_seat("artist@example.com")?;
    let folder = tempfile::tempdir()?;
    let mut licensed = plugin.command(&server, &folder.path().join("state"));
    let (code, said) = run::status(licensed.args(["activate", "-"]), Some(&seat.token))?;
    ensure!(code == 0, "activating ended with {code}\n{said}");
    std::thread::sleep(std::time::Duration::from_secs(2)); // the lease is due from here on

    let named = server.url().replace("127.0.0.1", "localhost");
    let traced = |switch: &(&str, Option<&str>, Option<&str>), verb: &[&str]| -> Result<(String, String)> {
        let (what, option, variable) = switch;
        let log = folder.path().join("trace");
        let mut command = plugin.command(&server, &folder.path().join("state"));
        command.env("EXAMPLE_SERVER", &named).args(verb).args(*option);
        command.envs(variable.map(|value| ("SEATLOCK_OFFLINE", value)));
        let mut traced = strace(&["-e", "trace=network"], &log, &command);
        let (_, said) =
            run::status(&mut traced, Some(&seat.token)).with_context(|| format!("{what} {verb:?}"))?;
        Ok((said, fs::read_to_string(log)?))
    };
    for switch in SWITCHES {
        for verb in VERBS {
            let (said, calls) = traced(switch, verb)?;
            ensure!(
                !calls.contains("socket") && !calls.contains("connect"),
                "{switch:?} {verb:?}\n{calls}\n{said}"
            );
            ensure!(
                *verb == ["status"] || said.contains("network_disallowed"),
                "{switch:?} {verb:?}: {said}"
            );
        }
    }
    let open = ("open", None, None);
    let (_, calls) = traced(&open, &["ping"])?;
    ensure!(calls.contains("connect("), "the trace would not have shown a connection\n{calls}");
    Ok(format!("{} runs without a socket, and one that has them", SWITCHES.len() * VERBS.len()))
}
