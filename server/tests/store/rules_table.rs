//! Every row of the protocol's table of transitions, and the order of refusals.

use crate::rules_support::*;
use seatlock_protocol::{Act, Code, Identity, UnixTime, claims::EntitlementClaim};
use seatlock_server::domain::{
    AuditEvent, CallerContext, ClonePolicy, PresentedRenewal, ReleaseMode, SeatAction, SeatAnswer, SeatEvent,
    SeatOperation, SeatState, decide, guard, terms, token_unknown,
};

#[test]
fn t1_a_token_is_made_until_the_license_is_full() {
    let mut world = World::new(1);
    let seat = world.create();
    assert_eq!(world.seat(seat).state, SeatState::NeverUsed);
    assert_eq!(world.events(seat), [AuditEvent::Created]);
    let refused = decide(&world.license, None, &create_event(), world.now);
    assert_eq!(code(&refused.answer), (Code::SeatLimitReached, Act::Keep));
    assert_eq!(refused.seat, None);

    world.license.seats_max = 2;
    world.license.plan = plan("starter", false);
    let refused = decide(&world.license, None, &create_event(), world.now);
    assert_eq!(code(&refused.answer).0, Code::PlanNotEntitled);
}

#[test]
fn t2_activate_binds_a_free_seat() {
    for released in [false, true] {
        let mut world = World::new(1);
        let seat = world.create();
        if released {
            world.call(seat, SeatOperation::Activate, "a");
            world.call(seat, SeatOperation::Release, "a");
        }
        let before = world.seat(seat).epoch;
        let lease = lease(&world.call(seat, SeatOperation::Activate, "a"));
        assert!(lease.bound);
        assert_eq!(lease.exp, world.now.plus(7 * DAY));
        assert_eq!(world.seat(seat).epoch, before + 1);
        assert_eq!(world.license.in_use, 1);
        assert_eq!(world.events(seat).last(), Some(&AuditEvent::Activated));
    }
}

#[test]
fn t3_launch_takes_a_released_seat_back_if_the_license_says_so() {
    for (rebinds, terms, expected) in
        [(true, "1", Ok(())), (false, "1", Err(Code::SeatReleased)), (true, "2", Err(Code::TermsRequired))]
    {
        let mut world = World::new(1);
        world.license.terms = Some("1".to_owned());
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        world.owner(seat, SeatAction::Release);
        world.license.relaunch_rebinds = rebinds;
        world.license.terms = Some(terms.to_owned());
        let mut caller = world.caller(seat, "a");
        caller.terms = None; // accepted at activation
        let answer = world.apply(seat, &SeatEvent::Call(SeatOperation::Launch, Box::new(caller)));
        match expected {
            Ok(()) => {
                assert!(lease(&answer).bound);
                assert_eq!(world.seat(seat).epoch, 3);
                assert_eq!(world.events(seat).last(), Some(&AuditEvent::Rebound));
            }
            Err(expected) => assert_eq!(code(&answer).0, expected),
        }
    }
}

#[test]
fn t3_launch_never_binds_a_seat_that_was_never_used() {
    let mut world = World::new(1);
    let seat = world.create();
    assert_eq!(code(&world.call(seat, SeatOperation::Launch, "a")), (Code::SeatReleased, Act::Drop));
    assert_eq!(world.license.in_use, 0);
}

#[test]
fn t4_and_t5_the_holder_gets_a_new_lease_without_an_audit_row() {
    for call in [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew] {
        for older in [false, true] {
            let mut world = World::new(1);
            let seat = world.create();
            world.call(seat, SeatOperation::Activate, "a");
            world.pass(3 * DAY);
            let mut caller = world.caller(seat, "a");
            caller.epoch = if older { Some(0) } else { Some(1) };
            let lease = lease(&world.apply(seat, &SeatEvent::Call(call, Box::new(caller))));
            assert!(!lease.bound);
            assert_eq!(lease.exp, world.now.plus(7 * DAY));
            assert_eq!(world.seat(seat).epoch, 1);
            assert_eq!(world.seat(seat).last_used_at, Some(world.now));
            assert_eq!(world.events(seat), [AuditEvent::Created, AuditEvent::Activated]);
        }
    }
}

#[test]
fn t6_another_machine_is_told_where_the_seat_is() {
    for call in [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew, SeatOperation::Release]
    {
        for (epoch, act) in [(None, Act::Keep), (Some(1), Act::Keep), (Some(0), Act::Drop)] {
            let mut world = World::new(1);
            let seat = world.create();
            world.call(seat, SeatOperation::Activate, "a");
            let mut caller = world.caller(seat, "b");
            caller.epoch = epoch;
            let before = world.seat(seat).clone();
            let answer = world.apply(seat, &SeatEvent::Call(call, Box::new(caller)));
            assert_eq!(code(&answer), (Code::SeatInUseElsewhere, act));
            let verdict = verdict(&answer);
            assert_eq!(verdict.params.get("machine"), Some(&machine("a").short()));
            assert_eq!(verdict.params.get("date").map(String::as_str), Some("2026-11-22"));
            assert_eq!(verdict.avail, None, "it can be released now");
            assert_eq!(world.seat(seat), &before);
        }
    }
}

#[test]
fn t6_says_when_the_seat_can_be_released() {
    let mut world = World::new(2);
    let (first, second) = (world.create(), world.create());
    world.call(first, SeatOperation::Activate, "a");
    world.call(second, SeatOperation::Activate, "b");
    let next = world.now.plus(DAY);
    world.call(second, SeatOperation::Release, "b");
    world.pass(3600);
    let answer = world.call(first, SeatOperation::Activate, "c");
    assert_eq!(verdict(&answer).avail, Some(next));
    assert_eq!(verdict(&answer).params.get("time").map(String::as_str), Some("2026-11-23 09:00 UTC"));
}

#[test]
fn t7_renew_never_takes_a_seat_back() {
    let mut world = World::new(1);
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    world.owner(seat, SeatAction::Release);
    let before = world.seat(seat).clone();
    assert_eq!(code(&world.call(seat, SeatOperation::Renew, "a")), (Code::SeatReleased, Act::Drop));
    assert_eq!(world.seat(seat), &before);
}

#[test]
fn t8_and_t9_share_one_limit() {
    let mut world = World::new(2);
    let (first, second) = (world.create(), world.create());
    world.call(first, SeatOperation::Activate, "a");
    world.call(second, SeatOperation::Activate, "b");
    assert_eq!(world.owner(first, SeatAction::Release), SeatAnswer::Done);
    assert_eq!((world.seat(first).epoch, world.license.in_use), (2, 1));
    let SeatState::Released(Some(overlap)) = &world.seat(first).state else { panic!("its lease is alive") };
    assert_eq!((overlap.until, overlap.counted), (world.now.plus(7 * DAY), false));

    let next = world.now.plus(DAY);
    for _ in 0..2 {
        for answer in
            [world.owner(second, SeatAction::Release), world.call(second, SeatOperation::Release, "b")]
        {
            assert_eq!(code(&answer), (Code::ReleaseRateLimited, Act::Keep));
            assert_eq!(verdict(&answer).avail, Some(next));
        }
        world.pass(DAY - 1 - world.now.since(next.minus(DAY)));
    }
    world.pass(1);
    assert_eq!(code(&world.call(second, SeatOperation::Release, "b")), (Code::Ok, Act::Drop));
    assert_eq!((&world.seat(second).state, world.license.in_use), (&SeatState::Released(None), 0));
    assert_eq!(world.events(second).last(), Some(&AuditEvent::ReleasedByMachine));
    assert_eq!(
        code(&world.call(second, SeatOperation::Release, "b")),
        (Code::Ok, Act::Drop),
        "the answer was lost"
    );
    assert_eq!(world.owner(second, SeatAction::Release), SeatAnswer::Unchanged);
}

#[test]
fn t8_drain_keeps_the_place_until_the_lease_is_over_or_the_machine_knows() {
    for known in [false, true] {
        let mut world = World::new(2);
        world.license.release_mode = ReleaseMode::Drain;
        let (first, second) = (world.create(), world.create());
        world.license.seats_max = 1;
        world.call(first, SeatOperation::Activate, "a");
        world.owner(first, SeatAction::Release);
        assert_eq!(world.license.in_use, 1);
        assert_eq!(code(&world.call(second, SeatOperation::Activate, "b")).0, Code::SeatLimitReached);
        assert_eq!(code(&world.call(first, SeatOperation::Activate, "b")).0, Code::SeatInUseElsewhere);
        if known {
            assert_eq!(code(&world.call(first, SeatOperation::Renew, "a")), (Code::SeatReleased, Act::Drop));
        } else {
            world.pass(7 * DAY - 1);
            world.apply(first, &SeatEvent::Elapsed);
            assert_eq!(world.license.in_use, 1);
            world.pass(1);
            world.apply(first, &SeatEvent::Elapsed);
        }
        assert_eq!(world.license.in_use, 0);
        assert_eq!(world.events(first).last(), Some(&AuditEvent::Drained));
        assert!(lease(&world.call(second, SeatOperation::Activate, "b")).bound);
    }
}

#[test]
fn t8_drain_lets_its_own_machine_come_back_in_its_place() {
    let mut world = World::new(1);
    world.license.release_mode = ReleaseMode::Drain;
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    world.owner(seat, SeatAction::Release);
    assert!(lease(&world.call(seat, SeatOperation::Launch, "a")).bound);
    assert_eq!(world.license.in_use, 1);
}

#[test]
fn t10_a_silent_seat_is_released_before_any_event_looks_at_it() {
    let mut world = World::new(1);
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    world.pass(14 * DAY - 1);
    world.apply(seat, &SeatEvent::Elapsed);
    assert_eq!(world.license.in_use, 1);
    world.pass(1);
    let status = world.call(seat, SeatOperation::Status, "b");
    assert_eq!(code(&status), (Code::Ok, Act::Keep), "the question sees the seat as free");
    assert_eq!(world.license.in_use, 1, "and changes nothing");

    assert!(lease(&world.call(seat, SeatOperation::Activate, "b")).bound);
    assert_eq!(world.seat(seat).epoch, 3);
    assert_eq!(world.license.last_manual_release_at, None);
    let expected =
        [AuditEvent::Created, AuditEvent::Activated, AuditEvent::AutoReleased, AuditEvent::Activated];
    assert_eq!(world.events(seat), expected);
}

#[test]
fn t10_waits_for_the_longest_lease() {
    let mut world = World::new(1);
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    world.license.auto_release = DAY;
    world.call(seat, SeatOperation::Renew, "a");
    world.pass(7 * DAY - 1);
    world.apply(seat, &SeatEvent::Elapsed);
    assert_eq!(world.license.in_use, 1, "the first lease is alive for another second");
    world.pass(1);
    world.apply(seat, &SeatEvent::Elapsed);
    assert_eq!(world.license.in_use, 0);
}

#[test]
fn t11_refresh_and_t12_revoke_from_every_state() {
    for act in [SeatAction::Refresh, SeatAction::Revoke] {
        for (state, used) in [("never_used", 0), ("in_use", 1), ("released", 0), ("draining", 1)] {
            let mut world = World::new(1);
            let seat = world.create();
            if state != "never_used" {
                world.call(seat, SeatOperation::Activate, "a");
            }
            if state == "draining" {
                world.license.release_mode = ReleaseMode::Drain;
            }
            if matches!(state, "released" | "draining") {
                world.owner(seat, SeatAction::Release);
            }
            assert_eq!(world.license.in_use, used, "{state}");
            let before = world.seat(seat).epoch;
            assert_eq!(world.owner(seat, act), SeatAnswer::Done);
            assert_eq!(world.seat(seat).epoch, before + 1);
            assert_eq!(world.license.in_use, 0);
            let (wanted, event, tokens) = match act {
                SeatAction::Refresh => (SeatState::NeverUsed, AuditEvent::Refreshed, 1),
                _ => (SeatState::Closed, AuditEvent::Revoked, 0),
            };
            assert_eq!((&world.seat(seat).state, world.license.tokens), (&wanted, tokens));
            assert_eq!(world.events(seat).last(), Some(&event));
        }
    }
}

#[test]
fn t11_makes_no_token_where_t1_makes_none() {
    let ended = UnixTime::new(0);
    for (what, plan_carries, suspended_at, expires_at, refused) in [
        ("active", true, None, None, None),
        ("starter", false, None, None, Some(Code::PlanNotEntitled)),
        ("suspended", true, ended, None, Some(Code::LicenseSuspended)),
        ("ended", true, None, ended, Some(Code::LicenseExpired)),
    ] {
        let mut world = World::new(1);
        let seat = world.create();
        world.license.plan = plan("any", plan_carries);
        (world.license.suspended_at, world.license.expires_at) = (suspended_at, expires_at);
        let before = world.seat(seat).clone();
        let answer = world.owner(seat, SeatAction::Refresh);
        match refused {
            None => assert_eq!(answer, SeatAnswer::Done, "{what}"),
            Some(wanted) => {
                assert_eq!(code(&answer), (wanted, Act::Keep), "{what}");
                assert_eq!(world.seat(seat), &before, "{what}");
            }
        }
        assert_eq!(
            world.owner(seat, SeatAction::Revoke),
            SeatAnswer::Done,
            "{what}: a lost token can be ended"
        );
    }
}

#[test]
fn t12_closed_is_for_ever() {
    let mut world = World::new(1);
    let seat = world.create();
    world.owner(seat, SeatAction::Revoke);
    let before = world.seat(seat).clone();
    for call in [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew, SeatOperation::Release]
    {
        assert_eq!(code(&world.call(seat, call, "a")), (Code::TokenRevoked, Act::Drop));
    }
    assert_eq!(code(&world.call(seat, SeatOperation::Status, "a")), (Code::TokenRevoked, Act::Keep));
    assert_eq!(code(&world.owner(seat, SeatAction::Refresh)).0, Code::TokenRevoked);
    assert_eq!(world.owner(seat, SeatAction::Revoke), SeatAnswer::Unchanged);
    assert_eq!(world.seat(seat), &before);
}

#[test]
fn t15_an_identity_may_be_allowed_another_seat() {
    let mut world = World::new(1);
    let seat = world.create();
    assert_eq!(world.owner(seat, SeatAction::Allow), SeatAnswer::Unchanged, "it is not closed");
    world.owner(seat, SeatAction::Revoke);
    assert_eq!(
        code(&world.owner(seat, SeatAction::Allow)),
        (Code::TokenRevoked, Act::Keep),
        "it has a token"
    );

    let seat = world.create();
    let identity = Identity { issuer: "https://login.example".to_owned(), subject: "alice".to_owned() };
    world.seats[seat].identity = Some(identity);
    world.call(seat, SeatOperation::Activate, "a");
    let before = world.seat(seat).clone();
    assert_eq!(world.owner(seat, SeatAction::Refresh), SeatAnswer::Unchanged, "there is no token to replace");
    assert_eq!(world.seat(seat), &before);
    world.owner(seat, SeatAction::Revoke);
    let closed = world.seat(seat).clone();
    assert_eq!(world.owner(seat, SeatAction::Allow), SeatAnswer::Done);
    assert_eq!(world.seat(seat), &closed, "the seat stays closed");
    assert_eq!(world.events(seat).last(), Some(&AuditEvent::Allowed));
}

#[test]
fn t13_a_paused_or_ended_license_refuses_every_call() {
    for (suspended, expected) in [(true, Code::LicenseSuspended), (false, Code::LicenseExpired)] {
        let mut world = World::new(1);
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        if suspended {
            world.license.suspended_at = Some(world.now);
        } else {
            world.license.expires_at = Some(world.now);
        }
        let before = world.seat(seat).clone();
        for call in
            [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew, SeatOperation::Release]
        {
            assert_eq!(code(&world.call(seat, call, "a")), (expected, Act::Drop));
        }
        assert_eq!(code(&world.call(seat, SeatOperation::Status, "a")), (expected, Act::Keep));
        assert_eq!(world.seat(seat), &before);
    }
}

#[test]
fn t14_fewer_seats_than_in_use_stop_binds_and_not_renewals() {
    let mut world = World::new(3);
    let seats = [world.create(), world.create(), world.create()];
    world.call(seats[0], SeatOperation::Activate, "a");
    world.call(seats[1], SeatOperation::Activate, "b");
    world.license.seats_max = 1;
    let refused = world.call(seats[2], SeatOperation::Activate, "c");
    assert_eq!(code(&refused), (Code::SeatLimitReached, Act::Keep));
    assert_eq!(verdict(&refused).params.get("n").map(String::as_str), Some("1"));
    for (seat, name) in [(seats[0], "a"), (seats[1], "b")] {
        assert!(!lease(&world.call(seat, SeatOperation::Renew, name)).bound);
    }
}

/// Makes every reason to refuse true at once, then removes them one by one in the protocol's order.
#[test]
fn refusals_come_in_the_order_of_the_protocol() {
    let mut world = World::new(2);
    world.license.terms = Some("1".to_owned());
    let (seat, other) = (world.create(), world.create());
    world.call(seat, SeatOperation::Activate, "b");
    world.license.seats_max = 1;
    world.license.suspended_at = Some(world.now);
    world.license.expires_at = Some(world.now);
    world.license.plan = plan("starter", false);
    world.license.min_plugin = Some("2.0.0".to_owned());
    world.license.updates_until = Some(world.now);
    let mut caller = world.caller(seat, "a");
    caller.token_revoked = true;
    caller.product = "com.example.other".to_owned();
    caller.terms = None;
    caller.plugin.released = Some(world.now.plus(1));
    let expect = |world: &mut World, caller: &_, expected| {
        let event = SeatEvent::Call(SeatOperation::Activate, Box::new(Clone::clone(caller)));
        assert_eq!(code(&world.apply(seat, &event)).0, expected);
    };
    expect(&mut world, &caller, Code::TokenRevoked);
    caller.token_revoked = false;
    expect(&mut world, &caller, Code::LicenseSuspended);
    world.license.suspended_at = None;
    expect(&mut world, &caller, Code::LicenseExpired);
    world.license.expires_at = None;
    expect(&mut world, &caller, Code::PlanNotEntitled);
    world.license.plan = plan("pro", true);
    expect(&mut world, &caller, Code::PlanNotEntitled);
    caller.product = PRODUCT.to_owned();
    expect(&mut world, &caller, Code::PluginTooOld);
    caller.plugin.version = Some("2.0.0".to_owned());
    expect(&mut world, &caller, Code::UpdateNotIncluded);
    caller.plugin.released = Some(world.now);
    expect(&mut world, &caller, Code::TermsRequired);
    caller.terms = Some("1".to_owned());
    expect(&mut world, &caller, Code::SeatInUseElsewhere);
    let free = SeatEvent::Call(SeatOperation::Activate, Box::new(caller));
    assert_eq!(code(&world.apply(other, &free)).0, Code::SeatLimitReached);
    assert_eq!((token_unknown().code, token_unknown().act), (Code::TokenUnknown, Act::Keep));
}

#[test]
fn an_old_client_may_still_give_its_seat_back() {
    let mut world = World::new(1);
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    world.license.min_plugin = Some("9.0.0".to_owned());
    assert_eq!(code(&world.call(seat, SeatOperation::Renew, "a")), (Code::PluginTooOld, Act::Keep));
    assert_eq!(code(&world.call(seat, SeatOperation::Release, "a")), (Code::Ok, Act::Drop));
}

#[test]
fn a_lease_ends_before_auto_release_and_with_the_subscription() {
    let world = World::new(1);
    let cases = [
        (7 * DAY, 14 * DAY, None, 7 * DAY),
        (30 * DAY, 14 * DAY, None, 14 * DAY - 3600),
        (3600, 3600, None, 3420),
        (3600, 2, None, 1),
        (7 * DAY, 14 * DAY, Some(100), 100),
    ];
    for (offline_ttl, auto_release, ends_in, expected) in cases {
        let mut license = world.license.clone();
        (license.offline_ttl, license.auto_release) = (offline_ttl, auto_release);
        license.expires_at = ends_in.map(|seconds| world.now.plus(seconds));
        for jitter in [0, 1, 32_768, u16::MAX] {
            let lease = terms(&license, SeatOperation::Renew, world.now, jitter, true);
            assert_eq!(lease.exp.since(lease.iat), expected);
            assert!((1..=expected.div_ceil(2)).contains(&lease.renew), "{lease:?}");
            assert!(lease.warn * 3 <= expected);
        }
    }
    assert_eq!(
        terms(&world.license, SeatOperation::Renew, world.now, 0, true).renew,
        17_280,
        "80 % of six hours"
    );
    assert_eq!(
        terms(&world.license, SeatOperation::Renew, world.now, u16::MAX, true).renew,
        25_920,
        "120 % of six hours"
    );
    assert_eq!((guard(14 * DAY), guard(3600), guard(2)), (3600, 180, 1));
}

#[test]
fn an_outdated_secret_is_a_second_copy() {
    for (policy, refused) in [(ClonePolicy::Flag, false), (ClonePolicy::Enforce, true)] {
        let mut world = World::new(1);
        world.license.clone_policy = policy;
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        let copied = world.secret(seat);
        world.call(seat, SeatOperation::Renew, "a");
        let original = world.secret(seat);
        assert!(world.renew_with(seat, "a", copied).is_ok(), "its answer may have been lost");
        assert_eq!(world.seat(seat).clone_suspected_at, None);
        let copy = world.secret(seat);
        assert!(world.renew_with(seat, "a", original).is_ok(), "or come late");
        assert_eq!(world.seat(seat).clone_suspected_at, None);
        let original = world.secret(seat);
        world.pass(61);
        let again = world.renew_with(seat, "a", copy);
        assert_eq!(again, if refused { Err(Code::LeaseSuperseded) } else { Ok(()) });
        assert_eq!(world.seat(seat).clone_suspected_at, Some(world.now));
        assert_eq!(world.events(seat).last(), Some(&AuditEvent::CloneSuspected));
        let rows = world.events(seat).len();
        let _ = world.renew_with(seat, "a", PresentedRenewal::Foreign);
        assert_eq!(world.events(seat).len(), rows, "one row a day is enough");

        assert!(
            world.call_with(seat, SeatOperation::Activate, "a", copy).is_ok(),
            "entering the token helps"
        );
        assert!(world.renew_with(seat, "a", copy).is_ok(), "even when the answer to that is lost");
        let healed = world.secret(seat);
        world.pass(61);
        assert_eq!(world.renew_with(seat, "a", original), again, "now the other copy is the older one");
        assert!(!refused || world.renew_with(seat, "a", healed).is_ok());
    }
}

#[test]
fn a_secret_is_good_until_one_that_was_handed_out_for_it_is_presented() {
    // Secrets by the number of the answer that brought them; 0 came with the activation.
    let cases: [(&str, &[usize], bool); 9] = [
        ("every answer arrives", &[0, 1, 2, 3], false),
        ("one answer is lost", &[0, 0, 2, 3], false),
        ("many answers in a row are lost", &[0, 0, 0, 0, 4, 5, 5, 7], false),
        ("presented again after the current one", &[0, 1, 0], true),
        ("an older one comes back", &[0, 1, 2, 3, 1], true),
        ("an answer that was overtaken by a late request", &[0, 0, 1, 3], false),
        ("the first of many answers came last", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], false),
        ("and then another one of them", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2], true),
        ("two copies take turns", &[0, 0, 2, 1], true),
    ];
    for (what, presented, fork) in cases {
        for pause in [61, 30 * DAY] {
            let mut world = World::new(1);
            world.license.auto_release = 60 * DAY;
            let seat = world.create();
            world.call(seat, SeatOperation::Activate, "a");
            let mut secrets = vec![world.secret(seat)];
            for number in presented {
                world.pass(pause);
                let _ = world.renew_with(seat, "a", secrets[*number]);
                secrets.push(world.secret(seat));
            }
            assert_eq!(world.seat(seat).clone_suspected_at.is_some(), fork, "{what}");
        }
    }
}

#[test]
fn a_request_that_comes_late_is_no_copy() {
    // (what, answers in between, seconds since, whether it looks like a copy)
    for (what, between, since, fork) in [
        ("the next one was faster", 1, 0, false),
        ("many were faster, in a minute", 127, 60, false),
        ("more than may come late", 130, 0, true),
        ("a minute later", 3, 61, true),
    ] {
        let mut world = World::new(1);
        world.license.clone_policy = ClonePolicy::Enforce;
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        let late = world.secret(seat);
        for _ in 0..between {
            let newest = world.secret(seat);
            assert!(world.renew_with(seat, "a", newest).is_ok());
        }
        let newest = world.secret(seat);
        assert!(world.renew_with(seat, "a", newest).is_ok());
        let kept = world.secret(seat);
        world.pass(since);
        assert_eq!(world.renew_with(seat, "a", late).is_err(), fork, "{what}");
        assert!(fork || world.renew_with(seat, "a", kept).is_ok(), "{what}: the others go on");
    }
}

#[test]
fn several_installations_on_one_machine_are_no_clones() {
    let mut world = World::new(1);
    world.license.clone_policy = ClonePolicy::Enforce;
    let seat = world.create();
    for user in [1, 2, 1, 2] {
        world.user = user;
        assert!(!matches!(world.call(seat, SeatOperation::Activate, "a"), SeatAnswer::Verdict(_)));
        assert!(!matches!(world.call(seat, SeatOperation::Renew, "a"), SeatAnswer::Verdict(_)));
    }
    assert_eq!(world.seat(seat).clone_suspected_at, None);
}

#[test]
fn a_known_installation_without_its_secret_is_refused_under_enforce_only() {
    for (policy, expected) in
        [(ClonePolicy::Flag, Ok(())), (ClonePolicy::Enforce, Err(Code::LeaseSuperseded))]
    {
        let mut world = World::new(1);
        world.license.clone_policy = policy;
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        assert_eq!(world.renew_with(seat, "a", PresentedRenewal::Nothing), expected);
        assert_eq!(world.seat(seat).clone_suspected_at, None);
    }
}

#[test]
fn a_restored_database_catches_up_with_the_epochs_that_machines_know() {
    const MOST: u64 = 1 << 52;
    // (what the machine knows, what the database knows of a seat in use, what it answers)
    let rows = [
        (None, 1, 1),
        (Some(0), 1, 1),
        (Some(1), 1, 1),
        (Some(2), 1, 2),
        (Some(9), 1, 9),
        (Some(8), 7, 8),
        (Some(MOST), 1, MOST),
        (Some(MOST + 1), 1, 1),
        (Some(u64::MAX), 1, 1),
    ];
    for (known, held, answered) in rows {
        for call in
            [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew, SeatOperation::Airgap]
        {
            let mut world = World::new(1);
            let seat = world.create();
            world.call(seat, SeatOperation::Activate, "a");
            world.seats[seat].epoch = held;
            let epoch = known;
            let caller = CallerContext { epoch, ..world.caller(seat, "a") };
            assert!(!lease(&world.apply(seat, &SeatEvent::Call(call, Box::new(caller)))).bound);
            assert_eq!(world.seat(seat).epoch, answered, "{known:?} {held}");
            let raised = world.events(seat).contains(&AuditEvent::EpochRaised);
            assert_eq!(raised, answered != held, "{known:?} {held}");
        }
    }
}

#[test]
fn a_restored_database_catches_up_before_it_binds_refuses_or_takes_back() {
    let after_restore = |act: Option<SeatAction>, call: SeatOperation, name: &str| {
        let mut world = World::new(1);
        let seat = world.create();
        world.call(seat, SeatOperation::Activate, "a");
        if let Some(act) = act {
            world.owner(seat, act);
        }
        world.pass(DAY);
        let caller = CallerContext { epoch: Some(9), ..world.caller(seat, name) };
        let answer = world.apply(seat, &SeatEvent::Call(call, Box::new(caller)));
        (answer, world.seat(seat).epoch)
    };
    // A lease and a drop count for the machine only if they are of no earlier epoch than it knows.
    let (bound, epoch) = after_restore(Some(SeatAction::Release), SeatOperation::Activate, "b");
    assert_eq!((lease(&bound).bound, epoch), (true, 10));
    let (released, epoch) = after_restore(None, SeatOperation::Release, "a");
    assert_eq!((code(&released), epoch), ((Code::Ok, Act::Drop), 10));
    let (revoked, epoch) = after_restore(Some(SeatAction::Revoke), SeatOperation::Renew, "a");
    assert_eq!((code(&revoked), epoch), ((Code::TokenRevoked, Act::Drop), 9));
    let (elsewhere, epoch) = after_restore(None, SeatOperation::Renew, "b");
    assert_eq!(
        (code(&elsewhere), epoch),
        ((Code::SeatInUseElsewhere, Act::Keep), 9),
        "it may well be the holder"
    );
    let (asked, epoch) = after_restore(None, SeatOperation::Status, "a");
    assert_eq!((code(&asked), epoch), ((Code::Ok, Act::Keep), 1), "a question changes nothing");
}

#[test]
fn claims_of_later_epochs_do_not_fill_the_audit_trail() {
    let mut world = World::new(1);
    let seat = world.create();
    world.call(seat, SeatOperation::Activate, "a");
    for _ in 0..200 {
        let epoch = Some(world.seat(seat).epoch + 1);
        let caller = CallerContext { epoch, ..world.caller(seat, "a") };
        world.apply(seat, &SeatEvent::Call(SeatOperation::Renew, Box::new(caller)));
    }
    assert!(world.events(seat).len() < 12, "{}", world.events(seat).len());
    assert_eq!(world.seat(seat).epoch, 201);
    let caller = CallerContext { epoch: Some(1 << 52), ..world.caller(seat, "a") };
    world.apply(seat, &SeatEvent::Call(SeatOperation::Renew, Box::new(caller)));
    world.pass(DAY);
    world.owner(seat, SeatAction::Release);
    assert!(lease(&world.call(seat, SeatOperation::Activate, "a")).bound, "and the seat still works");
}

#[test]
fn a_released_machine_without_a_network_keeps_its_place_until_its_lease_ends() {
    let mut world = World::new(1);
    let seat = world.create();
    let lease = lease(&world.call(seat, SeatOperation::Airgap, "a"));
    assert_eq!((lease.bound, lease.exp), (true, world.now.plus(90 * DAY)));
    assert!(!matches!(world.owner(seat, SeatAction::Release), SeatAnswer::Verdict(_)));
    assert_eq!(world.license.in_use, 1, "nobody can tell the machine");
    assert_eq!(code(&world.call(seat, SeatOperation::Activate, "b")).0, Code::SeatInUseElsewhere);
    world.now = lease.exp;
    assert_eq!(code_or_lease(&world.call(seat, SeatOperation::Activate, "b")), None);
}

#[test]
fn a_lease_carries_what_plan_and_add_ons_grant_each_once() {
    let at = |value| EntitlementClaim { value: Some(value), until: None };
    for (plan, beside, expected) in [
        (granted(&[]), granted(&[]), granted(&[])),
        (granted(&["cad"]), granted(&[]), granted(&["cad"])),
        (granted(&[]), granted(&["cad"]), granted(&["cad"])),
        (granted(&["cad", "farm"]), granted(&["farm", "usd"]), granted(&["cad", "farm", "usd"])),
        // Of the same name the license's own counts, more or less as it is.
        (
            [("max".to_owned(), at(5))].into(),
            [("max".to_owned(), at(25))].into(),
            [("max".to_owned(), at(25))].into(),
        ),
        (
            [("max".to_owned(), at(5))].into(),
            [("max".to_owned(), at(1))].into(),
            [("max".to_owned(), at(1))].into(),
        ),
        ([("max".to_owned(), at(5))].into(), granted(&["max"]), granted(&["max"])),
    ] {
        let mut license = World::new(1).license;
        (license.plan.entitlements, license.entitlements) = (plan, beside);
        assert_eq!(license.granted(), expected, "{license:?}");
    }
}

#[test]
fn a_use_without_the_server_was_before_it_is_reported() {
    // (what was known before, what is reported, what is known then), in seconds before now
    for (before, reported, after) in [
        (None, None, None),
        (None, Some(60), Some(60)),
        (None, Some(0), Some(0)),
        (None, Some(-1), Some(0)),
        (None, Some(-100_000_000), Some(0)),
        (Some(60), None, Some(60)),
        (Some(60), Some(30), Some(30)),
        (Some(60), Some(90), Some(60)),
        (Some(60), Some(-1), Some(0)),
    ] {
        let mut world = World::new(1);
        let seat = world.create();
        let now = world.now;
        let at = |ago: Option<i64>| ago.map(|ago| UnixTime::new(now.seconds() - ago).unwrap());
        world.seats[seat].last_offline_at = at(before);
        for call in [SeatOperation::Activate, SeatOperation::Launch, SeatOperation::Renew] {
            let caller = CallerContext { last_offline: at(reported), ..world.caller(seat, "a") };
            world.apply(seat, &SeatEvent::Call(call, Box::new(caller)));
            assert_eq!(
                world.seat(seat).last_offline_at,
                at(after),
                "{call:?}: {before:?}, then {reported:?}"
            );
            assert!(world.seat(seat).last_offline_at.is_none_or(|at| at <= world.now));
        }
    }
}

#[test]
fn one_report_can_not_make_a_count_useless() {
    // (what was counted, what is reported, what is counted then)
    for (before, reported, after) in [
        (0, 0, 0),
        (7, 1, 8),
        (0, 1_000_000, 1_000_000),
        (7, 1_000_001, 1_000_007),
        (7, i64::MAX as u64, 1_000_007),
        (7, u64::MAX, 1_000_007),
        (u64::MAX, 1, u64::MAX),
    ] {
        let mut world = World::new(1);
        let seat = world.create();
        world.seats[seat].launches = before;
        let caller = CallerContext { launches: reported, ..world.caller(seat, "a") };
        world.apply(seat, &SeatEvent::Call(SeatOperation::Activate, Box::new(caller)));
        assert_eq!(world.seat(seat).launches, after, "{before}, then {reported}");
    }
}

fn code_or_lease(answer: &SeatAnswer) -> Option<Code> {
    match answer {
        SeatAnswer::Verdict(verdict) => Some(verdict.code),
        _ => None,
    }
}

#[test]
fn a_confirmation_counts_only_for_the_present_hold() {
    // (what, owner released before, machine, epoch, whether the secret is the newest, what comes of it)
    let freed = Some(Code::Ok);
    for (what, released, machine, epoch, newest, expected) in [
        ("by the holder", false, "a", 1, true, freed),
        ("after the owner's release", true, "a", 1, true, freed),
        ("by another machine", false, "b", 1, true, None),
        ("of an earlier hold", false, "a", 0, true, None),
        ("of a later epoch", false, "a", 2, true, None),
        ("after the owner's release, of that epoch", true, "a", 2, true, None),
        ("by the secret before, since when another lease was made", false, "a", 1, false, None),
    ] {
        let mut world = World::new(1);
        let seat = world.create();
        world.call(seat, SeatOperation::Airgap, "a");
        let secret = world.secret(seat);
        if !newest {
            world.call(seat, SeatOperation::Airgap, "a");
        }
        if released {
            world.owner(seat, SeatAction::Release);
            world.now = world.now.plus(DAY);
        }
        let (before, events) = (world.seat(seat).clone(), world.events(seat).len());
        let caller = CallerContext { epoch: Some(epoch), renewal: secret, ..world.caller(seat, machine) };
        let answer = world.apply(seat, &SeatEvent::Call(SeatOperation::Confirm, Box::new(caller)));
        assert_eq!(code_or_lease(&answer), expected, "{what}");
        if expected.is_some() {
            assert_eq!((world.license.in_use, world.events(seat).len()), (0, events + 1), "{what}");
        } else {
            assert_eq!((answer, world.seat(seat)), (SeatAnswer::Unchanged, &before), "{what}");
        }
    }
}
