use super::audit::{NewAuditEntry, append};
use super::lists::push_small;
use super::rows::{parsed, unsigned};
use crate::domain::{Attempts, ERASED, REMEMBERED, SESSION_IDLE, SESSION_LIFE};
use crate::store::db::sql;
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, Erased, Expired, RetentionPolicy, StoreError};
use serde_json::json;
use uuid::Uuid;

/// Rows that are taken away at a time, so that plug-ins do not wait for long.
const BATCH: i64 = 500;

/// Closed seats whose token was revoked at a moment or before, and that still have an e-mail
/// address.
macro_rules! closed_seats {
    () => {
        "seat s WHERE s.state = 'closed' AND s.shared_with <> $1 \
         AND NOT EXISTS (SELECT 1 FROM token t WHERE t.seat_id = s.id AND (t.revoked_at IS NULL OR t.revoked_at > $2))"
    };
}

/// Takes away what has ended by itself: sessions, one-time links, attempts to sign in, remembered
/// answers.
pub struct PurgeExpired;

impl Write for PurgeExpired {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let now = tx.now;
        let attempts = Attempts::outdated_before(now);
        for (table, key, ended, before) in [
            ("session", "hash", "created_at", now.minus(SESSION_LIFE)),
            ("session", "hash", "seen_at", now.minus(SESSION_IDLE)),
            ("share", "id", "expires_at", now),
            ("remembered", "hash", "created_at", now.minus(REMEMBERED)),
            ("attempt", "hash", "since", attempts),
        ] {
            let query = format!(
                "DELETE FROM {table} WHERE {key} IN \
                 (SELECT {key} FROM {table} WHERE {ended} <= $1 LIMIT {BATCH} FOR UPDATE SKIP LOCKED)"
            );
            sql(query).bind(before.seconds()).execute(tx.conn()).await?;
        }
        sql("DELETE FROM outliving WHERE until <= $1").bind(now.seconds()).execute(tx.conn()).await?;
        Ok(())
    }
}

/// What is older than it is to be kept.
pub struct FindExpired(pub RetentionPolicy);

impl Operation for FindExpired {
    type Output = Expired;

    async fn carry_out(self, store: &Store) -> Result<Expired, StoreError> {
        let RetentionPolicy { audit_before, closed_before } = self.0;
        let mut reader = store.reader().await?;
        // A clock that was set back makes later entries look old: only what no younger entry precedes is
        // taken away. The last entry stays in any case.
        let row = sql(
            "SELECT count(*) AS entries, coalesce(max(id), 0) AS last_id FROM audit WHERE id < coalesce(\
         (SELECT min(id) FROM audit WHERE at > $1), (SELECT max(id) FROM audit), 0)",
        )
        .bind(audit_before.seconds())
        .fetch_one(reader.conn())
        .await?;
        let seats = sql(concat!("SELECT count(*) AS seats FROM ", closed_seats!()))
            .bind(ERASED)
            .bind(closed_before.seconds())
            .fetch_one(reader.conn())
            .await?;
        Ok(Expired {
            entries: unsigned(&row, "entries")?,
            last_entry: unsigned(&row, "last_id")?,
            closed_seats: unsigned(&seats, "seats")?,
        })
    }
}

/// Takes the e-mail addresses of some closed seats away, and answers of how many; 0 when there are
/// none left.
pub struct EraseClosed(pub RetentionPolicy);

impl Write for EraseClosed {
    type Output = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let query = concat!(
            "UPDATE seat SET shared_with = $1 WHERE id IN (SELECT s.id FROM ",
            closed_seats!(),
            " ORDER BY s.id LIMIT $3)"
        );
        let done = sql(query)
            .bind(ERASED)
            .bind(self.0.closed_before.seconds())
            .bind(BATCH)
            .execute(tx.conn())
            .await?;
        let seats = done;
        if seats > 0 {
            let detail = Some(json!({ "closed_seats": seats }));
            append(
                tx,
                &Actor::Console,
                NewAuditEntry { detail, ..NewAuditEntry::new("addresses_erased", Uuid::nil()) },
            )
            .await?;
        }
        Ok(seats)
    }
}

/// Erases whoever has this e-mail address, or says only what that would be. Entries of the audit
/// trail stay.
pub struct ErasePerson {
    pub email: String,
    /// Change nothing.
    pub dry_run: bool,
}

impl Write for ErasePerson {
    type Output = Erased;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Erased, StoreError> {
        let key = self.email.to_lowercase();
        let user =
            sql("SELECT id FROM person WHERE email_key = $1").bind(&key).fetch_optional(tx.conn()).await?;
        let mut seats = sql("SELECT id, state, shared_with FROM seat WHERE ");
        push_small(&mut seats, "shared_with", &key);
        seats.push(" = ").push_bind(&key).push(" ORDER BY id");
        let rows = seats.fetch_all(tx.conn()).await?;
        let (mut closed, mut open) = (Vec::new(), Vec::new());
        for row in &rows {
            let seats = if row.try_get::<&str>("state")? == "closed" { &mut closed } else { &mut open };
            seats.push(parsed::<Uuid>(row, "id")?);
        }
        let named = sql(
            "SELECT count(*) AS entries FROM audit WHERE instr(lower(coalesce(actor_name, '')), $1) > 0 \
             OR instr(lower(coalesce(api_token, '')), $1) > 0 OR instr(lower(coalesce(detail, '')), $1) > 0",
        );
        let named = named.bind(&key).fetch_one(tx.conn()).await?;
        let user = user.as_ref().map(|row| parsed(row, "id")).transpose()?;
        let erased =
            Erased { user, closed_seats: closed, open_seats: open, entries: unsigned(&named, "entries")? };
        let nothing = erased.user.is_none() && erased.closed_seats.is_empty();
        if self.dry_run || nothing || !erased.open_seats.is_empty() {
            return Ok(erased);
        }
        if let Some(user) = erased.user {
            for statement in [
                "DELETE FROM session WHERE user_id = $1",
                "DELETE FROM api_token WHERE user_id = $1",
                "DELETE FROM person WHERE id = $1",
            ] {
                sql(statement).bind(user.to_string()).execute(tx.conn()).await?;
            }
        }
        for seat in &erased.closed_seats {
            let update = sql("UPDATE seat SET shared_with = $1 WHERE id = $2");
            update.bind(ERASED).bind(seat.to_string()).execute(tx.conn()).await?;
        }
        let detail = Some(json!({ "user": erased.user, "seats": erased.closed_seats }));
        append(
            tx,
            &Actor::Console,
            NewAuditEntry { detail, ..NewAuditEntry::new("person_erased", Uuid::nil()) },
        )
        .await?;
        Ok(erased)
    }
}
