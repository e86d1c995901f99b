use seatlock_protocol::UnixTime;
use uuid::Uuid;

/// How long the secret before the current one is accepted: an answer may have been lost on its way.
const GRACE: u64 = 24 * 3600;

/// Hash of a renewal secret; the secret itself is known to the client only.
pub type SecretHash = [u8; 32];

/// What the server remembers of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The installation.
    pub id: Uuid,
    /// The secret that was handed out last.
    pub current: SecretHash,
    /// The one before, and when it was replaced.
    pub previous: Option<(SecretHash, UnixTime)>,
}

/// What a presented secret says about the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// New, or one of the two newest secrets.
    Good,
    /// The installation is known, but it presents nothing.
    Missing,
    /// An outdated secret: the installation exists twice.
    Fork,
}

/// Judges the secret that an installation presents.
#[must_use]
pub fn judge(known: Option<&Install>, presented: Option<&SecretHash>, now: UnixTime) -> Judgement {
    let Some(known) = known else { return Judgement::Good };
    let Some(presented) = presented else { return Judgement::Missing };
    let lately =
        |(hash, replaced): &(SecretHash, UnixTime)| hash == presented && now.since(*replaced) <= GRACE;
    if known.current == *presented || known.previous.as_ref().is_some_and(lately) {
        Judgement::Good
    } else {
        Judgement::Fork
    }
}

impl Install {
    /// The installation after `next` was handed out. The secret that was current becomes the previous one, so one
    /// that was previous is outdated from now on: it is accepted once.
    #[must_use]
    pub fn rotated(known: Option<&Self>, id: Uuid, next: SecretHash, now: UnixTime) -> Self {
        Self { id, current: next, previous: known.map(|known| (known.current, now)) }
    }
}
