use seatlock_protocol::{
    PublicKey, UnixTime,
    claims::{Curve, KeySetClaims, KeyType, LeaseKey, RevokedKey},
};

/// A key without a planned end: the last second that every calendar can show, 9999-12-31.
const NO_END: i64 = 253_402_300_799;
/// A batch that began before a rotation may still be signed with the old key.
const OVERLAP: u64 = 300;

/// The key set of a new server.
#[must_use]
pub fn first_set(issuer: &str, key: PublicKey, now: UnixTime) -> KeySetClaims {
    KeySetClaims {
        iss: issuer.to_owned(),
        seq: 1,
        iat: now,
        keys: vec![lease_key(key, now)],
        revoked: Vec::new(),
    }
}

/// A change of keys.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// The new lease key.
    pub key: PublicKey,
    /// Name of a key that must not be trusted any more.
    pub revoke: Option<&'a str>,
    /// Longest life of a lease, in seconds.
    pub longest_lease: u64,
    /// When it is decided.
    pub now: UnixTime,
    /// When servers sign with the new key at the latest. Until then the old keys are good.
    pub in_force_by: UnixTime,
}

/// The key set that follows `last`: the new key signs from now on, the others end, and those whose
/// last lease is over go.
#[must_use]
pub fn next_set(last: &KeySetClaims, rotation: &Rotation<'_>) -> KeySetClaims {
    let Rotation { key, revoke, longest_lease, now, in_force_by } = *rotation;
    let ended = |old: &LeaseKey| LeaseKey { exp: old.exp.min(in_force_by.plus(OVERLAP)), ..old.clone() };
    let mut keys: Vec<LeaseKey> =
        last.keys.iter().filter(|old| old.exp.plus(longest_lease) > now).map(ended).collect();
    keys.push(lease_key(key, now));

    let mut revoked = last.revoked.clone();
    if let Some(kid) = revoke.filter(|kid| revoked.iter().all(|old| old.kid != *kid)) {
        revoked.push(RevokedKey { kid: kid.to_owned(), since: now });
    }
    revoked.retain(|old| keys.iter().any(|key| key.kid == old.kid));
    KeySetClaims { iss: last.iss.clone(), seq: last.seq + 1, iat: now, keys, revoked }
}

fn lease_key(key: PublicKey, nbf: UnixTime) -> LeaseKey {
    LeaseKey {
        kid: key.thumbprint(),
        kty: KeyType::OctetKeyPair,
        crv: Curve::Ed25519,
        x: key,
        nbf,
        exp: UnixTime::new(NO_END).unwrap_or(UnixTime::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatlock_protocol::SigningKey;

    #[test]
    fn a_rotation_keeps_old_keys_until_their_leases_are_over() {
        let at = |seconds| UnixTime::new(seconds).unwrap();
        let [a, b, c] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]).unwrap().public());
        let leaked = b.thumbprint();
        let first = first_set("i", a, at(1000));
        let next = |last: &KeySetClaims, key, revoke, now| {
            let (longest_lease, now) = (500, at(now));
            next_set(last, &Rotation { key, revoke, longest_lease, now, in_force_by: now })
        };
        let second = next(&first, b, None, 2000);
        assert_eq!(second.seq, 2);
        assert_eq!(second.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [a, b]);
        assert_eq!(second.keys[0].exp, at(2300));
        let soon = next(&second, c, Some(&leaked), 2799);
        assert_eq!(soon.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [a, b, c]);
        assert_eq!(soon.keys[0].exp, at(2300), "an end does not move");
        assert_eq!(soon.revoked, [RevokedKey { kid: b.thumbprint(), since: at(2799) }]);
        let later = next(&soon, a, None, 2800);
        assert_eq!(later.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [b, c, a]);
        assert_eq!(later.revoked.len(), 1, "kept as long as its key");
    }

    #[test]
    fn until_a_proposal_is_in_force_the_old_key_is_good() {
        let at = |seconds| UnixTime::new(seconds).unwrap();
        let [a, b] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32]).unwrap().public());
        let (now, in_force_by) = (at(2000), at(9000));
        let rotation = Rotation { key: b, revoke: None, longest_lease: 500, now, in_force_by };
        let set = next_set(&first_set("i", a, at(1000)), &rotation);
        assert_eq!((set.keys[0].exp, set.keys[1].nbf, set.iat), (at(9300), now, now));
    }
}
