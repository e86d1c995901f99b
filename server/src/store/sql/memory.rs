use super::clock::{clock_columns, clocks};
use super::dialect::{BackEnd, now, skip_locked};
use super::rows::{hash, moment, parsed};
use super::writer::Tx;
use crate::rules::REMEMBERED;
use crate::store::{Hash, Made, Remember, StoreError};
use sqlx::Row as _;
use uuid::Uuid;

/// What the same request led to before; `None` when it has not been carried out.
pub(super) async fn before<T>(
    tx: &mut Tx<'_>,
    request: Option<&Remember>,
) -> Result<Option<Made<T>>, StoreError> {
    let Some(request) = request else { return Ok(None) };
    tx.alone(&request.key).await?;
    sqlx::query(concat!(
        "DELETE FROM remembered WHERE hash IN (SELECT hash FROM remembered WHERE created_at <= $1",
        skip_locked!(),
        ")"
    ))
    .bind(tx.now.minus(REMEMBERED).seconds())
    .execute(tx.conn())
    .await?;
    let row = sqlx::query("SELECT request, subject, sealed FROM remembered WHERE hash = $1")
        .bind(request.key.as_slice())
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    if hash(&row, "request")? != request.request {
        return Err(StoreError::KeyReused);
    }
    Ok(Some(Made::Before { subject: parsed(&row, "subject")?, sealed: row.try_get("sealed")? }))
}

/// Remembers what a request led to. A request that was refused is not remembered: it may be granted
/// the next time.
pub(super) async fn remember(
    tx: &mut Tx<'_>,
    request: Option<&Remember>,
    subject: Uuid,
) -> Result<(), StoreError> {
    let Some(request) = request else { return Ok(()) };
    sqlx::query(
        "INSERT INTO remembered (hash, request, subject, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(request.key.as_slice())
    .bind(request.request.as_slice())
    .bind(subject.to_string())
    .bind(&request.sealed)
    .bind(tx.now.seconds())
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl BackEnd {
    pub(super) async fn read_remembered(&self, key: Hash) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        let query = concat!(
            "SELECT ",
            now!(),
            " AS now, ",
            clock_columns!(),
            ", r.subject, r.sealed, r.created_at AS made_at FROM remembered r WHERE r.hash = $1"
        );
        let row = sqlx::query(query).bind(key.as_slice()).fetch_optional(self.pool()).await?;
        let Some(row) = row else { return Ok(None) };
        let forgotten = moment(&row, "made_at")?.plus(REMEMBERED) <= clocks(&row)?.present();
        Ok(if forgotten { None } else { Some((parsed(&row, "subject")?, row.try_get("sealed")?)) })
    }
}
