use super::client::{AdminClient, ServerLocation};
use super::output::{Output, cell, note};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_server::http::api::schema::{AuditJson, AuditStateJson};
use seatlock_server::service::checkpoint;
use seatlock_server::store::Actor;
use seatlock_server::system::files;
use serde_json::json;
use std::io::Write as _;
use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};
use uuid::Uuid;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AuditArgs {
    /// Only what happened to one seat
    #[arg(long, value_name = "UUID")]
    seat: Option<Uuid>,
    /// At most this many entries, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: u32,
    #[command(subcommand)]
    command: Option<AuditCommand>,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check that no entry was changed or taken away
    Verify {
        /// A checkpoint that was kept elsewhere: proves that its entry is there, and none before it
        /// was changed
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Look only at what follows the newest checkpoint that the server keeps, where the whole
        /// trail takes too long
        #[arg(long, conflicts_with = "checkpoint")]
        from_checkpoint: bool,
    },
    /// Sign a statement of what the trail is now, for keeping elsewhere
    ///
    /// It is a line of text, signed by the lease key, and holds no secret. The server keeps the
    /// newest one too.
    Checkpoint {
        /// The new file; never overwritten [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl AuditArgs {
    pub(super) async fn run(self, place: &ServerLocation, output: Output) -> anyhow::Result<()> {
        match self.command {
            None => list(self.seat, self.last, place, output).await,
            Some(AuditCommand::Verify { checkpoint: None, from_checkpoint }) => {
                let query = [("from_checkpoint", Some(from_checkpoint.to_string()))];
                let verify =
                    async |client: &AdminClient| tell(output, &client.get("/audit/verify", &query).await?);
                place.ask(verify).await
            }
            Some(AuditCommand::Verify { checkpoint: Some(file), .. }) => prove(&file, place, output).await,
            Some(AuditCommand::Checkpoint { out }) => sign(out.as_deref(), place, output).await,
        }
    }
}

async fn list(seat: Option<Uuid>, last: u32, place: &ServerLocation, output: Output) -> anyhow::Result<()> {
    let (seat, last) = (seat.map(|id| id.to_string()), usize::try_from(last).unwrap_or(usize::MAX));
    place
        .ask(async |client: &AdminClient| {
            let mut rows: Vec<AuditJson> = client.list("/audit", &[("seat", seat)], last).await?;
            rows.reverse();
            output.table(&rows, ["AT", "WHO", "WHAT", "SEAT", "EPOCH", "MACHINE"], |row| {
                let who = match (&row.actor_name, &row.api_token) {
                    (Some(user), Some(token)) => format!("{user} (API token {token})"),
                    (Some(user), None) => user.clone(),
                    (None, _) => row.actor.clone(),
                };
                let row = serde_json::to_value(row).unwrap_or_default();
                let cells = ["at", "event", "seat", "epoch", "machine_short"].map(|name| cell(&row, name));
                let [at, event, seat, epoch, machine] = cells;
                [at, who, event, seat, epoch, machine]
            })
        })
        .await
}

async fn sign(out: Option<&Path>, place: &ServerLocation, output: Output) -> anyhow::Result<()> {
    place.on_the_folder("audit checkpoint")?;
    // Before anything is signed, so that nothing is kept for a file that cannot be made.
    let file = out.map(|path| {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        made.with_context(|| format!("{} was not written", path.display()))
    });
    let file = file.transpose()?;
    let store = super::open(&place.folder).await?;
    let made = checkpoint::make(&store, &place.folder, None, false, Actor::Console).await;
    store.close().await;
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            out.map(std::fs::remove_file).transpose()?;
            return Err(error.into());
        }
    };
    let rows = made.point.row;
    match (file, out) {
        (Some(mut file), Some(path)) => {
            writeln!(file, "{}", made.jws)?;
            file.sync_all()?;
            let value = json!({ "rows": rows, "file": path });
            output.done(&value, &format!("signed for {rows} entries: {}", path.display()))
        }
        _ => output.done(&json!({ "rows": rows, "checkpoint": made.jws }), &made.jws),
    }
}

async fn prove(file: &Path, place: &ServerLocation, output: Output) -> anyhow::Result<()> {
    place.on_the_folder("audit verify --checkpoint")?;
    let jws = files::read_line(file)?;
    let store = super::open(&place.folder).await?;
    let proved = checkpoint::prove(&store, &jws).await;
    store.close().await;
    let (state, claims) = proved?;
    tell(output, &AuditStateJson::from(&state))?;
    note(&format!("entry {} is the one that {} was signed for", claims.rows, file.display()))
}

fn tell(output: Output, state: &AuditStateJson) -> anyhow::Result<()> {
    let AuditStateJson { first, entries, head, broken_at } = state;
    if let Some(row) = broken_at {
        bail!(
            "entry {row} was changed, or one before it was taken away. The entries from {first} to {entries} are whole, up to {head}"
        );
    }
    let which =
        if *first == 1 { format!("{entries} entries") } else { format!("entries {first} to {entries}") };
    let text = format!(
        "{which}, none changed\nhead  {head}\n\nKeep a checkpoint elsewhere: it shows whether the newest entries are still there."
    );
    output.done(&json!({ "first": first, "entries": entries, "head": head }), &text)
}
