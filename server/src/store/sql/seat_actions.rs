use super::idempotency::{before, remember};
use super::persist::{audit, change_counts, persist};
use super::rows::{license, license_columns, parsed, seat, seat_columns};
use crate::crypto::seal::Hash;
use crate::domain::{License, Seat, SeatAction, SeatAnswer, SeatEvent, decide};
use crate::store::db::sql;
use crate::store::tx::{Tx, Write};
use crate::store::{Created, NewSeat, SeatActionRequest, SeatOutcome, StoreError, TokenHashes};
use serde_json::json;
use uuid::Uuid;

impl Write for NewSeat {
    type Output = Created<SeatOutcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created<SeatOutcome>, StoreError> {
        if let Some(made) = before(tx, self.remember.as_ref()).await? {
            return Ok(made);
        }
        let license = chosen_license(tx, self.license).await?;
        let (now, seq) = (tx.now, tx.seq);
        // Of two first activations of one identity the second finds the seat: both have locked the license.
        if self.identity.is_some()
            && let Some(seat) = opened_by(tx, &self.token.stored).await?
        {
            let subject = Some((seat, license));
            return Ok(Created::New(SeatOutcome { now, seq, subject, answer: SeatAnswer::Unchanged }));
        }
        let (shared_with, identity) = (self.shared_with.clone(), self.identity.clone());
        let event = SeatEvent::Create { seat: self.id, shared_with, identity };
        let decision = decide(&license, None, &event, now);
        let Some(seat) = decision.seat else {
            return Ok(Created::New(SeatOutcome { now, seq, subject: None, answer: decision.answer }));
        };
        change_counts(tx, license.id, decision.license).await?;
        sql(
            "INSERT INTO seat (id, license_id, shared_with, epoch, state, counted, launches, created_at, issuer, subject) \
             VALUES ($1, $2, $3, 0, 'never_used', $4, 0, $5, $6, $7)",
        )
        .bind(seat.id.to_string())
        .bind(seat.license.to_string())
        .bind(&seat.shared_with)
        .bind(seat.counts())
        .bind(now.seconds())
        .bind(seat.identity.as_ref().map(|identity| &identity.issuer))
        .bind(seat.identity.as_ref().map(|identity| &identity.subject))
        .execute(tx.conn())
        .await?;
        insert_token(tx, seat.id, &self.token).await?;
        for entry in &decision.audit {
            audit(tx, license.account, &seat, entry, &self.by, None).await?;
        }
        remember(tx, self.remember.as_ref(), seat.id).await?;
        let subject = Some((seat, license));
        Ok(Created::New(SeatOutcome { now, seq, subject, answer: decision.answer }))
    }
}

/// The seat that a token or an identity opens, or opened until it was revoked.
async fn opened_by(tx: &mut Tx<'_>, hash: &Hash) -> Result<Option<Seat>, StoreError> {
    let query = concat!(
        "SELECT ",
        seat_columns!(),
        " FROM token t JOIN seat s ON s.id = t.seat_id WHERE t.hash = $1"
    );
    let row = sql(query).bind(hash.as_slice()).fetch_optional(tx.conn()).await?;
    row.as_ref().map(seat).transpose()
}

async fn chosen_license(tx: &mut Tx<'_>, wanted: Option<Uuid>) -> Result<License, StoreError> {
    if let Some(id) = wanted {
        return license_of(tx, id).await;
    }
    let rows = sql("SELECT id FROM license LIMIT 2").fetch_all(tx.conn()).await?;
    match rows.as_slice() {
        [only] => license_of(tx, parsed(only, "id")?).await,
        [] => Err(StoreError::NotFound("license yet".to_owned())),
        _ => Err(StoreError::NotFound("single license; say which one with --license".to_owned())),
    }
}

pub(super) async fn license_of(tx: &mut Tx<'_>, id: Uuid) -> Result<License, StoreError> {
    let query = concat!("SELECT ", license_columns!(), " FROM license l WHERE l.id = $1 FOR UPDATE OF l");
    let row = sql(query).bind(id.to_string()).fetch_optional(tx.conn()).await?;
    tx.look_at_clock().await?;
    license(&row.ok_or_else(|| StoreError::NotFound(format!("license {id}")))?)
}

async fn insert_token(tx: &mut Tx<'_>, seat: Uuid, token: &TokenHashes) -> Result<(), StoreError> {
    sql("INSERT INTO token (hash, public_hash, seat_id, created_at) VALUES ($1, $2, $3, $4)")
        .bind(token.stored.as_slice())
        .bind(token.public.as_bytes().as_slice())
        .bind(seat.to_string())
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
    Ok(())
}

impl Write for SeatActionRequest {
    type Output = Created<SeatOutcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created<SeatOutcome>, StoreError> {
        if let Some(made) = before(tx, self.remember.as_ref()).await? {
            return Ok(made);
        }
        let (before, license) = load(tx, self.seat).await?;
        let decision = decide(&license, Some(&before), &SeatEvent::Owner(self.act), tx.now);
        if self.act == SeatAction::Refresh && before.identity.is_some() {
            return Err(StoreError::SignsIn);
        }
        let done = decision.answer == SeatAnswer::Done;
        if done && self.act == SeatAction::Allow && !is_barred(tx, self.seat).await? {
            let subject = Some((before, license));
            return Ok(Created::New(SeatOutcome {
                now: tx.now,
                seq: tx.seq,
                subject,
                answer: SeatAnswer::Unchanged,
            }));
        }
        if !self.dry_run {
            match self.act {
                SeatAction::Refresh | SeatAction::Revoke if done => retire_token(tx, self.seat).await?,
                SeatAction::Allow if done => forget_identity(tx, self.seat).await?,
                _ => {}
            }
            let token = self.new_token.as_ref().filter(|_| done);
            if let Some(token) = token {
                insert_token(tx, self.seat, token).await?;
            }
            if let Some(shared_with) =
                self.shared_with.as_ref().filter(|_| done && self.act == SeatAction::Refresh)
            {
                let update = sql("UPDATE seat SET shared_with = $1 WHERE id = $2");
                update.bind(shared_with).bind(self.seat.to_string()).execute(tx.conn()).await?;
            }
            let passed_on = token.map(|_| {
                let to = self.shared_with.as_ref().unwrap_or(&before.shared_with);
                json!({ "from": before.shared_with, "to": to })
            });
            // The audit trail comes last: a writer that adds to it holds up all others who want to.
            persist(tx, &license, &before, &decision, &self.by, passed_on).await?;
            if token.is_some() {
                remember(tx, self.remember.as_ref(), self.seat).await?;
            }
        }
        let subject = Some((decision.seat.unwrap_or(before), license));
        Ok(Created::New(SeatOutcome { now: tx.now, seq: tx.seq, subject, answer: decision.answer }))
    }
}

/// The seat first, then its license: whoever locks several rows does it in this order.
pub(super) async fn load(tx: &mut Tx<'_>, id: Uuid) -> Result<(Seat, License), StoreError> {
    let row = sql(concat!(
        "SELECT ",
        seat_columns!(),
        ", ",
        license_columns!(),
        " FROM seat s JOIN license l ON l.id = s.license_id WHERE s.id = $1 FOR UPDATE OF s, l"
    ))
    .bind(id.to_string())
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| StoreError::NotFound(format!("seat {id}")))?;
    tx.look_at_clock().await?;
    Ok((seat(&row)?, license(&row)?))
}

/// Whether the identity whose seat was closed is told so; then it gets no other seat.
async fn is_barred(tx: &mut Tx<'_>, seat: Uuid) -> Result<bool, StoreError> {
    let query = sql("SELECT 1 FROM token WHERE seat_id = $1").bind(seat.to_string());
    Ok(query.fetch_optional(tx.conn()).await?.is_some())
}

async fn forget_identity(tx: &mut Tx<'_>, seat: Uuid) -> Result<(), StoreError> {
    sql("DELETE FROM token WHERE seat_id = $1").bind(seat.to_string()).execute(tx.conn()).await?;
    Ok(())
}

/// The old token's hash stays, marked: see the table. Its installations' secrets and its links end
/// with it.
async fn retire_token(tx: &mut Tx<'_>, seat: Uuid) -> Result<(), StoreError> {
    sql("UPDATE token SET revoked_at = $1 WHERE seat_id = $2 AND revoked_at IS NULL")
        .bind(tx.now.seconds())
        .bind(seat.to_string())
        .execute(tx.conn())
        .await?;
    for statement in ["DELETE FROM install WHERE seat_id = $1", "DELETE FROM share WHERE seat_id = $1"] {
        sql(statement).bind(seat.to_string()).execute(tx.conn()).await?;
    }
    Ok(())
}
