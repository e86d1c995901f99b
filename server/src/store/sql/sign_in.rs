use super::audit::{NewAuditEntry, append};
use super::clock::{clock_columns, clocks};
use super::idempotency::{before, remember};
use super::people::{account, account_columns, tx_user, user, user_columns};
use super::rows::{count, moment, parsed, time};
use crate::crypto::seal::Hash;
use crate::domain::{API_TOKENS, AttemptBy, Attempts, SESSION_IDLE, SESSION_LIFE, session_lives};
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{
    Actor, ApiToken, Created, NewApiToken, NewSession, Session, SessionScope, SignedIn, StoreError,
};
use seatlock_protocol::UnixTime;
use serde_json::json;
use uuid::Uuid;

/// How exactly it is known when a session or an API token was used last: each use would be a write
/// otherwise.
const SEEN: u64 = 60;

/// Counts an attempt to sign in for each of the names. `Some` is when the next one is possible, and
/// then none was counted.
pub struct CountAttempt(pub Vec<(AttemptBy, Hash)>);

impl Write for CountAttempt {
    type Output = Option<UnixTime>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<UnixTime>, StoreError> {
        let now = tx.now;
        let mut counted = Vec::new();
        // Always in the same order, so that two never wait for each other.
        let mut names: Vec<&Hash> = self.0.iter().map(|(_, name)| name).collect();
        names.sort_unstable();
        for name in names {
            tx.alone(name).await?;
        }
        for (by, name) in &self.0 {
            let row = sql("SELECT count, since FROM attempt WHERE hash = $1")
                .bind(name.as_slice())
                .fetch_optional(tx.conn())
                .await?;
            let earlier = match row {
                Some(row) => Some(Attempts { count: count(&row, "count")?, since: moment(&row, "since")? }),
                None => None,
            };
            match Attempts::next(earlier, *by, now) {
                Ok(next) => counted.push((name, next)),
                Err(possible_at) => return Ok(Some(possible_at)),
            }
        }
        let outdated = concat!(
            "DELETE FROM attempt WHERE hash IN (SELECT hash FROM attempt WHERE since <= $1",
            " FOR UPDATE SKIP LOCKED",
            ")"
        );
        sql(outdated).bind(Attempts::outdated_before(now).seconds()).execute(tx.conn()).await?;
        for (name, next) in counted {
            sql("INSERT INTO attempt (hash, count, since) VALUES ($1, $2, $3) \
                 ON CONFLICT (hash) DO UPDATE SET count = excluded.count, since = excluded.since")
            .bind(name.as_slice())
            .bind(i64::from(next.count))
            .bind(next.since.seconds())
            .execute(tx.conn())
            .await?;
        }
        Ok(None)
    }
}

/// Begins a session, and forgets the attempts under one name. The user must not be disabled.
pub struct BeginSession {
    pub session: NewSession,
    pub forget: Hash,
}

impl Write for BeginSession {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (new, now) = (&self.session, tx.now);
        let user = tx_user(tx, new.user).await?;
        let begun = sql(
            "INSERT INTO session (hash, id, user_id, agent, address, created_at, seen_at) \
             SELECT $1, $2, id, $4, $5, $6, $6 FROM person WHERE id = $3 AND disabled_at IS NULL AND password = $7",
        )
        .bind(new.hash.as_slice())
        .bind(new.id.to_string())
        .bind(new.user.to_string())
        .bind(&new.agent)
        .bind(&new.address)
        .bind(now.seconds())
        .bind(&new.password.0)
        .execute(tx.conn())
        .await?;
        if begun != 1 {
            return Err(StoreError::NotFound(format!("user {}", new.user)));
        }
        sql("DELETE FROM attempt WHERE hash = $1").bind(self.forget.as_slice()).execute(tx.conn()).await?;
        let outdated = concat!(
            "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE created_at <= $1 OR seen_at <= $2",
            " FOR UPDATE SKIP LOCKED",
            ")"
        );
        sql(outdated)
            .bind(now.minus(SESSION_LIFE).seconds())
            .bind(now.minus(SESSION_IDLE).seconds())
            .execute(tx.conn())
            .await?;
        let detail = Some(json!({ "address": new.address }));
        let by = Actor::User(user.email);
        append(tx, &by, NewAuditEntry { detail, ..NewAuditEntry::new("signed_in", user.account) }).await
    }
}

/// Ends sessions. Ending none is fine.
pub struct EndSessions(pub SessionScope);

impl Write for EndSessions {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        match self.0 {
            SessionScope::Hash(hash) => {
                sql("DELETE FROM session WHERE hash = $1").bind(hash.to_vec()).execute(tx.conn()).await?
            }
            SessionScope::All(user) => {
                let user = user.to_string();
                sql("DELETE FROM session WHERE user_id = $1").bind(user).execute(tx.conn()).await?
            }
        };
        Ok(())
    }
}

/// That a session or an API token was used.
enum Seen {
    Session(Uuid),
    ApiToken(Uuid),
}

impl Write for Seen {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (statement, id) = match self {
            Self::Session(id) => ("UPDATE session SET seen_at = $1 WHERE id = $2", id),
            Self::ApiToken(id) => ("UPDATE api_token SET last_used_at = $1 WHERE id = $2", id),
        };
        sql(statement).bind(tx.now.seconds()).bind(id.to_string()).execute(tx.conn()).await?;
        Ok(())
    }
}

/// Adds an API token; [`StoreError::ApiTokenLimit`] when the user has as many as they may.
pub struct AddApiToken(pub NewApiToken, pub Actor);

impl Write for AddApiToken {
    type Output = Created<ApiToken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created<ApiToken>, StoreError> {
        let Self(new, by) = self;
        if let Some(made) = before(tx, new.remember.as_ref()).await? {
            return Ok(made);
        }
        // The limit is part of the statement, and the user is locked, so that it holds whoever asks at
        // once.
        if tx_user(tx, new.user).await?.disabled_at.is_some() {
            return Err(StoreError::NotFound(format!("user {}", new.user)));
        }
        let added =
            sql("INSERT INTO api_token (id, hash, user_id, name, created_at) SELECT $1, $2, $3, $4, $5 \
             WHERE (SELECT count(*) FROM api_token WHERE user_id = $3) < $6")
            .bind(new.id.to_string())
            .bind(new.hash.as_slice())
            .bind(new.user.to_string())
            .bind(&new.name)
            .bind(tx.now.seconds())
            .bind(i64::from(API_TOKENS))
            .execute(tx.conn())
            .await?;
        if added != 1 {
            return Err(StoreError::ApiTokenLimit);
        }
        record(tx, by, "api_token_created", new.user, (new.id, &new.name)).await?;
        remember(tx, new.remember.as_ref(), new.id).await?;
        let created_at = tx.now;
        Ok(Created::New(ApiToken { id: new.id, name: new.name.clone(), created_at, last_used_at: None }))
    }
}

/// Deletes an API token of a user, at once. [`StoreError::NotFound`] when they have none of that
/// id.
pub struct RemoveApiToken {
    pub user: Uuid,
    pub id: Uuid,
    pub by: Actor,
}

impl Write for RemoveApiToken {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let row = sql("DELETE FROM api_token WHERE id = $1 AND user_id = $2 RETURNING name")
            .bind(self.id.to_string())
            .bind(self.user.to_string())
            .fetch_optional(tx.conn())
            .await?;
        let row = row.ok_or_else(|| StoreError::NotFound(format!("API token {}", self.id)))?;
        let name: String = row.try_get("name")?;
        record(tx, &self.by, "api_token_deleted", self.user, (self.id, &name)).await
    }
}

async fn record(
    tx: &mut Tx<'_>,
    by: &Actor,
    event: &str,
    owner: Uuid,
    (id, name): (Uuid, &str),
) -> Result<(), StoreError> {
    let row = sql("SELECT account_id FROM person WHERE id = $1")
        .bind(owner.to_string())
        .fetch_one(tx.conn())
        .await?;
    let detail = Some(json!({ "user": owner, "api_token": id, "name": name }));
    append(tx, by, NewAuditEntry { detail, ..NewAuditEntry::new(event, parsed(&row, "account_id")?) }).await
}

/// Who shows this cookie, as long as the session lives.
pub struct FindSession(pub Hash);

impl Operation for FindSession {
    type Output = Option<SignedIn>;

    async fn carry_out(self, store: &Store) -> Result<Option<SignedIn>, StoreError> {
        let row = sql(concat!(
            "SELECT ",
            clock_columns!(),
            ", x.id AS session_id, x.created_at, x.seen_at, ",
            user_columns!(),
            ", ",
            account_columns!(),
            " FROM session x JOIN person u ON u.id = x.user_id JOIN account a ON a.id = u.account_id \
             WHERE x.hash = $1 AND u.disabled_at IS NULL"
        ))
        .bind(self.0.as_slice())
        .fetch_optional(store.reader().await?.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let now = clocks(&row)?.present();
        let (created, seen_at) = (moment(&row, "created_at")?, moment(&row, "seen_at")?);
        if !session_lives(created, seen_at, now) {
            return Ok(None);
        }
        let id = parsed(&row, "session_id")?;
        seen(store, now, Some(seen_at), Seen::Session(id)).await;
        Ok(Some(SignedIn { user: user(&row)?, account: account(&row)?, api_token: None, session: Some(id) }))
    }
}

/// Who shows this API token, unless it was deleted or its user disabled.
pub struct FindBearer(pub Hash);

impl Operation for FindBearer {
    type Output = Option<SignedIn>;

    async fn carry_out(self, store: &Store) -> Result<Option<SignedIn>, StoreError> {
        let row = sql(concat!(
            "SELECT ",
            clock_columns!(),
            ", t.id AS token_id, t.name AS token_name, t.last_used_at, ",
            user_columns!(),
            ", ",
            account_columns!(),
            " FROM api_token t JOIN person u ON u.id = t.user_id JOIN account a ON a.id = u.account_id \
             WHERE t.hash = $1 AND u.disabled_at IS NULL"
        ))
        .bind(self.0.as_slice())
        .fetch_optional(store.reader().await?.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let used = time(&row, "last_used_at")?;
        seen(store, clocks(&row)?.present(), used, Seen::ApiToken(parsed(&row, "token_id")?)).await;
        let api_token = Some(row.try_get("token_name")?);
        Ok(Some(SignedIn { user: user(&row)?, account: account(&row)?, api_token, session: None }))
    }
}

/// Nobody is turned away because this cannot be written.
async fn seen(store: &Store, now: UnixTime, before: Option<UnixTime>, what: Seen) {
    if before.is_some_and(|before| before <= now && before.plus(SEEN) > now) {
        return;
    }
    if let Err(error) = what.carry_out(store).await {
        tracing::warn!(%error, "when somebody was here last could not be written");
    }
}

/// The living sessions of a user, the newest first.
pub struct ListSessions(pub Uuid);

impl Operation for ListSessions {
    type Output = Vec<Session>;

    async fn carry_out(self, store: &Store) -> Result<Vec<Session>, StoreError> {
        let rows = sql(concat!(
            "SELECT ",
            clock_columns!(),
            ", id, agent, address, created_at, seen_at FROM session \
             WHERE user_id = $1 ORDER BY created_at DESC, id"
        ))
        .bind(self.0.to_string())
        .fetch_all(store.reader().await?.conn())
        .await?;
        rows.iter().map(living_session).filter_map(Result::transpose).collect()
    }
}

/// The API tokens of a user, oldest first.
pub struct ListApiTokens(pub Uuid);

impl Operation for ListApiTokens {
    type Output = Vec<ApiToken>;

    async fn carry_out(self, store: &Store) -> Result<Vec<ApiToken>, StoreError> {
        let query = "SELECT id, name, created_at, last_used_at FROM api_token WHERE user_id = $1 \
                     ORDER BY created_at, rowid";
        let rows = sql(query).bind(self.0.to_string()).fetch_all(store.reader().await?.conn()).await?;
        rows.iter().map(api_token).collect()
    }
}

fn living_session(row: &DbRow) -> Result<Option<Session>, StoreError> {
    let session = Session {
        id: parsed(row, "id")?,
        agent: row.try_get("agent")?,
        address: row.try_get("address")?,
        created_at: moment(row, "created_at")?,
        seen_at: moment(row, "seen_at")?,
    };
    let lives = session_lives(session.created_at, session.seen_at, clocks(row)?.present());
    Ok(lives.then_some(session))
}

fn api_token(row: &DbRow) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        created_at: moment(row, "created_at")?,
        last_used_at: time(row, "last_used_at")?,
    })
}
