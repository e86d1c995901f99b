//! What a lease says beside whether the plug-in is locked: entitlements with values and ends, whose
//! license it is, the vendor's own data, and which versions of the plug-in it includes.

use crate::license_support::*;
use proptest::prelude::*;
use seatlock::license::{Contents, Entitlement, LockState};
use seatlock::protocol::{
    Act, Code,
    api::SeatCall,
    claims::{self, LeaseClaims},
};
use serde_json::json;

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);
const NOT_INCLUDED: (LockState, Code) = (LockState::Locked, Code::UpdateNotIncluded);

fn entitlement(computer: &Computer, name: &str) -> Entitlement {
    let (standing, now) = (computer.standing(), computer.state.time(computer.reading()).now);
    Contents::of(&computer.state).unwrap().entitlement(name, &standing, now)
}

#[test]
fn a_plug_in_that_came_after_the_updates_is_locked_and_no_other() {
    let end = BASE + 2 * DAY;
    // (what, end of updates, release of the plug-in, what the host is told)
    for (what, updates_until, released, told) in [
        ("neither is said", None, None, UNLOCKED),
        ("no end", None, Some(i64::MAX >> 10), UNLOCKED),
        ("no release", Some(end), None, UNLOCKED),
        ("released before", Some(end), Some(end - 1), UNLOCKED),
        ("released in that second", Some(end), Some(end), UNLOCKED),
        ("released after", Some(end), Some(end + 1), NOT_INCLUDED),
        ("updates that ended before the lease began", Some(BASE - DAY), Some(BASE), NOT_INCLUDED),
        ("an old plug-in, then", Some(BASE - DAY), Some(BASE - 2 * DAY), UNLOCKED),
    ] {
        let mut computer = Computer::with(&lease(|claims| claims.lic.updates_until = updates_until.map(at)));
        computer.rules.released = released.map(at);
        assert_eq!(computer.lock(), told, "{what}");
        assert_eq!(computer.standing().valid_until.is_some(), told == UNLOCKED, "{what}");
        computer.restart_after(HOUR);
        assert_eq!(computer.lock(), told, "{what}: after a restart");
        // The lease is another version's: it stays.
        assert!(stored_lease(&computer.state).is_some(), "{what}");
    }
}

#[test]
fn nothing_but_a_lease_includes_a_newer_plug_in() {
    let until = |end: i64| move |claims: &mut LeaseClaims| claims.lic.updates_until = Some(at(end));
    let mut computer = Computer::with(&lease(until(BASE)));
    computer.rules.released = Some(at(BASE + 1));
    computer.wall_error = -30 * DAY;
    assert_eq!(
        computer.lock(),
        NOT_INCLUDED,
        "and not that the date is wrong, which would be in vain to set right"
    );
    computer.wall_error = 0;
    computer.run(8 * DAY);
    assert_eq!(computer.lock(), NOT_INCLUDED, "connecting would not help, as it does when a lease has ended");

    let refusal = verdict(Code::UpdateNotIncluded, Act::Keep, |claims| claims.iat = at(computer.now));
    let held = stored_lease(&computer.state);
    assert_eq!(
        computer.answered(SeatCall::Ping, &reply(verdict_by(PINNED, &refusal))).code,
        Code::UpdateNotIncluded
    );
    assert_eq!((computer.lock(), stored_lease(&computer.state)), (NOT_INCLUDED, held));
    let (from, to) = (at(computer.now), at(computer.now + DAY));
    let extended = lease(|claims| {
        (claims.iat, claims.exp) = (from, to);
        until(BASE + 1)(claims);
    });
    assert_eq!(computer.answered(SeatCall::Ping, &reply(lease_by(PINNED, &extended))).code, Code::Ok);
    assert_eq!(computer.lock(), UNLOCKED);
}

#[test]
fn entitlements_have_values_and_ends() {
    let computer = Computer::with(&lease(|claims| {
        let granted = |value, until: Option<i64>| claims::EntitlementClaim { value, until: until.map(at) };
        claims.ent = [
            ("cad", granted(None, None)),
            ("none", granted(Some(0), None)),
            ("least", granted(Some(i64::MIN), None)),
            ("export.max", granted(Some(25), Some(BASE + DAY))),
            ("ended", granted(Some(9), Some(BASE))),
            ("later", granted(None, Some(BASE + 30 * DAY))),
        ]
        .map(|(name, granted)| (name.to_owned(), granted))
        .into();
    }));
    let known = |included, value, until: Option<i64>| Entitlement { included, value, until: until.map(at) };
    // (name, seconds after the lease began, what is said)
    for (name, after, expected) in [
        ("cad", 0, known(true, None, None)),
        ("none", 0, known(true, Some(0), None)),
        ("least", 0, known(true, Some(i64::MIN), None)),
        ("export.max", 0, known(true, Some(25), Some(BASE + DAY))),
        ("export.max", DAY - 1, known(true, Some(25), Some(BASE + DAY))),
        ("export.max", DAY, known(false, None, Some(BASE + DAY))),
        ("ended", 0, known(false, None, Some(BASE))),
        ("later", 7 * DAY - 1, known(true, None, Some(BASE + 30 * DAY))),
        // With the lease everything ends.
        ("later", 7 * DAY, Entitlement::default()),
        ("cad", 7 * DAY, Entitlement::default()),
        ("CAD", 0, Entitlement::default()),
        ("", 0, Entitlement::default()),
        ("cad export.max", 0, Entitlement::default()),
    ] {
        let mut computer = computer.clone();
        computer.now += after;
        assert_eq!(entitlement(&computer, name), expected, "{name:?} after {after} s");
    }

    let mut back = computer.clone();
    back.run(DAY + HOUR);
    back.wall_error = -DAY;
    assert!(!entitlement(&back, "export.max").included, "setting the clock back brings nothing back");
    let mut newer = computer.clone();
    newer.rules.released = Some(at(BASE + 1));
    let dated = lease(|claims| claims.lic.updates_until = Some(at(BASE)));
    newer.answered(SeatCall::Ping, &reply(lease_by(PINNED, &dated)));
    assert_eq!(entitlement(&newer, "cad"), Entitlement::default(), "nothing is included while it is locked");
    assert_eq!(Contents::of(&Computer::new().state), None);
}

#[test]
fn the_vendors_data_is_what_was_signed_until_the_plug_in_is_locked() {
    let data = json!({ "b": [1, -1, 0.5, "株"], "a": { "n": null } });
    let mut computer = Computer::with(&lease(|claims| claims.data = data.as_object().cloned()));
    let said = |computer: &Computer| {
        Contents::of(&computer.state).unwrap().data(&computer.standing()).map(str::to_owned)
    };
    let text = said(&computer).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), data);
    computer.now += 7 * DAY;
    assert_eq!(said(&computer), None, "the lease has ended");
    let licensee = Contents::of(&computer.state).unwrap().licensee;
    assert_eq!((licensee.account.as_str(), licensee.email.as_str()), ("Studio", "ada@studio.example"));
    assert_eq!(said(&Computer::licensed()), None, "there is none");
}

proptest! {
    /// Whatever is done to the clock: nothing is included after its end, beyond the updates, or while it is locked.
    #[test]
    fn no_clock_includes_what_has_ended(
        end in proptest::option::of(-2 * DAY..9 * DAY),
        updates in proptest::option::of(-2 * DAY..2 * DAY),
        released in proptest::option::of(-2 * DAY..2 * DAY),
        waits in proptest::collection::vec((0..2 * DAY, -40 * DAY..40 * DAY, any::<bool>()), 1..8),
    ) {
        let moment = |offset: Option<i64>| offset.map(|offset| at(BASE + offset));
        let mut computer = Computer::with(&lease(|claims| {
            claims.ent = [("cad".to_owned(), claims::EntitlementClaim { value: None, until: moment(end) })].into();
            claims.lic.updates_until = moment(updates);
        }));
        computer.rules.released = moment(released);
        let newer = released.zip(updates).is_some_and(|(released, updates)| released > updates);
        for (seconds, error, restarts) in waits {
            computer.wall_error = error;
            if restarts { computer.restart_after(seconds) } else { computer.run(seconds) }
            let included = entitlement(&computer, "cad").included;
            let locked = computer.standing().lock_state == LockState::Locked;
            prop_assert!(!included || !locked && !newer);
            prop_assert!(!included || end.is_none_or(|end| computer.now < BASE + end));
        }
    }
}
