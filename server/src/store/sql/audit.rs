use super::rows::{hash, integer, moment, optional, parsed, unsigned};
use crate::store::db::{Conn, DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::Tx;
use crate::store::{Actor, AuditPart, AuditPoint, AuditQuery, AuditRow, AuditState, Page, StoreError, chain};
use seatlock_protocol::MachineId;
use serde_json::Value;
use uuid::Uuid;

/// Rows that are checked at a time.
const STRIDE: i64 = 1000;

/// What is to be written down.
pub(super) struct NewAuditEntry<'a> {
    pub(super) event: &'a str,
    pub(super) account: Uuid,
    pub(super) license: Option<Uuid>,
    pub(super) seat: Option<Uuid>,
    pub(super) epoch: Option<u64>,
    pub(super) machine: Option<&'a MachineId>,
    pub(super) detail: Option<Value>,
}

impl<'a> NewAuditEntry<'a> {
    pub(super) fn new(event: &'a str, account: Uuid) -> Self {
        Self { event, account, license: None, seat: None, epoch: None, machine: None, detail: None }
    }
}

/// Adds a row to the end of the chain.
pub(super) async fn append(tx: &mut Tx<'_>, by: &Actor, entry: NewAuditEntry<'_>) -> Result<(), StoreError> {
    // From here to the end of the transaction nobody else adds one.
    let last = sql("SELECT id, hash FROM audit_head FOR UPDATE").fetch_optional(tx.conn()).await?;
    let (id, before) = match last {
        Some(row) => (unsigned(&row, "id")? + 1, hash(&row, "hash")?),
        None => (1, chain::START),
    };
    let (actor, actor_name, api_token) = by.parts();
    let row = AuditRow {
        id,
        at: tx.now,
        actor: actor.to_owned(),
        actor_name: actor_name.map(str::to_owned),
        api_token: api_token.map(str::to_owned),
        event: entry.event.to_owned(),
        account: entry.account,
        license: entry.license,
        seat: entry.seat,
        epoch: entry.epoch,
        machine: entry.machine.cloned(),
        detail: entry.detail,
        hash: before,
    };
    let detail = row.detail.as_ref().map(Value::to_string);
    sql(
        "INSERT INTO audit (id, at, actor, actor_name, api_token, event, account_id, license_id, seat_id, epoch, \
         machine, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(integer(id))
    .bind(row.at.seconds())
    .bind(&row.actor)
    .bind(&row.actor_name)
    .bind(&row.api_token)
    .bind(&row.event)
    .bind(row.account.to_string())
    .bind(row.license.map(|id| id.to_string()))
    .bind(row.seat.map(|id| id.to_string()))
    .bind(row.epoch.map(integer))
    .bind(row.machine.as_ref().map(MachineId::as_str))
    .bind(&detail)
    .bind(chain::hash(&before, &row, detail.as_deref()).as_slice())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Entries of the audit trail, the newest first.
impl Operation for AuditQuery {
    type Output = Page<AuditRow>;

    async fn carry_out(self, store: &Store) -> Result<Page<AuditRow>, StoreError> {
        let before = self.before.map_or(i64::MAX, integer);
        let mut wanted = sql("SELECT * FROM audit WHERE id < $1").bind(before);
        if let Some(account) = self.account {
            wanted.push(" AND account_id = ").push_bind(account.to_string());
        }
        if let Some(seat) = self.seat {
            wanted.push(" AND seat_id = ").push_bind(seat.to_string());
        }
        wanted.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(self.limit) + 1);
        let rows = wanted.fetch_all(store.reader().await?.conn()).await?;
        let limit = self.limit as usize;
        let page = rows.iter().take(limit).map(row).collect::<Result<_, _>>()?;
        Ok(Page { rows: page, more: rows.len() > limit })
    }
}

/// Follows the chain of the audit trail.
pub struct VerifyAudit(pub AuditPart);

impl Operation for VerifyAudit {
    type Output = AuditState;

    async fn carry_out(self, store: &Store) -> Result<AuditState, StoreError> {
        verify(store.reader().await?.conn(), self.0).await
    }
}

/// Follows the chain. Rows that come meanwhile are looked at too, or not: both are right.
pub(super) async fn verify(mut conn: Conn<'_>, part: AuditPart) -> Result<AuditState, StoreError> {
    // Numbers that no row of ours has would be seen in lists, so they are looked at too.
    let (AuditPoint { row, head }, mut from) = match part {
        AuditPart::Whole(start) => (start, i64::MIN),
        AuditPart::After(start) => (start, integer(start.row) + 1),
    };
    let mut state = AuditState { first: row + 1, rows: row, broken_at: None, head };
    loop {
        let rows = sql("SELECT * FROM audit WHERE id >= $1 ORDER BY id LIMIT $2")
            .bind(from)
            .bind(STRIDE)
            .fetch_all(conn.again())
            .await?;
        for found in &rows {
            if !follows(found, &state) {
                return Ok(AuditState { broken_at: Some(unsigned(found, "id").unwrap_or(0)), ..state });
            }
            state = AuditState { rows: state.rows + 1, head: hash(found, "hash")?, ..state };
        }
        if rows.is_empty() {
            return Ok(state);
        }
        from = integer(state.rows) + 1;
    }
}

/// Whether a row is the next one of the chain, as it was written. What cannot even be read was
/// changed.
fn follows(found: &DbRow, state: &AuditState) -> bool {
    let (Ok(row), Ok(detail)) = (row(found), found.try_get("detail")) else { return false };
    // Another way to write an id is the same id, but would not be found by it any more.
    let written = |name, id: Option<Uuid>| {
        found.try_get::<Option<&str>>(name).is_ok_and(|text| text == id.map(|id| id.to_string()).as_deref())
    };
    row.id == state.rows + 1
        && row.hash == chain::hash(&state.head, &row, detail)
        && written("account_id", Some(row.account))
        && written("license_id", row.license)
        && written("seat_id", row.seat)
}

fn row(row: &DbRow) -> Result<AuditRow, StoreError> {
    let detail: Option<&str> = row.try_get("detail")?;
    let epoch: Option<i64> = row.try_get("epoch")?;
    Ok(AuditRow {
        id: unsigned(row, "id")?,
        at: moment(row, "at")?,
        actor: row.try_get("actor")?,
        actor_name: row.try_get("actor_name")?,
        api_token: row.try_get("api_token")?,
        event: row.try_get("event")?,
        account: parsed(row, "account_id")?,
        license: optional(row, "license_id")?,
        seat: optional(row, "seat_id")?,
        epoch: epoch.map(|_| unsigned(row, "epoch")).transpose()?,
        machine: optional(row, "machine")?,
        detail: detail
            .map(|text| serde_json::from_str(text).map_err(|_| StoreError::Unexpected("detail")))
            .transpose()?,
        hash: hash(row, "hash")?,
    })
}
