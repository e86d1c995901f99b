use super::AuditRow;
use crate::crypto::seal::Hash;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What the first row follows.
pub(super) const START: Hash = [0; 32];

/// The hash of a row that follows one with the hash `before`: SHA-256 over a prefix, that hash, and
/// the row as JSON. `detail` is the row's as it is stored, because a text that was read and written
/// again may be another.
pub(super) fn hash(before: &Hash, row: &AuditRow, detail: Option<&str>) -> Hash {
    let text = json!([
        row.id,
        row.at,
        row.actor,
        row.actor_name,
        row.api_token,
        row.event,
        row.account,
        row.license,
        row.seat,
        row.epoch,
        row.machine,
        detail,
    ]);
    Sha256::new()
        .chain_update(b"seatlock-audit-v1\0")
        .chain_update(before)
        .chain_update(text.to_string())
        .finalize()
        .into()
}
