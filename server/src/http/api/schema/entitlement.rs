use super::Timestamp;
use crate::domain::Entitlements;
use seatlock_protocol::claims::EntitlementClaim;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How much of something is included, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementJson {
    /// A whole number, for what is counted.
    #[serde(default)]
    pub value: Option<i64>,
    /// The moment from which it is no longer included.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Entitlements by name.
pub type EntitlementsJson = BTreeMap<String, EntitlementJson>;

impl From<&EntitlementClaim> for EntitlementJson {
    fn from(entitlement: &EntitlementClaim) -> Self {
        Self { value: entitlement.value, until: entitlement.until.map(Timestamp) }
    }
}

impl From<EntitlementJson> for EntitlementClaim {
    fn from(view: EntitlementJson) -> Self {
        Self { value: view.value, until: view.until.map(|Timestamp(end)| end) }
    }
}

pub(super) fn entitlements_view(entitlements: &Entitlements) -> EntitlementsJson {
    entitlements.iter().map(|(name, granted)| (name.clone(), granted.into())).collect()
}

/// What is meant by what was written.
#[must_use]
pub fn entitlements_of(view: EntitlementsJson) -> Entitlements {
    view.into_iter().map(|(name, granted)| (name, granted.into())).collect()
}
