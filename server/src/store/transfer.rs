use super::sql::license_row::LICENSE_COLUMNS;
use super::{AuditState, StoreError};
use seatlock_protocol::UnixTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What the first line of an export says it is.
pub(super) const FORMAT: &str = "seatlock-export-1";

/// How a column's values are written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    Integer,
    Boolean,
    Bytes,
}

use ColumnKind::{Boolean, Bytes, Integer, Text};

/// A table that moves from one database to another.
pub(super) struct TransferTable {
    pub(super) name: &'static str,
    /// Gives the rows the same order in every database.
    pub(super) order: &'static str,
    pub(super) columns: &'static [(&'static str, ColumnKind)],
}

/// Every table but `session`: whoever was signed in signs in again. Tables come after those that they refer to.
#[rustfmt::skip]
pub(super) const TABLES: &[TransferTable] = &[
    TransferTable { name: "server", order: "one", columns: &[
        ("one", Integer), ("issuer", Text), ("root_key", Text), ("documentation", Text), ("support", Text),
        ("initialised_at", Integer), ("pepper_check", Bytes),
    ] },
    TransferTable { name: "key_set", order: "seq", columns: &[("seq", Integer), ("jws", Text), ("created_at", Integer)] },
    TransferTable { name: "account", order: "rowid", columns: &[("id", Text), ("name", Text), ("created_at", Integer)] },
    TransferTable { name: "plan", order: "name", columns: &[("name", Text), ("carries_seats", Boolean), ("entitlements", Text)] },
    TransferTable { name: "license", order: "rowid", columns: LICENSE_COLUMNS },
    TransferTable { name: "seat", order: "id", columns: &[
        ("id", Text), ("license_id", Text), ("shared_with", Text), ("epoch", Integer), ("state", Text),
        ("machine", Text), ("machine_source", Text), ("since", Integer), ("last_ping", Integer), ("lease_until", Integer), ("counted", Boolean),
        ("last_used_at", Integer), ("last_offline_at", Integer), ("launches", Integer), ("terms", Text),
        ("clone_suspected_at", Integer), ("created_at", Integer), ("issuer", Text), ("subject", Text),
    ] },
    TransferTable { name: "token", order: "hash", columns: &[
        ("hash", Bytes), ("public_hash", Bytes), ("seat_id", Text), ("created_at", Integer), ("revoked_at", Integer),
    ] },
    TransferTable { name: "install", order: "seat_id, id", columns: &[
        ("seat_id", Text), ("id", Text), ("presented", Integer), ("first_handed_out", Integer),
        ("newest_handed_out", Integer), ("retired_from", Integer), ("retired_at", Integer), ("asked_at", Integer),
        ("round_first", Integer), ("round_newest", Integer), ("splits", Integer),
    ] },
    TransferTable { name: "outliving", order: "seat_id, machine", columns: &[
        ("seat_id", Text), ("machine", Text), ("until", Integer),
    ] },
    TransferTable { name: "restored", order: "one", columns: &[
        ("one", Integer), ("known_until", Integer), ("at", Integer), ("until", Integer),
    ] },
    TransferTable { name: "audit_checkpoint", order: "cut", columns: &[
        ("cut", Boolean), ("last_id", Integer), ("head", Bytes), ("jws", Text),
    ] },
    TransferTable { name: "audit", order: "id", columns: &[
        ("id", Integer), ("at", Integer), ("actor", Text), ("actor_name", Text), ("api_token", Text), ("event", Text),
        ("account_id", Text), ("license_id", Text), ("seat_id", Text), ("epoch", Integer), ("machine", Text), ("detail", Text), ("hash", Bytes),
    ] },
    TransferTable { name: "person", order: "rowid", columns: &[
        ("id", Text), ("account_id", Text), ("email", Text), ("email_key", Text), ("role", Text),
        ("password", Text), ("disabled_at", Integer), ("created_at", Integer),
    ] },
    TransferTable { name: "issuer", order: "url", columns: &[
        ("url", Text), ("name", Text), ("audience", Text), ("client_id", Text), ("client_secret", Bytes),
        ("admissions", Text), ("created_at", Integer),
    ] },
    TransferTable { name: "attempt", order: "hash", columns: &[("hash", Bytes), ("count", Integer), ("since", Integer)] },
    TransferTable { name: "api_token", order: "rowid", columns: &[
        ("id", Text), ("hash", Bytes), ("user_id", Text), ("name", Text), ("created_at", Integer),
        ("last_used_at", Integer),
    ] },
    TransferTable { name: "share", order: "id", columns: &[
        ("id", Bytes), ("seat_id", Text), ("sealed", Bytes), ("expires_at", Integer),
    ] },
    TransferTable { name: "remembered", order: "hash", columns: &[
        ("hash", Bytes), ("request", Bytes), ("subject", Text), ("sealed", Bytes), ("created_at", Integer),
    ] },
];

impl TransferTable {
    pub(super) fn column_names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(name, _)| *name).collect()
    }
}

/// The first line of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExportHeader {
    pub(super) format: String,
    pub(super) made_at: UnixTime,
    pub(super) tables: Vec<TableHeader>,
    pub(super) audit: AuditHeader,
}

/// What an export has of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableHeader {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: u64,
    /// SHA-256 of its lines, in hexadecimal digits.
    pub(super) sha256: String,
}

/// The audit trail that an export has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuditHeader {
    pub(super) rows: u64,
    pub(super) head: String,
}

impl AuditHeader {
    pub(super) fn of(state: &AuditState) -> Result<Self, StoreError> {
        match state.broken_at {
            None => Ok(Self { rows: state.rows, head: hex(&state.head) }),
            Some(row) => Err(StoreError::Transfer(format!(
                "entry {row} of the audit trail was changed, or one before it was taken away; see \"audit verify\""
            ))),
        }
    }
}

/// Rows of tables as they go by, counted and hashed.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<&'static str, (u64, Sha256)>);

impl Tally {
    pub(super) fn add(&mut self, table: &TransferTable, line: &str) {
        let (rows, hash) = self.0.entry(table.name).or_default();
        *rows += 1;
        hash.update(line);
        hash.update("\n");
    }

    pub(super) fn headers(&self) -> Vec<TableHeader> {
        let header = |table: &TransferTable| {
            let (rows, hash) = self.0.get(table.name).cloned().unwrap_or_default();
            let columns = table.column_names().into_iter().map(str::to_owned).collect();
            TableHeader { name: table.name.to_owned(), columns, rows, sha256: hex(&hash.finalize()) }
        };
        TABLES.iter().map(header).collect()
    }
}

/// Hears of every table that is done, and of its rows.
pub type TransferProgress = Box<dyn Fn(&str, u64) + Send + Sync>;

/// What was taken out or brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferSummary {
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Hash of the last entry of the audit trail, in hexadecimal digits.
    pub audit_head: String,
}

impl TransferSummary {
    pub(super) fn of(header: &ExportHeader) -> Self {
        let rows = header.tables.iter().map(|table| (table.name.clone(), table.rows)).collect();
        Self { rows, audit_head: header.audit.head.clone() }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(byte).collect() } else { None }
}
