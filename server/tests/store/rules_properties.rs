//! The invariants of the protocol over random histories of several seats, machines and steps of
//! time.

use crate::rules_support::*;
use proptest::prelude::*;
use seatlock_protocol::{Code, MachineId, UnixTime};
use seatlock_server::domain::{
    AuditEvent, CallerContext, ClonePolicy, PresentedRenewal, ReleaseMode, SeatAction, SeatAnswer, SeatEvent,
    SeatOperation, SeatState, guard,
};

#[derive(Debug, Clone)]
enum Step {
    Create,
    Call { seat: usize, call: SeatOperation, machine: usize, old_token: bool, stale_secret: bool },
    Owner { seat: usize, act: SeatAction },
    Elapsed { seat: usize },
    Pass(u64),
    Seats(u32),
    Durations { offline_ttl: u64, auto_release: u64 },
    Suspend(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let seat = 0..4usize;
    let call = prop::sample::select(vec![
        SeatOperation::Activate,
        SeatOperation::Activate,
        SeatOperation::Launch,
        SeatOperation::Renew,
        SeatOperation::Release,
        SeatOperation::Status,
        SeatOperation::Airgap,
    ]);
    let act = prop::sample::select(vec![
        SeatAction::Release,
        SeatAction::Release,
        SeatAction::Refresh,
        SeatAction::Revoke,
    ]);
    let time = prop::sample::select(vec![0, 1, 3600, DAY - 1, DAY, 6 * DAY, 8 * DAY, 14 * DAY]);
    let length = prop::sample::select(vec![60, 3600, DAY, 7 * DAY, 14 * DAY]);
    prop_oneof![
        2 => Just(Step::Create),
        12 => (seat.clone(), call, 0..3usize, prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(
            |(seat, call, machine, old_token, stale_secret)| {
                Step::Call { seat, call, machine, old_token, stale_secret }
            }
        ),
        3 => (seat.clone(), act).prop_map(|(seat, act)| Step::Owner { seat, act }),
        2 => seat.prop_map(|seat| Step::Elapsed { seat }),
        6 => time.prop_map(Step::Pass),
        1 => (0..4u32).prop_map(Step::Seats),
        1 => (length.clone(), length)
            .prop_map(|(offline_ttl, auto_release)| Step::Durations { offline_ttl, auto_release }),
        1 => any::<bool>().prop_map(Step::Suspend),
    ]
}

/// A lease that was given out.
struct Given {
    seat: usize,
    machine: MachineId,
    epoch: u64,
    exp: UnixTime,
}

#[derive(Default)]
struct History {
    leases: Vec<Given>,
    manual_releases: Vec<UnixTime>,
    refreshed: Vec<usize>,
}

const RAISES_EPOCH: [AuditEvent; 7] = [
    AuditEvent::Activated,
    AuditEvent::Rebound,
    AuditEvent::ReleasedByOwner,
    AuditEvent::ReleasedByMachine,
    AuditEvent::AutoReleased,
    AuditEvent::Refreshed,
    AuditEvent::Revoked,
];

fn take(world: &mut World, history: &mut History, step: &Step) -> Result<(), TestCaseError> {
    let exists = |seat: &usize| *seat < world.seats.len();
    match step {
        Step::Create => {
            let tokens = world.license.tokens;
            let made = world.try_create().is_some();
            prop_assert_eq!(made, tokens < world.license.seats_max && world.license.suspended_at.is_none());
        }
        Step::Pass(seconds) => world.pass(*seconds),
        Step::Seats(seats) => world.license.seats_max = *seats,
        Step::Durations { offline_ttl, auto_release } => {
            (world.license.offline_ttl, world.license.auto_release) = (*offline_ttl, *auto_release);
        }
        Step::Suspend(suspend) => world.license.suspended_at = suspend.then_some(world.now),
        Step::Call { seat, call, machine, old_token, stale_secret } if exists(seat) => {
            let mut caller = world.caller(*seat, ["a", "b", "c"][*machine]);
            caller.token_revoked = *old_token && history.refreshed.contains(seat);
            if *stale_secret {
                caller.renewal = PresentedRenewal::Foreign;
            }
            one_event(world, history, *seat, &SeatEvent::Call(*call, Box::new(caller)))?;
        }
        Step::Owner { seat, act } if exists(seat) => {
            one_event(world, history, *seat, &SeatEvent::Owner(*act))?;
            if *act == SeatAction::Refresh {
                history.refreshed.push(*seat);
            }
        }
        Step::Elapsed { seat } if exists(seat) => one_event(world, history, *seat, &SeatEvent::Elapsed)?,
        _ => {}
    }
    // I1
    let counted = world.seats.iter().filter(|seat| seat.counts()).count();
    prop_assert_eq!(world.license.in_use as usize, counted);
    let open = world.seats.iter().filter(|seat| seat.state != SeatState::Closed).count();
    prop_assert_eq!(world.license.tokens as usize, open);
    Ok(())
}

fn one_event(
    world: &mut World,
    history: &mut History,
    seat: usize,
    event: &SeatEvent,
) -> Result<(), TestCaseError> {
    let (before, in_use, rows) = (world.seat(seat).clone(), world.license.in_use, world.audit.len());
    let answer = world.apply(seat, event);
    let after = world.seat(seat).clone();
    let happened: Vec<AuditEvent> = world.audit[rows..].iter().map(|(_, entry)| entry.event).collect();
    let renewal = matches!(event, SeatEvent::Call(SeatOperation::Renew, _));
    let released_by_time = happened.contains(&AuditEvent::AutoReleased);

    // I1: nothing but a place that was free is taken.
    let most = world.license.seats_max.max(in_use);
    prop_assert!(world.license.in_use <= most, "{} of {most}", world.license.in_use);
    // I3
    if released_by_time {
        let alive =
            |given: &&Given| given.seat == seat && given.epoch == before.epoch && given.exp > world.now;
        prop_assert_eq!(history.leases.iter().filter(alive).count(), 0);
    }
    // I4
    let raised = happened.iter().filter(|event| RAISES_EPOCH.contains(event)).count();
    prop_assert_eq!(after.epoch, before.epoch + raised as u64);
    if renewal {
        prop_assert!(before.holding().is_some() || after.holding().is_none());
        // I6
        let machine = |seat: &seatlock_server::domain::Seat| seat.holding().map(|held| held.machine.clone());
        if !released_by_time {
            prop_assert_eq!(machine(&after), machine(&before));
            prop_assert_eq!(after.epoch, before.epoch);
        }
    }
    // I8
    if happened
        .iter()
        .any(|event| matches!(event, AuditEvent::ReleasedByOwner | AuditEvent::ReleasedByMachine))
    {
        if let Some(last) = history.manual_releases.last() {
            prop_assert!(world.now.since(*last) >= world.license.release_window);
        }
        history.manual_releases.push(world.now);
    }
    // I10
    let changed = usize::from(before.lock_status() != after.lock_status());
    prop_assert!(happened.len() >= changed, "{:?} to {:?} without a row", before.state, after.state);
    let distinct = happened.iter().enumerate().all(|(at, event)| !happened[..at].contains(event));
    prop_assert!(distinct, "{happened:?}");
    if happened.is_empty() {
        let who = |state: &SeatState| match state {
            SeatState::InUse(held) => Some((held.machine.clone(), held.since)),
            _ => None,
        };
        prop_assert_eq!((after.counts(), who(&after.state)), (before.counts(), who(&before.state)));
    }

    match (&answer, event) {
        (SeatAnswer::Lease { terms: lease, .. }, SeatEvent::Call(call, caller)) => {
            // I5
            prop_assert!(!caller.token_revoked && before.state != SeatState::Closed);
            prop_assert!(matches!(
                call,
                SeatOperation::Activate
                    | SeatOperation::Launch
                    | SeatOperation::Renew
                    | SeatOperation::Airgap
            ));
            // I2
            let held = after.holding().expect("a lease goes to the holder");
            prop_assert_eq!(&held.machine, &caller.machine);
            let auto_release = world.license.auto_release;
            let longest = match call {
                SeatOperation::Airgap => world.license.airgap_ttl,
                _ => auto_release - guard(auto_release),
            };
            prop_assert!(lease.exp <= world.now.plus(longest));
            prop_assert!(held.lease_until >= lease.exp && lease.exp > lease.iat && lease.iat == world.now);
            // I7: every living lease of another machine is of an earlier epoch.
            for given in history.leases.iter().filter(|given| given.seat == seat && given.exp > world.now) {
                prop_assert!(given.machine == caller.machine || given.epoch < after.epoch);
            }
            let machine = caller.machine.clone();
            history.leases.push(Given { seat, machine, epoch: after.epoch, exp: lease.exp });
            // I9
            let again = CallerContext {
                install: None,
                renewal: PresentedRenewal::Nothing,
                ..caller.as_ref().clone()
            };
            let (epoch, in_use) = (after.epoch, world.license.in_use);
            let repeated = world.apply(seat, &SeatEvent::Call(SeatOperation::Activate, Box::new(again)));
            let again = matches!(repeated, SeatAnswer::Lease { terms, .. } if !terms.bound);
            prop_assert!(again);
            prop_assert_eq!((world.seat(seat).epoch, world.license.in_use), (epoch, in_use));
        }
        (SeatAnswer::Verdict(verdict), SeatEvent::Call(call, caller)) => {
            if caller.token_revoked || before.state == SeatState::Closed {
                prop_assert_eq!(verdict.code, Code::TokenRevoked);
            }
            if *call == SeatOperation::Status {
                prop_assert_eq!(&after, &before);
                prop_assert_eq!(world.license.in_use, in_use);
            }
        }
        _ => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_over_any_history(
        seats in 0..4u32,
        drain in any::<bool>(),
        enforce in any::<bool>(),
        rebinds in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(seats);
        world.license.release_mode = if drain { ReleaseMode::Drain } else { ReleaseMode::Immediate };
        world.license.clone_policy = if enforce { ClonePolicy::Enforce } else { ClonePolicy::Flag };
        world.license.relaunch_rebinds = rebinds;
        let mut history = History::default();
        for _ in 0..2 {
            world.try_create();
        }
        for step in &steps {
            take(&mut world, &mut history, step)?;
        }
    }
}
