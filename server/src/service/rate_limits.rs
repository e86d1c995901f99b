//! How often one token, and one network address, may ask: in the memory of this server, in a fixed
//! number of places.
//!
//! A limit is kept in two tables, in each of which every address or token has a place, chosen by a
//! hash that nobody outside knows; a request is refused only if both places say so. So two that
//! share a place by chance do not slow each other, and whoever has a million addresses fills no
//! memory.

use crate::domain::Rate;
use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Places of one table, a power of two: 256 KiB.
const PLACES: usize = 1 << 15;

/// What is allowed in a minute; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests of a plug-in with one token.
    pub token: u32,
    /// Requests of plug-ins from one network address, of IPv6: from one /64 network.
    pub address: u32,
    /// Requests from one network address with a token that is wrong or missing.
    pub wrong_token: u32,
}

impl Default for Rates {
    /// What 500 computers behind one address need when they start at the same minute with three
    /// plug-ins each, twice over.
    fn default() -> Self {
        Self { token: 120, address: 6000, wrong_token: 60 }
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Token,
    Address,
    /// Of one address, with wrong tokens.
    WrongToken,
}

impl Limit {
    /// For logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Address => "address",
            Self::WrongToken => "wrong_token",
        }
    }
}

/// Somebody has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimited {
    pub limit: Limit,
    /// Whole seconds, 1 to 61.
    pub seconds: u64,
}

/// Everything that is counted.
pub struct Limits {
    began: Instant,
    hasher: RandomState,
    tokens: Table,
    addresses: Table,
    wrong: Table,
    known: KnownTokens,
}

impl Limits {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self {
            began: Instant::now(),
            hasher: RandomState::new(),
            tokens: Table::new(rates.token),
            addresses: Table::new(rates.address),
            wrong: Table::new(rates.wrong_token),
            known: KnownTokens(places()),
        }
    }

    /// A request from `address`, whatever it asks.
    ///
    /// # Errors
    /// When there were too many.
    pub fn address(&self, address: IpAddr) -> Result<(), RateLimited> {
        slow(Limit::Address, self.addresses.take(self.place(address), self.now()))
    }

    /// A request with the token of this hash. From an address that showed too many wrong ones only
    /// tokens pass that were good before: nobody is kept out because a neighbour mistyped his.
    ///
    /// # Errors
    /// When there were too many.
    pub fn token(&self, token: &[u8; 32], address: IpAddr) -> Result<(), RateLimited> {
        let hash = self.hasher.hash_one(token);
        if !self.known.has(hash) {
            self.may_err(address)?;
        }
        slow(Limit::Token, self.tokens.take(hash, self.now()))
    }

    /// Whether `address` may show a token that is not known to be good.
    ///
    /// # Errors
    /// When there were too many wrong ones.
    pub fn may_err(&self, address: IpAddr) -> Result<(), RateLimited> {
        slow(Limit::WrongToken, self.wrong.look(self.place(address), self.now()))
    }

    /// The token belongs to a seat.
    pub fn good(&self, token: &[u8; 32]) {
        self.known.add(self.hasher.hash_one(token));
    }

    /// `address` showed no token, or a wrong one.
    pub fn wrong(&self, address: IpAddr) {
        self.wrong.charge(self.place(address), self.now());
    }

    fn place(&self, address: IpAddr) -> u64 {
        self.hasher.hash_one(network(address))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// One household has as many IPv6 addresses as it likes, in one /64 network.
pub(crate) fn network(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => (u128::from(address) & !u128::from(u64::MAX)).to_be_bytes(),
    }
}

fn slow(limit: Limit, taken: Result<(), u64>) -> Result<(), RateLimited> {
    taken.map_err(|nanoseconds| RateLimited { limit, seconds: nanoseconds.div_ceil(1_000_000_000).max(1) })
}

fn places() -> Box<[AtomicU64]> {
    (0..PLACES).map(|_| AtomicU64::new(0)).collect()
}

/// One limit of many. A hash is two places, one in each half.
struct Table {
    rate: Rate,
    halves: [Box<[AtomicU64]>; 2],
}

impl Table {
    fn new(per_minute: u32) -> Self {
        Self { rate: Rate::per_minute(per_minute), halves: [places(), places()] }
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let at = |hash: u64| usize::try_from(hash % PLACES as u64).unwrap_or(0);
        let indices = [at(hash), at(hash >> 32)];
        self.halves.iter().zip(indices).filter_map(|(half, index)| half.get(index))
    }

    /// Counts one in both places; the nanoseconds to wait if both are exhausted.
    fn take(&self, hash: u64, now: u64) -> Result<(), u64> {
        let take = |place: &AtomicU64| {
            let taken =
                place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| self.rate.take(at, now).ok());
            taken.map_or_else(|at| self.rate.take(at, now).err().unwrap_or(0), |_| 0)
        };
        waiting(self.places(hash).map(take).min())
    }

    /// As [`Self::take`], but counts nothing.
    fn look(&self, hash: u64, now: u64) -> Result<(), u64> {
        let look = |place: &AtomicU64| self.rate.take(place.load(Ordering::Relaxed), now).err().unwrap_or(0);
        waiting(self.places(hash).map(look).min())
    }

    fn charge(&self, hash: u64, now: u64) {
        for place in self.places(hash) {
            let charge = |at| Some(self.rate.charge(at, now));
            // Always changed, so there is no error.
            let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charge);
        }
    }
}

fn waiting(nanoseconds: Option<u64>) -> Result<(), u64> {
    match nanoseconds {
        None | Some(0) => Ok(()),
        Some(wait) => Err(wait),
    }
}

/// Tokens that were good. One that was forgotten, because another took its place, is known again
/// after its next request.
struct KnownTokens(Box<[AtomicU64]>);

impl KnownTokens {
    fn place(&self, hash: u64) -> Option<&AtomicU64> {
        self.0.get(usize::try_from(hash % PLACES as u64).unwrap_or(0))
    }

    fn has(&self, hash: u64) -> bool {
        self.place(hash).is_some_and(|place| place.load(Ordering::Relaxed) == hash)
    }

    fn add(&self, hash: u64) {
        if let Some(place) = self.place(hash) {
            place.store(hash, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::new(Rates { token: 3, address: 10, wrong_token: 2 })
    }

    #[test]
    fn a_loop_with_one_token_is_slowed_and_others_are_not() {
        let (limits, here) = (limits(), "192.0.2.1".parse().unwrap());
        let ask = |token: u8| limits.token(&[token; 32], here);
        assert!((0..3).all(|_| ask(1).is_ok()));
        assert_eq!(ask(1), Err(RateLimited { limit: Limit::Token, seconds: 20 }));
        assert_eq!(ask(2), Ok(()));
    }

    #[test]
    fn an_address_is_slowed_with_its_network() {
        let limits = limits();
        let ask = |address: &str| limits.address(address.parse().unwrap());
        assert!((0..5).all(|_| ask("2001:db8::1").is_ok() && ask("2001:db8::ffff:0:0:2").is_ok()));
        assert_eq!(ask("2001:db8::3"), Err(RateLimited { limit: Limit::Address, seconds: 6 }));
        assert_eq!((ask("2001:db8:0:1::3"), ask("192.0.2.1")), (Ok(()), Ok(())));
        assert!((0..9).all(|_| ask("::ffff:192.0.2.1").is_ok()));
        assert!(ask("192.0.2.1").is_err());
    }

    #[test]
    fn wrong_tokens_keep_out_what_is_not_known_to_be_good() {
        let (limits, here) = (limits(), "192.0.2.1".parse().unwrap());
        limits.good(&[1; 32]);
        (0..2).for_each(|_| limits.wrong(here));
        assert_eq!(limits.may_err(here).map_err(|slow| slow.limit), Err(Limit::WrongToken));
        assert_eq!(limits.token(&[2; 32], here).map_err(|slow| slow.limit), Err(Limit::WrongToken));
        assert_eq!(limits.token(&[1; 32], here), Ok(()));
        assert_eq!(limits.token(&[2; 32], "192.0.2.2".parse().unwrap()), Ok(()));
        // Those that were under way when the limit was reached are counted, but nobody waits for ever.
        (0..1000).for_each(|_| limits.wrong(here));
        assert!(limits.may_err(here).is_err_and(|slow| (60..=91).contains(&slow.seconds)));
    }

    /// Somebody with a /32 of IPv6 has four thousand million /64 networks.
    #[test]
    fn many_attackers_slow_hardly_anybody_else() {
        let limits = limits();
        let address = |net: u32, host: u128| {
            IpAddr::from(((0x2001_0db8_u128 << 96) | (u128::from(net) << 64) | host).to_be_bytes())
        };
        for net in 0..1000 {
            assert!((0..11).any(|host| limits.address(address(net, host)).is_err()), "{net}");
        }
        let slowed = (100_000..110_000).filter(|net| limits.address(address(*net, 1)).is_err()).count();
        assert!(slowed < 50, "{slowed} of 10000 bystanders");
    }
}
