use crate::license::state::{LeaseState, State};
use crate::license::status::{LockState, Standing};
use seatlock_protocol::{
    UnixTime,
    claims::{self, LeaseClaims, Licensee},
};
use std::collections::BTreeMap;

/// What the license says of one entitlement at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entitlement {
    /// Whether it may be used. Never while the plug-in is locked.
    pub included: bool,
    /// How much of it. `None` for what is not counted, and while it is not included.
    pub value: Option<i64>,
    /// The moment from which it is no longer included, which may have passed. `None` when it lasts
    /// as long as the license, and while the plug-in is locked.
    pub until: Option<UnixTime>,
}

/// What a lease says beside whether the plug-in is locked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Name of the plan.
    pub plan: String,
    /// Whose license it is, and until when.
    pub licensee: Licensee,
    /// By name, those included that have ended.
    entitlements: BTreeMap<String, claims::EntitlementClaim>,
    /// The vendor's own, as JSON.
    data: Option<String>,
}

impl Contents {
    /// What the held lease says; `None` when none is held.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        let LeaseState::Lease(lease) = &state.license else { return None };
        let LeaseClaims { plan, lic, ent, data, .. } = &lease.claims;
        Some(Self {
            plan: plan.clone(),
            licensee: lic.clone(),
            entitlements: ent.clone(),
            data: data.as_ref().and_then(|data| serde_json::to_string(data).ok()),
        })
    }

    /// The entitlement of this name, as it is `now`.
    #[must_use]
    pub fn entitlement(&self, name: &str, standing: &Standing, now: UnixTime) -> Entitlement {
        match self.entitlements.get(name) {
            Some(granted) if standing.lock_state != LockState::Locked => {
                let included = granted.until.is_none_or(|end| now < end);
                Entitlement { included, value: granted.value.filter(|_| included), until: granted.until }
            }
            _ => Entitlement::default(),
        }
    }

    /// Names of the entitlements that are included `now`.
    pub fn included(&self, standing: &Standing, now: UnixTime) -> impl Iterator<Item = &str> {
        let included = move |name: &&str| self.entitlement(name, standing, now).included;
        self.entitlements.keys().map(String::as_str).filter(included)
    }

    /// The vendor's own data, a JSON object. `None` when there is none, and while the plug-in is
    /// locked.
    #[must_use]
    pub fn data(&self, standing: &Standing) -> Option<&str> {
        self.data.as_deref().filter(|_| standing.lock_state != LockState::Locked)
    }
}
