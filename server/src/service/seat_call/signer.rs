use crate::domain::{LeaseTerms, License, Seat, Verdict};
use crate::service::key_ring::{KeyRing, RingError};
use seatlock_protocol::{
    RenewalHash, TokenHash, Typ, UnixTime, VERSION,
    api::{LeaseAnswer, SeatRequest, SeatView},
    claims::{LeaseClaims, Licensee, VerdictClaims},
};
use uuid::Uuid;

/// What an answer repeats of its request, and the key that signs it.
pub(crate) struct Signer<'a> {
    pub(crate) ring: &'a KeyRing,
    pub(crate) issuer: &'a str,
    pub(crate) request: &'a SeatRequest,
    pub(crate) token: TokenHash,
}

impl Signer<'_> {
    /// A lease for the machine that now holds `seat`, with its next renewal secret.
    pub(crate) fn lease(
        &self,
        terms: &LeaseTerms,
        seat: &Seat,
        license: &License,
        renewal: String,
    ) -> Result<LeaseAnswer, RingError> {
        let claims = LeaseClaims {
            iss: self.issuer.to_owned(),
            aud: self.request.product.clone(),
            sub: seat.id,
            jti: Uuid::new_v4(),
            iat: terms.iat,
            exp: terms.exp,
            ver: VERSION,
            epoch: seat.epoch,
            mid: self.request.machine.id.clone(),
            tkh: self.token,
            nonce: self.request.nonce,
            plan: license.plan.name.clone(),
            ent: license.granted(),
            lic: Licensee {
                account: license.licensee.clone(),
                email: seat.shared_with.clone(),
                ends: license.expires_at,
                updates_until: license.updates_until,
                terms: seat.terms.clone(),
            },
            data: license.data.clone(),
            renew: terms.renew,
            warn: terms.warn,
            clk: license.clock,
            ks: self.ring.set.seq,
            rnh: Some(RenewalHash::of(&renewal)),
        };
        let view = SeatView {
            id: seat.id,
            lock_status: seat.lock_status(),
            machine_short: Some(self.request.machine.id.short()),
            last_used_at: seat.last_used_at,
        };
        let lease = self.ring.sign(Typ::Lease, &claims)?;
        Ok(LeaseAnswer { lease, renewal, seat: view, keyset: self.newer_key_set() })
    }

    /// A verdict on `seat`, which is `None` for a token that belongs to none.
    pub(crate) fn verdict(
        &self,
        verdict: &Verdict,
        seat: Option<&Seat>,
        now: UnixTime,
    ) -> Result<String, RingError> {
        let claims = VerdictClaims {
            iss: self.issuer.to_owned(),
            aud: self.request.product.clone(),
            iat: now,
            nonce: self.request.nonce,
            mid: self.request.machine.id.clone(),
            tkh: self.token,
            ver: VERSION,
            code: verdict.code,
            act: verdict.act,
            sub: seat.map(|seat| seat.id),
            epoch: seat.map(|seat| seat.epoch),
            avail: verdict.avail,
            params: verdict.params.clone(),
            ks: self.ring.set.seq,
        };
        self.ring.sign(Typ::Verdict, &claims)
    }

    /// The key set, when the client's is older.
    pub(crate) fn newer_key_set(&self) -> Option<String> {
        (self.request.ks < self.ring.set.seq).then(|| self.ring.jws.clone())
    }
}
