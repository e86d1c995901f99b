//! How long a fresh process waits for its first verified answer while the server is gone.

/// The library, its hosts, and the table.
mod support;

use anyhow::{Context, Result};
use seatlock::machine::seal;
use seatlock::store::{Folder, Seal};
use std::process::{Command, ExitCode};
use support::host::{Computer, Pinned};
use support::lease::{StoredLease, signing_key};
use xtask::server::{Running, Setup};

/// Microseconds from before dlopen to after the status.
const LIMIT: f64 = 1000.0;
const RUNS: &str = "100";

fn main() -> Result<ExitCode> {
    let (folder, mut server) = (support::folder()?, Running::start()?);
    let library = support::library()?;
    let key = signing_key(&server)?;
    let calls = support::program(&folder, "calls", Some(&library))?;
    let computer = Computer { server: &server, name: "first", folder: folder.path(), pinned: Pinned::Root };
    support::output(&mut computer.command(&calls), &format!("{}\nremember\n", computer.token()?))?;
    let (machine, state) = (computer.machine(), computer.state_folder());
    server.stop()?;

    let mut first = Command::new(support::program(&folder, "first_answer", None)?);
    first.arg(RUNS).arg(support::empty_library(&folder)?).arg(&library).arg(server.url());
    first.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    first.args([server.root_key(), &machine]).arg(&state);
    let printed = support::output(&mut first, "")?;
    let figures = support::medians(&printed)?;
    let figure = |name| {
        let found = figures.get(name).copied().with_context(|| format!("no figure of {name}"));
        found.map(|nanoseconds| nanoseconds / 1000.0)
    };

    let product = Setup::default().product;
    let identity = seatlock::machine_identity(&product, Some(&machine))?;
    let seal = Seal { protect: seal::protect, unprotect: seal::unprotect };
    let lease = StoredLease::read(&Folder::new(&state, &product, &identity.id, seal), &key)?;
    let verify =
        support::median((0..101).map(|_| support::micros(10, || lease.verify())).collect::<Result<_>>()?)?;

    let mut table = support::Table::new("first_answer: 100 fresh processes each, no server, a stored lease");
    table.row("one Ed25519 verification (ring)", verify, "us");
    table.beside("dlopen, beside a library that does nothing", figure("load")?, "us", figure("empty_load")?);
    table.row("options", figure("set_options")?, "us");
    table.beside("open: one file, two signatures, one thread", figure("open")?, "us", verify);
    table.limit("dlopen to the answer", figure("answer")?, "us", LIMIT, 1.0);
    let empty = figure("empty_process")?;
    table.beside("fork to the answer, beside fork to dlopen", figure("process_answer")?, "us", empty);
    let empty = figure("empty_whole")?;
    table.beside("whole process, the launch counted with fsync", figure("process_whole")?, "us", empty);
    Ok(table.end())
}
