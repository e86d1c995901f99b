use super::output::{Output, cell};
use clap::Args;
use seatlock_server::{
    keys::DataFolder,
    rules::timestamp,
    store::{AuditRow, Store as _},
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
}

impl Audit {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let rows = store.audit(self.seat, self.last).await?;
        store.close().await;
        let rows: Vec<Value> = rows.iter().map(view).collect();
        output.table(&rows, ["AT", "WHO", "WHAT", "SEAT", "EPOCH", "MACHINE"], |row| {
            ["at", "actor", "event", "seat", "epoch", "machine_short"].map(|name| cell(row, name))
        })
    }
}

fn view(row: &AuditRow) -> Value {
    json!({
        "at": timestamp(row.at),
        "actor": row.actor,
        "event": row.event,
        "license": row.license,
        "seat": row.seat,
        "epoch": row.epoch,
        "machine_short": row.machine.as_ref().map(|machine| machine.short()),
        "detail": row.detail,
    })
}
