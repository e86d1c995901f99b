use super::entitlement::{entitlements_of, entitlements_view};
use super::{EntitlementsJson, Timestamp, named};
use crate::domain::{ClonePolicy, License, Plan, ReleaseMode, SuppliedIds};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::UnixTime;
use seatlock_protocol::claims::{ClockAction, ClockPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenseJson {
    /// The license.
    pub id: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// Limits and policy: each of them.
    pub settings: LicenseSettings,
    /// Seats in use, and released seats that are still draining.
    pub in_use: u32,
    /// Seats whose token was not revoked.
    pub tokens: u32,
    /// Since when the subscription is paused.
    pub suspended_at: Option<Timestamp>,
    /// Last release by the owner or by a machine.
    pub last_manual_release_at: Option<Timestamp>,
    /// Another one after each change by a person. A change that names it is refused when somebody
    /// else was faster.
    pub version: String,
}

impl From<&License> for LicenseJson {
    fn from(license: &License) -> Self {
        Self {
            id: license.id,
            account: license.account,
            settings: license.into(),
            in_use: license.in_use,
            tokens: license.tokens,
            suspended_at: license.suspended_at.map(Timestamp),
            last_manual_release_at: license.last_manual_release_at.map(Timestamp),
            version: license_version(license),
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

/// How much of a license is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageJson {
    /// The license.
    pub license: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// Name of its plan.
    pub plan: String,
    /// What every lease carries, by name: the plan's entitlements and those beside it.
    pub entitlements: EntitlementsJson,
    /// How many seats may be in use, and how many tokens may exist.
    pub seats_max: u32,
    /// Seats in use.
    pub in_use: u32,
    /// Seats whose token was not revoked.
    pub tokens: u32,
    /// Leases that may be alive on machines that hold their seat no more: it was released,
    /// refreshed or revoked before they ended.
    pub outliving_leases: u64,
}

impl UsageJson {
    /// Of a license, with so many leases beside what is held.
    #[must_use]
    pub fn new(license: &License, outliving_leases: u64) -> Self {
        Self {
            license: license.id,
            account: license.account,
            plan: license.plan.name.clone(),
            entitlements: entitlements_view(&license.granted()),
            seats_max: license.seats_max,
            in_use: license.in_use,
            tokens: license.tokens,
            outliving_leases,
        }
    }
}

/// What a computer does when its clock goes back; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClockSettings {
    /// Tolerated rollback, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub tol: Option<u64>,
    /// What follows beyond it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(schema_with = clock_action)]
    pub act: Option<ClockAction>,
}

fn clock_action() -> utoipa::openapi::Object {
    let object = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
    object.enum_values(Some(["freeze", "lock"])).build()
}

/// Limits and policy of a subscription, by name. Durations are in seconds. A change names what
/// becomes different, and what is not named stays; an answer names all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LicenseSettings {
    /// Products that may be activated: at least one.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    pub products: Option<Vec<String>>,
    /// Name of its plan; `pro` unless another is named.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub plan: Option<String>,
    /// Entitlements such as `cad` beside those of the plan, by name.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub entitlements: Option<EntitlementsJson>,
    /// How many seats may be in use, and how many tokens may exist.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 0, maximum = 10_000_000)]
    pub seats_max: Option<u32>,
    /// Longest life of a lease.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub offline_ttl: Option<u64>,
    /// Life of a lease for a machine without a network.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub airgap_ttl: Option<u64>,
    /// A seat without a ping for this long is released.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 2, maximum = 3_153_600_000u64)]
    pub auto_release: Option<u64>,
    /// Time until the next ping should be tried.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub renew: Option<u64>,
    /// Time before a lease's end from which to warn.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub warn: Option<u64>,
    /// Time between two manual releases.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub release_window: Option<u64>,
    /// What a manual release does to a living lease.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub release_mode: Option<ReleaseMode>,
    /// Whether a released machine takes its seat back when its host is started.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub relaunch_rebinds: Option<bool>,
    /// What a second copy of an installation meets.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub clone_policy: Option<ClonePolicy>,
    /// What a machine meets whose id was supplied, by its host or by `SEATLOCK_MACHINE_ID`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub supplied_ids: Option<SuppliedIds>,
    /// Installations that may use one hold at a time; 64 for any number. More are marked, or
    /// refused under the clone policy `enforce`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 64)]
    pub installs_max: Option<u32>,
    /// What a computer does when its clock goes back.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub clock: Option<ClockSettings>,
    /// Version of the terms that must be accepted; null for none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    pub terms: Option<Option<String>>,
    /// Oldest version of the plug-in that is served, which begins with a number; null for any.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    pub min_plugin: Option<Option<String>>,
    /// End of the subscription; null for none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Option<Option<Timestamp>>,
    /// Versions of the plug-in that were released later are not included; null when all are.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<Timestamp>)]
    pub updates_until: Option<Option<Timestamp>>,
    /// The vendor's own JSON object, which every lease carries: at most 2,048 bytes; null for none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Option<Map<String, Value>>>,
    /// Whether the subscription is paused: every call is refused, and machines forget their leases.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub suspended: Option<bool>,
}

/// A license to be made. What is not named has its usual value, see the command `license create`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "account": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21",
    "settings": { "products": ["com.example.bridge"], "seats_max": 10 }
}))]
pub struct NewLicense {
    /// Who holds it.
    pub account: Uuid,
    /// Its products at least.
    pub settings: LicenseSettings,
}

/// What becomes of a license.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "settings": { "seats_max": 20 } }))]
pub struct LicenseChange {
    /// What becomes different.
    pub settings: LicenseSettings,
    /// The `version` that this change was decided on: with it, nobody's change is overwritten
    /// unseen.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false)]
    pub version: Option<String>,
}

impl From<&License> for LicenseSettings {
    fn from(license: &License) -> Self {
        let license = license.clone();
        let ClockPolicy { tol, act } = license.clock;
        Self {
            products: Some(license.products),
            plan: Some(license.plan.name),
            entitlements: Some(entitlements_view(&license.entitlements)),
            seats_max: Some(license.seats_max),
            offline_ttl: Some(license.offline_ttl),
            airgap_ttl: Some(license.airgap_ttl),
            auto_release: Some(license.auto_release),
            renew: Some(license.renew),
            warn: Some(license.warn),
            release_window: Some(license.release_window),
            release_mode: Some(license.release_mode),
            relaunch_rebinds: Some(license.relaunch_rebinds),
            clone_policy: Some(license.clone_policy),
            supplied_ids: Some(license.supplied_ids),
            installs_max: Some(license.installs_max),
            clock: Some(ClockSettings { tol: Some(tol), act: Some(act) }),
            terms: Some(license.terms),
            min_plugin: Some(license.min_plugin),
            expires_at: Some(license.expires_at.map(Timestamp)),
            updates_until: Some(license.updates_until.map(Timestamp)),
            data: Some(license.data),
            suspended: Some(license.suspended_at.is_some()),
        }
    }
}

impl LicenseSettings {
    /// `license` with what is named. Whether there can be such a license is checked where it is
    /// kept.
    #[must_use]
    pub fn apply(self, license: License, now: UnixTime) -> License {
        let clock = self.clock.unwrap_or_default();
        License {
            products: self.products.unwrap_or(license.products),
            plan: self.plan.map_or(license.plan, Plan::named),
            entitlements: self.entitlements.map_or(license.entitlements, entitlements_of),
            seats_max: self.seats_max.unwrap_or(license.seats_max),
            offline_ttl: self.offline_ttl.unwrap_or(license.offline_ttl),
            airgap_ttl: self.airgap_ttl.unwrap_or(license.airgap_ttl),
            auto_release: self.auto_release.unwrap_or(license.auto_release),
            renew: self.renew.unwrap_or(license.renew),
            warn: self.warn.unwrap_or(license.warn),
            release_window: self.release_window.unwrap_or(license.release_window),
            release_mode: self.release_mode.unwrap_or(license.release_mode),
            relaunch_rebinds: self.relaunch_rebinds.unwrap_or(license.relaunch_rebinds),
            clone_policy: self.clone_policy.unwrap_or(license.clone_policy),
            supplied_ids: self.supplied_ids.unwrap_or(license.supplied_ids),
            installs_max: self.installs_max.unwrap_or(license.installs_max),
            clock: ClockPolicy {
                tol: clock.tol.unwrap_or(license.clock.tol),
                act: clock.act.unwrap_or(license.clock.act),
            },
            terms: self.terms.unwrap_or(license.terms),
            min_plugin: self.min_plugin.unwrap_or(license.min_plugin),
            expires_at: self.expires_at.map_or(license.expires_at, |end| end.map(|Timestamp(end)| end)),
            updates_until: self
                .updates_until
                .map_or(license.updates_until, |end| end.map(|Timestamp(end)| end)),
            data: self.data.unwrap_or(license.data),
            suspended_at: match self.suspended {
                Some(true) => license.suspended_at.or(Some(now)),
                Some(false) => None,
                None => license.suspended_at,
            },
            ..license
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

    #[test]
    fn null_is_not_absent_and_what_is_not_named_stays() {
        let license = License {
            products: vec!["p".to_owned()],
            terms: Some("1".to_owned()),
            ..License::usual(Uuid::nil(), Uuid::nil(), false)
        };
        let now = UnixTime::new(1_795_338_000).unwrap();
        let changed = |text: &str| {
            let change: LicenseSettings = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&change).unwrap(), text);
            change.apply(license.clone(), now)
        };
        assert_eq!(changed("{}"), license);
        assert_eq!(LicenseSettings::from(&license).apply(license.clone(), now), license);
        assert_eq!(changed(r#"{"terms":null}"#).terms, None);
        assert_eq!(changed(r#"{"terms":"2"}"#).terms.as_deref(), Some("2"));
        assert_eq!(changed(r#"{"suspended":true}"#).suspended_at, Some(now));
        assert_eq!(changed(r#"{"expires_at":"2026-11-22T09:00:00Z"}"#).expires_at, Some(now));
        assert_eq!(changed(r#"{"clock":{"act":"lock"}}"#).clock.tol, license.clock.tol);
        for text in [
            r#"{"seats":1}"#,
            r#"{"clock":{"action":"lock"}}"#,
            r#"{"seats_max":1,"seats_max":2}"#,
            r#"{"plan":null}"#,
        ] {
            assert!(serde_json::from_str::<LicenseSettings>(text).is_err(), "{text}");
        }
    }
}
