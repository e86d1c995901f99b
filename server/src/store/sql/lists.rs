use super::rows::{hash, license, license_columns, listed, listed_columns, seat, seat_columns, unsigned};
use crate::crypto::seal::Hash;
use crate::domain::{License, Seat};
use crate::store::db::{Statement, sql};
use crate::store::run::{Operation, Store};
use crate::store::{ListedSeat, Page, SeatQuery, StoreError, Used};
use seatlock_protocol::{MachineId, TokenHash, api::LockStatus};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Letters beyond ASCII of a search whose capitals are found too.
const LETTERS: usize = 64;

/// Seats, the newest first. By the moment of creation and then by id, so that seats of one second
/// have an order too.
impl Operation for SeatQuery {
    type Output = Page<ListedSeat>;

    async fn carry_out(self, store: &Store) -> Result<Page<ListedSeat>, StoreError> {
        let rows = statement(&self).fetch_all(store.reader().await?.conn()).await?;
        let limit = self.limit as usize;
        let page = rows.iter().take(limit).map(listed).collect::<Result<_, _>>()?;
        Ok(Page { rows: page, more: rows.len() > limit })
    }
}

/// One row more than the page has.
pub(in crate::store) fn statement(query: &SeatQuery) -> Statement {
    let mut sql =
        sql(concat!("SELECT ", listed_columns!(), ", ", seat_columns!(), " FROM seat s WHERE true"));
    narrow(&mut sql, query);
    if let Some(after) = query.after {
        sql.push(" AND (s.created_at, s.id) < (").push_bind(after.created_at.seconds());
        sql.push(", ").push_bind(after.id.to_string()).push(")");
    }
    sql.push(" ORDER BY s.created_at DESC, s.id DESC LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql
}

fn narrow(sql: &mut Statement, query: &SeatQuery) {
    if let Some(license) = query.license {
        sql.push(" AND s.license_id = ").push_bind(license.to_string());
    }
    if let Some(account) = query.account {
        sql.push(" AND s.license_id IN (SELECT id FROM license WHERE account_id = ");
        sql.push_bind(account.to_string()).push(")");
    }
    if let Some(status) = query.status {
        sql.push(" AND s.state = ").push_bind(status_name(status));
    }
    if let Some(words) = query.search.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        let small = words.to_lowercase();
        sql.push(" AND (").push("instr(");
        push_small(sql, "s.shared_with", &small);
        sql.push(", ").push_bind(small.clone());
        sql.push(") > 0 OR ").push("instr(s.id, ").push_bind(small).push(") = 1");
        let machine = MachineId::prefix_of_short(words).unwrap_or_else(|| words.to_owned());
        sql.push(" OR ").push("instr(s.machine, ").push_bind(machine).push(") = 1)");
    }
    match query.used {
        Some(Used::Since(moment)) => {
            sql.push(" AND s.last_used_at >= ").push_bind(moment.seconds());
        }
        Some(Used::NotSince(moment)) => {
            sql.push(" AND coalesce(s.last_used_at, 0) < ").push_bind(moment.seconds());
        }
        None => {}
    }
}

/// How many seats a query finds, wherever it begins.
pub struct CountSeats(pub SeatQuery);

impl Operation for CountSeats {
    type Output = u64;

    async fn carry_out(self, store: &Store) -> Result<u64, StoreError> {
        let mut sql = sql("SELECT count(*) AS seats FROM seat s WHERE true");
        narrow(&mut sql, &self.0);
        unsigned(&sql.fetch_one(store.reader().await?.conn()).await?, "seats")
    }
}

/// A column in small letters, as far as those of `small` go: `lower` knows ASCII alone, in SQLite
/// and in some locales of PostgreSQL.
pub(super) fn push_small(sql: &mut Statement, column: &str, small: &str) {
    let large = |c: char| match (c.to_uppercase().next(), c.to_uppercase().count()) {
        (Some(large), 1) if !c.is_ascii() && large != c => Some((large, c)),
        _ => None,
    };
    let letters: BTreeSet<(char, char)> = small.chars().filter_map(large).take(LETTERS).collect();
    for _ in &letters {
        sql.push("replace(");
    }
    sql.push("lower(").push(column).push(")");
    for (large, small) in letters {
        sql.push(", ").push_bind(large.to_string()).push(", ").push_bind(small.to_string()).push(")");
    }
}

/// One seat and its license.
pub struct FindSeat(pub Uuid);

impl Operation for FindSeat {
    type Output = Option<(ListedSeat, License)>;

    async fn carry_out(self, store: &Store) -> Result<Option<(ListedSeat, License)>, StoreError> {
        let row = sql(concat!(
            "SELECT ",
            listed_columns!(),
            ", ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM seat s JOIN license l ON l.id = s.license_id WHERE s.id = $1"
        ))
        .bind(self.0.to_string())
        .fetch_optional(store.reader().await?.conn())
        .await?;
        row.as_ref().map(|row| Ok((listed(row)?, license(row)?))).transpose()
    }
}

/// Those of some seats that belong to an account, or all of them, in no order.
pub struct FindSeats {
    pub ids: BTreeSet<Uuid>,
    pub account: Option<Uuid>,
}

impl Operation for FindSeats {
    type Output = Vec<Seat>;

    async fn carry_out(self, store: &Store) -> Result<Vec<Seat>, StoreError> {
        if self.ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = sql(concat!(
            "SELECT ",
            seat_columns!(),
            " FROM seat s JOIN license l ON l.id = s.license_id \
             WHERE (CAST($1 AS TEXT) IS NULL OR l.account_id = $1) AND s.id IN ("
        ))
        .bind(self.account.map(|id| id.to_string()));
        for (place, id) in self.ids.iter().enumerate() {
            wanted.push(if place == 0 { "" } else { ", " }).push_bind(id.to_string());
        }
        wanted.push(")");
        wanted.fetch_all(store.reader().await?.conn()).await?.iter().map(seat).collect()
    }
}

/// The seat of a token, its license, and the token's stored hash; `None` when no seat ever had it.
pub struct FindSeatOfToken(pub TokenHash);

impl Operation for FindSeatOfToken {
    type Output = Option<(Hash, Seat, License)>;

    async fn carry_out(self, store: &Store) -> Result<Option<(Hash, Seat, License)>, StoreError> {
        let row = sql(concat!(
            "SELECT t.hash, ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
             WHERE t.public_hash = $1 ORDER BY t.revoked_at IS NOT NULL, t.created_at DESC LIMIT 1"
        ))
        .bind(self.0.as_bytes().as_slice())
        .fetch_optional(store.reader().await?.conn())
        .await?;
        row.as_ref().map(|row| Ok((hash(row, "hash")?, seat(row)?, license(row)?))).transpose()
    }
}

/// Whether a token that is known by its stored hash is the seat's as it is now.
pub struct IsTokenOf {
    pub seat: Uuid,
    pub token: Hash,
}

impl Operation for IsTokenOf {
    type Output = bool;

    async fn carry_out(self, store: &Store) -> Result<bool, StoreError> {
        let query = sql("SELECT 1 FROM token WHERE hash = $1 AND seat_id = $2 AND revoked_at IS NULL");
        let query = query.bind(self.token.as_slice()).bind(self.seat.to_string());
        Ok(query.fetch_optional(store.reader().await?.conn()).await?.is_some())
    }
}

fn status_name(status: LockStatus) -> &'static str {
    match status {
        LockStatus::NeverUsed => "never_used",
        LockStatus::InUse => "in_use",
        LockStatus::Released => "released",
        LockStatus::Closed => "closed",
    }
}
