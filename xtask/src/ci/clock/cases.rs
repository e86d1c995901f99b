/// What the lease asks for when the clock was set back beyond its tolerance of 26 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Lock,
    Freeze,
}
use Policy::{Freeze, Lock};

/// What the clocks show while the program runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReadings {
    /// The wall clock as faketime(1) takes it: an offset from the true time, or `@` and a date in
    /// UTC.
    pub(super) wall: &'static str,
    /// Days that the computer was on, or asleep, since the lease was stored, beyond the true ones.
    pub(super) passed: u32,
    /// Whether the computer was started again since.
    pub(super) restarted: bool,
    /// `TZ`.
    pub(super) zone: &'static str,
}

pub(super) const RIGHT: ClockReadings = wall("+0");

const fn wall(wall: &'static str) -> ClockReadings {
    ClockReadings { wall, passed: 0, restarted: false, zone: "UTC0" }
}

const fn passed(passed: u32, wall: &'static str) -> ClockReadings {
    ClockReadings { wall, passed, restarted: false, zone: "UTC0" }
}

const fn restarted(wall: &'static str) -> ClockReadings {
    ClockReadings { wall, passed: 0, restarted: true, zone: "UTC0" }
}

const fn zone(zone: &'static str) -> ClockReadings {
    ClockReadings { wall: "+0", passed: 0, restarted: false, zone }
}

/// What the program says: lock state and reason, and the sentence for the user. `{end}` is the end
/// of the lease, `{wall}` the date that the computer shows.
pub(super) type Said = (&'static str, &'static str);

pub(super) const OK: Said = ("unlocked (ok)", "Licensed.");
const OFFLINE: Said = ("grace (ok_offline)", "Working offline. Connect before {end}.");
const WARN: Said = ("grace (ok_warn)", "License check overdue, 1 days left.");
const ENDED: Said = ("locked (lease_expired)", "The offline period ended on {end}. Connect once.");
const WRONG: Said = ("locked (clock_error)", "The computer's date is wrong ({wall}). Fix it or connect.");
const UNREADABLE: Said =
    ("locked (clock_error)", "The computer's date is wrong (it cannot be read). Fix it or connect.");
const NOBODY: Said = ("locked (no_token)", "Enter your license token.");

/// One thing that happens on the computer.
#[derive(Debug, Clone, Copy)]
pub(super) enum ClockStep {
    /// The plug-in is opened, without a network. The stored lease must stay as it is.
    See(ClockReadings, Said),
    /// It pings a server that is not there. The stored lease must stay as it is.
    Offline(ClockReadings, Said),
    /// It pings the server, and gets a new lease.
    Renew(ClockReadings, Said),
    /// It pings the server, whose answer is not taken, in these words; the stored lease must stay
    /// as it is.
    Refused(ClockReadings, &'static str),
    /// A token is entered on a computer without license.
    Activate(ClockReadings, Said),
    /// It runs while the computer sleeps for eight days.
    Sleep(Said),
    /// The server's clock from now on, as faketime takes it.
    Server(&'static str),
    /// Something happens to the files.
    Files(Fate),
}
use ClockStep::{Activate, Files, Offline, Refused, Renew, See, Server, Sleep};

#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Copied,
    Restored,
    StateDeleted,
    AllDeleted,
    NewestDamaged,
}
use Fate::{AllDeleted, Copied, NewestDamaged, Restored, StateDeleted};

/// What happens to a computer that has just got a lease of seven days, to be confirmed every six
/// hours.
pub(super) type ClockCase = (&'static str, Policy, &'static [ClockStep]);

pub(super) const CASES: &[ClockCase] = &[
    ("right", Lock, &[See(RIGHT, OK)]),
    ("two hours before the issue", Lock, &[See(wall("-2h"), OK)]),
    ("inside", Lock, &[See(wall("+3d"), OFFLINE)]),
    ("towards the end", Lock, &[See(wall("+132h"), WARN)]),
    ("after the end, then right", Lock, &[See(wall("+8d"), ENDED), See(RIGHT, OK)]),
    ("after the end, the server answers", Lock, &[See(wall("+8d"), ENDED), Renew(wall("+8d"), OK)]),
    ("5 min ahead", Lock, &[See(wall("+5m"), OK), See(RIGHT, OK)]),
    ("5 min back", Lock, &[See(wall("-5m"), OK), See(RIGHT, OK)]),
    (
        "daylight saving: 1 h ahead and back",
        Lock,
        &[See(wall("+1h"), OK), See(RIGHT, OK), See(wall("-1h"), OK)],
    ),
    ("26 h ahead, then right", Lock, &[See(wall("+1559m"), OFFLINE), See(RIGHT, OFFLINE)]),
    ("26 h back", Lock, &[See(wall("-1559m"), OK), See(RIGHT, OK)]),
    (
        "dual boot: 14 h ahead, 11 h back",
        Lock,
        &[See(wall("+14h"), OFFLINE), See(restarted("-11h"), OFFLINE)],
    ),
    (
        "27 h back, then right",
        Lock,
        &[See(wall("-27h"), WRONG), Offline(wall("-27h"), WRONG), See(RIGHT, OFFLINE)],
    ),
    ("27 h back, freeze", Freeze, &[See(wall("-27h"), OK), Offline(wall("-27h"), OFFLINE)]),
    ("27 h back, the server answers", Lock, &[See(wall("-27h"), WRONG), Renew(wall("-27h"), OK)]),
    ("1970, then right", Lock, &[See(wall("@1970-01-01 00:00:05"), WRONG), See(RIGHT, OK)]),
    ("1970, freeze", Freeze, &[See(wall("@1970-01-01 00:00:05"), OK)]),
    ("1970, the server answers", Lock, &[Renew(wall("@1970-01-01 00:00:05"), OK), See(RIGHT, OK)]),
    ("unreadable, then right", Lock, &[See(wall("@1960-01-01 00:00:05"), UNREADABLE), See(RIGHT, OK)]),
    ("unreadable, freeze", Freeze, &[See(wall("@1960-01-01 00:00:05"), UNREADABLE), See(RIGHT, OK)]),
    ("unreadable, the server answers", Lock, &[Renew(wall("@1960-01-01 00:00:05"), OK), See(RIGHT, OK)]),
    ("a month ahead, then right", Lock, &[See(wall("+30d"), ENDED), See(RIGHT, OK)]),
    (
        "10 years ahead, then right",
        Lock,
        &[See(wall("+10y"), WRONG), Offline(wall("+10y"), WRONG), See(RIGHT, OFFLINE)],
    ),
    ("10 years ahead, freeze, then right", Freeze, &[See(wall("+10y"), WRONG), See(RIGHT, OK)]),
    ("10 years ahead, the server answers", Lock, &[Renew(wall("+10y"), OK), See(RIGHT, OK)]),
    (
        "set back after three days of use",
        Lock,
        &[See(wall("+3d"), OFFLINE), See(RIGHT, WRONG), See(wall("+3d"), OFFLINE)],
    ),
    (
        "the same, the server answers",
        Lock,
        &[See(wall("+3d"), OFFLINE), See(RIGHT, WRONG), Renew(RIGHT, OK), See(RIGHT, OK)],
    ),
    ("the same, freeze", Freeze, &[See(wall("+3d"), OFFLINE), See(RIGHT, OFFLINE), Renew(RIGHT, OK)]),
    ("3 days on, the date stopped", Lock, &[See(passed(3, "+2d"), OFFLINE), See(passed(8, "+7d"), ENDED)]),
    (
        "8 days on, the date stopped, freeze",
        Freeze,
        &[See(passed(8, "+0"), ENDED), See(passed(8, "-3d"), ENDED)],
    ),
    ("8 days on, the date stopped, lock", Lock, &[See(passed(8, "+0"), WRONG), See(passed(8, "+8d"), ENDED)]),
    (
        "8 days on, set back, restarted: freeze",
        Freeze,
        &[See(passed(3, "-3d"), OFFLINE), See(restarted("-3d"), OFFLINE)],
    ),
    ("restarted, right", Lock, &[See(restarted("+0"), OK), See(restarted("+3d"), OFFLINE)]),
    ("slept for a day", Lock, &[See(passed(1, "+1d"), OFFLINE), Renew(passed(1, "+1d"), OK)]),
    ("sleeps while it runs", Lock, &[Files(AllDeleted), Sleep(ENDED)]),
    (
        "state deleted",
        Lock,
        &[Files(StateDeleted), See(RIGHT, NOBODY), Activate(RIGHT, OK), Renew(RIGHT, OK)],
    ),
    (
        "state deleted, set back",
        Lock,
        &[Files(StateDeleted), See(wall("-3d"), NOBODY), Activate(wall("-3d"), OK)],
    ),
    ("all deleted", Lock, &[Files(AllDeleted), See(RIGHT, NOBODY), Activate(RIGHT, OK)]),
    ("newest state damaged", Lock, &[See(wall("+1h"), OK), Files(NewestDamaged), See(RIGHT, OK)]),
    (
        "backup after three days, same start",
        Freeze,
        &[Files(Copied), See(passed(3, "+3d"), OFFLINE), Files(Restored), See(passed(3, "+0"), OFFLINE)],
    ),
    (
        "backup after the end, right",
        Lock,
        &[Files(Copied), See(wall("+8d"), ENDED), Files(Restored), See(wall("+8d"), ENDED), Renew(RIGHT, OK)],
    ),
    (
        "backup of an older lease",
        Lock,
        &[Files(Copied), Renew(RIGHT, OK), Files(Restored), See(RIGHT, OK), Renew(RIGHT, OK)],
    ),
    // What cannot be prevented: SECURITY.md.
    (
        "backup after three days, set back, restarted",
        Lock,
        &[Files(Copied), See(passed(3, "+3d"), OFFLINE), Files(Restored), See(restarted("+0"), OK)],
    ),
    (
        "server 10 days ahead, then right",
        Lock,
        &[
            Files(AllDeleted),
            Server("+10d"),
            Activate(RIGHT, OK),
            See(RIGHT, WRONG),
            Server("+0"),
            Refused(RIGHT, "(replayed_response)"),
            Renew(RIGHT, OK),
            See(RIGHT, OK),
        ],
    ),
    (
        "server 10 days ahead, freeze",
        Freeze,
        &[
            Files(AllDeleted),
            Server("+10d"),
            Activate(RIGHT, OK),
            See(RIGHT, OK),
            Server("+0"),
            Refused(RIGHT, "(replayed_response)"),
            Renew(RIGHT, OK),
            See(RIGHT, OK),
        ],
    ),
    (
        "server 4 minutes ahead, then right",
        Lock,
        &[
            Files(AllDeleted),
            Server("+4m"),
            Activate(RIGHT, OK),
            See(RIGHT, OK),
            Server("+0"),
            Renew(RIGHT, OK),
        ],
    ),
    (
        "other time zones",
        Lock,
        &[See(zone("WEST+12"), OK), See(zone("EAST-14"), OK), See(zone("nonsense"), OK)],
    ),
];
