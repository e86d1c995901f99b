use crate::license::airgap::{AirgapRequest, HandedBack};
use crate::license::clock::ClockMemory;
use crate::license::credential::Sealed;
use crate::license::launches::Launches;
use crate::license::pacing::Pacing;
use crate::license::seats::Seats;
use crate::license::state::{LeaseState, State};
use crate::license::trust::{Binding, Trust};
use seatlock_protocol::{TokenHash, UnixTime, is_renewal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The stored form of what a computer knows: what belongs to the computer and its seat, once for
/// all products of a family, and a member for each product. What is signed is stored as it came and
/// verified at every load; there is no stored "licensed" flag to edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    install_id: Uuid,
    /// The token or sign-in that is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_set: Option<String>,
    #[serde(default)]
    key_set_at: UnixTime,
    #[serde(default)]
    clock: ClockMemory,
    #[serde(default)]
    seats: Seats,
    #[serde(default)]
    products: BTreeMap<String, Product>,
    /// What a later library keeps there.
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// What belongs to one product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Product {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed_back: Option<HandedBack>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested: Option<AirgapRequest>,
    #[serde(default)]
    pacing: Pacing,
    #[serde(default)]
    launches: Launches,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl Record {
    /// This one, with what others keep beside it in `stored`: the token, the other products, and
    /// members of a later library.
    #[must_use]
    pub fn beside(mut self, stored: Option<Self>) -> Self {
        let Some(mut stored) = stored else { return self };
        for (name, mine) in std::mem::take(&mut self.products) {
            let more = stored.products.remove(&name).unwrap_or_default().more;
            stored.products.insert(name, Product { more, ..mine });
        }
        Self { token: stored.token, products: stored.products, more: stored.more, ..self }
    }

    /// The seat of `token` was given back from here: no product has a lease of it any more, and
    /// nobody remembers the token.
    pub fn give_back(&mut self, token: TokenHash) {
        self.token = None;
        for product in self.products.values_mut() {
            let given = product.lease.as_deref().and_then(HandedBack::of_text);
            if let Some(given) = given.filter(|given| given.token == token) {
                (product.lease, product.handed_back) = (None, Some(given));
            }
        }
    }
}

impl State {
    /// Reads what is stored for the product of `trust`, believing of it only what verifies.
    #[must_use]
    pub fn from_record(mut record: Record, trust: &Trust, binding: &Binding) -> Self {
        let product = record.products.remove(&trust.product).unwrap_or_default();
        let key_set = record.key_set.and_then(|text| trust.key_set(&text).ok());
        let keys = key_set.as_ref().map(|held| &held.claims);
        let license = match (product.lease, product.verdict) {
            (Some(jws), _) => match trust.bound(&jws, keys, binding) {
                Ok(lease) => LeaseState::Lease(Box::new(lease)),
                Err(distrust) => LeaseState::Unusable { jws, reason: distrust.stored() },
            },
            (None, Some(jws)) => match trust.bound(&jws, keys, binding) {
                Ok(verdict) => LeaseState::Dropped(Box::new(verdict)),
                Err(_) => LeaseState::none(binding),
            },
            (None, None) => match product.handed_back {
                Some(given) => {
                    let renewal = given.renewal.filter(|text| is_renewal(text));
                    LeaseState::HandedBack(Box::new(HandedBack { renewal, ..given }))
                }
                None => LeaseState::none(binding),
            },
        };
        Self {
            install_id: record.install_id,
            key_set,
            key_set_at: record.key_set_at,
            license,
            seats: record.seats.checked(),
            clock: record.clock,
            pacing: product.pacing,
            launches: product.launches,
            requested: product.requested,
            anchor: None,
        }
    }

    /// The stored form, as that of `product`, without a token.
    #[must_use]
    pub fn to_record(&self, product: &str) -> Record {
        let (mut lease, mut verdict, mut handed_back) = (None, None, None);
        match &self.license {
            LeaseState::Missing | LeaseState::Awaited => {}
            LeaseState::Lease(held) => lease = Some(held.jws.clone()),
            LeaseState::Unusable { jws, .. } => lease = Some(jws.clone()),
            LeaseState::Dropped(held) => verdict = Some(held.jws.clone()),
            LeaseState::HandedBack(given) => handed_back = Some((**given).clone()),
        }
        let mine = Product {
            lease,
            verdict,
            handed_back,
            requested: self.requested.clone(),
            pacing: self.pacing,
            launches: self.launches,
            more: BTreeMap::new(),
        };
        Record {
            install_id: self.install_id,
            token: None,
            key_set: self.key_set.as_ref().map(|held| held.jws.clone()),
            key_set_at: self.key_set_at,
            clock: self.clock,
            seats: self.seats.clone(),
            products: [(product.to_owned(), mine)].into(),
            more: BTreeMap::new(),
        }
    }

    /// Whether `record` is this state's stored form as that of `product`. What is in it was
    /// verified already.
    #[must_use]
    pub fn is_stored_as(&self, record: &Record, product: &str) -> bool {
        self.to_record(product).beside(Some(record.clone())) == *record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::KnownSeat;
    use seatlock_protocol::{Nonce, SigningKey, Typ, claims::LeaseClaims, jws};
    use serde_json::json;

    const TOKEN: TokenHash = TokenHash::new([1; 16]);

    fn signed(token: TokenHash) -> String {
        let mid = seatlock_protocol::MachineId::derive("family", "linux", "x");
        let claims: LeaseClaims = serde_json::from_value(json!({
            "iss": "i", "aud": "blender", "sub": Uuid::from_u128(1), "jti": Uuid::from_u128(2), "iat": 1000, "exp": 9000,
            "ver": 1, "epoch": 7, "mid": mid, "tkh": token, "nonce": Nonce::new([1; 16]), "plan": "pro", "ent": {}, "lic": { "account": "a", "email": "e" },
            "renew": 100, "warn": 100, "clk": { "tol": 60, "act": "lock" }, "ks": 1,
        }))
        .unwrap();
        jws::sign(Typ::Lease, &SigningKey::from_seed(&[9; 32]).unwrap(), &claims).unwrap()
    }

    fn stored() -> Record {
        serde_json::from_value(json!({
            "install_id": Uuid::from_u128(5), "token": "sealed", "later": { "of": "the head" },
            "products": {
                "maya": { "verdict": "v", "later": 1 },
                "blender": { "lease": signed(TOKEN), "later": [2] },
                "unreal": { "lease": signed(TokenHash::new([3; 16])) },
                "odd": { "lease": "not.a.lease" },
            },
        }))
        .unwrap()
    }

    #[test]
    fn what_others_keep_beside_it_stays() {
        let binding =
            Binding { machine: seatlock_protocol::MachineId::derive("f", "linux", "x"), token: None };
        let mut state = State::new(Uuid::from_u128(6), &binding);
        let (install_id, at) = (Uuid::from_u128(6), UnixTime::MIN);
        state.seats.put(KnownSeat { token: TOKEN, install_id, at, renewal: None });
        let before = serde_json::to_value(stored()).unwrap();
        let after = serde_json::to_value(state.to_record("maya").beside(Some(stored()))).unwrap();
        for same in ["/token", "/later", "/products/maya/later", "/products/blender", "/products/unreal"] {
            assert_eq!(after.pointer(same), before.pointer(same), "{same}");
        }
        assert_eq!(after.pointer("/products/maya/verdict"), None, "but what is its own");
        assert_eq!(after.pointer("/install_id"), Some(&json!(Uuid::from_u128(6))));
    }

    #[test]
    fn giving_a_seat_back_ends_every_lease_of_it() {
        let mut record = stored();
        record.give_back(TOKEN);
        let after = serde_json::to_value(&record).unwrap();
        assert_eq!(after.get("token"), None);
        assert_eq!(after.pointer("/products/blender/lease"), None);
        assert_eq!(after.pointer("/products/blender/handed_back/epoch"), Some(&json!(7)));
        assert_eq!(after.pointer("/products/blender/later"), Some(&json!([2])));
        assert!(after.pointer("/products/unreal/lease").is_some(), "of another token");
        assert!(after.pointer("/products/odd/lease").is_some(), "which is none");
    }
}
