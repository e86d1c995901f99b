use super::{Timestamp, UsageJson};
use crate::domain::License;
use crate::service::Recovery;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A server whose database was restored from a backup, as long as a machine may hold a lease that
/// it does not know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryJson {
    /// The newest moment that the backup knew of.
    pub known_until: Timestamp,
    /// When the backup took the place of the database.
    pub restored_at: Timestamp,
    /// When the last lease ends that the database may not know of.
    pub until: Timestamp,
    /// Seats since then whose machines proved by a lease that they hold them.
    pub recovered: u64,
}

impl From<&Recovery> for RecoveryJson {
    fn from(recovery: &Recovery) -> Self {
        let Recovery { restored, recovered, .. } = recovery;
        Self {
            known_until: Timestamp(restored.known_until),
            restored_at: Timestamp(restored.at),
            until: Timestamp(restored.until),
            recovered: *recovered,
        }
    }
}

/// Use of the licenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageList {
    /// One entry for each license.
    pub items: Vec<UsageJson>,
    /// Always null: the list is whole.
    pub next: Option<String>,
    /// Null unless the database was restored from a backup not long ago.
    pub recovery: Option<RecoveryJson>,
}

impl UsageList {
    /// Of these licenses.
    #[must_use]
    pub fn new<'a>(
        licenses: impl Iterator<Item = &'a License>,
        outliving: &HashMap<Uuid, u64>,
        recovery: Option<&Recovery>,
    ) -> Self {
        let of = |license: &License| outliving.get(&license.id).copied().unwrap_or_default();
        let items = licenses.map(|license| UsageJson::new(license, of(license))).collect();
        Self { items, next: None, recovery: recovery.map(RecoveryJson::from) }
    }
}
