use crate::{load::Measured, server::Usage};
use anyhow::Context as _;
use std::{io::Write as _, time::Duration};

/// What was measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Pings,
    Paced,
    Binds,
    Handler,
    GroupCommit,
    Commit,
    BatchCommit,
}

impl Row {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Pings, "signed pings, each when the last is answered"),
        (Self::Paced, "signed pings, at a fixed rate"),
        (Self::Binds, "seats bound, an audit row each"),
        (Self::Handler, "bare axum handler"),
        (Self::GroupCommit, "bare SQLite, a row for each connection"),
        (Self::Commit, "bare PostgreSQL, one row, all connections"),
        (Self::BatchCommit, "bare PostgreSQL, batches, two connections"),
    ];
}

/// One run of one row.
struct Run {
    row: Row,
    measured: Measured,
    used: Option<Usage>,
}

/// Runs, each with what was measured beside it.
#[derive(Default)]
pub struct Table(Vec<Run>);

impl Table {
    pub fn add(&mut self, row: Row, mut measured: Measured, used: Option<Usage>) {
        measured.latencies.sort_unstable();
        self.0.push(Run { row, measured, used });
    }

    fn runs(&self, row: Row) -> Vec<&Run> {
        self.0.iter().filter(|run| run.row == row).collect()
    }

    pub fn print(&self) -> anyhow::Result<()> {
        say(
            "                                               per s   p50 ms   p99 ms  us server  database   written  pings / this",
        )?;
        let pings = self.runs(Row::Pings);
        for (row, name) in Row::ALL {
            let runs = self.runs(row);
            if runs.is_empty() {
                continue;
            }
            let of = |value: &dyn Fn(&Run) -> f64| median(runs.iter().map(|run| value(run)).collect());
            let at = |share| of(&|run| percentile(&run.measured.latencies, share).as_secs_f64() * 1000.0);
            let per_ping = |used: &dyn Fn(Usage) -> f64| -> anyhow::Result<String> {
                let cost = |run: &Run| Some(used(run.used?) / run.measured.latencies.len() as f64);
                let costs: Option<Vec<f64>> = runs.iter().map(|run| cost(run)).collect();
                costs.map_or_else(|| Ok(String::new()), |costs| Ok(format!("{:.0}", median(costs)?)))
            };
            // Of runs that followed each other: the computer was as busy for both.
            let ratios =
                pings.iter().zip(&runs).map(|(ping, run)| ping.measured.rate() / run.measured.rate());
            say(&format!(
                "{name:44} {:>7.0} {:>8.2} {:>8.2} {:>10} {:>9} {:>9} {:>13.2}",
                of(&|run| run.measured.rate())?,
                at(50)?,
                at(99)?,
                per_ping(&|used| used.server.time.as_secs_f64() * 1e6)?,
                per_ping(&|used| used.database.time.as_secs_f64() * 1e6)?,
                per_ping(&|used| (used.server.written + used.database.written) as f64)?,
                median(ratios.collect())?
            ))?;
        }
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> anyhow::Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("at least one run")
}

fn percentile(sorted: &[Duration], share: usize) -> Duration {
    sorted.get(sorted.len() * share / 100).copied().unwrap_or_default()
}

pub fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
