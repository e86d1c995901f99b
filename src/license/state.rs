use crate::license::airgap::{AirgapRequest, HandedBack};
use crate::license::clock::{Anchor, ClockMemory, DEFAULT_POLICY, Reading, Time, effective};
use crate::license::launches::Launches;
use crate::license::pacing::Pacing;
use crate::license::seats::Seats;
use crate::license::trust::{Binding, VerifiedText, end_of};
use seatlock_protocol::{
    Code, TokenHash, UnixTime,
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
};
use std::cmp::Reverse;
use uuid::Uuid;

/// A lease may be this much older than the newest signed answer: the server's own clock was
/// corrected.
pub(super) const SERVER_CLOCK_SLACK: u64 = 300;

/// An answer says when it was signed, and arrives up to this much later.
const SLOW_ANSWER: u64 = 60;

/// The license of this computer, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// None is known here.
    Missing,
    /// A token is remembered, but nothing is stored that belongs to it: the file was lost, or never
    /// written.
    Awaited,
    /// A verified lease.
    Lease(Box<VerifiedText<LeaseClaims>>),
    /// A stored lease that is not valid here. It is kept as it is: only a verified answer may
    /// replace it.
    Unusable {
        /// The stored text.
        jws: String,
        /// Why it is not valid.
        reason: Code,
    },
    /// A verified verdict took the lease away and stays in its place.
    Dropped(Box<VerifiedText<VerdictClaims>>),
    /// The lease was given up here, to be confirmed to the server by a file.
    HandedBack(Box<HandedBack>),
}

impl LeaseState {
    /// Nothing usable is stored.
    pub(super) fn none(binding: &Binding) -> Self {
        if binding.token.is_some() { Self::Awaited } else { Self::Missing }
    }

    /// Whether a ping brings a lease, as far as is known here: the next one, or the first of a
    /// product whose family has the token already.
    #[must_use]
    pub fn is_renewable(&self) -> bool {
        match self {
            Self::Lease(_) | Self::Awaited => true,
            Self::Unusable { reason, .. } => *reason == Code::LeaseExpired,
            Self::Missing | Self::Dropped(_) | Self::HandedBack(_) => false,
        }
    }

    /// Whether this one takes the place of `other`. Of one seat the higher epoch counts, then the
    /// later answer. Of two seats, or when a verdict names no seat, epochs cannot be compared.
    /// At the same second a tombstone wins.
    fn is_newer_than(&self, other: &Self, present: UnixTime) -> bool {
        let seat = |license: &Self| match license {
            Self::Lease(lease) => Some((lease.claims.sub, lease.claims.epoch)),
            Self::Dropped(verdict) => verdict.claims.sub.zip(verdict.claims.epoch),
            Self::HandedBack(lease) => Some((lease.seat, lease.epoch)),
            Self::Missing | Self::Awaited | Self::Unusable { .. } => None,
        };
        // What was signed later than now was signed while the server's clock was wrong.
        let kind_and_issue = |license: &Self, beside: &Self| match license {
            Self::Missing | Self::Awaited => (0, UnixTime::MIN, 0),
            Self::Unusable { .. } => (1, UnixTime::MIN, 0),
            Self::Lease(lease) => (2, credible(lease.claims.iat, present), 0),
            Self::Dropped(verdict) => (2, credible(verdict.claims.iat, present), 1),
            // Another lease of the same second is one that was asked for again.
            Self::HandedBack(given) => {
                let gave_up = matches!(beside, Self::Lease(lease) if lease.claims.jti == given.jti);
                (2, credible(given.issued_at, present), u8::from(gave_up))
            }
        };
        match (seat(self), seat(other)) {
            (Some((mine, epoch)), Some((theirs, other))) if mine == theirs && epoch != other => epoch > other,
            _ => kind_and_issue(self, other) > kind_and_issue(other, self),
        }
    }

    /// The highest epoch known of `seat`.
    pub(super) fn known_epoch(&self, seat: Uuid) -> u64 {
        match self {
            Self::Lease(lease) if lease.claims.sub == seat => lease.claims.epoch,
            Self::Dropped(verdict) if verdict.claims.sub == Some(seat) => verdict.claims.epoch.unwrap_or(0),
            Self::HandedBack(lease) if lease.seat == seat => lease.epoch,
            _ => 0,
        }
    }
}

fn credible(signed_at: UnixTime, present: UnixTime) -> UnixTime {
    if signed_at > present { UnixTime::MIN } else { signed_at }
}

/// Everything that the client knows. Changed by [`crate::license::step()`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// This installation; a new one begins with a new random id.
    pub install_id: Uuid,
    /// The newest key set.
    pub key_set: Option<VerifiedText<KeySetClaims>>,
    /// When it was learned. A revoked key's lease lives on for a while from then.
    pub key_set_at: UnixTime,
    /// The license.
    pub license: LeaseState,
    /// What the server has given this computer for each token.
    pub seats: Seats,
    /// What is remembered of time.
    pub clock: ClockMemory,
    /// When the next ping may be tried.
    pub pacing: Pacing,
    /// Launches, and how many of them the server knows.
    pub launches: Launches,
    /// The request that was written to a file and not answered yet.
    pub requested: Option<AirgapRequest>,
    /// A moment that was believed in this process. Not stored.
    pub anchor: Option<Anchor>,
}

impl State {
    /// What a new installation knows.
    #[must_use]
    pub fn new(install_id: Uuid, binding: &Binding) -> Self {
        Self {
            install_id,
            key_set: None,
            key_set_at: UnixTime::MIN,
            license: LeaseState::none(binding),
            seats: Seats::default(),
            clock: ClockMemory::default(),
            pacing: Pacing::default(),
            launches: Launches::default(),
            requested: None,
            anchor: None,
        }
    }

    /// Takes over what another process of this installation has stored meanwhile, as far as it is
    /// newer at `reading`, so that no process undoes what another has learned.
    #[must_use]
    pub fn merged_with(self, stored: Self, reading: Reading) -> Self {
        // Known only to a process that a signed answer has told the time.
        let present = self
            .anchor
            .filter(|anchor| anchor.signed)
            .map_or(UnixTime::MAX, |anchor| anchor.now(reading.since_boot).plus(SLOW_ANSWER));
        let newer = if stored.license.is_newer_than(&self.license, present) { &stored } else { &self };
        // Learning the signed time mends a mark that was too high; else the latest moment that anybody
        // believed counts.
        let lateness = |state: &Self| {
            let (mark, tied, made) = state.clock.lateness(reading);
            (credible(state.clock.signed, present), credible(mark, present), tied, made)
        };
        let clock = if lateness(&stored) > lateness(&self) { stored.clock } else { self.clock };
        let learned = |state: &Self| {
            let text = state.key_set.as_ref().map(|held| (held.claims.seq, held.jws.clone()));
            (text, Reverse(state.key_set_at))
        };
        let keys = if learned(&stored) > learned(&self) { &stored } else { &self };
        // Of the same lease, who failed more often knows more: several processes do not each try the server
        // in turn.
        let same = stored.license == self.license;
        let pacing = if same { stored.pacing.max_failures(self.pacing) } else { newer.pacing };
        Self {
            anchor: self.anchor,
            seats: self.seats.merged_with(&stored.seats, |at| credible(at, present)),
            requested: self.requested.clone(),
            pacing,
            clock,
            launches: self.launches.merged_with(stored.launches),
            key_set: keys.key_set.clone(),
            key_set_at: keys.key_set_at,
            ..newer.clone()
        }
    }

    /// The installation that asks for `token`: the one that its renewal secret was given to.
    #[must_use]
    pub fn install_id(&self, token: TokenHash) -> Uuid {
        self.seats.install_id(token).unwrap_or(self.install_id)
    }

    /// Whether there is anything to be stored that is not in `other`.
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        Self { anchor: other.anchor, ..self.clone() } != *other
    }

    /// The claims of the newest key set.
    #[must_use]
    pub fn keys(&self) -> Option<&KeySetClaims> {
        self.key_set.as_ref().map(|held| &held.claims)
    }

    /// The end of the lease that is held.
    #[must_use]
    pub fn lease_end(&self) -> Option<UnixTime> {
        match &self.license {
            LeaseState::Lease(lease) => Some(end_of(lease, self.keys(), self.key_set_at)),
            _ => None,
        }
    }

    /// Effective time at `reading`.
    #[must_use]
    pub fn time(&self, reading: Reading) -> Time {
        let (policy, issued) = match &self.license {
            LeaseState::Lease(lease) => (lease.claims.clk, lease.claims.iat),
            _ => (DEFAULT_POLICY, UnixTime::MIN),
        };
        // A lease says itself when it was issued, whatever has become of the rest of the file.
        let memory = ClockMemory { signed: self.clock.signed.max(issued), ..self.clock };
        effective(memory, self.anchor, reading, policy, self.lease_end())
    }
}
