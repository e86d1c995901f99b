use super::{Holding, License, guard};
use seatlock_protocol::{
    PublicKey, TokenHash, Typ, UnixTime, VERSION,
    api::SeatRequest,
    claims::{KeySetClaims, LeaseClaims},
    jws,
};
use uuid::Uuid;

/// A database that was put back from a backup. What happened between its last entry and the mark is
/// lost to it, but not to the machines that hold leases of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The newest moment that it knows of: about when the backup was made.
    pub known_until: UnixTime,
    /// When it was marked. No server that used the lost database signs anything after it.
    pub at: UnixTime,
    /// When the last lease ends that it may not know of. Machines without a network have their
    /// longer leases beyond it.
    pub until: UnixTime,
}

/// A lease of the lost time: proof of a hold that the database need not know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostLease {
    pub seat: Uuid,
    /// The seat's epoch when it was signed.
    pub epoch: u64,
    /// When it was signed.
    pub iat: UnixTime,
    pub exp: UnixTime,
    /// When the database was marked: what it has written down since is newer than the lease.
    pub marked: UnixTime,
}

impl Restored {
    /// The mark of a database that is put back at `at`. An earlier mark that has not ended goes on
    /// in it: the backup was made while leases of another lost time were alive.
    #[must_use]
    pub fn new(known_until: UnixTime, at: UnixTime, licenses: &[License], before: Option<Self>) -> Self {
        let before = before.filter(|before| before.until > at);
        let longest = licenses.iter().map(longest_online).max().unwrap_or_default();
        Self {
            known_until: before.map_or(known_until, |before| before.known_until),
            at,
            until: at.plus(longest),
        }
    }

    /// What the lease that a request with `token` shows proves: that this server signed it for this
    /// machine, product and token in the lost time, by a key of `keys` that was not revoked.
    #[must_use]
    pub fn lost(
        &self,
        issuer: &str,
        keys: &KeySetClaims,
        request: &SeatRequest,
        token: TokenHash,
    ) -> Option<LostLease> {
        let shown = request.have.as_ref()?.lease.as_deref()?;
        let lease = jws::verify::<LeaseClaims>(shown, Typ::Lease, |kid| key(keys, kid)).ok()?;
        let signed = keys.keys.iter().find(|key| key.kid == lease.kid)?;
        let LeaseClaims { iss, aud, ver, sub: seat, mid, tkh, epoch, iat, exp, .. } = lease.claims;
        let ours = iss == issuer && ver == VERSION && aud == request.product;
        let theirs = mid == request.machine.id && tkh == token;
        let in_time = (signed.nbf..=signed.exp).contains(&iat) && (self.known_until..=self.at).contains(&iat);
        (ours && theirs && in_time).then_some(LostLease { seat, epoch, iat, exp, marked: self.at })
    }
}

/// A hold of the backup as it may have become in the lost time: its machine may have renewed its
/// lease just before the mark. That of a machine without a network is long already, and stays what
/// it is.
#[must_use]
pub fn renewed(license: &License, holding: Holding, at: UnixTime) -> Holding {
    if holding.lease_until > holding.last_ping.plus(license.auto_release) {
        return holding;
    }
    let lease_until = holding.lease_until.max(at.plus(longest_online(license)));
    Holding { last_ping: at, lease_until, ..holding }
}

/// A revoked key proves nothing: its thief chooses what its leases say of their time.
fn key(keys: &KeySetClaims, kid: &str) -> Option<PublicKey> {
    let revoked = keys.revoked.iter().any(|revoked| revoked.kid == kid);
    keys.keys.iter().find(|key| key.kid == kid && !revoked).map(|key| key.x)
}

/// Seconds that a lease of a machine with a network lives at most.
#[must_use]
pub fn longest_online(license: &License) -> u64 {
    license.offline_ttl.min(license.auto_release.saturating_sub(guard(license.auto_release)))
}
