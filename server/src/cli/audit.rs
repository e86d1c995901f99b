use super::access::{Access, Place};
use super::output::{Output, cell};
use anyhow::bail;
use clap::Args;
use seatlock_server::view::{AuditStateView, AuditView};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Args)]
pub(super) struct Audit {
    /// Only what happened to one seat
    #[arg(long, value_name = "UUID")]
    seat: Option<Uuid>,
    /// At most this many entries, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: u32,
    /// Check that no entry was changed or taken away
    #[arg(long, conflicts_with_all = ["seat", "last"])]
    verify: bool,
}

impl Audit {
    pub(super) async fn run(self, place: &Place, output: Output) -> anyhow::Result<()> {
        let access = Access::open(place).await?;
        if self.verify {
            let state = access.verify_audit().await;
            access.close().await;
            return tell(output, &state?);
        }
        let rows = access.audit(self.seat, self.last).await;
        access.close().await;
        let mut rows: Vec<AuditView> = rows?;
        rows.reverse();
        output.table(&rows, ["AT", "WHO", "WHAT", "SEAT", "EPOCH", "MACHINE"], |row| {
            let row = serde_json::to_value(row).unwrap_or_default();
            let who =
                if row.get("actor_name").is_some_and(Value::is_string) { "actor_name" } else { "actor" };
            ["at", who, "event", "seat", "epoch", "machine_short"].map(|name| cell(&row, name))
        })
    }
}

fn tell(output: Output, state: &AuditStateView) -> anyhow::Result<()> {
    let AuditStateView { entries, head, broken_at } = state;
    if let Some(row) = broken_at {
        bail!(
            "entry {row} was changed, or one before it was taken away. The {entries} entries before it are whole, up to {head}"
        );
    }
    let value = json!({ "entries": entries, "head": head });
    let text = format!(
        "{entries} entries, none changed\nhead  {head}\n\nNote the head elsewhere: it shows whether the newest entries are still there."
    );
    output.done(&value, &text)
}
