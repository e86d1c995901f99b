use super::audit::{NewAuditEntry, append};
use super::license_row::{INSERT, UPDATE, license, license_columns, settings};
use super::people::AddAccount;
use super::rows::{integer, unsigned};
use super::seat_actions::license_of;
use crate::domain::License;
use crate::store::db::{Conn, DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, ServerInfo, StoreError, StoredKeySet};
use seatlock_protocol::PublicKey;
use uuid::Uuid;

/// Under what those wait for each other who publish key sets.
const PUBLISHING: &[u8; 32] = b"seatlock: a key set is published";

/// Adds a license. Of its plan only the name counts.
pub struct AddLicense(pub License, pub Actor);

/// Replaces limits and policy of a license. Its account, its counts and its last release stay what
/// they are. [`StoreError::Conflict`] when it is not as in `old` any more.
pub struct ChangeLicense {
    /// As it was when that was decided.
    pub old: License,
    /// As it is to be.
    pub new: License,
    pub by: Actor,
}

/// Adds a key set. [`StoreError::Conflict`] unless it is newer than all others.
pub struct PublishKeySet(pub StoredKeySet);

/// Writes what the server says of itself, its first account with its license, and its first key
/// set.
pub struct Initialise {
    /// What it says of itself.
    pub server: ServerInfo,
    /// Name of the account.
    pub account: String,
    pub license: License,
    pub keys: StoredKeySet,
}

/// Counts the seats that a computer has, or has a lease of that is not over.
pub struct CountBoundSeats;

impl Operation for CountBoundSeats {
    type Output = u64;

    async fn carry_out(self, store: &Store) -> Result<u64, StoreError> {
        let query = sql("SELECT count(*) AS bound FROM seat WHERE counted");
        unsigned(&query.fetch_one(store.reader().await?.conn()).await?, "bound")
    }
}

/// What the server says of itself.
pub struct GetServer;

impl Operation for GetServer {
    type Output = ServerInfo;

    async fn carry_out(self, store: &Store) -> Result<ServerInfo, StoreError> {
        let row = sql("SELECT issuer, root_key, documentation, support FROM server")
            .fetch_optional(store.reader().await?.conn())
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
}

/// The newest key set.
pub struct GetKeySet;

impl Operation for GetKeySet {
    type Output = StoredKeySet;

    async fn carry_out(self, store: &Store) -> Result<StoredKeySet, StoreError> {
        newest_key_set(store.reader().await?.conn()).await
    }
}

pub(super) async fn newest_key_set(conn: Conn<'_>) -> Result<StoredKeySet, StoreError> {
    let row = sql("SELECT seq, jws FROM key_set ORDER BY seq DESC LIMIT 1").fetch_optional(conn).await?;
    key_set(&row.ok_or(StoreError::NotInitialised)?)
}

fn key_set(row: &DbRow) -> Result<StoredKeySet, StoreError> {
    Ok(StoredKeySet { seq: unsigned(row, "seq")?, jws: row.try_get("jws")? })
}

/// Every key set, the newest first.
pub struct ListKeySets;

impl Operation for ListKeySets {
    type Output = Vec<StoredKeySet>;

    async fn carry_out(self, store: &Store) -> Result<Vec<StoredKeySet>, StoreError> {
        let query = sql("SELECT seq, jws FROM key_set ORDER BY seq DESC");
        query.fetch_all(store.reader().await?.conn()).await?.iter().map(key_set).collect()
    }
}

/// The licenses of one account or of all, oldest first.
pub struct ListLicenses(pub Option<Uuid>);

impl Operation for ListLicenses {
    type Output = Vec<License>;

    async fn carry_out(self, store: &Store) -> Result<Vec<License>, StoreError> {
        let query = sql(concat!(
            "SELECT ",
            license_columns!(),
            " FROM license l WHERE CAST($1 AS TEXT) IS NULL OR l.account_id = $1 ORDER BY l.created_at, l.rowid"
        ));
        let query = query.bind(self.0.map(|id| id.to_string()));
        query.fetch_all(store.reader().await?.conn()).await?.iter().map(license).collect()
    }
}

/// Gives the server another issuer, and its key set. [`StoreError::Conflict`] when a seat is bound,
/// or the key set is not newer than all others.
pub struct ReplaceIssuer {
    pub issuer: String,
    /// A key set in its name.
    pub keys: StoredKeySet,
    pub by: Actor,
}

impl Write for ReplaceIssuer {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let update = sql("UPDATE server SET issuer = $1 WHERE NOT EXISTS (SELECT 1 FROM seat WHERE counted)");
        if update.bind(&self.issuer).execute(tx.conn()).await? == 0 {
            return Err(StoreError::Conflict);
        }
        PublishKeySet(self.keys.clone()).run(tx).await?;
        let detail = Some(serde_json::json!({ "issuer": self.issuer }));
        append(tx, &self.by, NewAuditEntry { detail, ..NewAuditEntry::new("issuer_replaced", Uuid::nil()) })
            .await
    }
}

impl Write for AddLicense {
    type Output = License;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<License, StoreError> {
        plan_is_known(tx, &self.0.plan.name).await?;
        let insert = settings(sql(INSERT), &self.0).bind(tx.now.seconds()).bind(self.0.account.to_string());
        insert.execute(tx.conn()).await.map_err(|error| match error.as_database_error() {
            Some(refused) if refused.is_foreign_key_violation() => {
                StoreError::NotFound(format!("account {}", self.0.account))
            }
            _ => error.into(),
        })?;
        audit(tx, self.0.id, "license_created", &self.1).await
    }
}

async fn plan_is_known(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    let known = sql("SELECT 1 FROM plan WHERE name = $1").bind(name).fetch_optional(tx.conn()).await?;
    known.map(drop).ok_or_else(|| StoreError::NotFound(format!("plan {name:?}")))
}

impl Write for ChangeLicense {
    type Output = License;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<License, StoreError> {
        plan_is_known(tx, &self.new.plan.name).await?;
        let found = license_of(tx, self.new.id).await?;
        // What plug-ins change goes on changing, and is not what was decided on.
        let counts = License {
            in_use: found.in_use,
            tokens: found.tokens,
            last_manual_release_at: found.last_manual_release_at,
            ..self.old.clone()
        };
        if found != counts {
            return Err(StoreError::Conflict);
        }
        settings(sql(UPDATE), &self.new).execute(tx.conn()).await?;
        audit(tx, self.new.id, "license_changed", &self.by).await
    }
}

impl Write for PublishKeySet {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.alone(PUBLISHING).await?;
        let added = sql("INSERT INTO key_set (seq, jws, created_at) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM key_set WHERE seq >= $1)")
        .bind(integer(self.0.seq))
        .bind(&self.0.jws)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
        if added == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

impl Write for Initialise {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sql("INSERT INTO server (one, issuer, root_key, documentation, support, initialised_at) \
             VALUES (1, $1, $2, $3, $4, $5)")
        .bind(&self.server.issuer)
        .bind(self.server.root_key.jwk_x())
        .bind(&self.server.documentation)
        .bind(&self.server.support)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
        let account = AddAccount { id: self.license.account, name: self.account.clone(), by: Actor::Console };
        account.run(tx).await?;
        AddLicense(self.license.clone(), Actor::Console).run(tx).await?;
        PublishKeySet(self.keys.clone()).run(tx).await
    }
}

/// Writes down a license as it is now, and answers it.
async fn audit(tx: &mut Tx<'_>, id: Uuid, event: &str, by: &Actor) -> Result<License, StoreError> {
    let license = license_of(tx, id).await?;
    let detail = serde_json::to_value(&license).map_err(|_| StoreError::Unexpected("license"))?;
    let entry = NewAuditEntry {
        license: Some(id),
        detail: Some(detail),
        ..NewAuditEntry::new(event, license.account)
    };
    append(tx, by, entry).await?;
    Ok(license)
}
