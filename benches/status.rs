//! What a host pays for drawing its lock state: `seatlock_client_status` of the shipped library,
//! called from C.

/// The library, its hosts, and the table.
mod support;

use anyhow::{Context, Result};
use std::process::ExitCode;
use support::host::{Computer, Pinned};
use xtask::server::Running;

/// Nanoseconds that a call may take: a host asks in every frame, for every panel that it draws.
const LIMIT: f64 = 50.0;

fn main() -> Result<ExitCode> {
    let (folder, server) = (support::folder()?, Running::start()?);
    let program = support::program(&folder, "status", Some(&support::library()?))?;
    let computer = Computer { server: &server, name: "status", folder: folder.path(), pinned: Pinned::Root };
    let printed = support::output(&mut computer.command(&program), &computer.token()?)?;
    let figures = support::medians(&printed)?;
    let figure = |name| figures.get(name).copied().with_context(|| format!("no figure of {name}"));

    let mut table =
        support::Table::new("status: 101 runs of 20,000 calls each, a remembered license, release cdylib");
    let clock = figure("clock")?;
    table.row("clock_gettime(CLOCK_BOOTTIME)", clock, "ns");
    table.limit("seatlock_client_status", figure("status")?, "ns", LIMIT, 1.0);
    table.beside("  beside the clock that leases are judged by", figure("status")?, "ns", clock);
    table.limit("each of two threads at the same time", figure("status_two_threads")?, "ns", LIMIT, 1.0);
    table.holds("no allocation in 100,000 calls", figure("allocations")? == 0.0);
    table.holds("nor in the first call of a new thread", figure("allocations_of_new_thread")? == 0.0);
    table.holds("the counter sees those of seatlock_client_text", figure("allocations_of_text")? > 0.0);
    Ok(table.end())
}
