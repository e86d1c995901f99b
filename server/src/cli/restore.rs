use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_server::{
    keys::DataFolder,
    rules::{Restored, timestamp},
    store::{Recovery, Store as _, sqlite::SqliteStore},
    view::RecoveryView,
};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Restore {
    /// What "backup" wrote; it is copied
    file: PathBuf,
}

impl Restore {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        if let Some(address) = folder.postgres() {
            bail!(
                "the {address} is restored by pg_restore while every server is stopped; mark it afterwards: \
                 seatlock-server restore-mark"
            );
        }
        let database = folder.database();
        let (new, old) = (database.with_extension("db.new"), database.with_extension("db.replaced"));
        let nothing = || format!("{} was not restored", self.file.display());
        if old.exists() {
            bail!("{}: {} is there from the last time; move it away", nothing(), old.display());
        }
        copy(&self.file, &new).with_context(nothing)?;
        let mut done = prepare(&new).await;
        if done.is_ok()
            && let Err(error) = in_place_of(&new, &database, &old).await
        {
            done = Err(error);
        }
        if done.is_err() {
            fs::remove_file(&new)?;
        }
        let restored = done.with_context(nothing)?;
        let mut text = format!("{} restored; {}", self.file.display(), said(&restored));
        let replaced = old.exists().then_some(&old);
        if let Some(old) = replaced {
            text.push_str(&format!("; what was there is now {}", old.display()));
        }
        let view = RecoveryView::from(&restored);
        let value = serde_json::json!({ "database": database, "replaced": replaced, "recovery": view });
        output.done(&value, &text)
    }
}

/// Marks a database that was put back by other means.
pub(super) async fn mark(folder: &DataFolder, output: Output) -> anyhow::Result<()> {
    let store = super::open(folder).await?;
    let marked = store.mark_restored().await;
    store.close().await;
    let restored = marked?;
    output.done(&RecoveryView::from(&restored), &format!("marked; {}", said(&restored)))
}

fn said(recovery: &Recovery) -> String {
    let Restored { known_until, until, .. } = recovery.restored;
    format!(
        "it knows what happened until {}. Until {} machines may prove what happened since",
        timestamp(known_until),
        timestamp(until)
    )
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// Checks that it is a server's database, and marks it.
async fn prepare(new: &Path) -> anyhow::Result<Recovery> {
    let store = SqliteStore::open(new, false).await.context("it is not a backup of a server")?;
    let marked = async {
        store.server().await?;
        store.mark_restored().await
    }
    .await;
    store.close().await;
    let restored = marked?;
    // What was just written is still in its journal.
    if SqliteStore::is_open_elsewhere(new).await {
        bail!("another command is at work on {}", new.display());
    }
    Ok(restored)
}

async fn in_place_of(new: &Path, database: &Path, old: &Path) -> anyhow::Result<()> {
    if database.exists() {
        if SqliteStore::is_open_elsewhere(database).await {
            bail!("the server is running; stop it first");
        }
        fs::rename(database, old)?;
    }
    for journal in ["db-wal", "db-shm"] {
        // Of a database that is damaged; the new one must not be taken for it.
        let journal = database.with_extension(journal);
        if journal.exists() {
            fs::remove_file(journal)?;
        }
    }
    fs::rename(new, database)?;
    let folder = database.parent().context("a database without a folder")?;
    Ok(File::open(folder)?.sync_all()?)
}
