use super::clock::{clock_columns, clocks};
use super::rows::{hash, moment, parsed};
use crate::crypto::seal::Hash;
use crate::domain::REMEMBERED;
use crate::store::db::sql;
use crate::store::run::{Operation, Store};
use crate::store::tx::Tx;
use crate::store::{Created, IdempotencyRecord, StoreError};
use uuid::Uuid;

/// What the same request led to before; `None` when it has not been carried out.
pub(super) async fn before<T>(
    tx: &mut Tx<'_>,
    request: Option<&IdempotencyRecord>,
) -> Result<Option<Created<T>>, StoreError> {
    let Some(request) = request else { return Ok(None) };
    tx.alone(&request.key).await?;
    sql(concat!(
        "DELETE FROM remembered WHERE hash IN (SELECT hash FROM remembered WHERE created_at <= $1",
        " FOR UPDATE SKIP LOCKED",
        ")"
    ))
    .bind(tx.now.minus(REMEMBERED).seconds())
    .execute(tx.conn())
    .await?;
    let row = sql("SELECT request, subject, sealed FROM remembered WHERE hash = $1")
        .bind(request.key.as_slice())
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    if hash(&row, "request")? != request.request {
        return Err(StoreError::KeyReused);
    }
    Ok(Some(Created::Before { subject: parsed(&row, "subject")?, sealed: row.try_get("sealed")? }))
}

/// Remembers what a request led to. A request that was refused is not remembered: it may be granted
/// the next time.
pub(super) async fn remember(
    tx: &mut Tx<'_>,
    request: Option<&IdempotencyRecord>,
    subject: Uuid,
) -> Result<(), StoreError> {
    let Some(request) = request else { return Ok(()) };
    sql("INSERT INTO remembered (hash, request, subject, sealed, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(request.key.as_slice())
        .bind(request.request.as_slice())
        .bind(subject.to_string())
        .bind(&request.sealed)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What a request of this key led to, and the secret that was answered, sealed; as long as it is
/// remembered.
pub struct FindIdempotencyRecord(pub Hash);

impl Operation for FindIdempotencyRecord {
    type Output = Option<(Uuid, Vec<u8>)>;

    async fn carry_out(self, store: &Store) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        let query = concat!(
            "SELECT ",
            clock_columns!(),
            ", r.subject, r.sealed, r.created_at AS made_at FROM remembered r WHERE r.hash = $1"
        );
        let row = sql(query).bind(self.0.as_slice()).fetch_optional(store.reader().await?.conn()).await?;
        let Some(row) = row else { return Ok(None) };
        let forgotten = moment(&row, "made_at")?.plus(REMEMBERED) <= clocks(&row)?.present();
        Ok(if forgotten { None } else { Some((parsed(&row, "subject")?, row.try_get("sealed")?)) })
    }
}
