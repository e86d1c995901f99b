use super::audit::{NewAuditEntry, append};
use super::clock::{clock_columns, clocks};
use super::rows::{hash, moment, parsed};
use super::seat_actions::load;
use crate::crypto::seal::Hash;
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, OneTimeLink, StoreError};

/// Keeps a one-time link, and ends those that the seat had. [`StoreError::Conflict`] unless `token`
/// is the seat's token as it is now.
pub struct AddOneTimeLink {
    pub link: OneTimeLink,
    /// The token, by its stored hash.
    pub token: Hash,
    pub by: Actor,
}

impl Write for AddOneTimeLink {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let OneTimeLink { id, seat, sealed, expires_at } = &self.link;
        let (of, license) = load(tx, *seat).await?;
        let outdated = concat!(
            "DELETE FROM share WHERE id IN (SELECT id FROM share WHERE expires_at <= $1",
            " FOR UPDATE SKIP LOCKED",
            ")"
        );
        sql(outdated).bind(tx.now.seconds()).execute(tx.conn()).await?;
        // Of two letters only the newer one counts: the older link would still be good after the newer was
        // opened.
        sql("DELETE FROM share WHERE seat_id = $1").bind(seat.to_string()).execute(tx.conn()).await?;
        let added =
            sql("INSERT INTO share (id, seat_id, sealed, expires_at) SELECT $1, seat_id, $3, $4 FROM token \
             WHERE hash = $5 AND seat_id = $2 AND revoked_at IS NULL")
            .bind(id.as_slice())
            .bind(seat.to_string())
            .bind(sealed)
            .bind(expires_at.seconds())
            .bind(self.token.as_slice())
            .execute(tx.conn())
            .await?;
        if added != 1 {
            return Err(StoreError::Conflict);
        }
        let entry = NewAuditEntry {
            license: Some(license.id),
            seat: Some(*seat),
            epoch: Some(of.epoch),
            ..NewAuditEntry::new("shared", license.account)
        };
        append(tx, &self.by, entry).await
    }
}

/// Uses a one-time link up: only one caller ever gets it.
pub struct ConsumeOneTimeLink(pub Hash);

impl Write for ConsumeOneTimeLink {
    type Output = Option<OneTimeLink>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<OneTimeLink>, StoreError> {
        let seat = sql("SELECT seat_id FROM share WHERE id = $1")
            .bind(self.0.as_slice())
            .fetch_optional(tx.conn())
            .await?;
        let Some(seat) = seat else { return Ok(None) };
        let seat = parsed(&seat, "seat_id")?;
        // Before the link, as those do who end a seat's links with its token.
        let (of, license) = load(tx, seat).await?;
        let row = sql("DELETE FROM share WHERE id = $1 AND expires_at > $2 RETURNING *")
            .bind(self.0.as_slice())
            .bind(tx.now.seconds())
            .fetch_optional(tx.conn())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let share = share(&row)?;
        let entry = NewAuditEntry {
            license: Some(license.id),
            seat: Some(share.seat),
            epoch: Some(of.epoch),
            ..NewAuditEntry::new("share_opened", license.account)
        };
        append(tx, &Actor::System, entry).await?;
        Ok(Some(share))
    }
}

/// A one-time link that has not ended. Looking changes nothing.
pub struct FindOneTimeLink(pub Hash);

impl Operation for FindOneTimeLink {
    type Output = Option<OneTimeLink>;

    async fn carry_out(self, store: &Store) -> Result<Option<OneTimeLink>, StoreError> {
        let query = concat!("SELECT ", clock_columns!(), ", s.* FROM share s WHERE s.id = $1");
        let row = sql(query).bind(self.0.as_slice()).fetch_optional(store.reader().await?.conn()).await?;
        let Some(row) = row else { return Ok(None) };
        let (found, now) = (share(&row)?, clocks(&row)?.present());
        Ok((found.expires_at > now).then_some(found))
    }
}

fn share(row: &DbRow) -> Result<OneTimeLink, StoreError> {
    Ok(OneTimeLink {
        id: hash(row, "id")?,
        seat: parsed(row, "seat_id")?,
        sealed: row.try_get("sealed")?,
        expires_at: moment(row, "expires_at")?,
    })
}
