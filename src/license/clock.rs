use seatlock_protocol::{
    UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use serde::{Deserialize, Serialize};

/// What the computer's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock; `None` when it cannot be read or is before 1970. Never taken for zero.
    pub wall: Option<UnixTime>,
    /// Whole seconds since the computer was started, those in which it slept included.
    pub since_boot: u64,
    /// Which start of which computer that was; 0 when it cannot be told.
    pub boot: u64,
}

/// What is remembered of time across launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockMemory {
    /// The latest moment that was believed on this computer.
    pub high_water: UnixTime,
    /// Issue time of the newest signed answer.
    pub signed: UnixTime,
    /// [`Reading::since_boot`] when the high-water mark was made.
    #[serde(default)]
    pub since_boot: u64,
    /// [`Reading::boot`] when the high-water mark was made.
    #[serde(default)]
    pub boot: u64,
}

/// A moment that was believed, tied to the clock that cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The moment.
    pub at: UnixTime,
    /// [`Reading::since_boot`] at that moment.
    pub since_boot: u64,
    /// Whether a signed answer to this process's own request said so; the wall clock then no longer
    /// matters.
    pub signed: bool,
}

impl Anchor {
    /// The moment now, `since_boot` seconds after the computer was started.
    #[must_use]
    pub fn now(&self, since_boot: u64) -> UnixTime {
        self.at.plus(since_boot.saturating_sub(self.since_boot))
    }
}

/// What is wrong with the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anomaly {
    /// It cannot be read.
    Unreadable,
    /// It was set back further than the lease tolerates.
    SetBack,
    /// It is so far ahead that it is more likely wrong than right.
    FarAhead,
}

impl Anomaly {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::SetBack => "set_back",
            Self::FarAhead => "far_ahead",
        }
    }
}

/// The moment by which leases are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Effective time.
    pub now: UnixTime,
    /// The part of it that is certain enough to be remembered.
    pub believed: UnixTime,
    /// Why it is not to be trusted, if so.
    pub anomaly: Option<Anomaly>,
}

/// Further ahead of the high-water mark than this, the wall clock is not believed for keeps.
const FAR_AHEAD: u64 = 60 * 24 * 3600;

/// Seconds by which the high-water mark moves while a process runs, so that a disk is not written
/// to every minute.
const TICK: u64 = 600;

/// The rollback that is tolerated without a lease to say so: time zones and dual boot.
pub const DEFAULT_POLICY: ClockPolicy = ClockPolicy { tol: 26 * 3600, act: ClockAction::Lock };

/// Effective time: the latest of wall clock, signed time, high-water mark and anchor. A signed
/// anchor alone counts, because then the time is known; and a wall clock far off is reported
/// instead of believed.
///
/// `end` is the end of the lease, if there is one. A date before it was foreseen by the server, so
/// it is plausible however far ahead it is. A date after it ends the lease, but is not remembered:
/// the user may have to set it right.
#[must_use]
pub fn effective(
    memory: ClockMemory,
    anchor: Option<Anchor>,
    reading: Reading,
    policy: ClockPolicy,
    end: Option<UnixTime>,
) -> Time {
    if let Some(anchor) = anchor.filter(|anchor| anchor.signed) {
        let now = anchor.now(reading.since_boot);
        return Time { now, believed: now, anomaly: None };
    }
    let elapsed = anchor.map_or(UnixTime::MIN, |anchor| anchor.now(reading.since_boot));
    let floor = memory.mark(reading).max(memory.signed).max(elapsed);
    let doubtful = |anomaly| Time { now: floor, believed: floor, anomaly: Some(anomaly) };
    let Some(wall) = reading.wall else { return doubtful(Anomaly::Unreadable) };
    let foreseen = end.is_some_and(|end| wall < end);
    if floor.since(wall) > policy.tol && policy.act == ClockAction::Lock {
        doubtful(Anomaly::SetBack)
    } else if floor > UnixTime::MIN && wall.since(floor) > FAR_AHEAD && !foreseen {
        doubtful(Anomaly::FarAhead)
    } else {
        let now = wall.max(floor);
        Time { now, believed: if foreseen || end.is_none() { now } else { floor }, anomaly: None }
    }
}

impl ClockMemory {
    /// The high-water mark now. It moves on with the clock that cannot be set, also between two
    /// launches, as long as the computer is not started again. So setting the wall clock back
    /// before every launch does not stop time, and no number of launches carries the mark
    /// beyond the true time. Another start may be that of another computer, which shares this
    /// one's folder and has been running for months: its seconds say nothing.
    fn mark(&self, reading: Reading) -> UnixTime {
        let same_boot = self.boot == reading.boot && self.boot != 0;
        match self.high_water {
            mark if same_boot && mark > UnixTime::MIN => {
                mark.plus(reading.since_boot.saturating_sub(self.since_boot))
            }
            mark => mark,
        }
    }

    /// Orders marks by how late they are at `reading`. Of equal ones that of the present start of
    /// the computer counts: it goes on moving.
    pub(super) fn lateness(&self, reading: Reading) -> (UnixTime, bool, UnixTime) {
        (self.mark(reading), self.boot == reading.boot, self.high_water)
    }

    fn marked(self, high_water: UnixTime, reading: Reading) -> Self {
        Self { high_water, since_boot: reading.since_boot, boot: reading.boot, ..self }
    }

    /// What to remember at the start of a process.
    #[must_use]
    pub fn after_launch(self, time: Time, reading: Reading) -> Self {
        self.marked(time.believed, reading)
    }

    /// What to remember while a process runs: whole ticks only.
    #[must_use]
    pub fn after_tick(self, time: Time, reading: Reading) -> Self {
        let moved = time.believed.since(self.high_water) >= TICK;
        if moved { self.after_launch(time, reading) } else { self }
    }

    /// A signed answer to this process's own request says what time it is, and mends a mark that
    /// was too high.
    #[must_use]
    pub fn after_signed(now: UnixTime, reading: Reading) -> Self {
        Self { signed: now, ..Self::default() }.marked(now, reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::new(seconds).unwrap()
    }

    const BASE: i64 = 1_800_000_000;
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn table_of_clocks() {
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE - DAY), since_boot: 100, boot: 7 };
        let anchor = |offset, signed| Some(Anchor { at: at(BASE + offset), since_boot: 50, signed });
        // (what, wall, anchor, expected now, expected anomaly), all 100 s after boot
        type Row = (&'static str, Option<i64>, Option<Anchor>, i64, Option<Anomaly>);
        let cases: &[Row] = &[
            ("good clock", Some(BASE + HOUR), None, BASE + HOUR, None),
            ("five minutes back", Some(BASE - 300), None, BASE, None),
            ("an hour back: daylight saving", Some(BASE - HOUR), None, BASE, None),
            ("26 hours back: still tolerated", Some(BASE - 26 * HOUR), None, BASE, None),
            ("a second more", Some(BASE - 26 * HOUR - 1), None, BASE, Some(Anomaly::SetBack)),
            ("1970", Some(0), None, BASE, Some(Anomaly::SetBack)),
            ("unreadable", None, None, BASE, Some(Anomaly::Unreadable)),
            ("sixty days ahead", Some(BASE + 60 * DAY), None, BASE + 60 * DAY, None),
            ("ten years ahead", Some(BASE + 3650 * DAY), None, BASE, Some(Anomaly::FarAhead)),
            ("set back while running", Some(BASE), anchor(10, false), BASE + 60, None),
            ("known time, ten years ahead", Some(BASE + 3650 * DAY), anchor(10, true), BASE + 60, None),
            ("known time, 1970", Some(0), anchor(10, true), BASE + 60, None),
            ("known time, unreadable", None, anchor(10, true), BASE + 60, None),
        ];
        for (what, wall, anchor, now, anomaly) in cases {
            let reading = Reading { wall: wall.map(at), since_boot: 100, boot: 7 };
            let expected = Time { now: at(*now), believed: at(*now), anomaly: *anomaly };
            assert_eq!(effective(memory, *anchor, reading, DEFAULT_POLICY, None), expected, "{what}");
        }
    }

    #[test]
    fn a_new_computer_believes_any_clock() {
        let reading = Reading { wall: Some(at(BASE)), since_boot: 1, boot: 7 };
        let time = effective(ClockMemory::default(), None, reading, DEFAULT_POLICY, None);
        assert_eq!(time, Time { now: at(BASE), believed: at(BASE), anomaly: None });
    }

    #[test]
    fn freezing_policy_never_locks() {
        let policy = ClockPolicy { tol: 60, act: ClockAction::Freeze };
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE), since_boot: 1, boot: 7 };
        let reading = Reading { wall: Some(at(0)), since_boot: 1, boot: 7 };
        let expected = Time { now: at(BASE), believed: at(BASE), anomaly: None };
        assert_eq!(effective(memory, None, reading, policy, None), expected);
    }

    #[test]
    fn the_end_of_the_lease_tells_a_foreseen_date_from_a_wrong_one() {
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE), since_boot: 1, boot: 7 };
        // (what, lease length, wall clock ahead, effective, believed, anomaly), in days
        type Row = (&'static str, i64, i64, i64, i64, Option<Anomaly>);
        let cases: &[Row] = &[
            ("within the lease", 7, 3, 3, 3, None),
            ("after its end: it ends, but that is not remembered", 7, 30, 30, 0, None),
            ("long after its end", 7, 61, 0, 0, Some(Anomaly::FarAhead)),
            ("unused for months within a long lease", 180, 100, 100, 100, None),
        ];
        for (what, length, ahead, now, believed, anomaly) in cases {
            let reading = Reading { wall: Some(at(BASE + ahead * DAY)), since_boot: 1, boot: 7 };
            let time = effective(memory, None, reading, DEFAULT_POLICY, Some(at(BASE + length * DAY)));
            let expected =
                Time { now: at(BASE + now * DAY), believed: at(BASE + believed * DAY), anomaly: *anomaly };
            assert_eq!(time, expected, "{what}");
        }
    }

    #[test]
    fn launches_move_time_by_what_has_passed() {
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE), since_boot: 100, boot: 7 };
        let boot_launch = |boot, memory: ClockMemory, wall, since_boot| {
            let reading = Reading { wall: Some(at(wall)), since_boot, boot };
            memory.after_launch(effective(memory, None, reading, DEFAULT_POLICY, None), reading)
        };
        let launch = |memory, wall, since_boot| boot_launch(7, memory, wall, since_boot);
        let slow = (1..=1000).fold(memory, |memory, n| launch(memory, BASE - HOUR + n, 100 + n as u64));
        assert_eq!(
            slow.high_water,
            at(BASE + 1000),
            "a thousand launches with a slow clock do not run ahead"
        );
        let set_back = (1..=10).fold(memory, |memory, n| launch(memory, BASE - HOUR, 100 + 500 * n));
        assert_eq!(set_back.high_water, at(BASE + 5000), "setting the clock back does not stop time");
        for (boot, since_boot) in [(8, 30), (8, 10_000_000), (0, 10_000_000)] {
            let other = boot_launch(boot, memory, BASE - HOUR, since_boot);
            assert_eq!(other.high_water, at(BASE), "a restart, or another computer with the same folder");
        }
    }
}
