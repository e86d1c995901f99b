//! A database that is put back to any moment of a random history: nobody who holds a seat is locked
//! out for it, and no lease that a machine shows stays unknown.

use crate::rules_support::*;
use proptest::prelude::*;
use seatlock_protocol::{
    Act, Code, MachineId, MachineSource, Nonce, SigningKey, TokenHash, Typ, UnixTime,
    api::{ClientInfo, ClockReport, Have, Intent, Machine, SeatRequest},
    claims::{
        ClockAction, ClockPolicy, Curve, KeySetClaims, KeyType, LeaseClaims, LeaseKey, Licensee, RevokedKey,
    },
    jws,
};
use seatlock_server::domain::{
    AuditEvent, CallerContext, ClonePolicy, LeaseTerms, License, LostLease, ReleaseMode, Restored, Seat,
    SeatAction, SeatAnswer, SeatEvent, SeatOperation, SeatState, renewed, token_unknown,
};
use std::collections::BTreeMap;
use uuid::Uuid;

const MACHINES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    Create,
    Call { seat: usize, call: SeatOperation, machine: usize },
    Owner { seat: usize, act: SeatAction },
    Sweep,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let call = prop::sample::select(vec![
        SeatOperation::Activate,
        SeatOperation::Activate,
        SeatOperation::Launch,
        SeatOperation::Renew,
        SeatOperation::Renew,
        SeatOperation::Release,
    ]);
    let act = prop::sample::select(vec![
        SeatAction::Release,
        SeatAction::Release,
        SeatAction::Release,
        SeatAction::Refresh,
    ]);
    let time = prop::sample::select(vec![1, 3600, DAY, DAY, 3 * DAY, 8 * DAY]);
    prop_oneof![
        1 => Just(Step::Create),
        12 => (0..3usize, call, 0..3usize).prop_map(|(seat, call, machine)| Step::Call { seat, call, machine }),
        3 => (0..3usize, act).prop_map(|(seat, act)| Step::Owner { seat, act }),
        1 => Just(Step::Sweep),
        6 => time.prop_map(Step::Pass),
    ]
}

/// What a client keeps of a seat: the lease that it holds, and the epoch below which it believes
/// nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    lease: Option<(LeaseTerms, u64)>,
    epoch: u64,
    /// Tokens that were replaced since it got its own.
    token: usize,
}

struct Story {
    world: World,
    clients: BTreeMap<(usize, usize), Held>,
    tokens: [usize; 8],
    restored: Option<Restored>,
}

impl Story {
    fn take(&mut self, step: &Step) -> Option<(usize, usize, SeatAnswer)> {
        match *step {
            Step::Create => drop(self.world.try_create()),
            Step::Pass(seconds) => self.world.pass(seconds),
            Step::Sweep => {
                for seat in 0..self.world.seats.len() {
                    self.world.apply(seat, &SeatEvent::Elapsed);
                }
            }
            Step::Owner { seat, act } if seat < self.world.seats.len() => {
                let done = self.world.owner(seat, act);
                self.tokens[seat] += usize::from(act == SeatAction::Refresh && done == SeatAnswer::Done);
            }
            Step::Call { seat, call, machine } if seat < self.world.seats.len() => {
                return Some((seat, machine, self.call(seat, call, machine)));
            }
            _ => {}
        }
        None
    }

    fn call(&mut self, seat: usize, call: SeatOperation, machine: usize) -> SeatAnswer {
        let now = self.world.now;
        let mut held = self.clients.get(&(seat, machine)).copied().unwrap_or_default();
        if call.submits_token() {
            held.token = self.tokens[seat];
        }
        held.lease = held.lease.filter(|(lease, _)| lease.exp > now);
        let lost = self.restored.and_then(|mark| {
            let (lease, epoch) = held.lease?;
            (mark.known_until <= lease.iat && lease.iat <= mark.at).then_some(LostLease {
                seat: self.world.seats[seat].id,
                epoch,
                iat: lease.iat,
                exp: lease.exp,
                marked: mark.at,
            })
        });
        let (epoch, token_revoked) =
            ((held.epoch > 0).then_some(held.epoch), held.token != self.tokens[seat]);
        let caller =
            CallerContext { epoch, lost, token_revoked, ..self.world.caller(seat, MACHINES[machine]) };
        let answer = self.world.apply(seat, &SeatEvent::Call(call, Box::new(caller)));
        let stated = self.world.seats[seat].epoch;
        match &answer {
            SeatAnswer::Lease { terms: lease, .. } if stated >= held.epoch => {
                (held.lease, held.epoch) = (Some((*lease, stated)), stated);
            }
            SeatAnswer::Verdict(verdict) if verdict.act == Act::Drop && stated >= held.epoch => {
                (held.lease, held.epoch) = (None, stated);
            }
            _ => {}
        }
        self.clients.insert((seat, machine), held);
        answer
    }

    fn lease(&self, seat: usize, machine: usize) -> Option<LeaseTerms> {
        let held = self.clients.get(&(seat, machine))?;
        held.lease.map(|(lease, _)| lease).filter(|lease| lease.exp > self.world.now)
    }

    /// The machine that has the seat, and a living lease for it.
    fn holder(&self, seat: usize) -> Option<usize> {
        let holding = self.world.seats[seat].holding()?;
        let machine = (0..MACHINES.len()).find(|machine| id(*machine) == holding.machine)?;
        self.lease(seat, machine).map(|_| machine)
    }
}

fn id(machine: usize) -> MachineId {
    crate::rules_support::machine(MACHINES[machine])
}

/// What the world is put back to.
struct Backup {
    at: UnixTime,
    seats: Vec<Seat>,
    license: License,
    tokens: [usize; 8],
}

fn back_up(story: &Story) -> Backup {
    let World { now, seats, license, .. } = &story.world;
    Backup { at: *now, seats: seats.clone(), license: license.clone(), tokens: story.tokens }
}

fn restore(story: &mut Story, backup: Backup) {
    let license = backup.license;
    let mark = Restored::new(backup.at, story.world.now, std::slice::from_ref(&license), None);
    story.world.seats = backup.seats;
    for seat in &mut story.world.seats {
        if let SeatState::InUse(holding) = seat.state.clone() {
            seat.state = SeatState::InUse(renewed(&license, holding, mark.at));
        }
    }
    (story.world.license, story.tokens, story.restored) = (license, backup.tokens, Some(mark));
    story.world.installs.clear();
    story.world.audit.clear();
    // What happens next is later than the mark.
    story.world.pass(1);
}

fn check(story: &Story) -> Result<(), TestCaseError> {
    let counted = story.world.seats.iter().filter(|seat| seat.counts()).count();
    prop_assert_eq!(story.world.license.in_use as usize, counted);
    prop_assert!(counted <= story.world.license.seats_max as usize);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_holder_is_locked_out_and_no_shown_lease_stays_unknown(
        seats in 1..4u32,
        drain in any::<bool>(),
        enforce in any::<bool>(),
        rebinds in any::<bool>(),
        before in prop::collection::vec(step(), 0..20),
        lost in prop::collection::vec(step(), 0..20),
        after in prop::collection::vec(step(), 1..30),
    ) {
        let mut world = World::new(seats);
        world.license.release_mode = if drain { ReleaseMode::Drain } else { ReleaseMode::Immediate };
        world.license.clone_policy = if enforce { ClonePolicy::Enforce } else { ClonePolicy::Flag };
        world.license.relaunch_rebinds = rebinds;
        world.license.release_window = 1;
        let mut story = Story { world, clients: BTreeMap::new(), tokens: [0; 8], restored: None };
        story.world.try_create();
        before.iter().for_each(|step| drop(story.take(step)));
        let backup = back_up(&story);
        lost.iter().for_each(|step| drop(story.take(step)));

        // Who holds what, with tokens that the backup knows.
        let known = |seat: &usize| *seat < backup.seats.len() && backup.tokens[*seat] == story.tokens[*seat];
        let mut honest: BTreeMap<(usize, usize), UnixTime> = (0..story.world.seats.len())
            .filter(known)
            .filter_map(|seat| Some((seat, story.holder(seat)?)))
            .filter_map(|(seat, machine)| Some(((seat, machine), story.lease(seat, machine)?.exp)))
            .collect();
        restore(&mut story, backup);
        prop_assert_eq!(token_unknown().act, Act::Keep);

        for step in &after {
            // What its owner does to a seat now counts, and so does what its own machine gives back.
            match step {
                Step::Owner { seat, .. } if *seat < story.world.seats.len() => {
                    let taken = story.world.seats[*seat].holding().map(|holding| holding.machine.clone());
                    honest.retain(|(of, machine), _| {
                        of != seat || matches!(step, Step::Owner { act: SeatAction::Release, .. })
                            && taken.as_ref() != Some(&id(*machine))
                    });
                }
                Step::Call { seat, call: SeatOperation::Release, machine } => drop(honest.remove(&(*seat, *machine))),
                _ => {}
            }
            let answered = story.take(step);
            check(&story)?;
            for ((seat, machine), exp) in &honest {
                let alive = story.lease(*seat, *machine).is_some();
                prop_assert!(alive || *exp <= story.world.now, "{step:?}: {seat} {machine} was locked out");
            }
            let Some((seat, machine, answer)) = answered else { continue };
            let holds = story.world.seats[seat].holding().is_some_and(|held| held.machine == id(machine));
            if story.lease(seat, machine).is_some() && !holds {
                let left = matches!(&story.world.seats[seat].state, SeatState::Released(Some(left))
                    if left.machine == id(machine));
                let full = matches!(&answer, SeatAnswer::Verdict(verdict) if verdict.code == Code::SeatLimitReached);
                let told = story.world.events(seat).contains(&AuditEvent::CloneSuspected);
                let refused = matches!(&answer, SeatAnswer::Verdict(verdict) if verdict.code == Code::ReleaseRateLimited);
                prop_assert!(left || full || told || refused, "{step:?}: {answer:?} {:?}", story.world.seats[seat]);
            }
        }
    }
}

#[test]
fn a_seat_that_a_proof_takes_from_a_living_lease_is_written_down() {
    // Whether the machine of the backup asks between the mark and the proof.
    for asks in [true, false] {
        let mut world = World::new(1);
        world.try_create();
        let mut story = Story { world, clients: BTreeMap::new(), tokens: [0; 8], restored: None };
        let activate = |machine| Step::Call { seat: 0, call: SeatOperation::Activate, machine };
        for step in [activate(1), Step::Pass(8 * DAY)] {
            story.take(&step);
        }
        let backup = back_up(&story);
        // Silent for too long, it loses the seat to another one, and is told.
        for step in [Step::Pass(8 * DAY), activate(0), activate(1)] {
            story.take(&step);
        }
        restore(&mut story, backup);
        let taken = if asks { story.take(&activate(1)) } else { None };
        assert_eq!(taken.is_some_and(|(.., answer)| matches!(answer, SeatAnswer::Lease { .. })), asks);
        assert!(matches!(story.take(&activate(0)), Some((.., SeatAnswer::Lease { .. }))));
        assert_eq!(story.holder(0), Some(0));
        assert_eq!(story.lease(0, 1).is_some(), asks);
        assert_eq!(story.world.events(0).contains(&AuditEvent::CloneSuspected), asks);
    }
}

/// What a lease says, and the request that shows it.
#[derive(Clone)]
struct Shown {
    claims: LeaseClaims,
    request: SeatRequest,
    token: TokenHash,
    signer: u8,
}

#[test]
fn only_a_lease_that_was_signed_here_in_the_lost_time_proves_anything() {
    let at = |seconds: i64| UnixTime::new(1_795_338_000 + seconds).unwrap();
    let key = |seed: u8| SigningKey::from_seed(&[seed; 32]).unwrap();
    let listed = |seed: u8| LeaseKey {
        kid: key(seed).kid().to_owned(),
        kty: KeyType::OctetKeyPair,
        crv: Curve::Ed25519,
        x: key(seed).public(),
        nbf: at(-1000),
        exp: at(5000),
    };
    let revoked = vec![RevokedKey { kid: key(2).kid().to_owned(), since: at(4000) }];
    let (iss, keys) = ("licenses.example.com".to_owned(), vec![listed(1), listed(2)]);
    let keys = KeySetClaims { iss: iss.clone(), seq: 1, iat: at(0), keys, revoked };
    let mark = Restored { known_until: at(0), at: at(100), until: at(1000) };
    let token = TokenHash::new([8; TokenHash::LEN]);
    let claims = LeaseClaims {
        iss: iss.clone(),
        aud: PRODUCT.to_owned(),
        sub: Uuid::from_u128(100),
        jti: Uuid::nil(),
        iat: at(50),
        exp: at(900),
        ver: 1,
        epoch: 7,
        mid: id(0),
        tkh: token,
        nonce: Nonce::new([1; Nonce::LEN]),
        plan: "pro".to_owned(),
        ent: BTreeMap::new(),
        lic: Licensee::default(),
        data: None,
        renew: 60,
        warn: 60,
        clk: ClockPolicy { tol: 1, act: ClockAction::Freeze },
        ks: 1,
        rnh: None,
    };
    let request = SeatRequest {
        nonce: Nonce::new([2; Nonce::LEN]),
        product: PRODUCT.to_owned(),
        machine: Machine { id: id(0), source: MachineSource::Os },
        install_id: Uuid::nil(),
        intent: Intent::Renew,
        have: Some(Have { jti: None, epoch: 7, lease: None }),
        renewal: None,
        ks: 1,
        client: ClientInfo::default(),
        plugin: None,
        offline: None,
        clock: ClockReport { wall: at(0), anomaly: None },
        terms: None,
    };
    let good = Shown { claims, request, token, signer: 1 };
    let proves = |change: &dyn Fn(&mut Shown)| {
        let mut shown = good.clone();
        change(&mut shown);
        let lease = jws::sign(Typ::Lease, &key(shown.signer), &shown.claims).unwrap();
        shown.request.have.as_mut().unwrap().lease = Some(lease);
        mark.lost(&iss, &keys, &shown.request, shown.token)
    };
    let lost = proves(&|_| ()).unwrap();
    assert_eq!(
        (lost.seat, lost.epoch, lost.iat, lost.exp, lost.marked),
        (good.claims.sub, 7, at(50), at(900), at(100))
    );
    for iat in [0, 100] {
        assert!(proves(&|shown| shown.claims.iat = at(iat)).is_some(), "{iat}");
    }
    type Change<'a> = &'a dyn Fn(&mut Shown);
    let rows: [(&str, Change<'_>); 9] = [
        ("signed before the backup", &|shown| shown.claims.iat = at(-1)),
        ("signed after the mark", &|shown| shown.claims.iat = at(101)),
        ("signed by somebody else", &|shown| shown.signer = 3),
        ("signed by a key that was revoked since", &|shown| shown.signer = 2),
        ("of another server", &|shown| shown.claims.iss = "other.example.com".to_owned()),
        ("of another product", &|shown| shown.claims.aud = "com.example.other".to_owned()),
        ("of another machine", &|shown| shown.claims.mid = id(1)),
        ("for another token", &|shown| shown.token = TokenHash::new([9; TokenHash::LEN])),
        ("of another version", &|shown| shown.claims.ver = 2),
    ];
    for (what, change) in rows {
        assert_eq!(proves(change), None, "{what}");
    }
    let mut bare = good.request.clone();
    assert_eq!(mark.lost(&iss, &keys, &bare, token), None);
    bare.have.as_mut().unwrap().lease = Some("no lease".to_owned());
    assert_eq!(mark.lost(&iss, &keys, &bare, token), None);
}
