use uuid::Uuid;

/// Hash of a renewal secret; the secret itself is known to the client only.
pub type SecretHash = [u8; 32];

/// What the server remembers of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The installation.
    pub id: Uuid,
    /// The secret that was handed out last.
    pub current: SecretHash,
    /// The one that was presented for it. It stays good until the current one is presented: until then nobody knows
    /// whether the answer arrived.
    pub previous: Option<SecretHash>,
}

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
    if known.current == *presented || known.previous.as_ref() == Some(presented) {
        Judgement::Good
    } else {
        Judgement::Fork
    }
}

impl Install {
    /// The installation after `next` was handed out to whoever presented `presented`. Any number of answers in a row
    /// may be lost: the same secret is presented again then, and stays the previous one.
    #[must_use]
    pub fn rotated(id: Uuid, presented: Option<SecretHash>, next: SecretHash) -> Self {
        Self { id, current: next, previous: presented }
    }
}
