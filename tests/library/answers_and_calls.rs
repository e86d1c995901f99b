//! A signed answer counts for the call that it answers. Whoever stands between client and server
//! sees the path of a request, and can have another call answered with the right nonce.

use crate::license_support::*;
use seatlock::license::{Effect, LeaseState, Signed, SignedObject};
use seatlock::protocol::{Act, Code, Typ, api::SeatCall};

const CALLS: [SeatCall; 5] =
    [SeatCall::Activate, SeatCall::Ping, SeatCall::Airgap, SeatCall::Release, SeatCall::Status];

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is not the answer to this call: nothing changes.
    Foreign,
    /// It is told, and nothing changes.
    Told,
    /// The lease is taken.
    Taken,
    /// The lease goes; the token stays.
    Lost,
    /// The seat was given back: lease and token go.
    GivenBack,
}
use Fate::{Foreign, GivenBack, Lost, Taken, Told};

/// An answer of each kind, and its fate for each of [`CALLS`].
fn table() -> Vec<(&'static str, SignedObject, Code, [Fate; 5])> {
    let newer = lease(|claims| (claims.epoch, claims.iat) = (8, at(BASE + HOUR)));
    let says = |code, act, epoch| verdict_by(PINNED, &verdict(code, act, |claims| claims.epoch = epoch));
    vec![
        ("a lease", lease_by(PINNED, &newer), Code::Ok, [Taken, Taken, Taken, Foreign, Foreign]),
        (
            "ok, drop",
            says(Code::Ok, Act::Drop, Some(7)),
            Code::Ok,
            [Foreign, Foreign, Foreign, GivenBack, Foreign],
        ),
        (
            "ok, keep",
            says(Code::Ok, Act::Keep, Some(7)),
            Code::Ok,
            [Foreign, Foreign, Foreign, Foreign, Told],
        ),
        (
            "a refusal that drops",
            says(Code::SeatReleased, Act::Drop, Some(7)),
            Code::SeatReleased,
            [Lost, Lost, Lost, Lost, Foreign],
        ),
        (
            "a refusal that keeps",
            says(Code::SeatLimitReached, Act::Keep, Some(7)),
            Code::SeatLimitReached,
            [Told, Told, Told, Told, Told],
        ),
        // A release of an earlier epoch frees nothing that is held now.
        (
            "ok, drop, of an earlier epoch",
            says(Code::Ok, Act::Drop, Some(6)),
            Code::Ok,
            [Foreign, Foreign, Foreign, Told, Foreign],
        ),
        (
            "ok, drop, without an epoch",
            says(Code::Ok, Act::Drop, None),
            Code::Ok,
            [Foreign, Foreign, Foreign, Told, Foreign],
        ),
    ]
}

#[test]
fn an_answer_counts_for_its_call_only() {
    for (what, object, code, fates) in table() {
        for (call, fate) in CALLS.into_iter().zip(fates) {
            let mut computer = Computer::licensed();
            computer.run(HOUR);
            let (license, seats) = (computer.state.license.clone(), computer.state.seats.clone());
            let outcome = computer.answered(call, &reply(object.clone()));
            let expected = if fate == Foreign { Code::ReplayedResponse } else { code };
            assert_eq!(outcome.code, expected, "{what}, to {call:?}");
            assert_eq!(
                computer.effects.contains(&Effect::ForgetToken),
                fate == GivenBack,
                "{what}, to {call:?}: the token"
            );
            match fate {
                Foreign | Told => {
                    assert_eq!(computer.state.license, license, "{what}, to {call:?}");
                    assert_eq!(computer.state.seats, seats, "{what}, to {call:?}");
                }
                Taken => {
                    let LeaseState::Lease(lease) = &computer.state.license else {
                        panic!("{what}, to {call:?}")
                    };
                    assert_eq!(lease.claims.epoch, 8, "{what}, to {call:?}");
                }
                Lost | GivenBack => {
                    assert!(matches!(computer.state.license, LeaseState::Dropped(_)), "{what}, to {call:?}");
                }
            }
        }
    }
}

#[test]
fn the_answer_to_another_call_does_not_even_tell_the_time() {
    let mut computer = Computer::licensed();
    computer.run(HOUR);
    let before = computer.state.clock;
    let later = verdict(Code::Ok, Act::Keep, |claims| claims.iat = at(BASE + 3 * DAY));
    computer.answered(SeatCall::Release, &reply(verdict_by(PINNED, &later)));
    assert_eq!(computer.state.clock, before);
}

/// A file answers the request that was carried away, and nothing but a lease is such an answer.
#[test]
fn a_lease_for_a_question_replaces_no_other_license() {
    let mut computer = Computer::licensed();
    let held = stored_lease(&computer.state);
    let mut asked = asked(SeatCall::Status, 1);
    asked.token = OTHER_TOKEN;
    let theirs = lease(|claims| (claims.tkh, claims.sub) = (OTHER_TOKEN, OTHER_SEAT));
    let reply = reply(lease_by(PINNED, &theirs));
    computer.apply(seatlock::license::Input::Answered { asked: &asked, reply: &reply, random: 0 });
    assert_eq!(stored_lease(&computer.state), held);
}

/// A stored lease that is not valid here, whose seat is given back: the token must not take the
/// seat again at the next launch, so the release counts as the drop that it is.
#[test]
fn an_unusable_lease_goes_with_its_seat() {
    let mut computer = Computer::licensed();
    let mut elsewhere = binding();
    elsewhere.token = Some(OTHER_TOKEN);
    computer.state = reloaded(&computer.state, &computer.rules, &elsewhere);
    let refused = verdict(Code::SeatReleased, Act::Drop, |_| {});
    let held = stored_lease(&computer.state);
    computer.answered(SeatCall::Ping, &reply(verdict_by(PINNED, &refused)));
    assert_eq!(stored_lease(&computer.state), held, "nobody gave it back");
    let given = verdict(Code::Ok, Act::Drop, |_| {});
    computer.answered(SeatCall::Release, &reply(verdict_by(PINNED, &given)));
    assert!(computer.effects.contains(&Effect::ForgetToken));
    assert!(matches!(computer.state.license, LeaseState::Dropped(_)));
}

#[test]
fn a_signed_object_of_another_kind_is_no_answer() {
    let mut computer = Computer::licensed();
    let claims = verdict(Code::Ok, Act::Drop, |_| {});
    let as_lease = SignedObject::Lease(signed(Typ::Verdict, PINNED, &claims));
    let reply = seatlock::license::Reply::Signed(Signed {
        object: as_lease,
        key_set: None,
        renewal: None,
        http_status: 200,
    });
    assert_eq!(computer.answered(SeatCall::Release, &reply).code, Code::BadSignature);
}
