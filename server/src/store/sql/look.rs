use super::dialect::{DbConnection, now};
use super::rows;
use crate::store::{Look, StoreError, StoredKeySet};
use sqlx::{Row as _, migrate::Migrator};

/// What a server would find, without bringing the structure up to date.
pub(super) async fn look(conn: &mut DbConnection, known: &Migrator) -> Result<Look, StoreError> {
    let query = concat!("SELECT ", now!(), " AS now, (SELECT max(version) FROM _sqlx_migrations) AS version");
    let not_set_up = |error| match error {
        // The table of migrations is made first of all.
        sqlx::Error::Database(_) => StoreError::NotInitialised,
        other => other.into(),
    };
    let row = sqlx::query(query).fetch_one(&mut *conn).await.map_err(not_set_up)?;
    let version: i64 = row.try_get::<Option<i64>, _>("version")?.ok_or(StoreError::NotInitialised)?;
    if !known.version_exists(version) {
        return Err(StoreError::Newer(version));
    }
    let now = rows::time(&row, "now")?.ok_or(StoreError::Unexpected("now"))?;
    let pending = known.iter().filter(|migration| migration.version > version).count();
    let row = sqlx::query("SELECT seq, jws FROM key_set ORDER BY seq DESC LIMIT 1")
        .fetch_optional(conn)
        .await?
        .ok_or(StoreError::NotInitialised)?;
    let keys = StoredKeySet { seq: rows::unsigned(&row, "seq")?, jws: row.try_get("jws")? };
    Ok(Look { now, keys, pending })
}
