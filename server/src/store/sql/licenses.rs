use super::audit::{Entry, append};
use super::dialect::{Arguments, Db};
use super::orders::license_of;
use super::people::AddAccount;
use super::rows::{action_name, integer, mode_name, policy_name};
use super::writer::{Tx, Write};
use crate::rules::License;
use crate::store::{Actor, ServerInfo, StoreError, StoredKeySet};
use seatlock_protocol::UnixTime;
use sqlx::query::Query;
use uuid::Uuid;

/// Under what those wait for each other who publish key sets.
const PUBLISHING: &[u8; 32] = b"seatlock: a key set is published";

pub(super) struct AddLicense(pub(super) License, pub(super) Actor);
pub(super) struct ChangeLicense {
    pub(super) old: License,
    pub(super) new: License,
    pub(super) by: Actor,
}
pub(super) struct Publish(pub(super) StoredKeySet);

/// The first contents of a database.
pub(super) struct Initialise {
    pub(super) server: ServerInfo,
    pub(super) account: String,
    pub(super) license: License,
    pub(super) keys: StoredKeySet,
}

/// Seats that are counted as in use, by a hold or by a lease that outlives it.
pub(super) const BOUND: &str = "SELECT count(*) AS bound FROM seat WHERE counted = 1";

/// Another issuer.
pub(super) struct Rename {
    pub(super) issuer: String,
    pub(super) keys: StoredKeySet,
    pub(super) by: Actor,
}

impl Write for Rename {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE server SET issuer = $1 WHERE NOT EXISTS (SELECT 1 FROM seat WHERE counted = 1)",
        );
        if update.bind(&self.issuer).execute(tx.conn()).await?.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        Publish(self.keys.clone()).run(tx).await?;
        let detail = Some(serde_json::json!({ "issuer": self.issuer }));
        append(tx, &self.by, Entry { detail, ..Entry::new("issuer_replaced", Uuid::nil()) }).await
    }
}

impl Write for AddLicense {
    type Output = License;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<License, StoreError> {
        plan_is_known(tx, &self.0.plan.name).await?;
        let insert = sqlx::query(
            "INSERT INTO license (id, plan, entitlements, products, seats_max, offline_ttl, auto_release, renew, \
             warn, release_window, release_mode, relaunch_rebinds, clone_policy, clock_tolerance, clock_action, \
             terms, min_plugin, suspended_at, expires_at, airgap_ttl, updates_until, data, in_use_ceiling, in_use, \
             tokens, created_at, account_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
             $21, $22, $5, 0, 0, $23, $24)",
        );
        let insert = settings(insert, &self.0).bind(tx.now.seconds()).bind(self.0.account.to_string());
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
    let known =
        sqlx::query("SELECT 1 FROM plan WHERE name = $1").bind(name).fetch_optional(tx.conn()).await?;
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
        let update = sqlx::query(
            "UPDATE license SET plan = $2, entitlements = $3, products = $4, seats_max = $5, offline_ttl = $6, \
             auto_release = $7, renew = $8, warn = $9, release_window = $10, release_mode = $11, \
             relaunch_rebinds = $12, clone_policy = $13, clock_tolerance = $14, clock_action = $15, terms = $16, \
             min_plugin = $17, suspended_at = $18, expires_at = $19, airgap_ttl = $20, updates_until = $21, data = $22, \
             in_use_ceiling = CASE WHEN in_use > $5 THEN in_use ELSE $5 END \
             WHERE id = $1",
        );
        settings(update, &self.new).execute(tx.conn()).await?;
        audit(tx, self.new.id, "license_changed", &self.by).await
    }
}

/// Binds the parameters 1 to 22, which both statements above share.
fn settings<'q>(query: Query<'q, Db, Arguments>, license: &License) -> Query<'q, Db, Arguments> {
    query
        .bind(license.id.to_string())
        .bind(license.plan.name.clone())
        .bind(license.entitlements.join(" "))
        .bind(license.products.join(" "))
        .bind(i64::from(license.seats_max))
        .bind(integer(license.offline_ttl))
        .bind(integer(license.auto_release))
        .bind(integer(license.renew))
        .bind(integer(license.warn))
        .bind(integer(license.release_window))
        .bind(mode_name(license.release_mode))
        .bind(license.relaunch_rebinds)
        .bind(policy_name(license.clone_policy))
        .bind(integer(license.clock.tol))
        .bind(action_name(license.clock.act))
        .bind(license.terms.clone())
        .bind(license.min_plugin.clone())
        .bind(license.suspended_at.map(UnixTime::seconds))
        .bind(license.expires_at.map(UnixTime::seconds))
        .bind(integer(license.airgap_ttl))
        .bind(license.updates_until.map(UnixTime::seconds))
        .bind(license.data.as_ref().and_then(|data| serde_json::to_string(data).ok()))
}

impl Write for Publish {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.alone(PUBLISHING).await?;
        let added = sqlx::query(
            "INSERT INTO key_set (seq, jws, created_at) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM key_set WHERE seq >= $1)",
        )
        .bind(integer(self.0.seq))
        .bind(&self.0.jws)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
        if added.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

impl Write for Initialise {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO server (one, issuer, root_key, documentation, support, initialised_at) \
             VALUES (1, $1, $2, $3, $4, $5)",
        )
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
        Publish(self.keys.clone()).run(tx).await
    }
}

/// Writes down a license as it is now, and answers it.
async fn audit(tx: &mut Tx<'_>, id: Uuid, event: &str, by: &Actor) -> Result<License, StoreError> {
    let license = license_of(tx, id).await?;
    let detail = serde_json::to_value(&license).map_err(|_| StoreError::Unexpected("license"))?;
    let entry = Entry { license: Some(id), detail: Some(detail), ..Entry::new(event, license.account) };
    append(tx, by, entry).await?;
    Ok(license)
}
