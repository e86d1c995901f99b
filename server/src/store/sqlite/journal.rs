use crate::store::StoreError;
use crate::system::cause::of_database;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{sync::mpsc, task::JoinHandle};

/// Changes after which the journal is copied. A change is two pages or three.
const CHANGES: usize = 500;
/// Pages that the journal holds before the writer itself copies the last of them and begins it
/// anew: 32 MiB.
pub(super) const MOST_PAGES: &str = "8192";

/// Has what was committed copied from the journal to its place in the file (a passive checkpoint,
/// <https://www.sqlite.org/wal.html#ckpt>) beside the writer: a request that waited for that would wait for the disk twice.
pub(super) struct Checkpointer {
    wake: mpsc::Sender<()>,
    copier: JoinHandle<()>,
    changes: usize,
}

impl Checkpointer {
    /// Begins to watch the journal of a database.
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let conn = SqliteConnection::connect_with(options).await?;
        let (wake, woken) = mpsc::channel(1);
        Ok(Self { wake, copier: tokio::spawn(copy(conn, woken)), changes: 0 })
    }

    /// So many more changes were committed.
    pub(super) fn grew(&mut self, changes: usize) {
        self.changes += changes;
        if self.changes >= CHANGES && self.wake.try_send(()).is_ok() {
            self.changes = 0;
        }
    }

    /// Waits until nothing is copied any more.
    pub(super) async fn end(self) {
        drop(self.wake);
        if self.copier.await.is_err() {
            tracing::error!("whoever copies the journal ended badly");
        }
    }
}

async fn copy(mut conn: SqliteConnection, mut woken: mpsc::Receiver<()>) {
    while woken.recv().await.is_some() {
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut conn).await {
            tracing::warn!(
                reason = of_database(&error),
                "the journal was not copied; it grows until the writer does it"
            );
        }
    }
    if let Err(error) = conn.close().await {
        tracing::error!(reason = of_database(&error), "the database did not close cleanly");
    }
}
