//! Random histories of a computer, its clocks and its files: nobody stretches a lease, and no
//! honest user loses one.
//!
//! 256 histories each, or as many as `PROPTEST_CASES` says.

use crate::license_support::*;
use proptest::prelude::*;
use seatlock::license::{Effect, Input, LeaseState, LockState, Reading, Reply, State, StatusInputs};
use seatlock::protocol::{Code, api::SeatCall, claims::ClockAction};
use uuid::Uuid;

/// Length of the leases here, short enough for histories to get past their end.
const LEASE: i64 = 7 * DAY;
/// What a launch may lose of the time that was used.
const TICK: i64 = 600;
/// Rollback that is tolerated, and how far an honest clock is off at most: two systems, two time
/// zones.
const TOLERANCE: i64 = 26 * HOUR;

/// Something that happens to a computer.
#[derive(Debug, Clone)]
enum Event {
    /// The process runs for so many seconds, and looks at its clocks once a minute.
    Run(i64),
    /// The computer sleeps while the process lives.
    Sleep(i64),
    /// The wall clock is set off by so many seconds.
    SetClock(i64),
    /// The process dies at once, and is started again so many seconds later.
    Restart(i64),
    /// So does the computer.
    Reboot(i64),
    /// So does the process, and is started on another computer that shares this one's folder and
    /// never sleeps.
    Elsewhere,
    /// A request.
    Ping(Answer),
    /// The event, and the process dies before anything of it is saved.
    Crash(Box<Event>),
    /// From now on the folder can be written, or not.
    Writable(bool),
    /// Something happens to the state file. The token's file stays.
    File(Fate),
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Lease,
    Nothing,
    /// A lease by somebody else, who also says what time it is.
    Forged,
}

#[derive(Debug, Clone)]
enum Fate {
    Deleted,
    /// The newest one is damaged, so the one before it is used.
    Damaged,
    /// Any file that was ever written is put back.
    Restored(prop::sample::Index),
    /// Everything in it that is not signed is taken out.
    Edited,
}

/// Moments of all sizes, from seconds to years.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![0..2 * MINUTE, 0..2 * HOUR, 0..3 * DAY, 0..400 * DAY]
}

/// Errors of a clock that somebody sets at will.
fn errors() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -2 * HOUR..2 * HOUR, -3 * DAY..3 * DAY, -400 * DAY..400 * DAY, Just(-2 * BASE)]
}

fn happenings(answers: Vec<Answer>) -> impl Strategy<Value = Event> {
    let common = prop_oneof![
        1 => seconds().prop_map(Event::Sleep),
        3 => seconds().prop_map(Event::Restart),
        2 => seconds().prop_map(Event::Reboot),
        1 => Just(Event::Elsewhere),
        2 => prop::sample::select(answers).prop_map(Event::Ping),
    ]
    .boxed();
    // A process that cannot save for longer than one look at the clocks has a disk that cannot be
    // written.
    let crash = prop_oneof![1 => (0..=MINUTE).prop_map(Event::Run), 3 => common.clone()];
    prop_oneof![
        8 => common,
        3 => prop_oneof![0..15 * MINUTE, 0..2 * HOUR].prop_map(Event::Run),
        3 => errors().prop_map(Event::SetClock),
        2 => crash.prop_map(|event| Event::Crash(Box::new(event))),
    ]
}

fn tampering() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<bool>().prop_map(Event::Writable),
        Just(Event::File(Fate::Deleted)),
        Just(Event::File(Fate::Damaged)),
        Just(Event::File(Fate::Edited)),
        any::<prop::sample::Index>().prop_map(|at| Event::File(Fate::Restored(at))),
    ]
}

/// A computer and its disk.
struct World {
    computer: Computer,
    /// When the other computer was switched on.
    other_booted: i64,
    /// The newest state file, and the one before it.
    newest: Option<State>,
    previous: Option<State>,
    /// Every state file that was ever written.
    written: Vec<State>,
    writable: bool,
    /// Whether the disk lacks something that a process knew.
    outdated: bool,
    /// Seconds until the process looks at its clocks again.
    next_look: i64,
    /// Seconds during which the license was accepted: in all, and by the present process.
    accepted: i64,
    by_this_process: i64,
    leases: i64,
    launches: i64,
    /// Launches from a file that was put back, edited or kept from being written.
    launches_from_the_past: i64,
}

impl World {
    fn new(act: ClockAction, tells_boots: bool, length: i64) -> Self {
        let claims = lease(|c| (c.clk.act, c.exp) = (act, at(BASE + length)));
        let mut computer = Computer::with(&claims);
        computer.tells_boots = tells_boots;
        let mut new = Self {
            computer,
            other_booted: BASE - 400 * DAY,
            newest: None,
            previous: None,
            written: vec![],
            writable: true,
            outdated: false,
            next_look: MINUTE,
            accepted: 0,
            by_this_process: 0,
            leases: 1,
            launches: 0,
            launches_from_the_past: 0,
        };
        new.save();
        new.start();
        new
    }

    /// As the client does: together with what the disk has.
    fn save(&mut self) {
        if !self.writable {
            self.outdated = true;
            return;
        }
        let mine = self.computer.state.clone();
        let merged = match self.newest.clone() {
            Some(stored) => mine.merged_with(stored, self.computer.reading()),
            None => mine,
        };
        self.computer.state = merged.clone();
        self.put(merged);
        self.outdated = false;
    }

    fn put(&mut self, state: State) {
        let stored = State { anchor: None, ..state };
        self.previous = self.newest.replace(stored.clone()).or(self.previous.take());
        self.written.push(stored);
    }

    fn apply(&mut self, input: Input<'_>) {
        self.computer.apply(input);
        self.after_step();
    }

    fn after_step(&mut self) {
        if self.computer.effects.contains(&Effect::Save) {
            self.save();
        }
    }

    fn start(&mut self) {
        let reading = self.computer.reading();
        self.computer.state = match &self.newest {
            Some(stored) => reloaded(stored, &self.computer.rules, &binding()),
            None => State::new(Uuid::from_u128(1001), &binding()),
        };
        // A file of this start of the computer knows what time it is, however old it is.
        let tied = reading.boot != 0 && self.computer.state.clock.boot == reading.boot;
        self.launches += 1;
        self.launches_from_the_past += i64::from(self.outdated && !tied);
        self.by_this_process = 0;
        self.outdated = false;
        self.next_look = MINUTE;
        // A client without a license writes nothing when it is launched.
        self.computer.apply(Input::Launched);
        if matches!(self.computer.state.license, LeaseState::Lease(_)) {
            self.after_step();
        }
    }

    /// The time that can be proved without the wall clock.
    fn known(&self) -> i64 {
        let reading = Reading { wall: None, ..self.computer.reading() };
        self.computer.state.time(reading).now.seconds()
    }

    fn accepts(&self) -> bool {
        self.computer.lock().0 != LockState::Locked
    }

    fn look(&mut self) {
        self.next_look = MINUTE;
        self.apply(Input::Ticked);
    }

    fn run(&mut self, seconds: i64) {
        let mut left = seconds;
        while left >= self.next_look {
            left -= self.next_look;
            self.pass(self.next_look);
            self.look();
        }
        self.pass(left);
        self.next_look -= left;
    }

    /// Time passes while the process runs. What it shows meanwhile follows from what it knew
    /// before.
    fn pass(&mut self, seconds: i64) {
        let reading = self.computer.reading();
        let terms = StatusInputs::of(&self.computer.state, &self.computer.rules, reading);
        let now = terms.now(reading.since_boot);
        let left = terms.at(now).valid_until.map_or(0, |end| i64::try_from(end.since(now)).unwrap());
        self.accepted += seconds.min(left);
        self.by_this_process += seconds.min(left);
        self.computer.now += seconds;
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Run(seconds) => self.run(*seconds),
            Event::Sleep(seconds) => {
                self.computer.now += seconds;
                self.look();
            }
            Event::SetClock(error) => self.computer.wall_error = *error,
            Event::Restart(after) => {
                self.computer.now += after;
                self.start();
            }
            Event::Reboot(after) => {
                // Two starts of a computer are not within one second.
                self.computer.now += MINUTE + after;
                self.computer.booted = self.computer.now - MINUTE / 2;
                self.start();
            }
            Event::Elsewhere => {
                std::mem::swap(&mut self.computer.booted, &mut self.other_booted);
                self.start();
            }
            Event::Ping(answer) => self.ping(*answer),
            Event::Crash(event) => {
                let (writable, outdated) = (self.writable, self.outdated);
                self.writable = false;
                self.happen(event);
                self.writable = writable;
                self.outdated = outdated;
                self.start();
            }
            Event::Writable(writable) => self.writable = *writable,
            Event::File(fate) => self.tamper(fate),
        }
    }

    fn tamper(&mut self, fate: &Fate) {
        self.outdated = true;
        self.newest = match fate {
            Fate::Deleted => return self.newest = None,
            Fate::Damaged => self.previous.clone(),
            Fate::Restored(at) => Some(at.get(&self.written).clone()),
            Fate::Edited => self.newest.clone().map(|state| {
                let new = State::new(Uuid::from_u128(1002), &binding());
                State { license: state.license, ..new }
            }),
        };
    }

    fn ping(&mut self, answer: Answer) {
        let now = self.computer.now;
        let jti = Uuid::from_u128(100 + u128::from(self.leases.unsigned_abs()));
        let lease = |now| lease(|c| (c.jti, c.iat, c.exp) = (jti, at(now), at(now + LEASE)));
        let reply: Reply = match answer {
            Answer::Lease => {
                self.leases += 1;
                reply(lease_by(PINNED, &lease(now)))
            }
            Answer::Nothing => failed(Code::Unreachable, None),
            Answer::Forged => reply(lease_by(STRANGER, &lease(now - 3 * DAY))),
        };
        self.computer.answered(SeatCall::Ping, &reply);
        self.after_step();
    }
}

/// As many as `PROPTEST_CASES` says, otherwise 256.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn actions() -> impl Strategy<Value = ClockAction> {
    prop::sample::select(vec![ClockAction::Freeze, ClockAction::Lock])
}

proptest! {
    #![proptest_config(config())]

    /// Whatever is done to the clock, and whenever the process dies: a lease is worth its own length, plus a tick for
    /// every launch. Deleting the file gains nothing.
    #[test]
    fn a_lease_can_not_be_stretched(
        events in prop::collection::vec(
            prop_oneof![
                12 => happenings(vec![Answer::Nothing, Answer::Forged]),
                1 => Just(Event::File(Fate::Deleted)),
            ], 1..40),
        act in actions(),
        tells_boots in any::<bool>(),
    ) {
        let mut world = World::new(act, tells_boots, LEASE);
        for event in &events {
            world.happen(event);
            let allowed = LEASE + TICK * world.launches;
            prop_assert!(world.accepted <= allowed, "{} of {allowed} after {event:?}", world.accepted);
        }
    }

    /// What a library cannot prevent, and no more than that: a launch from a file that was put back, edited or could
    /// not be written is worth a lease again, unless the file was written since the computer was started.
    #[test]
    fn files_from_the_past_are_worth_a_lease_each(
        events in prop::collection::vec(
            prop_oneof![
                3 => happenings(vec![Answer::Lease, Answer::Nothing, Answer::Forged]),
                1 => tampering(),
            ], 1..40),
        act in actions(),
        tells_boots in any::<bool>(),
    ) {
        let mut world = World::new(act, tells_boots, LEASE);
        for event in &events {
            let leases = world.leases;
            world.happen(event);
            let allowed = LEASE * (world.leases + world.launches_from_the_past) + TICK * world.launches;
            prop_assert!(world.accepted <= allowed, "{} of {allowed} after {event:?}", world.accepted);
            if leases == 1 && world.leases == 1 {
                prop_assert!(world.by_this_process <= LEASE, "one process is worth one lease, after {event:?}");
            }
        }
    }

    /// An honest computer: clocks that differ by as much as is tolerated, sleep, crashes, full disks, lost, damaged
    /// and restored files, any number of launches. While the lease in hand runs by the true time, it is accepted; once
    /// the server answers, everything is well.
    #[test]
    fn an_honest_user_is_never_locked_out(
        events in prop::collection::vec(
            prop_oneof![
                4 => happenings(vec![Answer::Lease, Answer::Nothing, Answer::Forged]),
                1 => tampering(),
            ], 1..40),
        latest in 0..=TOLERANCE,
        act in actions(),
        tells_boots in any::<bool>(),
    ) {
        let mut world = World::new(act, tells_boots, LEASE);
        let honest = |error: i64| latest - error.rem_euclid(TOLERANCE + 1);
        for event in &events {
            match event {
                Event::SetClock(error) => world.computer.wall_error = honest(*error),
                event => world.happen(event),
            }
            let valid = world.computer.state.lease_end().is_some_and(|end| end > at(world.computer.now + latest));
            prop_assert!(!valid || world.accepts(), "{:?} after {event:?}", world.computer.lock());
            if matches!(event, Event::Ping(Answer::Lease)) {
                prop_assert!(world.accepts(), "{:?} though the server answered", world.computer.lock());
            }
        }
        world.writable = true;
        world.happen(&Event::Ping(Answer::Lease));
        prop_assert_eq!(world.computer.lock(), (LockState::Unlocked, Code::Ok));
        world.happen(&Event::Restart(1));
        prop_assert!(world.accepts(), "{:?} after a restart", world.computer.lock());
    }

    /// Somebody who only wants to stretch a lease: short runs, the clock set back before each.
    #[test]
    fn short_runs_with_the_clock_set_back_use_the_lease_up(
        run in 5 * MINUTE..2 * TICK,
        pause in 0..TICK,
        error in -TOLERANCE..0,
        act in actions(),
        reboots in prop::sample::select(vec![Reboots::Never, Reboots::Once, Reboots::Always]),
        uptime in 0..400 * DAY,
        answer in prop::sample::select(vec![Answer::Nothing, Answer::Forged]),
        tells_boots in any::<bool>(),
    ) {
        let length = 3 * HOUR;
        let mut world = World::new(act, tells_boots, length);
        world.computer.booted -= uptime;
        world.happen(&Event::Restart(0));
        // What a launch may lose: nothing, as long as it is known that the computer was not started again.
        let loses = reboots == Reboots::Always || !tells_boots;
        let lost = if loses { TICK } else { 0 };
        for round in 0..=3 * length / (run + pause) {
            // The wall clock shows the same time at every launch.
            world.computer.wall_error = BASE + error - world.computer.now - pause;
            let known = world.known();
            let reboot = reboots == Reboots::Always || (reboots == Reboots::Once && round == 0);
            world.happen(&if reboot { Event::Reboot(pause) } else { Event::Restart(pause) });
            world.happen(&Event::Ping(answer));
            prop_assert!(world.known() >= known - lost, "{} s lost in round {round}", known - world.known());
            world.happen(&Event::Run(run));
            let allowed = length + lost * (round + 1);
            prop_assert!(world.accepted <= allowed, "{} of {allowed} in round {round}", world.accepted);
        }
        prop_assert!(loses || !world.accepts(), "time stood still");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reboots {
    Never,
    Once,
    Always,
}

/// An unreadable clock is an error, and never the year 1970: not even a lease that began before it
/// would be valid.
#[test]
fn an_unreadable_clock_is_no_date() {
    for act in [ClockAction::Freeze, ClockAction::Lock] {
        let mut world = World::new(act, true, LEASE);
        let held = world.newest.clone();
        world.computer.wall_error = -2 * BASE;
        world.happen(&Event::Reboot(HOUR));
        assert_eq!(world.computer.lock(), (LockState::Locked, Code::ClockError), "{act:?}");
        assert!(world.known() >= BASE, "{act:?}: {}", world.known());
        let clock = |state: &State| (stored_lease(state), state.clock.high_water, state.clock.signed);
        assert_eq!(
            world.newest.as_ref().map(clock),
            held.as_ref().map(clock),
            "{act:?}: nothing is stored of it"
        );
        world.computer.wall_error = 0;
        world.happen(&Event::Run(MINUTE));
        assert_eq!(world.computer.lock(), (LockState::Unlocked, Code::Ok), "{act:?}: set right");
    }
}
