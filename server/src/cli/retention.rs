use super::output::{Output, agreed};
use super::units::{duration, in_words};
use anyhow::bail;
use clap::{Args, Subcommand};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::service::checkpoint;
use seatlock_server::store::{Actor, EraseClosed, Expired, FindExpired, RetentionPolicy, Store};
use serde_json::json;

/// Entries that are removed at a time, so that plug-ins do not wait for long.
const BATCH: u64 = 1000;

#[derive(Subcommand)]
pub(super) enum RetentionCommand {
    /// Show what is kept how long, and what "apply" would take away now
    Show(Periods),
    /// Take away what is older than it is kept, for good, while the server runs; from cron, say,
    /// with --yes
    Apply {
        #[command(flatten)]
        periods: Periods,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(super) struct Periods {
    /// How long entries of the audit trail are kept; a signed checkpoint stays in their place
    #[arg(long, value_name = "TIME", default_value = "1095d", value_parser = duration)]
    audit: u64,
    /// How long the e-mail address of a closed seat is kept
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration)]
    closed_seats: u64,
}

impl RetentionCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let done = self.carry_out(&store, folder, output).await;
        store.close().await;
        done
    }

    async fn carry_out(self, store: &Store, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let (Self::Show(periods) | Self::Apply { periods, .. }) = &self;
        let now = store.ready().await?;
        let keep = RetentionPolicy {
            audit_before: now.minus(periods.audit),
            closed_before: now.minus(periods.closed_seats),
        };
        let due = store.run(FindExpired(keep)).await?;
        let Self::Apply { yes, .. } = &self else { return tell(output, periods, &due, "would go now") };
        let question =
            format!("Take {} entries and {} e-mail addresses away for good?", due.entries, due.closed_seats);
        if !yes && !agreed(&question, "nothing was taken away")? {
            bail!("nothing was taken away");
        }
        while store.run(EraseClosed(keep)).await? > 0 {}
        let first = due.last_entry.saturating_sub(due.entries);
        let steps = (1..=due.entries.div_ceil(BATCH)).map(|step| (first + step * BATCH).min(due.last_entry));
        for row in steps {
            checkpoint::make(store, folder, Some(row), true, Actor::Console).await?;
        }
        tell(output, periods, &due, "taken away")
    }
}

fn tell(output: Output, periods: &Periods, due: &Expired, what: &str) -> anyhow::Result<()> {
    let (audit, closed) = (in_words(periods.audit), in_words(periods.closed_seats));
    let text = format!(
        "audit trail                 kept {audit:>6}; {} entries {what}\n\
         addresses of closed seats   kept {closed:>6}; {} {what}\n\
         sessions, one-time links, attempts to sign in and remembered answers go by themselves when they end",
        due.entries, due.closed_seats
    );
    let value = json!({
        "audit": { "kept": periods.audit, "entries": due.entries },
        "closed_seats": { "kept": periods.closed_seats, "addresses": due.closed_seats },
    });
    output.done(&value, &text)
}
