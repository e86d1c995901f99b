use super::audit::{Entry, append};
use super::dialect::DbConnection;
use super::rows::{hash, integer, unsigned};
use super::writer::{Tx, Write};
use crate::store::{Actor, AuditPart, AuditPoint, Checkpoint, StoreError};
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

/// One entry, or the last one.
pub(super) async fn point(
    conn: &mut DbConnection,
    row: Option<u64>,
) -> Result<Option<AuditPoint>, StoreError> {
    let query = "SELECT id, hash FROM audit WHERE id = coalesce($1, (SELECT max(id) FROM audit))";
    let found = sqlx::query(query).bind(row.map(integer)).fetch_optional(conn).await?;
    found.map(|row| Ok(AuditPoint { row: unsigned(&row, "id")?, head: hash(&row, "hash")? })).transpose()
}

pub(super) async fn list(conn: &mut DbConnection) -> Result<Vec<Checkpoint>, StoreError> {
    let rows = sqlx::query("SELECT cut, last_id, head, jws FROM audit_checkpoint ORDER BY cut");
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
pub(super) async fn part(conn: &mut DbConnection) -> Result<AuditPart, StoreError> {
    let cut = list(conn).await?.into_iter().find(|checkpoint| checkpoint.cut);
    Ok(AuditPart::Whole(cut.map_or(AuditPoint::START, |checkpoint| checkpoint.point)))
}

pub(super) struct Keep {
    pub(super) checkpoint: Checkpoint,
    pub(super) by: Actor,
}

impl Write for Keep {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Checkpoint { point: stated, cut, jws } = &self.checkpoint;
        if point(tx.conn(), Some(stated.row)).await? != Some(*stated) {
            return Err(StoreError::Conflict);
        }
        sqlx::query(
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
        sqlx::query("DELETE FROM audit_checkpoint WHERE cut = $1 AND last_id <= $2")
            .bind(false)
            .bind(integer(stated.row))
            .execute(tx.conn())
            .await?;
        // The entry that says so comes first: a trail is never without an end.
        let detail = Some(json!({ "rows": stated.row }));
        append(tx, &self.by, Entry { detail, ..Entry::new("audit_cut", Uuid::nil()) }).await?;
        sqlx::query("DELETE FROM audit WHERE id <= $1").bind(integer(stated.row)).execute(tx.conn()).await?;
        Ok(())
    }
}
