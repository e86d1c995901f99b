/// The audit trail.
mod audit;
/// What plug-ins do to seats, many at a time.
mod calls;
/// Licenses, key sets and the first contents of a database.
mod licenses;
/// Lists of seats, page by page.
mod lists;
/// Answers to requests that may come again.
mod memory;
/// What owners do to seats.
mod orders;
/// Accounts, plans and users.
mod people;
/// Carries out a decision.
mod persist;
/// Rows as values.
mod rows;
/// One-time links.
mod share;
/// Attempts to sign in, sessions and API tokens.
mod sign_in;
/// What time does to seats.
mod sweep;
/// Group commit: one connection writes, in batches.
mod writer;

use super::{
    Account, Actor, Answered, ApiToken, AuditQuery, AuditRow, AuditState, Ending, Hash, ListedSeat, Made,
    NewApiToken, NewSeat, NewSession, NewUser, OwnerOrder, Page, PasswordHash, People, Question, SeatQuery,
    ServerInfo, Session, Share, SignedIn, Store, StoreError, StoredKeySet, User, UserChange,
};
use crate::rules::{AttemptBy, License, Plan, Seat};
use rows::{license_columns, seat_columns};
use seatlock_protocol::{PublicKey, TokenHash, UnixTime};
use sqlx::{
    Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;
use writer::{Job, QUEUE, Waiting, Write, Writer};

/// Long enough for another process's largest batch, short enough to be told that something hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: u32 = 2;

/// The store of small and middle-sized servers: one SQLite file.
pub struct SqliteStore {
    readers: SqlitePool,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the database file, bringing its structure up to date. `create` makes a new one, readable by its owner only.
    ///
    /// # Errors
    /// When the file is missing, is no database, or comes from a newer version.
    pub async fn open(file: &Path, create: bool) -> Result<Self, StoreError> {
        if create {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        sqlx::migrate!().run(&mut conn).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().read_only(true))
            .await?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(Writer::new(options, conn).run(queue));
        Ok(Self { readers, queue: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }

    /// Whether a server or a command has the database open. Afterwards it is one file without a journal beside it.
    pub async fn is_open_elsewhere(file: &Path) -> bool {
        let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Delete);
        let opened = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_millis(500))).await;
        match opened {
            Ok(connection) => connection.close().await.is_err(),
            // A damaged database is nobody's.
            Err(error) => error.to_string().contains("locked"),
        }
    }

    async fn write<W: Write>(&self, work: W) -> Result<W::Output, StoreError> {
        self.wait(|reply| Job::Order(Box::new(Waiting::new(work, reply)))).await
    }

    async fn wait<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let queue = lock(&self.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(job(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(queue);
        result.await.map_err(|_| StoreError::Closed)?
    }
}

/// What these locks guard is whole at any time, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Store for SqliteStore {
    async fn call(&self, question: Question) -> Result<Answered, StoreError> {
        self.wait(|reply| Job::Call(Box::new(Waiting::new(question, reply)))).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.write(sweep::Sweep).await
    }

    async fn ready(&self) -> Result<UnixTime, StoreError> {
        // Reading goes on without a writer, but nothing could be answered.
        if lock(&self.writer).as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(StoreError::Closed);
        }
        let row = sqlx::query("SELECT unixepoch() AS now, (SELECT count(*) FROM server) AS servers")
            .fetch_one(&self.readers)
            .await?;
        rows::time(&row, "now")?.ok_or(StoreError::Unexpected("now"))
    }

    async fn server(&self) -> Result<ServerInfo, StoreError> {
        let row = sqlx::query("SELECT issuer, root_key, documentation, support FROM server")
            .fetch_optional(&self.readers)
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(ServerInfo {
            issuer: row.try_get("issuer")?,
            root_key: PublicKey::from_jwk_x(row.try_get("root_key")?)
                .map_err(|_| StoreError::Unexpected("server.root_key"))?,
            documentation: row.try_get("documentation")?,
            support: row.try_get("support")?,
        })
    }

    async fn initialise(
        &self,
        server: ServerInfo,
        account: String,
        license: License,
        keys: StoredKeySet,
    ) -> Result<(), StoreError> {
        self.write(licenses::Initialise { server, account, license, keys }).await
    }

    async fn key_set(&self) -> Result<StoredKeySet, StoreError> {
        let row = sqlx::query("SELECT seq, jws FROM key_set ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(StoredKeySet { seq: rows::unsigned(&row, "seq")?, jws: row.try_get("jws")? })
    }

    async fn publish(&self, keys: StoredKeySet) -> Result<(), StoreError> {
        self.write(licenses::Publish(keys)).await
    }

    async fn add_license(&self, license: License, by: Actor) -> Result<License, StoreError> {
        self.write(licenses::AddLicense(license, by)).await
    }

    async fn change_license(&self, old: License, new: License, by: Actor) -> Result<License, StoreError> {
        self.write(licenses::ChangeLicense { old, new, by }).await
    }

    async fn licenses(&self, account: Option<Uuid>) -> Result<Vec<License>, StoreError> {
        let query = concat!(
            "SELECT ",
            license_columns!(),
            " FROM license l WHERE ?1 IS NULL OR l.account_id = ?1 ORDER BY l.created_at, l.rowid"
        );
        let account = account.map(|id| id.to_string());
        sqlx::query(query).bind(account).fetch_all(&self.readers).await?.iter().map(rows::license).collect()
    }

    async fn create_seat(&self, seat: NewSeat) -> Result<Made<Answered>, StoreError> {
        self.write(seat).await
    }

    async fn owner(&self, order: OwnerOrder) -> Result<Made<Answered>, StoreError> {
        self.write(order).await
    }

    async fn seats(&self, query: SeatQuery) -> Result<Page<ListedSeat>, StoreError> {
        lists::seats(&self.readers, query).await
    }

    async fn seat(&self, id: Uuid) -> Result<Option<(ListedSeat, License)>, StoreError> {
        lists::seat(&self.readers, id).await
    }

    async fn seat_of(&self, token: TokenHash) -> Result<Option<([u8; 32], Seat, License)>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT t.hash, ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
             WHERE t.public_hash = ?"
        ))
        .bind(token.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hash: Vec<u8> = row.try_get("hash")?;
        let hash = hash.try_into().map_err(|_| StoreError::Unexpected("token.hash"))?;
        Ok(Some((hash, rows::seat(&row)?, rows::license(&row)?)))
    }

    async fn audit(&self, query: AuditQuery) -> Result<Page<AuditRow>, StoreError> {
        audit::list(&self.readers, query).await
    }

    async fn verify_audit(&self) -> Result<AuditState, StoreError> {
        audit::verify(&self.readers).await
    }

    async fn forget_secrets(&self) -> Result<(), StoreError> {
        self.write(licenses::ForgetSecrets).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        // Made here, empty, so that nothing is overwritten and nobody else can read it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let name = to.to_str().ok_or(StoreError::Unexpected("the name of the backup file"))?;
        let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&self.readers).await;
        if let Err(error) = copied {
            std::fs::remove_file(to)?;
            return Err(error.into());
        }
        file.sync_all()?;
        Ok(())
    }

    async fn close(&self) {
        lock(&self.queue).take();
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
        self.readers.close().await;
    }
}

impl People for SqliteStore {
    async fn add_account(&self, id: Uuid, name: String, by: Actor) -> Result<Account, StoreError> {
        self.write(people::AddAccount { id, name, by }).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read_accounts().await
    }

    async fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        self.read_plans().await
    }

    async fn set_plan(&self, plan: Plan, by: Actor) -> Result<(), StoreError> {
        self.write(people::SetPlan(plan, by)).await
    }

    async fn add_user(&self, user: NewUser, by: Actor) -> Result<User, StoreError> {
        self.write(people::AddUser(user, by)).await
    }

    async fn change_user(
        &self,
        id: Uuid,
        change: UserChange,
        keep: Option<Uuid>,
        by: Actor,
    ) -> Result<User, StoreError> {
        self.write(people::ChangeUser { id, change, keep, by }).await
    }

    async fn users(&self, account: Option<Uuid>) -> Result<Vec<User>, StoreError> {
        self.read_users(account).await
    }

    async fn user(&self, email: &str) -> Result<Option<(User, PasswordHash)>, StoreError> {
        self.read_user(email).await
    }

    async fn attempt(&self, names: Vec<(AttemptBy, Hash)>) -> Result<Option<UnixTime>, StoreError> {
        self.write(sign_in::Attempt(names)).await
    }

    async fn sign_in(&self, session: NewSession, forget: Hash) -> Result<(), StoreError> {
        self.write(sign_in::SignIn { session, forget }).await
    }

    async fn session(&self, hash: Hash) -> Result<Option<SignedIn>, StoreError> {
        self.read_session(hash).await
    }

    async fn sessions(&self, user: Uuid) -> Result<Vec<Session>, StoreError> {
        self.read_sessions(user).await
    }

    async fn end_sessions(&self, ending: Ending) -> Result<(), StoreError> {
        self.write(sign_in::End(ending)).await
    }

    async fn add_api_token(&self, token: NewApiToken, by: Actor) -> Result<Made<ApiToken>, StoreError> {
        self.write(sign_in::AddApiToken(token, by)).await
    }

    async fn api_tokens(&self, user: Uuid) -> Result<Vec<ApiToken>, StoreError> {
        self.read_api_tokens(user).await
    }

    async fn remove_api_token(&self, user: Uuid, id: Uuid, by: Actor) -> Result<(), StoreError> {
        self.write(sign_in::RemoveApiToken { user, id, by }).await
    }

    async fn bearer(&self, hash: Hash) -> Result<Option<SignedIn>, StoreError> {
        self.read_bearer(hash).await
    }

    async fn add_share(&self, share: Share, token: Hash, by: Actor) -> Result<(), StoreError> {
        self.write(share::AddShare { share, token, by }).await
    }

    async fn share(&self, id: Hash) -> Result<Option<Share>, StoreError> {
        self.read_share(id).await
    }

    async fn take_share(&self, id: Hash) -> Result<Option<Share>, StoreError> {
        self.write(share::TakeShare(id)).await
    }
}
