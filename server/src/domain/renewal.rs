use seatlock_protocol::UnixTime;
use std::ops::RangeInclusive;
use uuid::Uuid;

/// What a caller shows as its renewal secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedRenewal {
    Nothing,
    /// One that this server did not make for the caller's token and installation.
    Foreign,
    /// The secret of this number.
    Number(u64),
}

/// What the server remembers of one installation. Its renewal secrets have rising numbers; the
/// secret itself is made from the number and a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub id: Uuid,
    /// The secret that was presented last.
    pub presented: Option<u64>,
    /// What was handed out for it. Which of these answers arrived shows when one of them is
    /// presented: answers get lost, and a request that was given up can be late.
    pub handed_out: RangeInclusive<u64>,
    /// The first of those before `handed_out` that may still come late. There is none when it is
    /// the first of these.
    pub retired_from: u64,
    /// When the newest of these was replaced.
    pub retired_at: UnixTime,
    /// When it asked last.
    pub asked_at: UnixTime,
    /// What was presented first after it had been silent for a while: a round began.
    pub round_first: Option<u64>,
    /// The newest number that was handed out before that round.
    pub round_newest: u64,
    /// How often a number came from before the round that was not the first one's: files that are
    /// kept once would not know it any more.
    pub splits: u32,
}

/// Seconds for which a retired secret is not the sign of a copy: its request was given up, and is
/// only late. Longer than any request lives.
const LATE: u64 = 60;
/// How many of them may come late. Many hosts of one installation ask several times in a second;
/// but a copy must not pass for late as long as the other one asks often.
const MOST_LATE: u64 = 128;
/// Splits after which an installation exists twice. One may be a request that was very late.
const SPLITS: u32 = 2;

/// What a presented secret says about the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalJudgement {
    /// New, or a secret that an honest installation may hold.
    Good,
    /// The installation is known, but it presents nothing.
    Missing,
    /// An outdated secret: the installation exists twice.
    Fork,
}

/// Judges the secret that an installation presents.
#[must_use]
pub fn judge(known: Option<&Installation>, presented: PresentedRenewal, now: UnixTime) -> RenewalJudgement {
    let Some(known) = known else { return RenewalJudgement::Good };
    match presented {
        PresentedRenewal::Number(number) if known.splits_with(number, now) >= SPLITS => {
            RenewalJudgement::Fork
        }
        PresentedRenewal::Nothing => RenewalJudgement::Missing,
        PresentedRenewal::Number(number)
            if known.handed_out.contains(&number) || known.asks_again(number, now) =>
        {
            RenewalJudgement::Good
        }
        PresentedRenewal::Number(_) | PresentedRenewal::Foreign => RenewalJudgement::Fork,
    }
}

impl Installation {
    /// Whether it presents what it, or one of its hosts, presented already.
    fn asks_again(&self, number: u64, now: UnixTime) -> bool {
        let first = *self.handed_out.start();
        let retired = self.retired_from.max(first.saturating_sub(MOST_LATE))..first;
        self.presented == Some(number) || retired.contains(&number) && now.since(self.retired_at) <= LATE
    }

    /// Whether it was silent for so long that nothing of before can be under way.
    fn is_new_round(&self, now: UnixTime) -> bool {
        now.since(self.asked_at) > LATE
    }

    /// How many splits there are with this number.
    fn splits_with(&self, number: u64, now: UnixTime) -> u32 {
        let beside = self.round_first.is_some_and(|first| first != number) && number <= self.round_newest;
        self.splits.saturating_add(u32::from(beside && !self.is_new_round(now)))
    }

    /// The installation after the next secret was handed out to whoever presented `presented`.
    #[must_use]
    pub fn rotated(known: Option<&Self>, id: Uuid, presented: PresentedRenewal, now: UnixTime) -> Self {
        let next = Self::next(known, id, presented, now);
        let (Some(known), PresentedRenewal::Number(number)) = (known, presented) else { return next };
        let splits = known.splits_with(number, now);
        // What was found is counted anew.
        let splits = if splits >= SPLITS { 0 } else { splits };
        let (round_first, round_newest) = if known.is_new_round(now) {
            (Some(number), known.newest())
        } else {
            (known.round_first, known.round_newest)
        };
        Self { asked_at: now, round_first, round_newest, splits, ..next }
    }

    fn next(known: Option<&Self>, id: Uuid, presented: PresentedRenewal, now: UnixTime) -> Self {
        let number = match presented {
            PresentedRenewal::Number(number) => Some(number),
            PresentedRenewal::Nothing | PresentedRenewal::Foreign => None,
        };
        // Numbers of an installation that was forgotten do not come again: it has had fewer than seconds
        // have passed.
        let last = known.map_or(now.seconds().unsigned_abs(), |known| *known.handed_out.end());
        let next = last.max(number.unwrap_or(0)).saturating_add(1);
        let new = Self {
            id,
            presented: number,
            handed_out: next..=next,
            retired_from: next,
            retired_at: now,
            asked_at: now,
            round_first: None,
            round_newest: last,
            splits: 0,
        };
        let (Some(known), Some(number)) = (known, number) else { return new };
        if known.asks_again(number, now) {
            return Self { handed_out: *known.handed_out.start()..=next, ..known.clone() };
        }
        // An answer that came beside the one that is presented now may be held by a host that could not
        // store it.
        let closely = now.since(known.retired_at) <= LATE;
        let outdated = known.presented.unwrap_or(*known.handed_out.start());
        Self { retired_from: if closely { known.retired_from.min(outdated) } else { outdated }, ..new }
    }

    /// The installation after one more secret was handed out, to somebody who cannot present any:
    /// all of them are good.
    #[must_use]
    pub fn and_one_more(&self) -> Self {
        let (first, last) = (*self.handed_out.start(), *self.handed_out.end());
        Self { handed_out: first..=last.saturating_add(1), ..self.clone() }
    }

    /// Whether a secret is among those that it was given and has not replaced.
    #[must_use]
    pub fn handed_out(&self, presented: PresentedRenewal) -> bool {
        matches!(presented, PresentedRenewal::Number(number) if self.handed_out.contains(&number))
    }

    /// The secret that was handed out last.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.handed_out.end()
    }
}
