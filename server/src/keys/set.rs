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

/// The key set that follows `last`: `key` signs from now on, the others end, and those whose last lease is over
/// (`longest_lease` seconds after their end) go. `revoke` names a key that must not be trusted any more.
#[must_use]
pub fn next_set(
    last: &KeySetClaims,
    key: PublicKey,
    revoke: Option<&str>,
    longest_lease: u64,
    now: UnixTime,
) -> KeySetClaims {
    let ended = |old: &LeaseKey| LeaseKey { exp: old.exp.min(now.plus(OVERLAP)), ..old.clone() };
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
        let first = first_set("i", a, at(1000));
        let second = next_set(&first, b, None, 500, at(2000));
        assert_eq!(second.seq, 2);
        assert_eq!(second.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [a, b]);
        assert_eq!(second.keys[0].exp, at(2300));
        let soon = next_set(&second, c, Some(&b.thumbprint()), 500, at(2799));
        assert_eq!(soon.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [a, b, c]);
        assert_eq!(soon.keys[0].exp, at(2300), "an end does not move");
        assert_eq!(soon.revoked, [RevokedKey { kid: b.thumbprint(), since: at(2799) }]);
        let later = next_set(&soon, a, None, 500, at(2800));
        assert_eq!(later.keys.iter().map(|key| key.x).collect::<Vec<_>>(), [b, c, a]);
        assert_eq!(later.revoked.len(), 1, "kept as long as its key");
    }
}
