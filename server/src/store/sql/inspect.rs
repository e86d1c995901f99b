use super::licenses::newest_key_set;
use super::rows;
use crate::store::db::{Conn, sql};
use crate::store::{Inspection, StoreError};
use sqlx::migrate::Migrator;

/// What a server would find, without bringing the structure up to date.
pub(in crate::store) async fn inspect(
    mut conn: Conn<'_>,
    known: &Migrator,
) -> Result<Inspection, StoreError> {
    let query = "SELECT max(version) AS version FROM _sqlx_migrations";
    let not_set_up = |error| match error {
        // The table of migrations is made first of all.
        sqlx::Error::Database(_) => StoreError::NotInitialised,
        other => other.into(),
    };
    let row = sql(query).fetch_one(conn.again()).await.map_err(not_set_up)?;
    let version: i64 = row.try_get::<Option<i64>>("version")?.ok_or(StoreError::NotInitialised)?;
    if !known.version_exists(version) {
        return Err(StoreError::Newer(version));
    }
    let row = sql("SELECT unixepoch() AS now").fetch_one(conn.again()).await?;
    let now = rows::moment(&row, "now")?;
    let pending = known.iter().filter(|migration| migration.version > version).count();
    let keys = newest_key_set(conn).await?;
    Ok(Inspection { now, keys, pending })
}
