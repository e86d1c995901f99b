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
}

/// Answers that are remembered for one secret.
const MOST_HANDED_OUT: usize = 8;

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
pub fn judge(known: Option<&Install>, presented: Option<&SecretHash>) -> Judgement {
    let Some(known) = known else { return Judgement::Good };
    let Some(presented) = presented else { return Judgement::Missing };
    if known.handed_out.contains(presented) || known.presented.as_ref() == Some(presented) {
        Judgement::Good
    } else {
        Judgement::Fork
    }
}

impl Install {
    /// The installation after `next` was handed out to whoever presented `presented`.
    #[must_use]
    pub fn rotated(known: Option<&Self>, id: Uuid, presented: Option<SecretHash>, next: SecretHash) -> Self {
        let again = known.filter(|known| presented.is_some() && known.presented == presented);
        let mut handed_out = again.map_or_else(Vec::new, |known| known.handed_out.clone());
        handed_out.push(next);
        handed_out.drain(..handed_out.len().saturating_sub(MOST_HANDED_OUT));
        Self { id, presented, handed_out }
    }

    /// The secret that was handed out last.
    #[must_use]
    pub fn newest(&self) -> Option<SecretHash> {
        self.handed_out.last().copied()
    }
}
