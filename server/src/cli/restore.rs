use super::output::Output;
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::domain::{Restored, timestamp};
use seatlock_server::http::api::schema::RecoveryJson;
use seatlock_server::store::{
    GetServer, MarkRestored, Recovery, StoreError,
    sqlite::{SqliteStore, beside},
};
use seatlock_server::system::cause::of_io;
use seatlock_server::system::files;
use std::fs::{self, File};
use std::io;
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
        let (new, old) = (beside(&database, ".new"), beside(&database, ".replaced"));
        let nothing = || format!("{} was not restored", self.file.display());
        for left in [old.clone(), beside(&old, "-wal")] {
            if left.exists() {
                bail!("{}: {} is there from the last time; move it away", nothing(), left.display());
            }
        }
        if new.exists() {
            bail!(
                "{}: {} is there. If no other \"restore\" is at work, one was interrupted; then delete it",
                nothing(),
                new.display()
            );
        }
        self.is_whole(&database).with_context(nothing)?;
        copy(&self.file, &new).with_context(nothing)?;
        let mut done = prepare(&new).await;
        if done.is_ok()
            && let Err(error) = in_place_of(&new, &database, &old).await
        {
            done = Err(error);
        }
        if done.is_err() {
            SqliteStore::remove(&new)?;
        }
        let restored = done.with_context(nothing)?;
        let mut text = format!("{} restored; {}", self.file.display(), said(&restored));
        let replaced = [old.clone(), beside(&old, "-wal")].into_iter().find(|old| old.exists());
        if let Some(old) = &replaced {
            text.push_str(&format!("; what was there is now {}", old.display()));
        }
        let view = RecoveryJson::from(&restored);
        let value = serde_json::json!({ "database": database, "replaced": replaced, "recovery": view });
        output.done(&value, &text)
    }
}

impl Restore {
    /// A copy that lacks its journal is an older database than it looks like.
    fn is_whole(&self, database: &Path) -> anyhow::Result<()> {
        let same = |file: &Path| Some(file.canonicalize().ok()? == database.canonicalize().ok()?);
        if same(&self.file) == Some(true) {
            bail!("it is the database itself. To mark it as restored, run: seatlock-server restore-mark");
        }
        for journal in ["-wal", "-journal"].map(|ending| beside(&self.file, ending)) {
            if fs::metadata(&journal).is_ok_and(|found| found.len() > 0) {
                bail!(
                    "{} lies beside it, with changes that are not in it. Put both in the place of the database, under its name, \
                     and run: seatlock-server restore-mark",
                    journal.display()
                );
            }
        }
        Ok(())
    }
}

/// Marks a database that was put back by other means.
pub(super) async fn mark(folder: &DataFolder, output: Output) -> anyhow::Result<()> {
    let store = super::open(folder).await?;
    let marked = store.run(MarkRestored).await;
    store.close().await;
    let restored = marked?;
    output.done(&RecoveryJson::from(&restored), &format!("marked; {}", said(&restored)))
}

fn said(recovery: &Recovery) -> String {
    let Restored { known_until, until, .. } = recovery.restored;
    format!(
        "it knows what happened until {}. Until {} machines may prove what happened since",
        timestamp(known_until),
        timestamp(until)
    )
}

/// Leaves nothing behind when it fails.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let said =
        |path: &Path, error: io::Error| anyhow!("{}: {}", path.display(), files::in_words(path, &error));
    let mut backup = File::open(from).map_err(|error| said(from, error))?;
    let mut copy = files::create(to).map_err(|error| said(to, error))?;
    if let Err(error) = io::copy(&mut backup, &mut copy).and_then(|_| copy.sync_all()) {
        fs::remove_file(to)?;
        // It may be either of them.
        return Err(anyhow!("{} was not copied to {}: {}", from.display(), to.display(), of_io(&error)));
    }
    Ok(())
}

/// Checks that it is a server's database, and marks it.
async fn prepare(new: &Path) -> anyhow::Result<Recovery> {
    let store = SqliteStore::open(new, false).await.context("it is not a backup of a server")?;
    let marked = async {
        match store.run(GetServer).await {
            Err(StoreError::NotInitialised) => bail!("it is not a backup of a server"),
            server => server?,
        };
        Ok(store.run(MarkRestored).await?)
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

/// What was there keeps its journals, and comes back if the new one cannot take its place.
async fn in_place_of(new: &Path, database: &Path, old: &Path) -> anyhow::Result<()> {
    if database.exists() && SqliteStore::is_open_elsewhere(database).await {
        bail!("the server is running; stop it first");
    }
    let mut moved = Vec::new();
    // A journal without its database, or of one that is damaged, must not be taken for the new one's.
    let moves =
        ["", "-wal", "-shm", "-journal"].map(|ending| (beside(database, ending), beside(old, ending)));
    let steps =
        moves.into_iter().filter(|(from, _)| from.exists()).chain([(new.to_owned(), database.to_owned())]);
    for (from, to) in steps {
        if let Err(error) = fs::rename(&from, &to) {
            for (from, to) in moved.iter().rev() {
                fs::rename(to, from)?;
            }
            return Err(anyhow!("{} was not renamed to {}: {}", from.display(), to.display(), of_io(&error)));
        }
        moved.push((from, to));
    }
    let folder = database.parent().context("a database without a folder")?;
    Ok(File::open(folder)?.sync_all()?)
}
