use super::words::{moment, span};
use seatlock_protocol::UnixTime;
use std::fmt;

/// How far the clock may be set back, in seconds. Clients take no answer that is older than the
/// newest one by more.
pub const SET_BACK: u64 = 300;
/// Longest time that a server can be off without anybody being asked, in seconds: 60 days, as on
/// the client.
pub const PAUSE: u64 = 60 * 86_400;
/// From here on, in seconds, a pause is a reason to compare two clocks, and their difference a
/// reason for doubt.
const DOUBT: u64 = 3600;
/// The mark moves in steps of this many seconds.
const STEP: u64 = 60;

/// What is known of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// What the database's clock shows.
    pub now: UnixTime,
    /// The high-water mark: the latest time at which a server was at work on this database, to the
    /// minute. `None` before the first time.
    pub mark: Option<UnixTime>,
    /// What the clock of the server's own computer shows; `None` where the database goes by the
    /// same one.
    pub own: Option<UnixTime>,
}

/// Why the database's clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It shows less than it has shown before.
    SetBack(Clocks),
    /// Nobody was at work for so long, or it was set ahead.
    FarAhead(Clocks),
    /// Time has passed, and two computers do not agree how much.
    Apart(Clocks),
}

impl Clocks {
    /// Whether anything may be decided by the database's clock.
    ///
    /// # Errors
    /// Says what speaks against it.
    pub fn judge(self) -> Result<(), Doubt> {
        let Self { now, mark, own } = self;
        let passed = mark.map(|mark| now.since(mark));
        if mark.is_some_and(|mark| mark.since(now) > SET_BACK) {
            Err(Doubt::SetBack(self))
        } else if passed.is_some_and(|passed| passed > PAUSE) {
            Err(Doubt::FarAhead(self))
        } else if own.is_some_and(|own| apart(own, now) > DOUBT) && passed.is_none_or(|passed| passed > DOUBT)
        {
            Err(Doubt::Apart(self))
        } else {
            Ok(())
        }
    }

    /// What counts as the present. Where the clock was set back a little, time stands still until
    /// it has caught up.
    #[must_use]
    pub fn present(self) -> UnixTime {
        self.mark.map_or(self.now, |mark| self.now.max(mark))
    }

    /// The mark that is to be written down, if there is a new one.
    #[must_use]
    pub fn next_mark(self) -> Option<UnixTime> {
        let due = self.mark.is_none_or(|mark| self.now >= mark.plus(STEP));
        (due && self.judge().is_ok()).then_some(self.now)
    }

    /// Whose clock the database goes by.
    fn whose(self) -> &'static str {
        if self.own.is_some() { "the clock of the database's computer" } else { "this computer's clock" }
    }
}

fn apart(a: UnixTime, b: UnixTime) -> u64 {
    a.since(b).max(b.since(a))
}

/// Which clock is wrong, by how much, and what to do.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::SetBack(clocks) | Self::FarAhead(clocks) | Self::Apart(clocks)) = *self;
        let (whose, now) = (clocks.whose(), clocks.now);
        let mark = clocks.mark.unwrap_or(now);
        let shows = format!("{whose} shows {}", moment(now));
        match self {
            Self::SetBack(_) => write!(
                f,
                "{shows}, {} before {}, when a server was at work already. Set the clock right; if it is right now and was \
                 wrong before, run: seatlock-server clock --accept",
                span(mark.since(now)),
                moment(mark)
            ),
            Self::FarAhead(_) => write!(
                f,
                "{shows}, {} after {}, when a server was last at work. Set the clock right; if it is right, because \
                 nobody was at work since, run: seatlock-server clock --accept",
                span(now.since(mark)),
                moment(mark)
            ),
            Self::Apart(_) => {
                let own = clocks.own.unwrap_or(now);
                write!(
                    f,
                    "{shows}, but this computer's clock shows {}: one of them is wrong by {}. Set it right; if the \
                     database's is right, run: seatlock-server clock --accept",
                    moment(own),
                    span(apart(own, now))
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;
    const T: i64 = 1_795_338_000;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::new(seconds).unwrap()
    }

    fn clocks(now: i64, mark: Option<i64>, own: Option<i64>) -> Clocks {
        Clocks { now: at(now), mark: mark.map(at), own: own.map(at) }
    }

    #[test]
    fn what_is_believed() {
        type Kind = fn(Clocks) -> Doubt;
        type Row = (&'static str, i64, Option<i64>, Option<i64>, Option<Kind>);
        let rows: [Row; 21] = [
            ("a new database", 0, None, None, None),
            ("a new database, both agree", 0, None, Some(60), None),
            ("a new database, a year ahead", 365 * DAY, None, Some(0), Some(Doubt::Apart)),
            ("as always", 30, Some(0), None, None),
            ("NTP, a replica", -300, Some(0), None, None),
            ("set back", -301, Some(0), None, Some(Doubt::SetBack)),
            ("set back, the other computer's too", -DAY, Some(0), Some(-DAY), Some(Doubt::SetBack)),
            ("a year back", -365 * DAY, Some(0), Some(0), Some(Doubt::SetBack)),
            ("off for a weekend", 3 * DAY, Some(0), None, None),
            ("off for 60 days", 60 * DAY, Some(0), None, None),
            ("a second more", 60 * DAY + 1, Some(0), None, Some(Doubt::FarAhead)),
            ("a year ahead", 365 * DAY, Some(0), None, Some(Doubt::FarAhead)),
            ("agreement proves nothing", 365 * DAY, Some(0), Some(365 * DAY), Some(Doubt::FarAhead)),
            ("off for a weekend, both agree", 3 * DAY, Some(0), Some(3 * DAY + 3600), None),
            ("set ahead by two hours", 7200, Some(0), Some(0), Some(Doubt::Apart)),
            ("set ahead by an hour: too little to tell", 3600, Some(0), Some(0), None),
            ("an hour apart after a pause", 3 * DAY, Some(0), Some(3 * DAY - 3600), None),
            ("more than that", 3 * DAY, Some(0), Some(3 * DAY - 3601), Some(Doubt::Apart)),
            ("the database's fell behind in a pause", DAY, Some(0), Some(3 * DAY), Some(Doubt::Apart)),
            ("it went on as it was: the server's own is wrong", 60, Some(0), Some(365 * DAY), None),
            ("the same, an hour later", 3600, Some(0), Some(-365 * DAY), None),
        ];
        for (what, now, mark, own, wanted) in rows {
            let clocks = clocks(T + now, mark.map(|mark| T + mark), own.map(|own| T + own));
            assert_eq!(clocks.judge().err(), wanted.map(|kind| kind(clocks)), "{what}");
        }
    }

    #[test]
    fn what_an_operator_reads() {
        let said = |now, mark, own| clocks(now, mark, own).judge().unwrap_err().to_string();
        assert_eq!(
            said(T - 365 * DAY, Some(T), None),
            "this computer's clock shows 2025-11-22 09:00 UTC, 365 days before 2026-11-22 09:00 UTC, when a server was at \
             work already. Set the clock right; if it is right now and was wrong before, run: seatlock-server clock --accept"
        );
        assert_eq!(
            said(T + 365 * DAY, Some(T), Some(T)),
            "the clock of the database's computer shows 2027-11-22 09:00 UTC, 365 days after 2026-11-22 09:00 UTC, when a \
             server was last at work. Set the clock right; if it is right, because nobody was at work since, run: \
             seatlock-server clock --accept"
        );
        assert_eq!(
            said(T + DAY, None, Some(T)),
            "the clock of the database's computer shows 2026-11-23 09:00 UTC, but this computer's clock shows 2026-11-22 \
             09:00 UTC: one of them is wrong by 24 hours. Set it right; if the database's is right, run: \
             seatlock-server clock --accept"
        );
    }

    proptest! {
        /// Whoever accepts the present time is believed at once, and as long as the clock goes on by itself.
        #[test]
        fn an_accepted_clock_is_good(
            now in 0..2 * T, own in proptest::option::of(0..2 * T), steps in proptest::collection::vec(0..(PAUSE - STEP) as i64, 0..9),
        ) {
            prop_assert_eq!(clocks(now, Some(now), own).judge(), Ok(()));
            let (mut now, mut mark) = (now, now);
            for step in steps {
                now += step;
                let later = clocks(now, Some(mark), None);
                prop_assert_eq!(later.judge(), Ok(()));
                mark = later.next_mark().map_or(mark, UnixTime::seconds);
            }
        }

        /// The mark never falls, is never ahead of the clock by itself, and no clock that is doubted moves it.
        #[test]
        fn the_mark_moves_by_good_clocks_only(
            now in 0..2 * T, mark in proptest::option::of(0..2 * T), own in proptest::option::of(0..2 * T),
        ) {
            let clocks = clocks(now, mark, own);
            if let Some(next) = clocks.next_mark() {
                prop_assert_eq!(next, clocks.now);
                prop_assert!(mark.is_none_or(|mark| next >= at(mark).plus(STEP)));
                prop_assert_eq!(clocks.judge(), Ok(()));
            }
        }

        /// However a clock wanders that is believed, time goes back by less than a step of the mark.
        #[test]
        fn time_stands_still_or_goes_on(start in 0..T, turns in proptest::collection::vec(-400..4000_i64, 1..20)) {
            let (mut now, mut mark, mut latest) = (start, None, at(0));
            for turn in turns {
                now = (now + turn).max(0);
                let clocks = clocks(now, mark, None);
                if clocks.judge().is_ok() {
                    prop_assert!(clocks.present().plus(STEP) > latest);
                    latest = latest.max(clocks.present());
                    mark = clocks.next_mark().map_or(mark, |mark| Some(mark.seconds()));
                }
            }
        }
    }
}
