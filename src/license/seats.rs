use seatlock_protocol::{TokenHash, UnixTime, is_renewal};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use uuid::Uuid;

/// Seats that are remembered. More than one is for computers whose products are set up with a token
/// each.
const MOST: usize = 8;

/// What the server has given this computer for one token: every product of the family shows it, so
/// that they are one installation and not copies of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSeat {
    /// The token.
    pub token: TokenHash,
    /// The installation that the secret was given to.
    pub install_id: Uuid,
    /// Issue time of the answer that it came with.
    pub at: UnixTime,
    /// Secret to be sent with the next request; `None` once it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<String>,
}

/// The seats of this computer, the one that was answered last first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seats(Vec<KnownSeat>);

impl Seats {
    fn get(&self, token: TokenHash) -> Option<&KnownSeat> {
        self.0.iter().find(|seat| seat.token == token)
    }

    /// The secret to be sent with the next request for `token`.
    #[must_use]
    pub fn renewal(&self, token: TokenHash) -> Option<&str> {
        self.get(token)?.renewal.as_deref()
    }

    /// The installation that the server knows at `token`.
    #[must_use]
    pub fn install_id(&self, token: TokenHash) -> Option<Uuid> {
        self.get(token).map(|seat| seat.install_id)
    }

    pub(super) fn put(&mut self, seat: KnownSeat) {
        self.0.retain(|known| known.token != seat.token);
        self.0.push(seat);
        self.0.sort_by_key(|seat| (Reverse(seat.at), seat.token));
        self.0.truncate(MOST);
    }

    /// An answer of `at` has ended what the secret was for.
    pub(super) fn spend(&mut self, token: TokenHash, at: UnixTime) {
        if let Some(seat) = self.get(token).cloned() {
            self.put(KnownSeat { at: at.max(seat.at), renewal: None, ..seat });
        }
    }

    /// Takes the secret away, to keep it elsewhere.
    pub(super) fn take(&mut self, token: TokenHash) -> Option<String> {
        self.0.iter_mut().find(|seat| seat.token == token)?.renewal.take()
    }

    /// What was read from disk: a secret that no server makes is none.
    pub(super) fn checked(mut self) -> Self {
        for seat in &mut self.0 {
            seat.renewal = seat.renewal.take().filter(|text| is_renewal(text));
        }
        let seats = std::mem::take(&mut self.0);
        seats.into_iter().rev().for_each(|seat| self.put(seat));
        self
    }

    /// Of each seat the later one; of two of the same second this one. `credible` says how late an
    /// answer counts for.
    pub(super) fn merged_with(&self, other: &Self, credible: impl Fn(UnixTime) -> UnixTime) -> Self {
        let mut merged = self.clone();
        for theirs in &other.0 {
            if self.get(theirs.token).is_none_or(|mine| credible(theirs.at) > credible(mine.at)) {
                merged.put(theirs.clone());
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(token: u8, at: i64, renewal: Option<&str>) -> KnownSeat {
        let install_id = Uuid::from_u128(u128::from(token));
        let at = UnixTime::new(at).unwrap();
        KnownSeat { token: TokenHash::new([token; 16]), install_id, at, renewal: renewal.map(str::to_owned) }
    }

    fn of(seats: &[KnownSeat]) -> Seats {
        let mut all = Seats::default();
        seats.iter().cloned().for_each(|seat| all.put(seat));
        all
    }

    #[test]
    fn two_processes_know_together_what_each_knows() {
        let token = TokenHash::new([1; 16]);
        // (what, mine, theirs, secret)
        let cases = [
            ("mine alone", Some((10, Some("a"))), None, Some("a")),
            ("theirs alone", None, Some((10, Some("b"))), Some("b")),
            ("theirs is later", Some((10, Some("a"))), Some((11, Some("b"))), Some("b")),
            ("mine is later", Some((12, Some("a"))), Some((11, Some("b"))), Some("a")),
            ("of the same second mine", Some((10, Some("a"))), Some((10, Some("b"))), Some("a")),
            ("spent since", Some((10, Some("a"))), Some((11, None)), None),
            ("spent at the same second", Some((10, None)), Some((10, Some("b"))), None),
            ("of a wrong clock", Some((10, Some("a"))), Some((99, Some("b"))), Some("a")),
        ];
        for (what, mine, theirs, secret) in cases {
            let seats = |known: Option<(i64, Option<&str>)>| {
                of(&known.into_iter().map(|(at, renewal)| seat(1, at, renewal)).collect::<Vec<_>>())
            };
            let present = UnixTime::new(50).unwrap();
            let credible = |at| if at > present { UnixTime::MIN } else { at };
            let merged = seats(mine).merged_with(&seats(theirs), credible);
            assert_eq!(merged.renewal(token), secret, "{what}");
            assert_eq!(merged.merged_with(&seats(theirs), credible), merged, "{what}: twice is once");
        }
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let many: Vec<_> = (1..=10).map(|token| seat(token, i64::from(token), Some("r"))).collect();
        let seats = of(&many);
        assert_eq!(seats.0.len(), MOST);
        assert_eq!(seats.install_id(TokenHash::new([10; 16])), Some(Uuid::from_u128(10)));
        assert_eq!(seats.install_id(TokenHash::new([2; 16])), None);
        let mut seats = seats;
        assert_eq!(seats.take(TokenHash::new([10; 16])).as_deref(), Some("r"));
        assert_eq!(seats.take(TokenHash::new([10; 16])), None);
        seats.spend(TokenHash::new([9; 16]), UnixTime::MIN);
        assert_eq!(seats.renewal(TokenHash::new([9; 16])), None);
        assert_eq!(seats.clone().checked().renewal(TokenHash::new([8; 16])), None, "no server makes that");
    }
}
