use super::output::Output;
use clap::Args;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::domain::{Clocks, span, timestamp};
use seatlock_server::store::{AcceptClock, Actor, GetClocks};
use serde_json::json;

#[derive(Args)]
pub(super) struct ClockCommand {
    /// Believe the clock as it is now, whatever was known before; it is written to the audit trail
    #[arg(long)]
    accept: bool,
    /// Say what would be believed, and change nothing
    #[arg(long, requires = "accept")]
    dry_run: bool,
}

impl ClockCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let accepted = self.accept && !self.dry_run;
        let known =
            if accepted { store.run(AcceptClock(Actor::Console)).await } else { store.run(GetClocks).await };
        store.close().await;
        let clocks = known?;
        let doubt = clocks.judge().err().map(|doubt| doubt.to_string());
        let value = json!({
            "now": timestamp(clocks.now),
            "mark": clocks.mark.map(timestamp),
            "own": clocks.own.map(timestamp),
            "doubt": doubt,
            "accepted": accepted,
        });
        output.done(&value, &format!("{}\n{}", table(clocks), self.outcome(clocks, doubt)))
    }

    fn outcome(&self, clocks: Clocks, doubt: Option<String>) -> String {
        let now = timestamp(clocks.now);
        match (self.accept, self.dry_run, doubt) {
            (true, true, _) => format!("{now} would be accepted; nothing was changed"),
            (true, false, _) => format!(
                "{now} accepted; running servers go on at once. What was written under a wrong clock keeps its times: see \
                 docs/database.md"
            ),
            (false, _, None) => "the clock can be believed".to_owned(),
            (false, _, Some(doubt)) => format!("nothing is decided or signed: {doubt}"),
        }
    }
}

fn table(clocks: Clocks) -> String {
    let Clocks { now, mark, own } = clocks;
    let beside = |time: seatlock_protocol::UnixTime| match (time.since(now), now.since(time)) {
        (0, 0) => String::new(),
        (0, before) => format!(", {} before", span(before)),
        (after, _) => format!(", {} after", span(after)),
    };
    let mut text = format!("clock         {}\n", timestamp(now));
    if let Some(own) = own {
        text.push_str(&format!("own computer  {}{}\n", timestamp(own), beside(own)));
    }
    let mark = mark.map_or("never".to_owned(), |mark| format!("{}{}", timestamp(mark), beside(mark)));
    text.push_str(&format!("last at work  {mark}"));
    text
}
