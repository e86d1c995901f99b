use super::audit::{NewAuditEntry, append};
use super::clock::{clock_columns, clocks};
use super::rows::unsigned;
use crate::domain::{Issuer, IssuerClient};
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Actor, IssuerList, StoreError};
use serde_json::json;
use uuid::Uuid;

/// What becomes of an issuer.
pub enum ChangeIssuer {
    /// Adds one. [`StoreError::Taken`] when there is one of that address.
    Add(Issuer, Actor),
    /// Replaces one. [`StoreError::NotFound`] when there is none of that address.
    Replace(Issuer, Actor),
    /// Removes the one of an address: its access tokens are refused from then on. Seats stay.
    Remove(String, Actor),
}

impl Write for ChangeIssuer {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (event, detail, by) = match self {
            Self::Add(issuer, by) => {
                add(tx, issuer).await?;
                ("issuer_added", describe(issuer), by)
            }
            Self::Replace(issuer, by) => {
                replace(tx, issuer).await?;
                ("issuer_changed", describe(issuer), by)
            }
            Self::Remove(url, by) => {
                let delete = sql("DELETE FROM issuer WHERE url = $1").bind(url);
                is_one(delete.execute(tx.conn()).await?, url)?;
                ("issuer_removed", json!({ "issuer": url }), by)
            }
        };
        // It is about every account that its rules name, so it is written into the trail of none.
        append(tx, by, NewAuditEntry { detail: Some(detail), ..NewAuditEntry::new(event, Uuid::nil()) }).await
    }
}

async fn add(tx: &mut Tx<'_>, issuer: &Issuer) -> Result<(), StoreError> {
    let added =
        sql("INSERT INTO issuer (url, name, audience, client_id, client_secret, admissions, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (url) DO NOTHING")
        .bind(&issuer.url)
        .bind(&issuer.name)
        .bind(&issuer.audience)
        .bind(issuer.client.as_ref().map(|client| &client.id))
        .bind(issuer.client.as_ref().and_then(|client| client.sealed_secret.as_ref()))
        .bind(admissions(issuer)?)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await?;
    let new = added == 1;
    if new { Ok(()) } else { Err(StoreError::Taken(format!("the issuer {}", issuer.url))) }
}

async fn replace(tx: &mut Tx<'_>, issuer: &Issuer) -> Result<(), StoreError> {
    let replaced = sql(
        "UPDATE issuer SET name = $2, audience = $3, client_id = $4, client_secret = $5, admissions = $6 \
         WHERE url = $1",
    )
    .bind(&issuer.url)
    .bind(&issuer.name)
    .bind(&issuer.audience)
    .bind(issuer.client.as_ref().map(|client| &client.id))
    .bind(issuer.client.as_ref().and_then(|client| client.sealed_secret.as_ref()))
    .bind(admissions(issuer)?)
    .execute(tx.conn())
    .await?;
    is_one(replaced, &issuer.url)
}

fn is_one(rows: u64, url: &str) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::NotFound(format!("issuer {url}"))) }
}

fn admissions(issuer: &Issuer) -> Result<String, StoreError> {
    serde_json::to_string(&issuer.admissions).map_err(|_| StoreError::Unexpected("issuer.admissions"))
}

/// Without the client's secret, sealed as it is.
fn describe(issuer: &Issuer) -> serde_json::Value {
    json!({
        "issuer": issuer.url, "name": issuer.name, "audience": issuer.audience,
        "client_id": issuer.client.as_ref().map(|client| &client.id), "admits": issuer.admissions,
    })
}

/// Every issuer, oldest first, with the moment and the newest key set.
pub struct ListIssuers;

impl Operation for ListIssuers {
    type Output = IssuerList;

    async fn carry_out(self, store: &Store) -> Result<IssuerList, StoreError> {
        let rows = sql(concat!(
            "SELECT c.now, c.mark, c.seq, i.url, i.name, i.audience, i.client_id, i.client_secret, i.admissions \
             FROM (SELECT ",
            clock_columns!(),
            ", (SELECT coalesce(max(seq), 0) FROM key_set) AS seq) c \
             LEFT JOIN issuer i ON 1 = 1 ORDER BY i.created_at, i.url"
        ))
        .fetch_all(store.reader().await?.conn())
        .await?;
        let first = rows.first().ok_or(StoreError::Unexpected("now"))?;
        let (now, seq) = (clocks(first)?.present(), unsigned(first, "seq")?);
        let issuers = rows.iter().map(issuer).filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(IssuerList { now, seq, issuers })
    }
}

/// How many seats that are not closed users of this issuer have. Looks through all seats, which is
/// done when an issuer is removed, and never for plug-ins.
pub struct CountIssuerSeats(pub String);

impl Operation for CountIssuerSeats {
    type Output = u64;

    async fn carry_out(self, store: &Store) -> Result<u64, StoreError> {
        let query = "SELECT count(*) AS seats FROM seat WHERE issuer = $1 AND state <> 'closed'";
        unsigned(&sql(query).bind(self.0).fetch_one(store.reader().await?.conn()).await?, "seats")
    }
}

/// `None` when the row is there for the clock only.
fn issuer(row: &DbRow) -> Result<Option<Issuer>, StoreError> {
    let Some(url) = row.try_get::<Option<String>>("url")? else { return Ok(None) };
    let client = match row.try_get::<Option<String>>("client_id")? {
        Some(id) => Some(IssuerClient { id, sealed_secret: row.try_get("client_secret")? }),
        None => None,
    };
    let admissions = serde_json::from_str(row.try_get("admissions")?)
        .map_err(|_| StoreError::Unexpected("issuer.admissions"))?;
    let (name, audience) = (row.try_get("name")?, row.try_get("audience")?);
    Ok(Some(Issuer { url, name, audience, client, admissions }))
}
