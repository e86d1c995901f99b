use seatlock_protocol::{UnixTime, api::OfflineUse};
use serde::{Deserialize, Serialize};

/// Seconds after which no answer is awaited any more. Until then a launch may just be asking.
const ANSWER_DUE: u64 = 60;

/// How often the plug-in was started here, and how much of that the server knows. The numbers only
/// grow, so the larger ones count when several processes of one installation have counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Launches {
    /// All launches.
    started: u64,
    /// When the last of them was.
    started_at: UnixTime,
    /// Those that the server was told of.
    reported: u64,
    /// Those that the last request file tells of.
    requested: u64,
    /// Up to and with which one none had a server, as far as that is new to the server.
    offline: u64,
    /// When that one was.
    offline_at: UnixTime,
}

impl Launches {
    /// Counts one more.
    #[must_use]
    pub fn launched(self, now: UnixTime) -> Self {
        let waits = now.since(self.started_at) <= ANSWER_DUE;
        let before = if waits { self } else { self.without_server() };
        Self { started: before.started.saturating_add(1), started_at: now, ..before }
    }

    /// The last launch was without the server, unless that had an answer for it.
    pub(super) fn without_server(self) -> Self {
        if self.started <= self.reported {
            return self;
        }
        Self { offline: self.started, offline_at: self.started_at, ..self }
    }

    /// The server has answered a request that told of all of them; or it is nothing to it any more.
    pub(super) fn answered(self) -> Self {
        Self { reported: self.started, ..self }
    }

    /// All of them were written into a request file.
    pub(super) fn requested(self) -> Self {
        Self { requested: self.started, ..self }
    }

    /// The last request file was answered.
    pub(super) fn imported(self) -> Self {
        Self { reported: self.reported.max(self.requested), ..self }
    }

    /// What two processes have counted.
    pub(super) fn merged_with(self, other: Self) -> Self {
        let (started, started_at) = (self.started, self.started_at).max((other.started, other.started_at));
        let (offline, offline_at) = (self.offline, self.offline_at).max((other.offline, other.offline_at));
        Self {
            started,
            started_at,
            reported: self.reported.max(other.reported),
            requested: self.requested.max(other.requested),
            offline,
            offline_at,
        }
    }

    /// What the server is to be told.
    #[must_use]
    pub fn unreported(self) -> Option<OfflineUse> {
        let launches = self.started.saturating_sub(self.reported);
        let last_used_at = (self.offline > self.reported).then_some(self.offline_at);
        (launches > 0).then_some(OfflineUse { last_used_at, launches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::new(seconds).unwrap()
    }

    fn told(launches: Launches) -> Option<(u64, Option<i64>)> {
        launches.unreported().map(|told| (told.launches, told.last_used_at.map(UnixTime::seconds)))
    }

    #[test]
    fn what_the_server_is_told() {
        use std::convert::identity as same;
        type Change = fn(Launches) -> Launches;
        let first: Change = |counted| counted.launched(at(1000));
        let soon: Change = |counted| counted.launched(at(1010));
        let later: Change = |counted| counted.launched(at(2000));
        type Row<'a> = (&'a str, &'a [Change], Option<(u64, Option<i64>)>);
        let cases: [Row<'_>; 10] = [
            ("never started", &[same], None),
            ("the first asks", &[first], Some((1, None))),
            ("it was answered", &[first, Launches::answered], None),
            ("it was not answered", &[first, Launches::without_server], Some((1, Some(1000)))),
            ("an answer came too late for it", &[first, Launches::answered, Launches::without_server], None),
            ("two at once, both may be asking", &[first, soon], Some((2, None))),
            ("the one before never asked", &[first, later], Some((2, Some(1000)))),
            ("told already", &[first, Launches::without_server, Launches::answered, later], Some((1, None))),
            (
                "a file tells of the first",
                &[first, Launches::requested, later, Launches::imported],
                Some((1, None)),
            ),
            ("an older answer takes nothing back", &[first, Launches::answered, Launches::imported], None),
        ];
        for (what, changes, expected) in cases {
            let counted = changes.iter().fold(Launches::default(), |counted, change| change(counted));
            assert_eq!(told(counted), expected, "{what}");
        }
    }

    #[test]
    fn two_processes_know_together_what_each_knows() {
        let stored = Launches::default().launched(at(1000)).without_server();
        let (mine, other) = (stored.answered(), stored.launched(at(2000)));
        for merged in [mine.merged_with(other), other.merged_with(mine)] {
            assert_eq!(told(merged), Some((1, None)), "the other's launch only");
        }
    }

    #[test]
    fn a_file_that_was_edited_counts_nothing_twice() {
        let edited = Launches { started: u64::MAX, reported: 3, offline: u64::MAX, ..Launches::default() };
        assert_eq!(told(edited.launched(at(1)).answered()), None);
    }
}
