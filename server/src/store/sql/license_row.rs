//! The table of licenses: its columns, and how they are written and read. A limit or policy has no
//! other place in the store.

use super::rows::{Read, count, entitlement_words, entitlements, integer, parsed, time, unsigned, words};
use crate::domain::{ClonePolicy, License, Plan, ReleaseMode, SuppliedIds};
use crate::store::StoreError;
use crate::store::db::{DbRow, Statement};
use crate::store::transfer::ColumnKind::{self, Boolean, Integer, Text};
use seatlock_protocol::{
    UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use serde_json::{Map, Value};

/// Every column, as an export has them.
#[rustfmt::skip]
pub(in crate::store) const LICENSE_COLUMNS: &[(&str, ColumnKind)] = &[
    ("id", Text), ("account_id", Text), ("plan", Text), ("entitlements", Text), ("products", Text),
    ("seats_max", Integer), ("in_use_ceiling", Integer), ("in_use", Integer), ("tokens", Integer),
    ("offline_ttl", Integer), ("airgap_ttl", Integer), ("auto_release", Integer), ("renew", Integer),
    ("warn", Integer), ("release_window", Integer), ("release_mode", Text), ("relaunch_rebinds", Boolean),
    ("clone_policy", Text), ("supplied_ids", Text), ("installs_max", Integer), ("clock_tolerance", Integer), ("clock_action", Text), ("terms", Text),
    ("min_plugin", Text), ("suspended_at", Integer), ("expires_at", Integer), ("updates_until", Integer),
    ("data", Text), ("last_manual_release_at", Integer), ("created_at", Integer),
];

/// Columns that [`license`] reads; the table is called `l`.
macro_rules! license_columns {
    () => {
        "l.id AS license_id, l.account_id, (SELECT a.name FROM account a WHERE a.id = l.account_id) AS licensee, l.plan, \
         (SELECT p.carries_seats FROM plan p WHERE p.name = l.plan) AS plan_carries_seats, \
         (SELECT p.entitlements FROM plan p WHERE p.name = l.plan) AS plan_entitlements, l.entitlements, l.products, l.seats_max, l.in_use, l.tokens, l.offline_ttl, \
         l.airgap_ttl, l.auto_release, l.renew, l.warn, l.release_window, l.release_mode, l.relaunch_rebinds, l.clone_policy, l.supplied_ids, l.installs_max, \
         l.clock_tolerance, l.clock_action, l.terms AS license_terms, l.min_plugin, l.suspended_at, l.expires_at, \
         l.updates_until, l.data, l.last_manual_release_at"
    };
}

pub(in crate::store) use license_columns;

/// With the parameters that [`settings`] binds, when it is made, and for which account.
pub(super) const INSERT: &str = "INSERT INTO license (id, plan, entitlements, products, seats_max, offline_ttl, auto_release, renew, \
     warn, release_window, release_mode, relaunch_rebinds, clone_policy, clock_tolerance, clock_action, \
     terms, min_plugin, suspended_at, expires_at, airgap_ttl, updates_until, data, supplied_ids, installs_max, in_use_ceiling, in_use, \
     tokens, created_at, account_id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
     $21, $22, $23, $24, $5, 0, 0, $25, $26)";

/// With the parameters that [`settings`] binds.
pub(super) const UPDATE: &str = "UPDATE license SET plan = $2, entitlements = $3, products = $4, seats_max = $5, offline_ttl = $6, \
     auto_release = $7, renew = $8, warn = $9, release_window = $10, release_mode = $11, \
     relaunch_rebinds = $12, clone_policy = $13, clock_tolerance = $14, clock_action = $15, terms = $16, \
     min_plugin = $17, suspended_at = $18, expires_at = $19, airgap_ttl = $20, updates_until = $21, data = $22, \
     supplied_ids = $23, installs_max = $24, \
     in_use_ceiling = CASE WHEN in_use > $5 THEN in_use ELSE $5 END \
     WHERE id = $1";

/// Binds the parameters 1 to 24, which both statements share.
pub(super) fn settings(query: Statement, license: &License) -> Statement {
    query
        .bind(license.id.to_string())
        .bind(license.plan.name.clone())
        .bind(entitlement_words(&license.entitlements))
        .bind(license.products.join(" "))
        .bind(i64::from(license.seats_max))
        .bind(integer(license.offline_ttl))
        .bind(integer(license.auto_release))
        .bind(integer(license.renew))
        .bind(integer(license.warn))
        .bind(integer(license.release_window))
        .bind(mode_name(license.release_mode))
        .bind(license.relaunch_rebinds)
        .bind(policy_name(license.clone_policy))
        .bind(integer(license.clock.tol))
        .bind(action_name(license.clock.act))
        .bind(license.terms.clone())
        .bind(license.min_plugin.clone())
        .bind(license.suspended_at.map(UnixTime::seconds))
        .bind(license.expires_at.map(UnixTime::seconds))
        .bind(integer(license.airgap_ttl))
        .bind(license.updates_until.map(UnixTime::seconds))
        .bind(license.data.as_ref().and_then(|data| serde_json::to_string(data).ok()))
        .bind(supplied_name(license.supplied_ids))
        .bind(i64::from(license.installs_max))
}

pub(in crate::store) fn license(row: &DbRow) -> Read<License> {
    Ok(License {
        id: parsed(row, "license_id")?,
        account: parsed(row, "account_id")?,
        licensee: row.try_get("licensee")?,
        plan: Plan {
            name: row.try_get("plan")?,
            carries_seats: row.try_get("plan_carries_seats")?,
            entitlements: entitlements(row, "plan_entitlements")?,
        },
        entitlements: entitlements(row, "entitlements")?,
        products: words(row, "products")?,
        seats_max: count(row, "seats_max")?,
        in_use: count(row, "in_use")?,
        tokens: count(row, "tokens")?,
        offline_ttl: unsigned(row, "offline_ttl")?,
        airgap_ttl: unsigned(row, "airgap_ttl")?,
        auto_release: unsigned(row, "auto_release")?,
        renew: unsigned(row, "renew")?,
        warn: unsigned(row, "warn")?,
        release_window: unsigned(row, "release_window")?,
        release_mode: named(row, "release_mode", &[ReleaseMode::Immediate, ReleaseMode::Drain], mode_name)?,
        relaunch_rebinds: row.try_get("relaunch_rebinds")?,
        clone_policy: named(row, "clone_policy", &[ClonePolicy::Flag, ClonePolicy::Enforce], policy_name)?,
        supplied_ids: named(row, "supplied_ids", &SUPPLIED, supplied_name)?,
        installs_max: count(row, "installs_max")?,
        clock: ClockPolicy {
            tol: unsigned(row, "clock_tolerance")?,
            act: named(row, "clock_action", &[ClockAction::Freeze, ClockAction::Lock], action_name)?,
        },
        terms: row.try_get("license_terms")?,
        min_plugin: row.try_get("min_plugin")?,
        suspended_at: time(row, "suspended_at")?,
        expires_at: time(row, "expires_at")?,
        updates_until: time(row, "updates_until")?,
        data: data(row)?,
        last_manual_release_at: time(row, "last_manual_release_at")?,
    })
}

fn mode_name(mode: ReleaseMode) -> &'static str {
    match mode {
        ReleaseMode::Immediate => "immediate",
        ReleaseMode::Drain => "drain",
    }
}

fn policy_name(policy: ClonePolicy) -> &'static str {
    match policy {
        ClonePolicy::Flag => "flag",
        ClonePolicy::Enforce => "enforce",
    }
}

const SUPPLIED: [SuppliedIds; 3] = [SuppliedIds::Allow, SuppliedIds::Flag, SuppliedIds::Forbid];

fn supplied_name(policy: SuppliedIds) -> &'static str {
    match policy {
        SuppliedIds::Allow => "allow",
        SuppliedIds::Flag => "flag",
        SuppliedIds::Forbid => "forbid",
    }
}

fn action_name(action: ClockAction) -> &'static str {
    match action {
        ClockAction::Freeze => "freeze",
        ClockAction::Lock => "lock",
    }
}

/// The vendor's own data.
fn data(row: &DbRow) -> Read<Option<Map<String, Value>>> {
    let text: Option<&str> = row.try_get("data")?;
    text.map(serde_json::from_str).transpose().map_err(|_| StoreError::Unexpected("data"))
}

fn named<T: Copy>(row: &DbRow, column: &'static str, all: &[T], name: fn(T) -> &'static str) -> Read<T> {
    let stored: &str = row.try_get(column)?;
    all.iter().copied().find(|value| name(*value) == stored).ok_or(StoreError::Unexpected(column))
}
