use super::{EntitlementsView, Timestamp, entitlement::entitlements_view};
use crate::rules::{ClonePolicy, License, ReleaseMode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::claims::{ClockAction, ClockPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

/// Limits and policy of one subscription. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenseView {
    /// The license.
    pub id: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// Name of its plan.
    pub plan: String,
    /// Entitlements such as `cad` that were bought beside those of the plan, by name.
    pub entitlements: EntitlementsView,
    /// Products that may be activated.
    pub products: Vec<String>,
    /// How many seats may be in use, and how many tokens may exist.
    pub seats_max: u32,
    /// Seats in use, and released seats that are still draining.
    pub in_use: u32,
    /// Seats whose token was not revoked.
    pub tokens: u32,
    /// Longest life of a lease.
    pub offline_ttl: u64,
    /// Life of a lease for a machine without a network. It holds off auto-release.
    pub airgap_ttl: u64,
    /// A seat without a ping for this long is released.
    pub auto_release: u64,
    /// Time until the next ping should be tried.
    pub renew: u64,
    /// Time before a lease's end from which to warn.
    pub warn: u64,
    /// Time between two manual releases.
    pub release_window: u64,
    /// What a manual release does to a living lease.
    pub release_mode: ReleaseMode,
    /// Whether a released machine takes its seat back when its host is started.
    pub relaunch_rebinds: bool,
    /// What a second copy of an installation meets.
    pub clone_policy: ClonePolicy,
    /// What a computer does when its clock goes back.
    pub clock: ClockView,
    /// Version of the terms that must have been accepted.
    pub terms: Option<String>,
    /// Oldest version of the plug-in that is served.
    pub min_plugin: Option<String>,
    /// Since when the subscription is paused.
    pub suspended_at: Option<Timestamp>,
    /// End of the subscription.
    pub expires_at: Option<Timestamp>,
    /// Versions of the plug-in that were released later are not included.
    pub updates_until: Option<Timestamp>,
    /// The vendor's own JSON object, which every lease carries.
    pub data: Option<Map<String, Value>>,
    /// Last release by the owner or by a machine.
    pub last_manual_release_at: Option<Timestamp>,
    /// Another one after each change by a person. A change that names it is refused when somebody
    /// else was faster.
    pub version: String,
}

impl From<&License> for LicenseView {
    fn from(license: &License) -> Self {
        let license = license.clone();
        Self {
            version: license_version(&license),
            id: license.id,
            account: license.account,
            plan: license.plan.name,
            entitlements: entitlements_view(&license.entitlements),
            products: license.products,
            seats_max: license.seats_max,
            in_use: license.in_use,
            tokens: license.tokens,
            offline_ttl: license.offline_ttl,
            airgap_ttl: license.airgap_ttl,
            auto_release: license.auto_release,
            renew: license.renew,
            warn: license.warn,
            release_window: license.release_window,
            release_mode: license.release_mode,
            relaunch_rebinds: license.relaunch_rebinds,
            clone_policy: license.clone_policy,
            clock: license.clock.into(),
            terms: license.terms,
            min_plugin: license.min_plugin,
            suspended_at: license.suspended_at.map(Timestamp),
            expires_at: license.expires_at.map(Timestamp),
            updates_until: license.updates_until.map(Timestamp),
            data: license.data,
            last_manual_release_at: license.last_manual_release_at.map(Timestamp),
        }
    }
}

/// The `version` of a license as it is now. What plug-ins change is not part of it.
#[must_use]
pub fn license_version(license: &License) -> String {
    let settings = License { in_use: 0, tokens: 0, last_manual_release_at: None, ..license.clone() };
    let text = serde_json::to_vec(&settings).unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(text).into();
    URL_SAFE_NO_PAD.encode(hash).chars().take(22).collect()
}

/// What a computer does when its clock goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// Tolerated rollback, in seconds.
    pub tol: u64,
    /// What follows beyond it.
    #[schema(inline, schema_with = clock_action)]
    pub act: ClockAction,
}

impl From<ClockPolicy> for ClockView {
    fn from(clock: ClockPolicy) -> Self {
        Self { tol: clock.tol, act: clock.act }
    }
}

pub(super) fn clock_action() -> utoipa::openapi::Object {
    let object = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
    object.enum_values(Some(["freeze", "lock"])).build()
}

/// How much of a license is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// The license.
    pub license: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// Name of its plan.
    pub plan: String,
    /// What every lease carries, by name: the plan's entitlements and those beside it.
    pub entitlements: EntitlementsView,
    /// How many seats may be in use, and how many tokens may exist.
    pub seats_max: u32,
    /// Seats in use.
    pub in_use: u32,
    /// Seats whose token was not revoked.
    pub tokens: u32,
}

impl From<&License> for UsageView {
    fn from(license: &License) -> Self {
        Self {
            license: license.id,
            account: license.account,
            plan: license.plan.name.clone(),
            entitlements: entitlements_view(&license.granted()),
            seats_max: license.seats_max,
            in_use: license.in_use,
            tokens: license.tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_follows_people_and_not_plug_ins() {
        let license = License::usual(Uuid::nil(), Uuid::nil(), false);
        let version = license_version(&license);
        assert_eq!(license_version(&License { in_use: 1, tokens: 2, ..license.clone() }), version);
        assert_ne!(license_version(&License { seats_max: 2, ..license }), version);
    }
}
