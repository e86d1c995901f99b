//! Random histories of answers: rights change only by what is verified, and nothing panics.

use crate::license_support::*;
use proptest::prelude::*;
use seatlock::license::{
    Effect, Input, LeaseState, LockState, Reading, Record, Reply, RequestError, Signed, SignedObject, State,
    StatusInputs, step,
};
use seatlock::protocol::{
    Act, Code, UnixTime,
    api::SeatCall,
    claims::{LeaseClaims, VerdictClaims},
};
use seatlock::words::{Message, Phrase};

/// Length of the leases here, short enough for histories to get past their end.
const LEASE: i64 = 7 * DAY;

/// Something that happens to a computer.
#[derive(Debug, Clone)]
enum Event {
    /// The process runs for so many seconds.
    Run(i64),
    /// The computer sleeps while the process lives.
    Sleep(i64),
    /// The wall clock is set off by so many seconds.
    SetClock(i64),
    /// The process dies, and is started again so many seconds later; what was not saved is lost.
    Restart(i64),
    /// So does the computer.
    Reboot(i64),
    Ping(Answer),
}

#[derive(Debug, Clone)]
enum Answer {
    /// A lease of the server's present epoch.
    Renewed,
    /// The seat was released and bound again meanwhile.
    Bound,
    /// A signed refusal.
    Verdict {
        code: Code,
        drop: bool,
        names_seat: bool,
    },
    /// A forged or stale answer: a verdict or lease that must not be believed.
    Forged(Forgery),
    Failed {
        code: Code,
        retry_after: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Forgery {
    Stranger,
    OldNonce,
    OldEpoch,
    OtherToken,
    OtherMachine,
}

fn codes() -> impl Strategy<Value = Code> {
    (0..Code::TABLE.len()).prop_map(|at| Code::TABLE.get(at).unwrap().code)
}

fn failures() -> impl Strategy<Value = Answer> {
    (codes(), prop::option::of(prop_oneof![0..100_000u64, Just(u64::MAX)]))
        .prop_map(|(code, retry_after)| Answer::Failed { code, retry_after })
}

fn forgeries() -> impl Strategy<Value = Answer> {
    use Forgery::{OldEpoch, OldNonce, OtherMachine, OtherToken, Stranger};
    prop::sample::select(vec![Stranger, OldNonce, OldEpoch, OtherToken, OtherMachine])
        .prop_map(Answer::Forged)
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Renewed),
        1 => Just(Answer::Bound),
        2 => (codes(), any::<bool>(), any::<bool>())
            .prop_map(|(code, drop, names_seat)| Answer::Verdict { code, drop, names_seat }),
        2 => forgeries(),
        3 => failures(),
    ]
}

/// Moments of all sizes, from seconds to years.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![0..2 * MINUTE, 0..2 * HOUR, 0..3 * DAY, 0..400 * DAY]
}

fn errors() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -2 * HOUR..2 * HOUR, -3 * DAY..3 * DAY, -400 * DAY..400 * DAY, Just(-2 * BASE)]
}

fn events(answers: impl Strategy<Value = Answer> + 'static) -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..8 * HOUR).prop_map(Event::Run),
        1 => seconds().prop_map(Event::Sleep),
        3 => errors().prop_map(Event::SetClock),
        3 => seconds().prop_map(Event::Restart),
        2 => seconds().prop_map(|off| Event::Reboot(MINUTE + off)),
        3 => answers.prop_map(Event::Ping),
    ]
}

/// A computer, its disk and its server.
struct World {
    computer: Computer,
    /// What was last saved.
    disk: State,
    /// The seat's epoch at the server.
    epoch: u64,
    /// Seconds during which the license was accepted, and launches, since the server was last
    /// reached.
    accepted: i64,
    launches: i64,
}

impl World {
    fn new() -> Self {
        Self::with(&lease(|_| {}))
    }

    fn with(claims: &LeaseClaims) -> Self {
        let computer = Computer::with(claims);
        Self { disk: computer.state.clone(), computer, epoch: 7, accepted: 0, launches: 1 }
    }

    /// A client saves whenever it is told to.
    fn after_step(&mut self) {
        if self.computer.effects.contains(&Effect::Save) {
            self.disk = reloaded(&self.computer.state, &self.computer.rules, &binding());
        }
    }

    fn accepts(&self) -> bool {
        self.computer.lock().0 != LockState::Locked
    }

    fn tick(&mut self, seconds: i64) {
        self.accepted += if self.accepts() { seconds } else { 0 };
        self.computer.now += seconds;
        self.computer.apply(Input::Ticked);
        self.after_step();
    }

    fn start(&mut self) {
        self.computer.state = self.disk.clone();
        self.computer.apply(Input::Launched);
        self.launches += 1;
        self.after_step();
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Run(seconds) => {
                (0..seconds / MINUTE).for_each(|_| self.tick(MINUTE));
                self.tick(seconds % MINUTE);
            }
            Event::Sleep(seconds) => {
                self.computer.now += seconds;
                self.computer.apply(Input::Ticked);
                self.after_step();
            }
            Event::SetClock(error) => self.computer.wall_error = *error,
            Event::Restart(after) => {
                self.computer.now += after;
                self.start();
            }
            Event::Reboot(after) => {
                self.computer.now += after;
                self.computer.booted = self.computer.now - MINUTE;
                self.start();
            }
            Event::Ping(answer) => self.ping(answer),
        }
    }

    fn ping(&mut self, answer: &Answer) {
        let reply = self.reply(answer);
        self.computer.answered(SeatCall::Ping, &reply);
        self.after_step();
        // Every believed answer says what time it is.
        if !matches!(answer, Answer::Failed { .. } | Answer::Forged(_)) {
            (self.accepted, self.launches) = (0, 1);
        }
    }

    fn reply(&mut self, answer: &Answer) -> Reply {
        let (now, epoch) = (self.computer.now, self.epoch);
        let lease = |epoch| lease(|c| (c.iat, c.exp, c.epoch) = (at(now), at(now + LEASE), epoch));
        match answer {
            Answer::Renewed => reply(lease_by(PINNED, &lease(epoch))),
            Answer::Bound => {
                self.epoch += 1;
                reply(lease_by(PINNED, &lease(self.epoch)))
            }
            Answer::Verdict { code, drop, names_seat } => {
                let act = if *drop { Act::Drop } else { Act::Keep };
                let claims = verdict(*code, act, |c| {
                    c.iat = at(now);
                    (c.sub, c.epoch) = if *names_seat { (Some(SEAT), Some(epoch)) } else { (None, None) };
                });
                reply(verdict_by(PINNED, &claims))
            }
            Answer::Forged(forgery) => {
                let (seed, lease) = forged(*forgery, lease(epoch));
                reply(lease_by(seed, &lease))
            }
            Answer::Failed { code, retry_after } => failed(*code, *retry_after),
        }
    }
}

fn forged(forgery: Forgery, lease: LeaseClaims) -> (u8, LeaseClaims) {
    match forgery {
        Forgery::Stranger => (STRANGER, lease),
        Forgery::OldNonce => (PINNED, LeaseClaims { nonce: asked(SeatCall::Ping, 2).nonce, ..lease }),
        Forgery::OldEpoch => (PINNED, LeaseClaims { epoch: 0, ..lease }),
        Forgery::OtherToken => (PINNED, LeaseClaims { tkh: OTHER_TOKEN, ..lease }),
        Forgery::OtherMachine => (PINNED, LeaseClaims { mid: machine("other"), ..lease }),
    }
}

fn known_epoch(state: &State) -> Option<u64> {
    match &state.license {
        LeaseState::Lease(lease) => Some(lease.claims.epoch),
        LeaseState::Dropped(verdict) => verdict.claims.epoch,
        _ => None,
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(60))]

    /// I11: rights rise only by a verified lease, and fall only by a verified drop, by time or by the user.
    /// I12: the known epoch never falls.
    #[test]
    fn rights_change_only_by_what_is_verified(events in prop::collection::vec(events(answers()), 1..30)) {
        let mut world = World::new();
        for event in &events {
            let held = stored_lease(&world.computer.state);
            let disk = stored_lease(&world.disk);
            let known = known_epoch(&world.computer.state);
            world.happen(event);
            let now_held = stored_lease(&world.computer.state);
            match event {
                Event::Ping(Answer::Renewed | Answer::Bound) => {
                    prop_assert!(now_held.is_some() && world.accepts(), "{event:?}");
                }
                // "Ok" and "drop" answer a release, which a ping is not.
                Event::Ping(Answer::Verdict { code, drop: true, names_seat: true })
                    if !matches!(code, Code::Ok | Code::TokenUnknown) =>
                {
                    prop_assert!(now_held.is_none() && !world.accepts(), "{event:?}");
                }
                _ => prop_assert_eq!((now_held, stored_lease(&world.disk)), (held, disk), "{:?}", event),
            }
            prop_assert!(known_epoch(&world.computer.state) >= known, "{event:?}");
        }
    }
}

/// Any JSON of about the right form.
fn json() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        prop_oneof![Just(0i64), Just(UnixTime::MAX.seconds()), Just(BASE)].prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
        Just(
            serde_json::json!({"high_water": UnixTime::MAX, "signed": UnixTime::MAX, "since_boot": u64::MAX})
        ),
        Just(serde_json::json!({"failures": u32::MAX, "not_before": UnixTime::MAX})),
        Just(serde_json::json!({"started": u64::MAX, "started_at": 0, "reported": 3, "offline": u64::MAX})),
    ]
}

/// Names of the members of a stored record.
const MEMBERS: [&str; 8] =
    ["install_id", "key_set", "key_set_at", "verdict", "seats", "clock", "pacing", "launches"];

/// One of [`MEMBERS`] with something that may stand there, and at times with anything.
fn member() -> impl Strategy<Value = (usize, serde_json::Value)> {
    let at = |member: usize, value: serde_json::Value| (member, value);
    let object = prop_oneof![
        Just(at(
            5,
            serde_json::json!({"high_water": UnixTime::MAX, "signed": UnixTime::MAX, "since_boot": u64::MAX})
        )),
        Just(at(6, serde_json::json!({"failures": u32::MAX, "not_before": UnixTime::MAX}))),
        Just(at(7, serde_json::json!({"started": u64::MAX, "reported": 3, "offline": u64::MAX}))),
    ];
    let times = prop_oneof![Just(0i64), Just(UnixTime::MAX.seconds()), Just(BASE)];
    let times2 = times.clone();
    prop_oneof![
        2 => object,
        2 => (prop_oneof![Just(1usize), Just(3)], texts()).prop_map(move |(name, text)| at(name, text.into())),
        1 => times.prop_map(move |time| at(2, time.into())),
        1 => (times2, ".{0,60}").prop_map(move |(time, text)| at(4, serde_json::json!([
            { "token": TOKEN, "install_id": SEAT, "at": time, "renewal": text },
            { "token": OTHER_TOKEN, "install_id": OTHER_SEAT, "at": time },
        ]))),
        2 => (0..MEMBERS.len(), json()),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    let sound = [
        signed_lease(|_| {}),
        signed_lease(|c| (c.renew, c.warn, c.clk.tol) = (u64::MAX, u64::MAX, u64::MAX)),
        signed_lease(|c| (c.iat, c.exp, c.epoch) = (UnixTime::MIN, UnixTime::MAX, u64::MAX)),
        signed_lease(|c| (c.iat, c.exp) = (UnixTime::MAX, UnixTime::MIN)),
        signed_verdict(|_| {}),
        signed_verdict(|c| (c.iat, c.avail) = (UnixTime::MAX, Some(UnixTime::MAX))),
    ];
    let sound = prop::sample::select(sound.to_vec());
    let cut = (sound.clone(), any::<prop::sample::Index>()).prop_map(|(mut text, at)| {
        text.truncate(at.index(text.len()));
        text
    });
    prop_oneof![3 => sound, 1 => cut, 1 => ".{0,40}", 1 => "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){1,3}"]
}

fn signed_lease(change: fn(&mut LeaseClaims)) -> String {
    signed(seatlock::protocol::Typ::Lease, PINNED, &lease(change))
}

fn signed_verdict(change: fn(&mut VerdictClaims)) -> String {
    let claims = verdict(Code::SeatReleased, Act::Drop, change);
    signed(seatlock::protocol::Typ::Verdict, PINNED, &claims)
}

fn replies() -> impl Strategy<Value = Reply> {
    let object = (any::<bool>(), texts()).prop_map(|(lease, text)| {
        if lease { SignedObject::Lease(text) } else { SignedObject::Verdict(text) }
    });
    let signed = (object, prop::option::of(texts()), prop::option::of(".{0,9}"), any::<u16>()).prop_map(
        |(object, key_set, renewal, http_status)| {
            Reply::Signed(Signed { object, key_set, renewal, http_status })
        },
    );
    let reasons = prop::option::of(prop::sample::select(Phrase::TABLE).prop_map(Message::from));
    let failed = (codes(), any::<Option<u16>>(), any::<Option<u64>>(), reasons).prop_map(
        |(code, http_status, retry_after, reason)| {
            Reply::Failed(RequestError { code, http_status, retry_after, reason })
        },
    );
    prop_oneof![signed, failed]
}

proptest! {
    // At most as many as are looked at may be no record at all.
    #![proptest_config(ProptestConfig { max_global_rejects: 400, ..config(400) })]

    /// No stored file, answer or clock makes the client panic, and what is not understood is not a license.
    #[test]
    fn nothing_panics(
        members in prop::collection::vec(member(), 0..4),
        lease in prop::option::of(texts()),
        replies in prop::collection::vec((replies(), any::<u16>()), 0..6),
        clocks in prop::collection::vec((any::<Option<i64>>(), any::<u64>()), 1..6),
    ) {
        let mut text = serde_json::to_value(Computer::licensed().state.to_record(PRODUCT)).unwrap();
        for (at, value) in members {
            let name = *MEMBERS.get(at).unwrap();
            let of_the_product = ["verdict", "pacing", "launches"].contains(&name);
            *(if of_the_product { &mut text["products"][PRODUCT][name] } else { &mut text[name] }) = value;
        }
        if let Some(lease) = lease {
            text["products"][PRODUCT]["lease"] = lease.into();
        }
        let record = serde_json::from_value::<Record>(text);
        prop_assume!(record.is_ok(), "no record");
        let record = record.unwrap();
        let rules = rules();
        let mut state = State::from_record(record.clone(), &rules.trust, &binding());
        let mut replies = replies.iter();
        for (wall, since_boot) in clocks {
            let reading = Reading { wall: wall.and_then(UnixTime::new), since_boot, boot: 7 };
            for input in [Some(Input::Launched), Some(Input::Ticked), None] {
                let asked = asked(SeatCall::Ping, 1);
                let input = input.or_else(|| {
                    replies.next().map(|(reply, random)| Input::Answered { asked: &asked, reply, random: *random })
                });
                let Some(input) = input else { continue };
                state = step(&state, input, reading, &rules).0;
                let terms = StatusInputs::of(&state, &rules, reading);
                let standing = terms.at(terms.now(since_boot.wrapping_add(1)));
                let licensed = matches!(state.license, LeaseState::Lease(_));
                prop_assert!(licensed || standing.lock_state == LockState::Locked);
                let again = reloaded(&state, &rules, &binding());
                state = state.merged_with(again, reading);
            }
        }
        let reading = Reading { wall: None, since_boot: 0, boot: 7 };
        let stored = State::from_record(record, &rules.trust, &binding());
        let _ = stored.clone().merged_with(state.clone(), reading);
        let _ = state.merged_with(stored, reading);
    }
}
