//! What the library adds to the network: activations and pings through the C interface, beside the
//! same requests sent by reqwest alone, in turns, to one server on this computer.

/// The library, its hosts, and the table.
mod support;

use anyhow::Result;
use seatlock::protocol::api::SeatCall;
use std::process::ExitCode;
use support::bare::Bare;
use support::host::{Computer, Host, Pinned};
use support::lease::signing_key;
use xtask::server::{Running, Setup};

/// Times what reqwest alone takes.
const LIMIT: f64 = 1.5;
const RUNS: usize = 150;
const WARM_UP: usize = 10;

fn main() -> Result<ExitCode> {
    let (folder, server) = (support::folder()?, Running::start_with(&Setup::without_token_limit())?);
    let calls = support::program(&folder, "calls", Some(&support::library()?))?;
    let computer = |name| Computer { server: &server, name, folder: folder.path(), pinned: Pinned::Root };
    let mut bare = Bare::new(&server, &signing_key(&server)?)?;
    let mut table =
        support::Table::new("activation: 150 round trips each, in turns, kept connections, loopback");

    let mut brief = Host::start(&computer("brief"), &calls)?;
    for (name, call, word) in [("activate", SeatCall::Activate, "forget"), ("ping", SeatCall::Ping, "ping")] {
        let [alone, library] = in_turns([&mut || bare.send(call), &mut || brief.tell(word)])?;
        table.row(&format!("{name}, reqwest alone"), alone, "us");
        table.limit(&format!("{name}, nothing remembered"), library, "us", alone, LIMIT);
    }
    // What is remembered is on the disk before the host hears of it: a token once, a lease with every
    // answer.
    let mut kept = Host::start(&computer("kept"), &calls)?;
    let calls = [("activate", SeatCall::Activate, "remember", 2.0), ("ping", SeatCall::Ping, "ping", 1.0)];
    for (name, call, word, writes) in calls {
        let [alone, library, write] =
            in_turns([&mut || bare.send(call), &mut || kept.tell(word), &mut || {
                support::durable_write(&folder)
            }])?;
        table.row(&format!("{name}, reqwest alone"), alone, "us");
        table.row("one durable write (fsync of file and folder)", write, "us");
        table.beside(&format!("{name}, remembered"), library, "us", alone);
        let least = alone + writes * write;
        table.limit(&format!("  beside reqwest and durable writes, {writes}"), library, "us", least, LIMIT);
    }
    Ok(table.end())
}

/// Medians of things that are done in turns, so that all of them meet the same computer.
fn in_turns<const N: usize>(mut things: [&mut dyn FnMut() -> Result<f64>; N]) -> Result<[f64; N]> {
    let mut runs = [const { Vec::new() }; N];
    for run in 0..WARM_UP + RUNS {
        for (thing, figures) in things.iter_mut().zip(&mut runs) {
            let took = thing()?;
            if run >= WARM_UP {
                figures.push(took);
            }
        }
    }
    let mut medians = [0.0; N];
    for (median, figures) in medians.iter_mut().zip(runs) {
        *median = support::median(figures)?;
    }
    Ok(medians)
}
