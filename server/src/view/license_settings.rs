use super::entitlement::entitlements_of;
use super::license::clock_action;
use super::{EntitlementsView, Timestamp, named};
use crate::rules::{ClonePolicy, License, Plan, ReleaseMode};
use seatlock_protocol::UnixTime;
use seatlock_protocol::claims::{ClockAction, ClockPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a computer does when its clock goes back; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockSettings {
    /// Tolerated rollback, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
    pub tol: Option<u64>,
    /// What follows beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(schema_with = clock_action)]
    pub act: Option<ClockAction>,
}

/// Structures with the settings of a license beside members of their own, because JSON that is read
/// strictly cannot be put together from parts.
macro_rules! with_settings {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$more:meta])* pub $member:ident: $type:ty,)* }) => {
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$about])*
        pub struct $name {
            $($(#[$more])* pub $member: $type,)*
            /// Products that may be activated: at least one.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, min_items = 1, max_items = 100)]
            pub products: Option<Vec<String>>,
            /// Name of its plan; `pro` unless another is named.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub plan: Option<String>,
            /// Entitlements such as `cad` beside those of the plan, by name.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub entitlements: Option<EntitlementsView>,
            /// How many seats may be in use, and how many tokens may exist.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 0, maximum = 10_000_000)]
            pub seats_max: Option<u32>,
            /// Longest life of a lease.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
            pub offline_ttl: Option<u64>,
            /// Life of a lease for a machine without a network.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
            pub airgap_ttl: Option<u64>,
            /// A seat without a ping for this long is released.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 2, maximum = 3_153_600_000u64)]
            pub auto_release: Option<u64>,
            /// Time until the next ping should be tried.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
            pub renew: Option<u64>,
            /// Time before a lease's end from which to warn.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
            pub warn: Option<u64>,
            /// Time between two manual releases.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false, minimum = 1, maximum = 3_153_600_000u64)]
            pub release_window: Option<u64>,
            /// What a manual release does to a living lease.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub release_mode: Option<ReleaseMode>,
            /// Whether a released machine takes its seat back when its host is started.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub relaunch_rebinds: Option<bool>,
            /// What a second copy of an installation meets.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub clone_policy: Option<ClonePolicy>,
            /// What a computer does when its clock goes back.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub clock: Option<ClockSettings>,
            /// Version of the terms that must be accepted; null for none.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
            pub terms: Option<Option<String>>,
            /// Oldest version of the plug-in that is served, which begins with a number; null for any.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
            pub min_plugin: Option<Option<String>>,
            /// End of the subscription; null for none.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(value_type = Option<Timestamp>)]
            pub expires_at: Option<Option<Timestamp>>,
            /// Versions of the plug-in that were released later are not included; null when all are.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(value_type = Option<Timestamp>)]
            pub updates_until: Option<Option<Timestamp>>,
            /// The vendor's own JSON object, which every lease carries: at most 2,048 bytes; null for none.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(value_type = Option<Object>)]
            pub data: Option<Option<Map<String, Value>>>,
            /// Whether the subscription is paused: every call is refused, and machines forget their leases.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
            #[schema(nullable = false)]
            pub suspended: Option<bool>,
        }
    };
}

with_settings! {
    /// Limits and policy, as far as they are named.
    pub struct LicenseSettings {}
}

with_settings! {
    /// A license to be made. What is not named has its usual value, see the command `license create`.
    #[schema(example = json!({
        "account": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21", "products": ["com.example.bridge"], "seats_max": 10
    }))]
    pub struct NewLicense {
        /// Who holds it.
        pub account: Uuid,
    }
}

with_settings! {
    /// What becomes of a license; what is not named stays.
    #[schema(example = json!({ "seats_max": 20 }))]
    pub struct LicenseChange {
        /// The `version` that this change was decided on: with it, nobody's change is overwritten unseen.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
        #[schema(nullable = false)]
        pub version: Option<String>,
    }
}

macro_rules! settings_of {
    ($from:ident, $own:ident: $kind:ty) => {
        impl $from {
            /// With these settings.
            #[must_use]
            pub fn new($own: $kind, settings: LicenseSettings) -> Self {
                Self {
                    $own,
                    products: settings.products,
                    plan: settings.plan,
                    entitlements: settings.entitlements,
                    seats_max: settings.seats_max,
                    offline_ttl: settings.offline_ttl,
                    airgap_ttl: settings.airgap_ttl,
                    auto_release: settings.auto_release,
                    renew: settings.renew,
                    warn: settings.warn,
                    release_window: settings.release_window,
                    release_mode: settings.release_mode,
                    relaunch_rebinds: settings.relaunch_rebinds,
                    clone_policy: settings.clone_policy,
                    clock: settings.clock,
                    terms: settings.terms,
                    min_plugin: settings.min_plugin,
                    expires_at: settings.expires_at,
                    updates_until: settings.updates_until,
                    data: settings.data,
                    suspended: settings.suspended,
                }
            }
        }

        impl From<$from> for LicenseSettings {
            fn from(from: $from) -> Self {
                Self {
                    products: from.products,
                    plan: from.plan,
                    entitlements: from.entitlements,
                    seats_max: from.seats_max,
                    offline_ttl: from.offline_ttl,
                    airgap_ttl: from.airgap_ttl,
                    auto_release: from.auto_release,
                    renew: from.renew,
                    warn: from.warn,
                    release_window: from.release_window,
                    release_mode: from.release_mode,
                    relaunch_rebinds: from.relaunch_rebinds,
                    clone_policy: from.clone_policy,
                    clock: from.clock,
                    terms: from.terms,
                    min_plugin: from.min_plugin,
                    expires_at: from.expires_at,
                    updates_until: from.updates_until,
                    data: from.data,
                    suspended: from.suspended,
                }
            }
        }
    };
}

settings_of!(NewLicense, account: Uuid);
settings_of!(LicenseChange, version: Option<String>);

impl LicenseSettings {
    /// `license` with what is named. Whether there can be such a license is checked where it is kept.
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
    fn null_is_not_absent_and_what_is_not_named_stays() {
        let license = License {
            products: vec!["p".to_owned()],
            terms: Some("1".to_owned()),
            ..License::usual(Uuid::nil(), Uuid::nil(), false)
        };
        let now = UnixTime::new(1_795_338_000).unwrap();
        let changed = |text: &str| {
            let change: LicenseChange = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&change).unwrap(), text);
            LicenseSettings::from(change).apply(license.clone(), now)
        };
        assert_eq!(changed("{}"), license);
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
            assert!(serde_json::from_str::<LicenseChange>(text).is_err(), "{text}");
        }
    }
}
