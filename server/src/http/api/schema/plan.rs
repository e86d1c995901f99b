use super::{EntitlementsJson, entitlement::entitlements_view};
use crate::domain::Plan;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a subscription of this name contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanJson {
    /// Its name.
    pub name: String,
    /// Whether it carries seats for plug-ins, and so tokens.
    pub carries_seats: bool,
    /// Entitlements that come with it, by name.
    pub entitlements: EntitlementsJson,
}

impl From<&Plan> for PlanJson {
    fn from(plan: &Plan) -> Self {
        Self {
            name: plan.name.clone(),
            carries_seats: plan.carries_seats,
            entitlements: entitlements_view(&plan.entitlements),
        }
    }
}

/// What a plan is to contain.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "carries_seats": true, "entitlements": { "cad": {} } }))]
pub struct PlanContent {
    /// Whether it carries seats for plug-ins, and so tokens.
    pub carries_seats: bool,
    /// Entitlements that come with it, by name.
    pub entitlements: EntitlementsJson,
}
