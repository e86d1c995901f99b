use seatlock_protocol::{
    Code, JwsError, MachineId, PublicKey, TokenHash, Typ, UnixTime, VERSION,
    address::is_same_issuer,
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
    jws,
};
use serde::de::DeserializeOwned;

/// Whom this product believes. Compiled into the plug-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Name that every signed object must carry as `iss`; addresses may be spelled in another way.
    pub issuer: String,
    /// Product that every lease and verdict must carry as `aud`.
    pub product: String,
    /// Keys that may sign key sets.
    pub root_keys: Vec<PublicKey>,
    /// Keys that may sign leases and verdicts directly.
    pub lease_keys: Vec<PublicKey>,
}

/// What a lease must be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// This computer.
    pub machine: MachineId,
    /// The token in use; `None` while none is known, when any token's lease for this machine will
    /// do.
    pub token: Option<TokenHash>,
}

/// A signed object that was verified, with the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedText<T> {
    /// The compact JWS, as it came.
    pub jws: String,
    /// What it says.
    pub claims: T,
    /// The key that signed it.
    pub kid: String,
}

/// Why a signed object is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Not signed by a trusted key, or malformed.
    Signature(JwsError),
    /// Signed, but for another server, product or protocol version.
    Foreign,
    /// Signed for another computer.
    OtherMachine,
    /// Signed for another token.
    OtherToken,
    /// Signed by a key outside its period.
    KeyPeriod,
    /// Signed by a key that was revoked.
    KeyRevoked,
}

impl Distrust {
    /// What a user is told of a stored lease that is not valid here.
    pub(super) fn stored(&self) -> Code {
        match self {
            Self::OtherMachine => Code::MachineMismatch,
            // Of another token than the remembered one: connecting once brings the right one.
            Self::OtherToken => Code::LeaseExpired,
            _ => Code::BadSignature,
        }
    }
}

impl From<JwsError> for Distrust {
    fn from(error: JwsError) -> Self {
        Self::Signature(error)
    }
}

/// A lease whose key was revoked must be renewed this long after the revocation was learned, rather
/// than dying at once.
const REVOKED_KEY_GRACE: u64 = 24 * 3600;

impl Trust {
    /// Verifies a key set against the pinned root keys.
    ///
    /// # Errors
    /// See [`Distrust`].
    pub fn key_set(&self, text: &str) -> Result<VerifiedText<KeySetClaims>, Distrust> {
        let verified = jws::verify::<KeySetClaims>(text, Typ::KeySet, |kid| find(&self.root_keys, kid))?;
        if !is_same_issuer(&verified.claims.iss, &self.issuer) {
            return Err(Distrust::Foreign);
        }
        Ok(VerifiedText { jws: text.to_owned(), claims: verified.claims, kid: verified.kid })
    }

    /// Verifies a lease or a verdict that is stored: signature, server, product, machine, token,
    /// its key's period, and of a verdict that its key was not revoked when it was signed. What
    /// a revoked key does to a lease: [`end_of`].
    ///
    /// # Errors
    /// See [`Distrust`].
    pub fn bound<T: Bound>(
        &self,
        text: &str,
        keys: Option<&KeySetClaims>,
        binding: &Binding,
    ) -> Result<VerifiedText<T>, Distrust> {
        let verified = jws::verify::<T>(text, T::TYP, |kid| self.lease_key(keys, kid))?;
        let said = verified.claims.bonds();
        let is_ours = is_same_issuer(said.issuer, &self.issuer);
        if !is_ours || said.product != self.product || said.version != VERSION {
            return Err(Distrust::Foreign);
        }
        check_period(keys, &verified.kid, said.issued_at)?;
        let revoked = revoked_since(keys, &verified.kid).is_some_and(|since| since <= said.issued_at);
        if revoked && T::ENDS_WITH_ITS_KEY {
            return Err(Distrust::KeyRevoked);
        }
        if *said.machine != binding.machine {
            return Err(Distrust::OtherMachine);
        }
        if binding.token.is_some_and(|token| token != said.token) {
            return Err(Distrust::OtherToken);
        }
        Ok(VerifiedText { jws: text.to_owned(), claims: verified.claims, kid: verified.kid })
    }

    /// Verifies a lease or a verdict that answers a request of now. It was signed after the key
    /// set, whatever it says itself, so a key that was revoked by then has signed nothing that
    /// counts.
    ///
    /// # Errors
    /// See [`Distrust`].
    pub fn answer<T: Bound>(
        &self,
        text: &str,
        keys: Option<&KeySetClaims>,
        binding: &Binding,
    ) -> Result<VerifiedText<T>, Distrust> {
        let held = self.bound::<T>(text, keys, binding)?;
        let signed_at = held.claims.bonds().issued_at.max(keys.map_or(UnixTime::MIN, |keys| keys.iat));
        match revoked_since(keys, &held.kid) {
            Some(since) if since <= signed_at => Err(Distrust::KeyRevoked),
            _ => Ok(held),
        }
    }

    fn lease_key(&self, keys: Option<&KeySetClaims>, kid: &str) -> Option<PublicKey> {
        let listed = || keys?.keys.iter().find(|key| key.kid == kid).map(|key| key.x);
        find(&self.lease_keys, kid).or_else(listed)
    }
}

fn find(pinned: &[PublicKey], kid: &str) -> Option<PublicKey> {
    pinned.iter().find(|key| key.thumbprint() == kid).copied()
}

/// A key is judged at the moment of signing, so a lease outlives its key's period.
fn check_period(keys: Option<&KeySetClaims>, kid: &str, signed_at: UnixTime) -> Result<(), Distrust> {
    let listed = keys.and_then(|keys| keys.keys.iter().find(|key| key.kid == kid));
    match listed {
        Some(key) if signed_at < key.nbf || signed_at > key.exp => Err(Distrust::KeyPeriod),
        _ => Ok(()),
    }
}

fn revoked_since(keys: Option<&KeySetClaims>, kid: &str) -> Option<UnixTime> {
    keys?.revoked.iter().find(|revoked| revoked.kid == kid).map(|revoked| revoked.since)
}

/// Claims that are bound to a server, a product, a computer and a token.
pub trait Bound: DeserializeOwned {
    /// What such an object is.
    const TYP: Typ;
    /// Whether nothing is left of it when its key is revoked. A lease keeps a day.
    const ENDS_WITH_ITS_KEY: bool;

    /// What it is bound to.
    fn bonds(&self) -> Bonds<'_>;
}

/// What signed claims say they are bound to.
#[derive(Debug, Clone, Copy)]
pub struct Bonds<'a> {
    issuer: &'a str,
    product: &'a str,
    version: u32,
    issued_at: UnixTime,
    machine: &'a MachineId,
    token: TokenHash,
}

macro_rules! bound {
    ($claims:ty, $typ:expr, $ends:expr) => {
        impl Bound for $claims {
            const TYP: Typ = $typ;
            const ENDS_WITH_ITS_KEY: bool = $ends;

            fn bonds(&self) -> Bonds<'_> {
                let Self { iss, aud, ver, iat, mid, tkh, .. } = self;
                Bonds { issuer: iss, product: aud, version: *ver, issued_at: *iat, machine: mid, token: *tkh }
            }
        }
    };
}

bound!(LeaseClaims, Typ::Lease, false);
bound!(VerdictClaims, Typ::Verdict, true);

/// The moment from which a held lease no longer counts: its end, or earlier when its key was
/// revoked, which was `learned` from the key set then.
#[must_use]
pub fn end_of(lease: &VerifiedText<LeaseClaims>, keys: Option<&KeySetClaims>, learned: UnixTime) -> UnixTime {
    let revoked = keys.and_then(|keys| {
        let since = revoked_since(Some(keys), &lease.kid)?;
        (lease.claims.iat >= since).then(|| keys.iat.max(learned).plus(REVOKED_KEY_GRACE))
    });
    revoked.map_or(lease.claims.exp, |end| end.min(lease.claims.exp))
}
