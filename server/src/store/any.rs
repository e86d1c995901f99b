use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{
    Account, Actor, Answered, ApiToken, AuditQuery, AuditRow, AuditState, Ending, Hash, IssuerList,
    ListedSeat, Made, Moved, NewApiToken, NewSeat, NewSession, NewUser, OwnerOrder, Page, PasswordHash,
    People, Question, SeatQuery, ServerInfo, Session, Share, SignedIn, Store, StoreError, StoredKeySet, Told,
    User, UserChange,
};
use crate::rules::{AttemptBy, Issuer, License, Plan, Seat};
use seatlock_protocol::{TokenHash, UnixTime};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A store of either kind. The traits' methods answer futures of their own types, so there are no trait objects of them.
pub enum AnyStore {
    /// One file.
    Sqlite(SqliteStore),
    /// A database that servers share.
    Postgres(PostgresStore),
}

/// Methods that ask whichever it is.
macro_rules! either {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        $(
            async fn $name(&self, $($argument: $type),*) -> $output {
                match self {
                    Self::Sqlite(store) => store.$name($($argument),*).await,
                    Self::Postgres(store) => store.$name($($argument),*).await,
                }
            }
        )+
    };
}

impl AnyStore {
    /// Writes everything as it is at one moment, while others go on writing. `told` hears of every table that is done.
    ///
    /// # Errors
    /// When the database or the output fails, or the audit trail is not whole.
    pub async fn export(
        &self,
        output: &mut (dyn std::io::Write + Send),
        told: &(dyn Fn(&str, u64) + Send + Sync),
    ) -> Result<Moved, StoreError> {
        match self {
            Self::Sqlite(store) => store.export(output, told).await,
            Self::Postgres(store) => store.export(output, told).await,
        }
    }

    /// Brings in what [`Self::export`] wrote, all or nothing. `dry_run` does all of it and takes it back.
    ///
    /// # Errors
    /// When the database is not empty, or the file is not whole.
    pub async fn import(&self, file: PathBuf, dry_run: bool, told: Told) -> Result<Moved, StoreError> {
        match self {
            Self::Sqlite(store) => store.import(file, dry_run, told).await,
            Self::Postgres(store) => store.import(file, dry_run, told).await,
        }
    }
}

impl Store for AnyStore {
    either! {
        call(question: Question) -> Result<Answered, StoreError>;
        sweep() -> Result<u64, StoreError>;
        ready() -> Result<UnixTime, StoreError>;
        server() -> Result<ServerInfo, StoreError>;
        initialise(server: ServerInfo, account: String, license: License, keys: StoredKeySet)
            -> Result<(), StoreError>;
        key_set() -> Result<StoredKeySet, StoreError>;
        publish(keys: StoredKeySet) -> Result<(), StoreError>;
        add_license(license: License, by: Actor) -> Result<License, StoreError>;
        change_license(old: License, new: License, by: Actor) -> Result<License, StoreError>;
        licenses(account: Option<Uuid>) -> Result<Vec<License>, StoreError>;
        create_seat(seat: NewSeat) -> Result<Made<Answered>, StoreError>;
        owner(order: OwnerOrder) -> Result<Made<Answered>, StoreError>;
        seats(query: SeatQuery) -> Result<Page<ListedSeat>, StoreError>;
        seat(id: Uuid) -> Result<Option<(ListedSeat, License)>, StoreError>;
        seat_of(token: TokenHash) -> Result<Option<([u8; 32], Seat, License)>, StoreError>;
        audit(query: AuditQuery) -> Result<Page<AuditRow>, StoreError>;
        verify_audit() -> Result<AuditState, StoreError>;
        forget_secrets() -> Result<(), StoreError>;
        backup(to: &Path) -> Result<(), StoreError>;
        close() -> ();
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
        add_share(share: Share, token: Hash, by: Actor) -> Result<(), StoreError>;
        share(id: Hash) -> Result<Option<Share>, StoreError>;
        take_share(id: Hash) -> Result<Option<Share>, StoreError>;
    }
}
