use super::Timestamp;
use crate::service::{AuditRow, AuditState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditJson {
    /// Its number; they have no gaps.
    pub id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Who: `user`, `console`, `plugin` or `system`.
    pub actor: String,
    /// Which user.
    pub actor_name: Option<String>,
    /// Name of the API token that they showed.
    pub api_token: Option<String>,
    /// What happened.
    pub event: String,
    /// The account that it is about.
    pub account: Uuid,
    /// The license that it is about.
    pub license: Option<Uuid>,
    /// The seat, unless it is about the license itself.
    pub seat: Option<Uuid>,
    /// The seat's epoch afterwards.
    pub epoch: Option<u64>,
    /// Id of the machine that it happened to.
    pub machine: Option<String>,
    /// That id as people read it.
    pub machine_short: Option<String>,
    /// What was made or changed, as it is afterwards.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
}

impl From<&AuditRow> for AuditJson {
    fn from(row: &AuditRow) -> Self {
        Self {
            id: row.id,
            at: Timestamp(row.at),
            actor: row.actor.clone(),
            actor_name: row.actor_name.clone(),
            api_token: row.api_token.clone(),
            event: row.event.clone(),
            account: row.account,
            license: row.license,
            seat: row.seat,
            epoch: row.epoch,
            machine: row.machine.as_ref().map(|machine| machine.as_str().to_owned()),
            machine_short: row.machine.as_ref().map(|machine| machine.short()),
            detail: row.detail.clone(),
        }
    }
}

/// What the chain of the audit trail says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditStateJson {
    /// Number of the first entry that was looked at: 1, or what follows a checkpoint.
    pub first: u64,
    /// Number of the last entry that is as it was written.
    pub entries: u64,
    /// Its hash: whoever notes it elsewhere can prove that nothing before it was changed.
    pub head: String,
    /// The first entry that was changed, or that follows one that was taken away; null when there
    /// is none.
    pub broken_at: Option<u64>,
}

impl From<&AuditState> for AuditStateJson {
    fn from(state: &AuditState) -> Self {
        let head = state.head.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { first: state.first, entries: state.rows, head, broken_at: state.broken_at }
    }
}
