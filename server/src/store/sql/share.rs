use super::audit::{Entry, append};
use super::clock::{clock_columns, clocks};
use super::dialect::{BackEnd, DbRow, now, skip_locked};
use super::orders::load;
use super::rows::{hash, moment, parsed};
use super::writer::{Tx, Write};
use crate::store::{Actor, Hash, Share, StoreError};
use sqlx::Row as _;

pub(super) struct AddShare {
    pub(super) share: Share,
    pub(super) token: Hash,
    pub(super) by: Actor,
}

impl Write for AddShare {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Share { id, seat, sealed, expires_at } = &self.share;
        let (of, license) = load(tx, *seat).await?;
        let outdated = concat!(
            "DELETE FROM share WHERE id IN (SELECT id FROM share WHERE expires_at <= $1",
            skip_locked!(),
            ")"
        );
        sqlx::query(outdated).bind(tx.now.seconds()).execute(tx.conn()).await?;
        // Of two letters only the newer one counts: the older link would still be good after the newer was
        // opened.
        sqlx::query("DELETE FROM share WHERE seat_id = $1").bind(seat.to_string()).execute(tx.conn()).await?;
        let added = sqlx::query(
            "INSERT INTO share (id, seat_id, sealed, expires_at) SELECT $1, seat_id, $3, $4 FROM token \
             WHERE hash = $5 AND seat_id = $2 AND revoked_at IS NULL",
        )
        .bind(id.as_slice())
        .bind(seat.to_string())
        .bind(sealed)
        .bind(expires_at.seconds())
        .bind(self.token.as_slice())
        .execute(tx.conn())
        .await?;
        if added.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
        let entry = Entry {
            license: Some(license.id),
            seat: Some(*seat),
            epoch: Some(of.epoch),
            ..Entry::new("shared", license.account)
        };
        append(tx, &self.by, entry).await
    }
}

pub(super) struct TakeShare(pub(super) Hash);

impl Write for TakeShare {
    type Output = Option<Share>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Share>, StoreError> {
        let seat: Option<String> = sqlx::query_scalar("SELECT seat_id FROM share WHERE id = $1")
            .bind(self.0.as_slice())
            .fetch_optional(tx.conn())
            .await?;
        let Some(seat) = seat.and_then(|seat| seat.parse().ok()) else { return Ok(None) };
        // Before the link, as those do who end a seat's links with its token.
        let (of, license) = load(tx, seat).await?;
        let row = sqlx::query("DELETE FROM share WHERE id = $1 AND expires_at > $2 RETURNING *")
            .bind(self.0.as_slice())
            .bind(tx.now.seconds())
            .fetch_optional(tx.conn())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let share = share(&row)?;
        let entry = Entry {
            license: Some(license.id),
            seat: Some(share.seat),
            epoch: Some(of.epoch),
            ..Entry::new("share_opened", license.account)
        };
        append(tx, &Actor::System, entry).await?;
        Ok(Some(share))
    }
}

impl BackEnd {
    pub(super) async fn read_share(&self, id: Hash) -> Result<Option<Share>, StoreError> {
        let query =
            concat!("SELECT ", now!(), " AS now, ", clock_columns!(), ", s.* FROM share s WHERE s.id = $1");
        let row = sqlx::query(query).bind(id.as_slice()).fetch_optional(self.pool()).await?;
        let Some(row) = row else { return Ok(None) };
        let (found, now) = (share(&row)?, clocks(&row)?.present());
        Ok((found.expires_at > now).then_some(found))
    }
}

fn share(row: &DbRow) -> Result<Share, StoreError> {
    Ok(Share {
        id: hash(row, "id")?,
        seat: parsed(row, "seat_id")?,
        sealed: row.try_get("sealed")?,
        expires_at: moment(row, "expires_at")?,
    })
}
