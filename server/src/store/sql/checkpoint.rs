use super::audit::{NewAuditEntry, append};
use super::rows::{hash, integer, unsigned};
use crate::store::db::{Conn, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, AuditPart, AuditPoint, Checkpoint, StoreError};
use serde_json::json;
use uuid::Uuid;

/// An entry of the audit trail as a place in it; the last one when no number is said. `None` when
/// there is no such entry.
pub struct FindAuditPoint(pub Option<u64>);

impl Operation for FindAuditPoint {
    type Output = Option<AuditPoint>;

    async fn carry_out(self, store: &Store) -> Result<Option<AuditPoint>, StoreError> {
        point(store.reader().await?.conn(), self.0).await
    }
}

/// The checkpoints that are kept: at most the newest one, and the one where old entries were cut
/// off.
pub struct ListCheckpoints;

impl Operation for ListCheckpoints {
    type Output = Vec<Checkpoint>;

    async fn carry_out(self, store: &Store) -> Result<Vec<Checkpoint>, StoreError> {
        list(store.reader().await?.conn()).await
    }
}

async fn point(conn: Conn<'_>, row: Option<u64>) -> Result<Option<AuditPoint>, StoreError> {
    let query = "SELECT id, hash FROM audit WHERE id = coalesce($1, (SELECT max(id) FROM audit))";
    let found = sql(query).bind(row.map(integer)).fetch_optional(conn).await?;
    found.map(|row| Ok(AuditPoint { row: unsigned(&row, "id")?, head: hash(&row, "hash")? })).transpose()
}

async fn list(conn: Conn<'_>) -> Result<Vec<Checkpoint>, StoreError> {
    let rows = sql("SELECT cut, last_id, head, jws FROM audit_checkpoint ORDER BY cut");
    rows.fetch_all(conn)
        .await?
        .iter()
        .map(|row| {
            let point = AuditPoint { row: unsigned(row, "last_id")?, head: hash(row, "head")? };
            Ok(Checkpoint { point, cut: row.try_get("cut")?, jws: row.try_get("jws")? })
        })
        .collect()
}

/// All of the trail that is there, as the database says it begins. Who signed for that is looked at
/// elsewhere.
pub(super) async fn part(conn: Conn<'_>) -> Result<AuditPart, StoreError> {
    let cut = list(conn).await?.into_iter().find(|checkpoint| checkpoint.cut);
    Ok(AuditPart::Whole(cut.map_or(AuditPoint::START, |checkpoint| checkpoint.point)))
}

/// Keeps a checkpoint in the place of the one of its kind. One that is a cut takes all entries up
/// to it away, which is itself an entry. [`StoreError::Conflict`] when the trail has no such entry.
pub struct KeepCheckpoint(pub Checkpoint, pub Actor);

impl Write for KeepCheckpoint {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Checkpoint { point: stated, cut, jws } = &self.0;
        if point(tx.conn(), Some(stated.row)).await? != Some(*stated) {
            return Err(StoreError::Conflict);
        }
        sql(
            "INSERT INTO audit_checkpoint (cut, last_id, head, jws) VALUES ($1, $2, $3, $4) ON CONFLICT (cut) DO UPDATE \
             SET last_id = excluded.last_id, head = excluded.head, jws = excluded.jws",
        )
        .bind(*cut)
        .bind(integer(stated.row))
        .bind(stated.head.as_slice())
        .bind(jws)
        .execute(tx.conn())
        .await?;
        if !cut {
            return Ok(());
        }
        sql("DELETE FROM audit_checkpoint WHERE cut = $1 AND last_id <= $2")
            .bind(false)
            .bind(integer(stated.row))
            .execute(tx.conn())
            .await?;
        // The entry that says so comes first: a trail is never without an end.
        let detail = Some(json!({ "rows": stated.row }));
        append(tx, &self.1, NewAuditEntry { detail, ..NewAuditEntry::new("audit_cut", Uuid::nil()) }).await?;
        sql("DELETE FROM audit WHERE id <= $1").bind(integer(stated.row)).execute(tx.conn()).await?;
        Ok(())
    }
}
