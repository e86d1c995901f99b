use super::{LicenseChange, Plan};
use seatlock_protocol::{UnixTime, claims::ClockPolicy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happens to a seat's place in the license when its owner releases it while a lease is still alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseMode {
    /// The place is free at once; the old lease runs out beside the new one.
    #[default]
    Immediate,
    /// The place stays taken until the old lease ends or its machine has fetched the verdict.
    Drain,
}

/// What happens when two copies of one installation show up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClonePolicy {
    /// Mark the seat and go on.
    #[default]
    Flag,
    /// Refuse the older copy and ask for the token again.
    Enforce,
}

/// Limits and policy of one subscription. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct License {
    /// The license.
    pub id: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// The plan.
    pub plan: Plan,
    /// Entitlements such as `cad` that were bought beside those of the plan.
    pub entitlements: Vec<String>,
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
    pub clock: ClockPolicy,
    /// Version of the terms that must have been accepted.
    pub terms: Option<String>,
    /// Oldest client library that is served.
    pub min_client: Option<String>,
    /// Since when the subscription is paused.
    pub suspended_at: Option<UnixTime>,
    /// End of the subscription.
    pub expires_at: Option<UnixTime>,
    /// Last release by the owner or by a machine.
    pub last_manual_release_at: Option<UnixTime>,
}

impl License {
    /// What every lease carries: the plan's entitlements and those beside it, each once.
    #[must_use]
    pub fn granted(&self) -> Vec<String> {
        let mut granted = Vec::new();
        for name in self.plan.entitlements.iter().chain(&self.entitlements) {
            if !granted.contains(name) {
                granted.push(name.clone());
            }
        }
        granted
    }

    /// The license after `change`.
    pub fn apply(&mut self, change: LicenseChange) {
        self.in_use = self.in_use.saturating_add_signed(change.in_use);
        self.tokens = self.tokens.saturating_add_signed(change.tokens);
        self.last_manual_release_at = change.manual_release.or(self.last_manual_release_at);
    }

    /// When the next manual release is possible; `None` when it is now.
    #[must_use]
    pub fn release_possible_at(&self, now: UnixTime) -> Option<UnixTime> {
        let next = self.last_manual_release_at?.plus(self.release_window);
        (next > now).then_some(next)
    }
}
