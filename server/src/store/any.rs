use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{
    Account, Actor, Answered, ApiToken, AuditPart, AuditPoint, AuditQuery, AuditRow, AuditState, Checkpoint,
    Due, Ending, Erased, Hash, IssuerList, Keep, ListedSeat, Load, Made, Moved, NewApiToken, NewSeat,
    NewSession, NewUser, OwnerOrder, Page, PasswordHash, People, Question, Recovery, SeatQuery, ServerInfo,
    Session, Share, SignedIn, Store, StoreError, StoredKeySet, Told, User, UserChange,
};
use crate::rules::{AttemptBy, Clocks, Issuer, License, Plan, Seat};
use seatlock_protocol::{TokenHash, UnixTime};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};
use uuid::Uuid;

/// A store of either kind, which counts how often it failed, and how often so that it may take no
/// changes any more. The traits' methods answer futures of their own types, so there are no trait
/// objects of them.
pub struct AnyStore {
    kind: Kind,
    failures: AtomicU64,
    /// Failures that speak against writing.
    doubts: AtomicU64,
    /// How many of them were there when a change went through that was made to find out.
    dispelled: AtomicU64,
}

enum Kind {
    /// One file.
    Sqlite(SqliteStore),
    /// A database that servers share.
    Postgres(PostgresStore),
}

impl From<SqliteStore> for AnyStore {
    fn from(store: SqliteStore) -> Self {
        Self::of(Kind::Sqlite(store))
    }
}

impl From<PostgresStore> for AnyStore {
    fn from(store: PostgresStore) -> Self {
        Self::of(Kind::Postgres(store))
    }
}

/// Whether it is a failure of the database, and not of whoever asked.
trait Outcome {
    fn failed(&self) -> bool;
    fn speaks_against_writing(&self) -> bool;
}

impl<T> Outcome for Result<T, StoreError> {
    fn failed(&self) -> bool {
        matches!(self, Err(StoreError::Database(_) | StoreError::Unexpected(_)))
    }

    fn speaks_against_writing(&self) -> bool {
        self.as_ref().is_err_and(StoreError::speaks_against_writing)
    }
}

/// Methods that ask whichever it is.
macro_rules! either {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        $(
            async fn $name(&self, $($argument: $type),*) -> $output {
                let outcome = match &self.kind {
                    Kind::Sqlite(store) => store.$name($($argument),*).await,
                    Kind::Postgres(store) => store.$name($($argument),*).await,
                };
                self.note(&outcome);
                outcome
            }
        )+
    };
}

impl AnyStore {
    fn of(kind: Kind) -> Self {
        let [failures, doubts, dispelled] = [(); 3].map(|()| AtomicU64::new(0));
        Self { kind, failures, doubts, dispelled }
    }

    fn note(&self, outcome: &impl Outcome) {
        self.failures.fetch_add(u64::from(outcome.failed()), Ordering::Relaxed);
        self.doubts.fetch_add(u64::from(outcome.speaks_against_writing()), Ordering::Relaxed);
    }

    /// Writes everything as it is at one moment, while others go on writing. `told` hears of every
    /// table that is done.
    ///
    /// # Errors
    /// When the database or the output fails, or the audit trail is not whole.
    pub async fn export(
        &self,
        output: &mut (dyn std::io::Write + Send),
        told: &(dyn Fn(&str, u64) + Send + Sync),
    ) -> Result<Moved, StoreError> {
        match &self.kind {
            Kind::Sqlite(store) => store.export(output, told).await,
            Kind::Postgres(store) => store.export(output, told).await,
        }
    }

    /// Brings in what [`Self::export`] wrote, all or nothing. `dry_run` does all of it and takes it
    /// back.
    ///
    /// # Errors
    /// When the database is not empty, the file is not whole, or the pepper is another server's.
    pub async fn import(
        &self,
        file: PathBuf,
        pepper_check: Hash,
        dry_run: bool,
        told: Told,
    ) -> Result<Moved, StoreError> {
        match &self.kind {
            Kind::Sqlite(store) => store.import(file, pepper_check, dry_run, told).await,
            Kind::Postgres(store) => store.import(file, pepper_check, dry_run, told).await,
        }
    }
}

impl Store for AnyStore {
    either! {
        call(question: Question) -> Result<Answered, StoreError>;
        sweep() -> Result<u64, StoreError>;
        ready() -> Result<UnixTime, StoreError>;
        clock() -> Result<Clocks, StoreError>;
        accept_clock(by: Actor) -> Result<Clocks, StoreError>;
        know_pepper(check: Hash) -> Result<(), StoreError>;
        replace_pepper(check: Hash, by: Actor) -> Result<(), StoreError>;
        server() -> Result<ServerInfo, StoreError>;
        initialise(server: ServerInfo, account: String, license: License, keys: StoredKeySet)
            -> Result<(), StoreError>;
        bound_seats() -> Result<u64, StoreError>;
        rename(issuer: String, keys: StoredKeySet, by: Actor) -> Result<(), StoreError>;
        key_set() -> Result<StoredKeySet, StoreError>;
        key_sets() -> Result<Vec<StoredKeySet>, StoreError>;
        publish(keys: StoredKeySet) -> Result<(), StoreError>;
        add_license(license: License, by: Actor) -> Result<License, StoreError>;
        change_license(old: License, new: License, by: Actor) -> Result<License, StoreError>;
        licenses(account: Option<Uuid>) -> Result<Vec<License>, StoreError>;
        create_seat(seat: NewSeat) -> Result<Made<Answered>, StoreError>;
        owner(order: OwnerOrder) -> Result<Made<Answered>, StoreError>;
        seats(query: SeatQuery) -> Result<Page<ListedSeat>, StoreError>;
        seat(id: Uuid) -> Result<Option<(ListedSeat, License)>, StoreError>;
        seat_of(token: TokenHash) -> Result<Option<([u8; 32], Seat, License)>, StoreError>;
        is_token_of(seat: Uuid, token: Hash) -> Result<bool, StoreError>;
        audit(query: AuditQuery) -> Result<Page<AuditRow>, StoreError>;
        verify_audit(part: AuditPart) -> Result<AuditState, StoreError>;
        audit_point(row: Option<u64>) -> Result<Option<AuditPoint>, StoreError>;
        checkpoints() -> Result<Vec<Checkpoint>, StoreError>;
        keep_checkpoint(checkpoint: Checkpoint, by: Actor) -> Result<(), StoreError>;
        mark_restored() -> Result<Recovery, StoreError>;
        recovery() -> Result<Option<Recovery>, StoreError>;
        tidy() -> Result<(), StoreError>;
        due(keep: Keep) -> Result<Due, StoreError>;
        erase_closed(keep: Keep) -> Result<u64, StoreError>;
        erase_person(email: &str, dry_run: bool) -> Result<Erased, StoreError>;
        backup(to: &Path) -> Result<(), StoreError>;
    }

    /// Whoever looks whether the server works writes nothing as long as it does: its sweeps write
    /// each minute, and would have failed. After a failure a change must go through first.
    async fn writable(&self) -> Result<(), StoreError> {
        let doubts = self.doubts.load(Ordering::Relaxed);
        if doubts == self.dispelled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let tried = match &self.kind {
            Kind::Sqlite(store) => store.writable().await,
            Kind::Postgres(store) => store.writable().await,
        };
        self.note(&tried);
        if tried.is_ok() {
            // What failed meanwhile is a doubt again.
            self.dispelled.fetch_max(doubts, Ordering::Relaxed);
        }
        tried
    }

    fn load(&self) -> Load {
        let load = match &self.kind {
            Kind::Sqlite(store) => store.load(),
            Kind::Postgres(store) => store.load(),
        };
        Load { failures: self.failures.load(Ordering::Relaxed), ..load }
    }

    async fn close(&self) {
        match &self.kind {
            Kind::Sqlite(store) => store.close().await,
            Kind::Postgres(store) => store.close().await,
        }
    }
}

impl People for AnyStore {
    either! {
        add_account(id: Uuid, name: String, by: Actor) -> Result<Account, StoreError>;
        accounts() -> Result<Vec<Account>, StoreError>;
        plans() -> Result<Vec<Plan>, StoreError>;
        set_plan(plan: Plan, by: Actor) -> Result<(), StoreError>;
        issuers() -> Result<IssuerList, StoreError>;
        add_issuer(issuer: Issuer, by: Actor) -> Result<(), StoreError>;
        change_issuer(issuer: Issuer, by: Actor) -> Result<(), StoreError>;
        remove_issuer(url: String, by: Actor) -> Result<(), StoreError>;
        issuer_seats(url: String) -> Result<u64, StoreError>;
        add_user(user: NewUser, by: Actor) -> Result<User, StoreError>;
        change_user(id: Uuid, change: UserChange, keep: Option<Uuid>, by: Actor) -> Result<User, StoreError>;
        users(account: Option<Uuid>) -> Result<Vec<User>, StoreError>;
        user(email: &str) -> Result<Option<(User, PasswordHash)>, StoreError>;
        attempt(names: Vec<(AttemptBy, Hash)>) -> Result<Option<UnixTime>, StoreError>;
        sign_in(session: NewSession, forget: Hash) -> Result<(), StoreError>;
        session(hash: Hash) -> Result<Option<SignedIn>, StoreError>;
        sessions(user: Uuid) -> Result<Vec<Session>, StoreError>;
        end_sessions(ending: Ending) -> Result<(), StoreError>;
        add_api_token(token: NewApiToken, by: Actor) -> Result<Made<ApiToken>, StoreError>;
        api_tokens(user: Uuid) -> Result<Vec<ApiToken>, StoreError>;
        remove_api_token(user: Uuid, id: Uuid, by: Actor) -> Result<(), StoreError>;
        bearer(hash: Hash) -> Result<Option<SignedIn>, StoreError>;
        remembered(key: Hash) -> Result<Option<(Uuid, Vec<u8>)>, StoreError>;
        add_share(share: Share, token: Hash, by: Actor) -> Result<(), StoreError>;
        share(id: Hash) -> Result<Option<Share>, StoreError>;
        take_share(id: Hash) -> Result<Option<Share>, StoreError>;
    }
}
