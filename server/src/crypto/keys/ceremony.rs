use seatlock_protocol::{JwsError, PublicKey, SigningKey, Typ, claims::KeySetClaims, jws};
use serde::{Deserialize, Serialize};

/// Why a key set is not signed, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// Another key than the one that the proposal, or the server, names.
    #[error("the root key is another one than that of this server")]
    WrongRoot,
    /// The proposal does not build on a key set of this root key.
    #[error("the key set that the proposal builds on is not signed by this root key ({0})")]
    Groundless(JwsError),
    /// The proposal skips, repeats or renames.
    #[error("the proposal does not follow the key set that it builds on")]
    NotNext,
    /// Not signed by the server's root key.
    #[error("the key set is not signed by this server's root key ({0})")]
    Unsigned(JwsError),
    /// Of another server.
    #[error("the key set is of the server {0}")]
    Foreign(String),
    /// Not newer than what the server has.
    #[error("the key set has the number {offered}; the server has {held} already")]
    Older {
        /// Number of the offered one.
        offered: u64,
        /// Number of the held one.
        held: u64,
    },
    /// Clients refuse longer texts.
    #[error("the key set would be too long; wait until old leases are over")]
    TooLong,
    /// It cannot be written.
    #[error("the key set cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What a server asks the holder of its root key to sign. Nothing in it is secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proposal {
    /// Whom clients pin.
    pub root_key: PublicKey,
    /// The key set that it builds on, signed.
    pub last: String,
    /// The key set that is to be signed.
    pub next: KeySetClaims,
}

impl Proposal {
    /// What the key set that it builds on says, if all is in order.
    pub fn check(&self, root: PublicKey) -> Result<KeySetClaims, CeremonyError> {
        if root != self.root_key {
            return Err(CeremonyError::WrongRoot);
        }
        let last = verify_set(&self.last, root).map_err(CeremonyError::Groundless)?;
        if self.next.iss != last.iss || last.seq.checked_add(1) != Some(self.next.seq) {
            return Err(CeremonyError::NotNext);
        }
        Ok(last)
    }
}

/// Signs a key set as clients take it.
pub fn sign_set(root: &SigningKey, set: &KeySetClaims) -> Result<String, CeremonyError> {
    let signed = jws::sign(Typ::KeySet, root, set)?;
    if signed.len() > jws::MAX_LEN { Err(CeremonyError::TooLong) } else { Ok(signed) }
}

/// Verifies a key set that came back from the holder of the root key. `held` is the number of the
/// server's newest one, which never goes back, because clients do not either.
pub fn accept_set(
    text: &str,
    root: PublicKey,
    issuer: &str,
    held: u64,
) -> Result<KeySetClaims, CeremonyError> {
    let set = verify_set(text, root).map_err(CeremonyError::Unsigned)?;
    if set.iss != issuer {
        return Err(CeremonyError::Foreign(set.iss));
    }
    if set.seq <= held {
        return Err(CeremonyError::Older { offered: set.seq, held });
    }
    Ok(set)
}

fn verify_set(text: &str, root: PublicKey) -> Result<KeySetClaims, JwsError> {
    let verified = jws::verify(text, Typ::KeySet, |kid| (kid == root.thumbprint()).then_some(root))?;
    Ok(verified.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::{Rotation, first_set, next_set};
    use seatlock_protocol::UnixTime;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn proposal() -> Proposal {
        let now = UnixTime::new(1000).unwrap();
        let first = first_set("i", key(2).public(), now);
        let rotation =
            Rotation { key: key(3).public(), revoke: None, longest_lease: 500, now, in_force_by: now };
        let next = next_set(&first, &rotation);
        Proposal { root_key: key(1).public(), last: sign_set(&key(1), &first).unwrap(), next }
    }

    #[test]
    fn only_what_follows_is_signed() {
        type Change = fn(&mut Proposal);
        let rows: [(&str, Change, &str); 6] = [
            ("as the server made it", |_| {}, "ok"),
            ("for another root key", |p| p.root_key = key(9).public(), "WrongRoot"),
            ("on nothing", |p| p.last = "a.b.c".to_owned(), "Groundless"),
            ("on a forged one", |p| p.last = sign_set(&key(9), &p.next).unwrap(), "Groundless"),
            ("a number is skipped", |p| p.next.seq = 9, "NotNext"),
            ("another server", |p| p.next.iss = "j".to_owned(), "NotNext"),
        ];
        for (what, change, expected) in rows {
            let mut proposal = proposal();
            change(&mut proposal);
            let checked = proposal.check(key(1).public());
            let said = checked.map_or_else(|error| format!("{error:?}"), |_| "ok".to_owned());
            assert!(said.starts_with(expected), "{what}: {said}");
        }
        assert!(matches!(proposal().check(key(9).public()), Err(CeremonyError::WrongRoot)));
    }

    #[test]
    fn only_a_newer_key_set_of_this_root_and_server_is_taken() {
        let next = proposal().next;
        let (ours, other) = (sign_set(&key(1), &next).unwrap(), sign_set(&key(9), &next).unwrap());
        let rows = [
            ("newer", &ours, "i", 1, "ok"),
            ("much newer: the database is from an old backup", &ours, "i", 0, "ok"),
            ("the same number", &ours, "i", 2, "Older"),
            ("an older one", &ours, "i", 3, "Older"),
            ("another server's", &ours, "j", 1, "Foreign"),
            ("another root key's", &other, "i", 1, "Unsigned"),
        ];
        for (what, text, issuer, held, expected) in rows {
            let taken = accept_set(text, key(1).public(), issuer, held);
            let said = taken.map_or_else(|error| format!("{error:?}"), |_| "ok".to_owned());
            assert!(said.starts_with(expected), "{what}: {said}");
        }
    }
}
