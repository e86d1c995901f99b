use seatlock_protocol::UnixTime;
use uuid::Uuid;

/// Hash of a renewal secret; the secret itself is known to the client only.
pub type SecretHash = [u8; 32];

/// What the server remembers of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The installation.
    pub id: Uuid,
    /// The secret that was presented last, as far as it was a good one.
    pub presented: Option<SecretHash>,
    /// What was handed out for it, the newest last; never empty. Which of these answers arrived shows when one of them is
    /// presented: answers get lost, and a request that was given up can be late.
    pub handed_out: Vec<SecretHash>,
    /// Those that were presented or handed out before, the newest last, while answers follow each other closely.
    pub retired: Vec<SecretHash>,
    /// When the newest of these was replaced.
    pub retired_at: UnixTime,
}

/// Seconds for which a retired secret is not the sign of a copy: its request was given up, and is only late. Longer than
/// any request lives.
const LATE: u64 = 60;

/// Answers that are remembered for one secret.
const MOST_HANDED_OUT: usize = 8;
/// Secrets that are remembered for late requests. Many hosts of one installation ask several times in a second.
const MOST_RETIRED: usize = 128;

/// What a presented secret says about the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// New, or a secret that an honest installation may hold.
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
    let late = known.is_late(presented, now);
    if late || known.handed_out.contains(presented) || known.presented.as_ref() == Some(presented) {
        Judgement::Good
    } else {
        Judgement::Fork
    }
}

impl Install {
    fn is_late(&self, presented: &SecretHash, now: UnixTime) -> bool {
        self.retired.contains(presented) && now.since(self.retired_at) <= LATE
    }

    /// The installation after `next` was handed out to whoever presented `presented`.
    #[must_use]
    pub fn rotated(
        known: Option<&Self>,
        id: Uuid,
        presented: Option<SecretHash>,
        next: SecretHash,
        now: UnixTime,
    ) -> Self {
        let new = Self { id, presented, handed_out: vec![next], retired: Vec::new(), retired_at: now };
        let (Some(known), Some(presented)) = (known, presented) else { return new };
        if known.presented == Some(presented) || known.is_late(&presented, now) {
            let handed_out = newest(&known.handed_out, &[next], MOST_HANDED_OUT);
            return Self { handed_out, ..known.clone() };
        }
        let closely = now.since(known.retired_at) <= LATE;
        let earlier = if closely { known.retired.as_slice() } else { &[] };
        // An answer that came beside the one that is presented now may be held by a host that could not store it.
        let others = known.presented.iter().chain(&known.handed_out).filter(|secret| **secret != presented);
        let others: Vec<SecretHash> = others.copied().collect();
        Self { retired: newest(earlier, &others, MOST_RETIRED), ..new }
    }

    /// The secret that was handed out last.
    #[must_use]
    pub fn newest(&self) -> Option<SecretHash> {
        self.handed_out.last().copied()
    }
}

/// `secrets` and then `more`, as far as the newest `most` go.
fn newest(secrets: &[SecretHash], more: &[SecretHash], most: usize) -> Vec<SecretHash> {
    let dropped = (secrets.len() + more.len()).saturating_sub(most);
    secrets.iter().chain(more).skip(dropped).copied().collect()
}
