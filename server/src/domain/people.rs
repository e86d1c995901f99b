use seatlock_protocol::UnixTime;
use serde::{Deserialize, Serialize};

/// API tokens that one user may have.
pub const API_TOKENS: u32 = 3;
/// A seat that was used in so many seconds was used lately.
pub const LATELY: u64 = 14 * DAY;
/// A one-time link that nobody opened ends after this many seconds.
pub const SHARE_LIFE: u64 = 7 * DAY;
/// An answer to a request with an `Idempotency-Key` is remembered for this many seconds.
pub const REMEMBERED: u64 = DAY;
/// A session that was not used for this many seconds has ended.
pub const SESSION_IDLE: u64 = 8 * 3600;
/// A session ends this many seconds after the sign-in, however much it is used.
pub const SESSION_LIFE: u64 = 7 * DAY;
/// Characters of the shortest password. Length is what counts (NIST SP 800-63B, section 5.1.1.2).
pub const PASSWORD_MIN: usize = 12;
/// Bytes of the longest password: whoever sends more wants to keep the server busy.
pub const PASSWORD_MAX: usize = 1024;

/// What stands in the place of an e-mail address that was erased. It is none itself.
pub const ERASED: &str = "(erased)";

const DAY: u64 = 24 * 3600;
/// Seconds in which sign-ins are counted together.
const ATTEMPT_WINDOW: u64 = 15 * 60;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, in every account: the operator.
    Admin,
    /// The seats of the own account.
    Owner,
}

/// Whether a session that began at `created` and was used at `seen` is still one.
#[must_use]
pub fn session_lives(created: UnixTime, seen: UnixTime, now: UnixTime) -> bool {
    seen.plus(SESSION_IDLE) > now && created.plus(SESSION_LIFE) > now
}

/// Why `password` cannot be the password of the user with this e-mail address.
///
/// # Errors
/// A sentence for the person who chose it.
pub fn check_password(password: &str, email: &str) -> Result<(), &'static str> {
    if password.chars().count() < PASSWORD_MIN {
        return Err("The password must have 12 characters or more.");
    }
    if password.len() > PASSWORD_MAX {
        return Err("The password must have 1024 bytes or less.");
    }
    let mut characters = password.chars();
    let first = characters.next();
    if characters.all(|other| Some(other) == first) || password.eq_ignore_ascii_case(email) {
        return Err("The password is too easy to guess.");
    }
    Ok(())
}

/// Who tries something, and how often he may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptBy {
    /// One e-mail address from one network address: a person who has forgotten the password.
    Person,
    /// One e-mail address, from wherever. More than a person needs, so that nobody keeps another
    /// one out by guessing.
    Email,
    /// One network address, with whatever e-mail addresses: an office has one for all.
    Address,
    /// E-mails that one user has sent: a stolen session sends no mail to the whole world.
    Letters,
    /// A form that sends an e-mail, which a double click sends twice.
    Form,
}

impl AttemptBy {
    fn limit(self) -> u32 {
        match self {
            Self::Form => 1,
            Self::Person => 10,
            Self::Email | Self::Address | Self::Letters => 100,
        }
    }
}

/// Sign-ins that were tried one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How many.
    pub count: u32,
    /// When the first one was.
    pub since: UnixTime,
}

impl Attempts {
    /// One more attempt, counted before the password is looked at, so that a hundred at once are a
    /// hundred.
    ///
    /// # Errors
    /// When the next one is possible.
    pub fn next(before: Option<Self>, by: AttemptBy, now: UnixTime) -> Result<Self, UnixTime> {
        // A mark from the future comes from a clock that was wrong.
        let current = before.filter(|seen| seen.since <= now && seen.since.plus(ATTEMPT_WINDOW) > now);
        match current {
            None => Ok(Self { count: 1, since: now }),
            Some(seen) if seen.count < by.limit() => Ok(Self { count: seen.count + 1, ..seen }),
            Some(seen) => Err(seen.since.plus(ATTEMPT_WINDOW)),
        }
    }

    /// Attempts that began before this say nothing any more.
    #[must_use]
    pub fn outdated_before(now: UnixTime) -> UnixTime {
        now.minus(ATTEMPT_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::new(seconds).unwrap()
    }

    #[test]
    fn sessions_end_by_idleness_and_by_age() {
        let (idle, life) = (SESSION_IDLE as i64, SESSION_LIFE as i64);
        for (created, seen, now, lives) in [
            (0, 0, idle - 1, true),
            (0, 0, idle, false),
            (0, 1, idle, true),
            (0, life - 2, life - 1, true),
            (0, life - 1, life, false),
        ] {
            assert_eq!(session_lives(at(created), at(seen), at(now)), lives, "{created} {seen} {now}");
        }
    }

    #[test]
    fn passwords_that_are_short_or_easy_are_refused() {
        for (password, fits) in [
            ("", false),
            ("eleven chars", true),
            ("eleven char", false),
            ("äöüäöüäöüäöü", true),
            ("aaaaaaaaaaaaaaaa", false),
            ("Ada@Example.com", false),
            (&"x1".repeat(512), true),
            (&"x1".repeat(513), false),
        ] {
            assert_eq!(check_password(password, "ada@example.com").is_ok(), fits, "{password}");
        }
    }

    #[test]
    fn the_eleventh_attempt_waits_for_the_window_to_end() {
        let mut attempts = None;
        for second in 0..10 {
            attempts = Some(Attempts::next(attempts, AttemptBy::Person, at(100 + second)).unwrap());
        }
        let end = 100 + ATTEMPT_WINDOW as i64;
        assert_eq!(Attempts::next(attempts, AttemptBy::Person, at(200)), Err(at(end)));
        assert_eq!(Attempts::next(attempts, AttemptBy::Person, at(end - 1)), Err(at(end)));
        let next = Attempts::next(attempts, AttemptBy::Person, at(end)).unwrap();
        assert_eq!(next, Attempts { count: 1, since: at(end) });
        assert!(Attempts::next(attempts, AttemptBy::Address, at(200)).is_ok(), "an office has one address");
        assert_eq!(
            Attempts::next(attempts, AttemptBy::Person, at(50)).unwrap().count,
            1,
            "the clock was wrong"
        );
    }
}
