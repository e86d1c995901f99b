use super::dialect::{Db, POSITION};
use super::rows::{license, license_columns, listed, seat_columns};
use crate::rules::License;
use crate::store::{ListedSeat, Page, SeatQuery, StoreError};
use seatlock_protocol::{MachineId, api::LockStatus};
use sqlx::{Pool, QueryBuilder};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Letters beyond ASCII of a search whose capitals are found too.
const LETTERS: usize = 64;

/// The newest first. By the moment of creation and then by id, so that seats of one second have an
/// order too.
pub(super) async fn seats(pool: &Pool<Db>, query: SeatQuery) -> Result<Page<ListedSeat>, StoreError> {
    let rows = statement(&query).build().fetch_all(pool).await?;
    let limit = query.limit as usize;
    let page = rows.iter().take(limit).map(listed).collect::<Result<_, _>>()?;
    Ok(Page { rows: page, more: rows.len() > limit })
}

/// One row more than the page has.
pub(super) fn statement(query: &SeatQuery) -> QueryBuilder<Db> {
    let mut sql = QueryBuilder::<Db>::new(concat!(
        "SELECT s.created_at AS seat_created_at, ",
        seat_columns!(),
        " FROM seat s WHERE true"
    ));
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
        sql.push(" AND (").push(POSITION).push("(");
        push_small(&mut sql, "s.shared_with", &small);
        sql.push(", ").push_bind(small.clone());
        sql.push(") > 0 OR ").push(POSITION).push("(s.id, ").push_bind(small).push(") = 1");
        let machine = MachineId::prefix_of_short(words).unwrap_or_else(|| words.to_owned());
        sql.push(" OR ").push(POSITION).push("(s.machine, ").push_bind(machine).push(") = 1)");
    }
    if let Some(after) = query.after {
        sql.push(" AND (s.created_at, s.id) < (").push_bind(after.created_at.seconds());
        sql.push(", ").push_bind(after.id.to_string()).push(")");
    }
    sql.push(" ORDER BY s.created_at DESC, s.id DESC LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql
}

/// A column in small letters, as far as those of `small` go: `lower` knows ASCII alone, in SQLite
/// and in some locales of PostgreSQL.
pub(super) fn push_small(sql: &mut QueryBuilder<Db>, column: &str, small: &str) {
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

pub(super) async fn seat(pool: &Pool<Db>, id: Uuid) -> Result<Option<(ListedSeat, License)>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT s.created_at AS seat_created_at, ",
        seat_columns!(),
        ", ",
        license_columns!(),
        " FROM seat s JOIN license l ON l.id = s.license_id WHERE s.id = $1"
    ))
    .bind(id.to_string())
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(|row| Ok((listed(row)?, license(row)?))).transpose()
}

fn status_name(status: LockStatus) -> &'static str {
    match status {
        LockStatus::NeverUsed => "never_used",
        LockStatus::InUse => "in_use",
        LockStatus::Released => "released",
        LockStatus::Closed => "closed",
    }
}
