use anyhow::{Context as _, bail, ensure};
use seatlock_protocol::PublicKey;
use seatlock_server::crypto::keys::{DataFolder, read_key};
use seatlock_server::store::{GetServer, ListLicenses, ServerInfo, sqlite::SqliteStore};
use seatlock_server::system::files;
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

/// What a folder that was made before is for.
pub(super) struct ExistingFolder {
    pub(super) issuer: String,
    pub(super) root_key: PublicKey,
    pub(super) product: String,
}

/// Its presence says that nothing in the folder is worth anything.
fn mark_of(folder: &DataFolder) -> PathBuf {
    folder.path().join("seatlock-dev.json")
}

pub(super) fn mark(folder: &DataFolder, root_key: PublicKey) -> anyhow::Result<()> {
    let note = "made by \"seatlock-server dev\", which deletes what it has made here when it is told --fresh";
    let text = json!({ "note": note, "root_key": root_key.thumbprint() }).to_string();
    let file = mark_of(folder);
    // Of a beginning that was interrupted.
    let removed = fs::remove_file(&file).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    let marked =
        removed.and_then(|()| files::create(&file)).and_then(|mut file| file.write_all(text.as_bytes()));
    marked.with_context(|| format!("{} cannot be used", folder.path().display()))
}

fn is_marked(folder: &DataFolder) -> anyhow::Result<bool> {
    if mark_of(folder).exists() {
        return Ok(true);
    }
    let path = folder.path().display();
    let empty = match folder.path().read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{path} cannot be read")),
    };
    ensure!(
        empty,
        "{path} is not empty and was not made by \"dev\"; nothing was touched. Name another --data"
    );
    Ok(false)
}

/// What the folder is for; `None` when there is nothing in it yet.
pub(super) async fn kept(folder: &DataFolder) -> anyhow::Result<Option<ExistingFolder>> {
    if !is_marked(folder)? || !folder.is_taken()? {
        return Ok(None);
    }
    let store = super::super::open(folder).await?;
    let read = async {
        let ServerInfo { issuer, root_key, .. } = store.run(GetServer).await?;
        let license =
            store.run(ListLicenses(None)).await?.into_iter().next().context("there is no license")?;
        let product = license.products.into_iter().next().context("the license has no product")?;
        anyhow::Ok(ExistingFolder { issuer, root_key, product })
    };
    let read = read.await;
    store.close().await;
    let kept =
        read.with_context(|| format!("{} is not whole; begin anew with --fresh", folder.path().display()));
    Ok(Some(kept?))
}

/// Deletes what was made here before, and nothing else.
pub(super) async fn clear(folder: &DataFolder) -> anyhow::Result<()> {
    if !is_marked(folder)? {
        return Ok(());
    }
    let (path, database) = (folder.path(), folder.database());
    if database.exists() && SqliteStore::is_open_elsewhere(&database).await {
        bail!("a server is running on {}; stop it first. Nothing was deleted", path.display());
    }
    writeln!(std::io::stderr().lock(), "deleting what \"dev\" has made in {} before", path.display())?;
    let marked: Value = serde_json::from_slice(&fs::read(mark_of(folder))?).unwrap_or_default();
    let kid = marked.get("root_key").and_then(Value::as_str);
    let root_key = folder.root_key_beside();
    let own = |file: &PathBuf| read_key(file).is_ok_and(|key| Some(key.kid()) == kid);
    let mut files: Vec<PathBuf> = root_key.into_iter().filter(own).collect();
    files.extend(["db-wal", "db-shm", "db"].map(|suffix| database.with_extension(suffix)));
    files.push(path.join("pepper"));
    let keys = path.join("lease-keys").read_dir().into_iter().flatten().flatten();
    files.extend(keys.map(|entry| entry.path()));
    // Last, so that it can be tried again.
    files.push(mark_of(folder));
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be deleted", file.display()));
            }
            _ => {}
        }
    }
    // Both stay when there is something else in them.
    let _ = fs::remove_dir(path.join("lease-keys"));
    Ok(())
}
