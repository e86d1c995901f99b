use crate::license::clock::{Anchor, ClockMemory, DEFAULT_POLICY, Reading, Time, effective};
use crate::license::pacing::Pacing;
use crate::license::trust::{Binding, Distrust, Trust};
use seatlock_protocol::{
    Code, UnixTime,
    api::OfflineUse,
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A signed object that was verified, with the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// The compact JWS, as it came.
    pub jws: String,
    /// What it says.
    pub claims: T,
    /// The key that signed it.
    pub kid: String,
}

/// The license of this computer, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum License {
    /// None was ever stored here.
    Missing,
    /// A verified lease.
    Lease(Box<Held<LeaseClaims>>),
    /// A stored lease that is not valid here. It is kept as it is: only a verified answer may replace it.
    Unusable {
        /// The stored text.
        jws: String,
        /// Why it is not valid.
        reason: Code,
    },
    /// A verified verdict took the lease away and stays in its place.
    Dropped(Box<Held<VerdictClaims>>),
}

impl License {
    /// Which of two licenses of one seat is newer.
    fn order(&self) -> (u64, UnixTime) {
        match self {
            Self::Lease(lease) => (lease.claims.epoch, lease.claims.iat),
            Self::Dropped(verdict) => (verdict.claims.epoch.unwrap_or(0), verdict.claims.iat),
            Self::Missing | Self::Unusable { .. } => (0, UnixTime::MIN),
        }
    }

    /// The highest epoch known of `seat`.
    pub(super) fn known_epoch(&self, seat: Uuid) -> u64 {
        match self {
            Self::Lease(lease) if lease.claims.sub == seat => lease.claims.epoch,
            Self::Dropped(verdict) if verdict.claims.sub == Some(seat) => verdict.claims.epoch.unwrap_or(0),
            _ => 0,
        }
    }
}

/// Everything that the client knows. Changed by [`crate::license::step`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// This installation; a new one begins with a new random id.
    pub install_id: Uuid,
    /// The newest key set.
    pub key_set: Option<Held<KeySetClaims>>,
    /// The license.
    pub license: License,
    /// Secret to be sent with the next ping.
    pub renewal: Option<String>,
    /// What is remembered of time.
    pub clock: ClockMemory,
    /// When the next ping may be tried.
    pub pacing: Pacing,
    /// Launches since the server was last reached.
    pub offline: Option<OfflineUse>,
    /// A moment that was believed in this process. Not stored.
    pub anchor: Option<Anchor>,
}

/// The stored form of [`State`]. What is signed is stored as it came and verified at every load; there is no stored
/// "licensed" flag to edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    install_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_set: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewal: Option<String>,
    #[serde(default)]
    clock: ClockMemory,
    #[serde(default)]
    pacing: Pacing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offline: Option<OfflineUse>,
}

impl State {
    /// What a new installation knows.
    #[must_use]
    pub fn new(install_id: Uuid) -> Self {
        Self {
            install_id,
            key_set: None,
            license: License::Missing,
            renewal: None,
            clock: ClockMemory::default(),
            pacing: Pacing::default(),
            offline: None,
            anchor: None,
        }
    }

    /// Reads a stored state, believing of it only what verifies.
    #[must_use]
    pub fn from_record(record: Record, trust: &Trust, binding: &Binding) -> Self {
        let key_set = record.key_set.and_then(|text| trust.key_set(&text).ok());
        let keys = key_set.as_ref().map(|held| &held.claims);
        let license = match (record.lease, record.verdict) {
            (Some(jws), _) => match trust.bound(&jws, keys, binding) {
                Ok(lease) => License::Lease(Box::new(lease)),
                Err(distrust) => License::Unusable { jws, reason: unusable(&distrust) },
            },
            (None, Some(jws)) => trust
                .bound(&jws, keys, binding)
                .map_or(License::Missing, |verdict| License::Dropped(Box::new(verdict))),
            (None, None) => License::Missing,
        };
        Self {
            install_id: record.install_id,
            key_set,
            license,
            renewal: record.renewal,
            clock: record.clock,
            pacing: record.pacing,
            offline: record.offline,
            anchor: None,
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_record(&self) -> Record {
        let (lease, verdict) = match &self.license {
            License::Missing => (None, None),
            License::Lease(lease) => (Some(lease.jws.clone()), None),
            License::Unusable { jws, .. } => (Some(jws.clone()), None),
            License::Dropped(verdict) => (None, Some(verdict.jws.clone())),
        };
        Record {
            install_id: self.install_id,
            key_set: self.key_set.as_ref().map(|held| held.jws.clone()),
            lease,
            verdict,
            renewal: self.renewal.clone(),
            clock: self.clock,
            pacing: self.pacing,
            offline: self.offline.clone(),
        }
    }

    /// Takes over what another process of this installation has stored meanwhile, as far as it is newer, so that
    /// no process undoes what another has learned.
    #[must_use]
    pub fn merged_with(self, stored: Self) -> Self {
        let high_water = |state: &Self| state.clock.high_water;
        let (newer, older) =
            if stored.license.order() > self.license.order() { (&stored, &self) } else { (&self, &stored) };
        let clock = match newer.clock.signed.cmp(&older.clock.signed) {
            // Nobody has learned the signed time meanwhile: the latest moment that anybody believed counts.
            std::cmp::Ordering::Equal => {
                ClockMemory { high_water: high_water(newer).max(high_water(older)), ..newer.clock }
            }
            std::cmp::Ordering::Greater => newer.clock,
            std::cmp::Ordering::Less => older.clock,
        };
        let key_set = [&newer.key_set, &older.key_set]
            .into_iter()
            .flatten()
            .max_by_key(|held| held.claims.seq)
            .cloned();
        Self { install_id: stored.install_id, anchor: self.anchor, clock, key_set, ..newer.clone() }
    }

    /// The claims of the newest key set.
    #[must_use]
    pub fn keys(&self) -> Option<&KeySetClaims> {
        self.key_set.as_ref().map(|held| &held.claims)
    }

    /// Effective time at `reading`.
    #[must_use]
    pub fn time(&self, reading: Reading) -> Time {
        let policy = match &self.license {
            License::Lease(lease) => lease.claims.clk,
            _ => DEFAULT_POLICY,
        };
        effective(self.clock, self.anchor, reading, policy)
    }
}

/// What a user is told of a stored lease that is not valid here.
fn unusable(distrust: &Distrust) -> Code {
    match distrust {
        Distrust::OtherMachine => Code::MachineMismatch,
        // Of another token than the remembered one: connecting once brings the right one.
        Distrust::OtherToken => Code::LeaseExpired,
        _ => Code::BadSignature,
    }
}
