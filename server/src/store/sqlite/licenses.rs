use super::rows::{action_name, integer, mode_name, policy_name};
use super::writer::{Tx, Write};
use crate::rules::License;
use crate::store::{ServerInfo, StoreError, StoredKeySet};
use seatlock_protocol::UnixTime;
use sqlx::{Sqlite, query::Query, sqlite::SqliteArguments};
use uuid::Uuid;

pub(super) struct AddLicense(pub(super) License);
pub(super) struct ChangeLicense(pub(super) License);
pub(super) struct ForgetInstalls;
pub(super) struct Publish(pub(super) StoredKeySet);
pub(super) struct Initialise(pub(super) ServerInfo, pub(super) License, pub(super) StoredKeySet);

impl Write for ForgetInstalls {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM install").execute(tx.conn()).await?;
        Ok(())
    }
}

impl Write for AddLicense {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO license (id, plan, entitlements, products, seats_max, offline_ttl, auto_release, renew, \
             warn, release_window, release_mode, relaunch_rebinds, clone_policy, clock_tolerance, clock_action, \
             terms, min_client, suspended_at, expires_at, airgap_ttl, in_use_ceiling, in_use, tokens, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
             ?5, 0, 0, ?21)",
        );
        settings(insert, &self.0).bind(tx.now.seconds()).execute(tx.conn()).await?;
        audit(tx, self.0.id, "license_created", &self.0).await
    }
}

impl Write for ChangeLicense {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE license SET plan = ?2, entitlements = ?3, products = ?4, seats_max = ?5, offline_ttl = ?6, \
             auto_release = ?7, renew = ?8, warn = ?9, release_window = ?10, release_mode = ?11, \
             relaunch_rebinds = ?12, clone_policy = ?13, clock_tolerance = ?14, clock_action = ?15, terms = ?16, \
             min_client = ?17, suspended_at = ?18, expires_at = ?19, airgap_ttl = ?20, in_use_ceiling = max(?5, in_use) \
             WHERE id = ?1",
        );
        if settings(update, &self.0).execute(tx.conn()).await?.rows_affected() != 1 {
            return Err(StoreError::NotFound(format!("license {}", self.0.id)));
        }
        audit(tx, self.0.id, "license_changed", &self.0).await
    }
}

/// Binds the parameters 1 to 20, which both statements above share.
fn settings<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    license: &License,
) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(license.id.to_string())
        .bind(license.plan.clone())
        .bind(license.entitlements.join(" "))
        .bind(license.products.join(" "))
        .bind(license.seats_max)
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
        .bind(license.min_client.clone())
        .bind(license.suspended_at.map(UnixTime::seconds))
        .bind(license.expires_at.map(UnixTime::seconds))
        .bind(integer(license.airgap_ttl))
}

impl Write for Publish {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if self.0.seq <= tx.seq {
            return Err(StoreError::Conflict);
        }
        sqlx::query("INSERT INTO key_set (seq, jws, created_at) VALUES (?, ?, ?)")
            .bind(integer(self.0.seq))
            .bind(&self.0.jws)
            .bind(tx.now.seconds())
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

impl Write for Initialise {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self(server, license, keys) = self;
        sqlx::query(
            "INSERT INTO server (one, issuer, root_key, documentation, support, initialised_at) \
             VALUES (1, ?, ?, ?, ?, ?)",
        )
        .bind(&server.issuer)
        .bind(server.root_key.jwk_x())
        .bind(&server.documentation)
        .bind(&server.support)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
        AddLicense(license.clone()).run(tx).await?;
        Publish(keys.clone()).run(tx).await
    }
}

async fn audit(tx: &mut Tx<'_>, id: Uuid, event: &str, license: &License) -> Result<(), StoreError> {
    let detail = serde_json::to_string(license).map_err(|_| StoreError::Unexpected("license"))?;
    sqlx::query("INSERT INTO audit (at, actor, event, license_id, detail) VALUES (?, 'owner', ?, ?, ?)")
        .bind(tx.now.seconds())
        .bind(event)
        .bind(id.to_string())
        .bind(detail)
        .execute(tx.conn())
        .await?;
    Ok(())
}
