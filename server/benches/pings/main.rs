//! How many signed pings a server answers in a second on either database, beside the limits of its
//! halves in the same run.
//!
//! `cargo bench --profile server -p seatlock-server --bench pings -- --help`. The server is the
//! real program on the real disk, SQLite with `synchronous=FULL`, PostgreSQL as it is installed;
//! the load comes from this process, on the same processors. Run by `cargo test`, it only shows
//! that it still works.

/// A database full of seats.
mod fill;
/// Plug-ins that ping.
mod load;
/// What the pings are compared with.
mod peers;
/// The server as a process, and what it takes of the computer.
mod server;
/// What was measured, as a table.
mod table;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use fill::{Database, Seats};
use load::{Load, Pace};
use peers::Bare;
use server::{Running, Usage};
use std::time::Duration;
use table::{Row, Table, say};

const PRODUCT: &str = "com.example.bridge";

/// Measures signed pings
#[derive(Parser)]
struct Options {
    /// Databases
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Sqlite, Kind::Postgres])]
    stores: Vec<Kind>,
    /// Seats in the database; of each size a table. Much fewer would ping so often that the secrets
    /// which a server remembers for a minute become what is measured
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    seats: Vec<usize>,
    /// Connections that are kept
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Length of each run
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Runs, of which the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Pings per second that come whether or not the server keeps up [default: half of what it
    /// answered before]
    #[arg(long)]
    rate: Option<f64>,
    /// Seats that are given to new installations in each run
    #[arg(long, default_value_t = 1000)]
    binds: usize,
    /// Given by cargo bench, and not by cargo test
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Options {
    fn read() -> Self {
        let options = Self::parse();
        if options.bench {
            return options;
        }
        Self { seats: vec![500], connections: 8, seconds: 1, runs: 1, binds: 20, ..options }
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::read();
    tokio::runtime::Runtime::new()?.block_on(async {
        for seats in &options.seats {
            for kind in &options.stores {
                measure(&options, *kind, *seats).await?;
            }
        }
        Ok(())
    })
}

async fn measure(options: &Options, kind: Kind, number: usize) -> anyhow::Result<()> {
    // Beside the build, because the folder for temporary files is often not on a disk.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let database = Database::new(kind, folder.path()).await?;
    let seats = Seats::new(number, options.binds * options.runs, &database.pepper()?);
    let filled = database.fill(&seats).await?;
    let server = Running::start(&database)?;
    say(&format!(
        "{} processors, {number} seats in {} ({} bytes each, filled in {:.0} s), {} connections, {} runs of {} s",
        std::thread::available_parallelism()?,
        database.name(),
        filled.bytes / number as u64,
        filled.time.as_secs_f64(),
        options.connections,
        options.runs,
        options.seconds
    ))?;
    let at_rest = server.memory()?;
    let mut load = Load::pings(&seats, options.connections);
    let mut bare = Bare::new(&database, number).await?;
    let mut table = Table::default();
    // Until everything is in memory that stays there.
    load.drive(server.address, Pace::AsAnswered, options.time()).await?;
    for run in 0..options.runs {
        let before = database.usage(&server).await?;
        let pings = load.drive(server.address, Pace::AsAnswered, options.time()).await?;
        let used = Usage::between(&before, &database.usage(&server).await?);
        let rate = options.rate.unwrap_or(pings.rate() / 2.0);
        table.add(Row::Pings, pings, Some(used));
        let before = database.usage(&server).await?;
        let paced = load.drive(server.address, Pace::PerSecond(rate), options.time()).await?;
        table.add(Row::Paced, paced, Some(Usage::between(&before, &database.usage(&server).await?)));
        let mut binds = Load::binds(&seats, options.connections, run, options.binds);
        let before = database.usage(&server).await?;
        let bound = binds.drive(server.address, Pace::Once, options.time()).await?;
        table.add(Row::Binds, bound, Some(Usage::between(&before, &database.usage(&server).await?)));
        table.add(Row::Handler, peers::handler(&mut load, options.time()).await?, None);
        for (row, commits) in bare.commits(options).await? {
            table.add(row, commits, None);
        }
    }
    let under_load = server.memory()?;
    let audited = database.audit_rows().await?;
    // A ping writes none, a bind writes one.
    let expected = filled.audit_rows + i64::try_from(seats.unused)?;
    ensure!(audited == expected, "{audited} audit rows instead of {expected}");
    server.stop()?;
    table.print()?;
    say(&format!(
        "on the wire: request {} bytes, answer {} bytes; server's memory: at rest {} MB, under load {} MB, most {} MB\n",
        load.request_bytes().context("a request was sent")?,
        load.answer_bytes().context("an answer came")?,
        at_rest.resident,
        under_load.resident,
        under_load.most
    ))
}
