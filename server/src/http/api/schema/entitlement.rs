use super::Timestamp;
use crate::domain::Entitlements;
use seatlock_protocol::claims::Entitlement;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How much of something is included, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementView {
    /// A whole number, for what is counted.
    #[serde(default)]
    pub value: Option<i64>,
    /// The moment from which it is no longer included.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Entitlements by name.
pub type EntitlementsView = BTreeMap<String, EntitlementView>;

impl From<&Entitlement> for EntitlementView {
    fn from(entitlement: &Entitlement) -> Self {
        Self { value: entitlement.value, until: entitlement.until.map(Timestamp) }
    }
}

impl From<EntitlementView> for Entitlement {
    fn from(view: EntitlementView) -> Self {
        Self { value: view.value, until: view.until.map(|Timestamp(end)| end) }
    }
}

pub(super) fn entitlements_view(entitlements: &Entitlements) -> EntitlementsView {
    entitlements.iter().map(|(name, granted)| (name.clone(), granted.into())).collect()
}

/// What is meant by what was written.
#[must_use]
pub fn entitlements_of(view: EntitlementsView) -> Entitlements {
    view.into_iter().map(|(name, granted)| (name, granted.into())).collect()
}
