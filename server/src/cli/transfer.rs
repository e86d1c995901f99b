use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_server::crypto::keys::{DataFolder, pepper_check};
use seatlock_server::store::{self, TransferSummary, sqlite::SqliteStore};
use seatlock_server::system::files;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct ExportCommand {
    /// The new file; never overwritten. Nobody else should read it: it has all that the database
    /// has
    file: PathBuf,
}

#[derive(Args)]
pub(super) struct ImportCommand {
    /// What "export" wrote
    file: PathBuf,
    /// Do all of it, say what would be there, and take it back
    #[arg(long)]
    dry_run: bool,
}

fn progress(table: &str, rows: u64) {
    // Whether somebody reads it does not matter.
    let _ = writeln!(std::io::stderr().lock(), "{table:12} {rows:>9} rows");
}

impl ExportCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let nothing = || format!("nothing was exported to {}", self.file.display());
        let store = super::open(folder).await?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file);
        let mut writer = BufWriter::new(file.with_context(nothing)?);
        let moved = store.export(&mut writer, &progress).await;
        store.close().await;
        let written = moved.map_err(anyhow::Error::from).and_then(|moved| {
            writer.flush()?;
            writer.get_ref().sync_all()?;
            Ok(moved)
        });
        if written.is_err() {
            std::fs::remove_file(&self.file)?;
        }
        let moved = written.with_context(nothing)?;
        let note = "What happens from now on is not in it. To move a server, stop it before the export.";
        tell(output, &moved, &format!("exported to {}", self.file.display()), note)
    }
}

impl ImportCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let nothing = || format!("{} was not imported", self.file.display());
        // Without the keys and the pepper of the old server no token would be known.
        let keys = "copy the old server's data folder, without its database, to here first";
        let check = pepper_check(&*folder.pepper().context(keys).with_context(nothing)?);
        let database = folder.database();
        let new = folder.postgres().is_none() && !files::is_there(&database).with_context(nothing)?;
        let store = if new {
            SqliteStore::open(&database, true).await.with_context(nothing)?
        } else {
            super::open(folder).await?
        };
        let moved = store
            .run(store::Import {
                file: self.file.clone(),
                pepper_check: check,
                dry_run: self.dry_run,
                told: Box::new(progress),
            })
            .await;
        store.close().await;
        if new && (self.dry_run || moved.is_err()) {
            SqliteStore::remove(&database)?;
        }
        let moved = moved.with_context(nothing)?;
        if self.dry_run {
            return tell(output, &moved, "everything can be imported; nothing was changed", "");
        }
        let note = "Users of the seat page sign in again. Do not start the old server any more.";
        tell(output, &moved, &format!("{} imported", self.file.display()), note)
    }
}

fn tell(output: Output, moved: &TransferSummary, done: &str, note: &str) -> anyhow::Result<()> {
    let (seats, entries) = match (moved.rows.get("seat"), moved.rows.get("audit")) {
        (Some(seats), Some(entries)) => (seats, entries),
        _ => bail!("an export without seats or audit trail"),
    };
    let text = format!(
        "{done}: {seats} seats, {entries} entries of the audit trail, none changed\nhead  {}\n{note}",
        moved.audit_head
    );
    output.done(&json!(moved), text.trim_end())
}
