use std::time::Duration;

/// Keys of this age are fetched again, while they go on being used. So a key that an issuer
/// withdraws is believed no longer than this, as long as the issuer answers.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// Keys of this age are not used any more, even if the issuer does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Between two attempts for one issuer: nobody makes the server ask more often, whatever he sends.
const PAUSE: Duration = Duration::from_secs(60);
/// Between two attempts while there are no keys that could be used, and people wait.
const IMPATIENCE: Duration = Duration::from_secs(5);

/// What is held of one issuer's keys. Times are counted from the server's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldKeys {
    /// When they were fetched; `None` when they never were.
    pub fetched_at: Option<Duration>,
    /// When it was last tried to.
    pub tried_at: Option<Duration>,
}

/// What to do before a token is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchPlan {
    /// The keys are good.
    Use,
    /// They are good enough, and are to be fetched again meanwhile.
    UseAndFetch,
    /// They are to be fetched first.
    Fetch,
    /// There are none, and it is too early to try again.
    GiveUp,
}

/// What to do at `now`; `known` says whether the key that the token names is among those that are
/// held.
#[must_use]
pub fn plan(held: HeldKeys, known: bool, now: Duration) -> FetchPlan {
    let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
    let may_try = |pause| since(held.tried_at).is_none_or(|past| past >= pause);
    match since(held.fetched_at) {
        Some(age) if age < STALE => match (known, may_try(PAUSE)) {
            (false, true) => FetchPlan::Fetch,
            (true, true) if age >= FRESH => FetchPlan::UseAndFetch,
            _ => FetchPlan::Use,
        },
        _ if may_try(IMPATIENCE) => FetchPlan::Fetch,
        _ => FetchPlan::GiveUp,
    }
}
