//! Files of machines without a network: a request that is answered more than once, and what proves
//! that a seat was given back.

use crate::rules_support::*;
use seatlock_protocol::Code;
use seatlock_server::domain::{CallerContext, PresentedRenewal, SeatAnswer, SeatEvent, SeatOperation};

/// The machine asks by a file, which holds no secret, and gets a lease with this one. It may have
/// given a hold up before.
fn asked(world: &mut World, seat: usize, gave_up: Option<u64>) -> PresentedRenewal {
    let (epoch, gave_up) = (gave_up, gave_up.is_some());
    let caller =
        CallerContext { renewal: PresentedRenewal::Nothing, epoch, gave_up, ..world.caller(seat, "a") };
    match world.apply(seat, &SeatEvent::Call(SeatOperation::Airgap, Box::new(caller))) {
        SeatAnswer::Lease { renewal, .. } => PresentedRenewal::Number(renewal),
        other => panic!("{other:?}"),
    }
}

fn confirmed(world: &mut World, seat: usize, epoch: u64, secret: PresentedRenewal) -> bool {
    let caller = CallerContext { epoch: Some(epoch), renewal: secret, ..world.caller(seat, "a") };
    match world.apply(seat, &SeatEvent::Call(SeatOperation::Confirm, Box::new(caller))) {
        SeatAnswer::Verdict(verdict) => verdict.code == Code::Ok,
        _ => false,
    }
}

#[test]
fn whichever_answer_was_carried_back_proves_the_release() {
    for carried in 0..3 {
        let mut world = World::new(1);
        let seat = world.create();
        let secrets: Vec<_> = (0..3).map(|_| asked(&mut world, seat, None)).collect();
        assert_eq!(world.seat(seat).epoch, 1, "one hold");
        assert!(confirmed(&mut world, seat, 1, secrets[carried]), "answer {carried}");
        assert_eq!(world.license.in_use, 0);
    }
}

#[test]
fn what_was_given_up_before_ends_nothing_later() {
    for carried in 0..2 {
        let mut world = World::new(1);
        let seat = world.create();
        let first = asked(&mut world, seat, None);
        // Given up, but the confirmation lies in a drawer; the machine asks again, and its file is answered
        // twice.
        let later = [asked(&mut world, seat, Some(1)), asked(&mut world, seat, Some(1))];
        assert_eq!((world.seat(seat).epoch, world.license.in_use), (2, 1), "another hold of the same place");
        assert!(!confirmed(&mut world, seat, 1, first), "the one from the drawer");
        assert!(!confirmed(&mut world, seat, 2, first), "nor with another epoch written in");
        assert!(!confirmed(&mut world, seat, 1, later[carried]));
        assert!(confirmed(&mut world, seat, 2, later[carried]), "answer {carried}");
    }
}

#[test]
fn secrets_of_an_earlier_hold_prove_nothing() {
    let mut world = World::new(1);
    let seat = world.create();
    let first = asked(&mut world, seat, None);
    assert!(confirmed(&mut world, seat, 1, first));
    asked(&mut world, seat, Some(1));
    for epoch in 0..5 {
        assert!(!confirmed(&mut world, seat, epoch, first), "epoch {epoch}");
    }
    for foreign in [
        PresentedRenewal::Nothing,
        PresentedRenewal::Foreign,
        PresentedRenewal::Number(0),
        PresentedRenewal::Number(u64::MAX),
    ] {
        let epoch = world.seat(seat).epoch;
        assert!(!confirmed(&mut world, seat, epoch, foreign), "{foreign:?}");
    }
}
