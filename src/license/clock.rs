use seatlock_protocol::{
    UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use serde::{Deserialize, Serialize};

/// What the computer's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock; `None` when it can not be read or is before 1970. Never taken for zero.
    pub wall: Option<UnixTime>,
    /// Whole seconds since the computer was started, those in which it slept included.
    pub since_boot: u64,
}

/// What is remembered of time across launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockMemory {
    /// The latest moment that was believed on this computer.
    pub high_water: UnixTime,
    /// Issue time of the newest signed answer.
    pub signed: UnixTime,
}

/// A moment that was believed, tied to the clock that can not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The moment.
    pub at: UnixTime,
    /// [`Reading::since_boot`] at that moment.
    pub since_boot: u64,
    /// Whether a signed answer to this process's own request said so; the wall clock then no longer matters.
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
    /// It can not be read.
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
    /// Why it is not to be trusted, if so.
    pub anomaly: Option<Anomaly>,
}

/// Further ahead of the high-water mark than this, the wall clock is not believed for keeps.
const FAR_AHEAD: u64 = 60 * 24 * 3600;

/// Seconds by which the high-water mark moves while a process runs. Also added by a launch during which the wall clock stands behind it, so that setting the clock
/// back before every launch does not stop time. A launch with a good clock adds nothing, or many launches in a
/// row would carry the mark into the future and lock out an honest user.
const TICK: u64 = 600;

/// The rollback that is tolerated without a lease to say so: time zones and dual boot.
pub const DEFAULT_POLICY: ClockPolicy = ClockPolicy { tol: 26 * 3600, act: ClockAction::Lock };

/// Effective time: the latest of wall clock, signed time, high-water mark and anchor, with two exceptions. A signed
/// anchor alone counts, because then the time is known; and beyond the tolerance it is not known at all.
#[must_use]
pub fn effective(memory: ClockMemory, anchor: Option<Anchor>, reading: Reading, policy: ClockPolicy) -> Time {
    if let Some(anchor) = anchor.filter(|anchor| anchor.signed) {
        return Time { now: anchor.now(reading.since_boot), anomaly: None };
    }
    let elapsed = anchor.map_or(UnixTime::MIN, |anchor| anchor.now(reading.since_boot));
    let floor = memory.high_water.max(memory.signed).max(elapsed);
    let Some(wall) = reading.wall else {
        return Time { now: floor, anomaly: Some(Anomaly::Unreadable) };
    };
    let anomaly = if floor.since(wall) > policy.tol && policy.act == ClockAction::Lock {
        Some(Anomaly::SetBack)
    } else if floor > UnixTime::MIN && wall.since(floor) > FAR_AHEAD {
        Some(Anomaly::FarAhead)
    } else {
        None
    };
    // A clock far ahead is reported, but must not move time: it would end the lease of someone who only has to
    // set the date right.
    let now = if anomaly == Some(Anomaly::FarAhead) { floor } else { wall.max(floor) };
    Time { now, anomaly }
}

impl ClockMemory {
    /// What to remember at the start of a process.
    #[must_use]
    pub fn after_launch(self, time: Time, reading: Reading) -> Self {
        let behind = reading.wall.is_none_or(|wall| wall < self.high_water);
        let moved = if behind { self.high_water.plus(TICK) } else { self.high_water };
        Self { high_water: moved.max(time.now), ..self }
    }

    /// What to remember while a process runs: whole ticks only, so that a disk is not written to every minute.
    #[must_use]
    pub fn after_tick(self, time: Time) -> Self {
        let moved = time.now.since(self.high_water) >= TICK;
        Self { high_water: if moved { time.now } else { self.high_water }, ..self }
    }

    /// A signed answer to this process's own request says what time it is, and mends a mark that was too high.
    #[must_use]
    pub fn after_signed(now: UnixTime) -> Self {
        Self { high_water: now, signed: now }
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
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE - DAY) };
        let anchor = |offset, signed| Some(Anchor { at: at(BASE + offset), since_boot: 50, signed });
        // (what, wall, anchor, expected now, expected anomaly), all 100 s after boot
        let cases: &[(&str, Option<i64>, Option<Anchor>, i64, Option<Anomaly>)] = &[
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
            let reading = Reading { wall: wall.map(at), since_boot: 100 };
            let expected = Time { now: at(*now), anomaly: *anomaly };
            assert_eq!(effective(memory, *anchor, reading, DEFAULT_POLICY), expected, "{what}");
        }
    }

    #[test]
    fn a_new_computer_believes_any_clock() {
        let reading = Reading { wall: Some(at(BASE)), since_boot: 1 };
        let time = effective(ClockMemory::default(), None, reading, DEFAULT_POLICY);
        assert_eq!(time, Time { now: at(BASE), anomaly: None });
    }

    #[test]
    fn freezing_policy_never_locks() {
        let policy = ClockPolicy { tol: 60, act: ClockAction::Freeze };
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE) };
        let reading = Reading { wall: Some(at(0)), since_boot: 1 };
        assert_eq!(effective(memory, None, reading, policy), Time { now: at(BASE), anomaly: None });
    }

    #[test]
    fn launches_move_time_only_when_the_clock_stands_behind() {
        let memory = ClockMemory { high_water: at(BASE), signed: at(BASE) };
        let launch = |memory: ClockMemory, wall| {
            let reading = Reading { wall: Some(at(wall)), since_boot: 1 };
            memory.after_launch(effective(memory, None, reading, DEFAULT_POLICY), reading)
        };
        let honest = (1..=1000).fold(memory, |memory, second| launch(memory, BASE + second));
        assert_eq!(honest.high_water, at(BASE + 1000), "a thousand honest launches do not run ahead");
        let rolled_back = (0..10).fold(memory, |memory, _| launch(memory, BASE - HOUR));
        assert_eq!(rolled_back.high_water, at(BASE + 10 * 600));
    }
}
