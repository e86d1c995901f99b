use super::output::{Output, cell};
use anyhow::bail;
use clap::Args;
use seatlock_server::{
    keys::DataFolder,
    rules::timestamp,
    store::{AuditQuery, AuditRow, AuditState, Store as _},
};
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
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        if self.verify {
            let state = store.verify_audit().await;
            store.close().await;
            return tell(output, state?);
        }
        let query = AuditQuery { seat: self.seat, limit: self.last, ..AuditQuery::default() };
        let page = store.audit(query).await;
        store.close().await;
        let rows: Vec<Value> = page?.rows.iter().rev().map(view).collect();
        output.table(&rows, ["AT", "WHO", "WHAT", "SEAT", "EPOCH", "MACHINE"], |row| {
            let who =
                if row.get("actor_name").is_some_and(Value::is_string) { "actor_name" } else { "actor" };
            ["at", who, "event", "seat", "epoch", "machine_short"].map(|name| cell(row, name))
        })
    }
}

fn tell(output: Output, state: AuditState) -> anyhow::Result<()> {
    let head: String = state.head.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(row) = state.broken_at {
        bail!(
            "entry {row} was changed, or one before it was taken away. The {} entries before it are whole, up to {head}",
            state.rows
        );
    }
    let value = json!({ "entries": state.rows, "head": head });
    let text = format!(
        "{} entries, none changed\nhead  {head}\n\nNote the head elsewhere: it shows whether the newest entries are still there.",
        state.rows
    );
    output.done(&value, &text)
}

fn view(row: &AuditRow) -> Value {
    json!({
        "id": row.id,
        "at": timestamp(row.at),
        "actor": row.actor,
        "actor_name": row.actor_name,
        "event": row.event,
        "account": row.account,
        "license": row.license,
        "seat": row.seat,
        "epoch": row.epoch,
        "machine_short": row.machine.as_ref().map(|machine| machine.short()),
        "detail": row.detail,
    })
}
