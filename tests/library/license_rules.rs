//! Every rule of licensing as a row of a table: what happened, what is reported, and what became of
//! the lease.

use crate::license_support::*;
use seatlock::license::{Effect, LeaseState, LockState, Reply, Rules, SignedObject, State};
use seatlock::protocol::{
    Act, Code, Nonce, Typ, UnixTime,
    api::SeatCall,
    claims::{ClockAction, ClockPolicy, LeaseClaims, VerdictClaims},
};

/// What an answer does to the lease that is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// The stored bytes stay as they are.
    Kept,
    /// The new lease takes its place.
    Renewed,
    /// A tombstone takes its place.
    Dropped,
}
use Fate::{Dropped, Kept, Renewed};

/// A computer with a lease of `BASE` and a key set that lists one key, an hour later.
fn before() -> Computer {
    let mut computer = Computer::licensed();
    let set = signed(Typ::KeySet, ROOT, &key_set(3, LISTED, |_| {}));
    let status = verdict(Code::Ok, Act::Keep, |_| {});
    computer.answered(SeatCall::Status, &reply_with(verdict_by(PINNED, &status), Some(set)));
    assert_eq!(computer.state.keys().map(|keys| keys.seq), Some(3));
    computer.run(HOUR);
    computer
}

fn check(what: &str, call: SeatCall, reply: &Reply, code: Code, fate: Fate) {
    let mut computer = before();
    let held = stored_lease(&computer.state);
    assert!(held.is_some());
    let outcome = computer.answered(call, reply);
    assert_eq!(outcome.code, code, "{what}");
    let sent = match reply {
        Reply::Signed(signed) => match &signed.object {
            SignedObject::Lease(text) | SignedObject::Verdict(text) => Some(text.clone()),
        },
        Reply::Failed(_) => None,
    };
    let now_stored = stored_lease(&computer.state);
    match fate {
        Kept => assert_eq!(now_stored, held, "{what}"),
        Renewed => assert_eq!(now_stored, sent, "{what}"),
        Dropped => {
            assert_eq!(now_stored, None, "{what}");
            assert!(matches!(computer.state.license, LeaseState::Dropped(_)), "{what}");
        }
    }
    // What is decided must survive the disk, and only an own release makes the token useless.
    let again = reloaded(&computer.state, &computer.rules, &binding());
    assert_eq!(again.license, computer.state.license, "{what}: from disk");
    let forgets = computer.effects.contains(&Effect::ForgetToken);
    assert_eq!(forgets, fate == Dropped && code == Code::Ok, "{what}: token");
}

#[test]
fn leases() {
    let hour = BASE + HOUR;
    let of = |change: fn(&mut LeaseClaims)| {
        lease(|claims| {
            (claims.iat, claims.exp) = (at(BASE + HOUR), at(BASE + HOUR + 7 * DAY));
            change(claims);
        })
    };
    type Row = (&'static str, u8, fn(&mut LeaseClaims), Code, Fate);
    let rows: &[Row] = &[
        ("renewed", PINNED, |_| {}, Code::Ok, Renewed),
        ("renewed, by a key of the key set", LISTED, |_| {}, Code::Ok, Renewed),
        ("higher epoch", PINNED, |c| c.epoch = 8, Code::Ok, Renewed),
        (
            "another seat's epoch is another count",
            PINNED,
            |c| (c.sub, c.epoch) = (OTHER_SEAT, 1),
            Code::Ok,
            Renewed,
        ),
        ("shorter than the held one", PINNED, |c| c.exp = at(BASE + 2 * HOUR), Code::Ok, Renewed),
        ("server's clock 300 s back", PINNED, |c| c.iat = at(BASE - 300), Code::Ok, Renewed),
        ("server's clock 301 s back", PINNED, |c| c.iat = at(BASE - 301), Code::ReplayedResponse, Kept),
        ("nonce of another request", PINNED, |c| c.nonce = Nonce::new([2; 16]), Code::ReplayedResponse, Kept),
        ("older epoch", PINNED, |c| c.epoch = 6, Code::ReplayedResponse, Kept),
        ("ends when it is issued", PINNED, |c| c.exp = c.iat, Code::ReplayedResponse, Kept),
        ("ends before it is issued", PINNED, |c| c.exp = at(BASE), Code::ReplayedResponse, Kept),
        ("another server", PINNED, |c| c.iss = "https://elsewhere".to_owned(), Code::BadSignature, Kept),
        ("a slash behind it", PINNED, |c| c.iss = format!("{ISSUER}/"), Code::Ok, Renewed),
        ("in capitals", PINNED, |c| c.iss = ISSUER.to_uppercase(), Code::Ok, Renewed),
        ("with its usual port", PINNED, |c| c.iss = format!("{ISSUER}:443"), Code::Ok, Renewed),
        ("another port", PINNED, |c| c.iss = format!("{ISSUER}:8443"), Code::BadSignature, Kept),
        ("a path", PINNED, |c| c.iss = format!("{ISSUER}/lic"), Code::BadSignature, Kept),
        ("no scheme", PINNED, |c| c.iss = ISSUER.replace("https://", ""), Code::BadSignature, Kept),
        ("another product", PINNED, |c| c.aud = "com.example.other".to_owned(), Code::BadSignature, Kept),
        ("another version", PINNED, |c| c.ver = 2, Code::BadSignature, Kept),
        ("another machine", PINNED, |c| c.mid = machine("other"), Code::MachineMismatch, Kept),
        ("another token", PINNED, |c| c.tkh = OTHER_TOKEN, Code::BadSignature, Kept),
        ("a stranger's key", STRANGER, |_| {}, Code::BadSignature, Kept),
        ("the root key", ROOT, |_| {}, Code::BadSignature, Kept),
        ("key's first second", LISTED, |c| (c.epoch, c.iat) = (7, at(BASE - 300)), Code::Ok, Renewed),
        (
            "key's last second",
            LISTED,
            |c| (c.iat, c.exp) = (at(BASE + 15 * DAY), at(BASE + 16 * DAY)),
            Code::Ok,
            Renewed,
        ),
        (
            "after the key's period",
            LISTED,
            |c| (c.iat, c.exp) = (at(BASE + 15 * DAY + 1), at(BASE + 16 * DAY)),
            Code::BadSignature,
            Kept,
        ),
        ("before the key's period", LISTED, |c| c.iat = at(BASE - 15 * DAY - 1), Code::BadSignature, Kept),
        (
            "a pinned key has no period",
            PINNED,
            |c| (c.iat, c.exp) = (at(BASE + 99 * DAY), at(BASE + 100 * DAY)),
            Code::Ok,
            Renewed,
        ),
        (
            "largest numbers",
            PINNED,
            |c| (c.exp, c.renew, c.warn, c.epoch) = (UnixTime::MAX, u64::MAX, u64::MAX, u64::MAX),
            Code::Ok,
            Renewed,
        ),
    ];
    for (what, seed, change, code, fate) in rows {
        for call in [SeatCall::Activate, SeatCall::Ping] {
            check(what, call, &reply(lease_by(*seed, &of(*change))), *code, *fate);
        }
    }

    let good = signed(Typ::Lease, PINNED, &of(|_| {}));
    let other = signed(Typ::Lease, PINNED, &of(|c| c.exp = at(BASE + 99 * DAY)));
    let (head, tail) = (good.rsplit_once('.').unwrap(), other.rsplit_once('.').unwrap());
    for (what, text) in [
        ("nothing", String::new()),
        ("a word", "lease".to_owned()),
        ("two parts", "a.b".to_owned()),
        ("signature of another lease", format!("{}.{}", head.0, tail.1)),
        ("signature left out", format!("{}.", head.0)),
        ("too long", "a".repeat(100_000)),
        ("not a lease but a verdict", signed(Typ::Verdict, PINNED, &verdict(Code::Ok, Act::Keep, |_| {}))),
        ("typ says verdict", signed(Typ::Verdict, PINNED, &of(|_| {}))),
        ("claims missing", signed(Typ::Lease, PINNED, &serde_json::json!({"iat": hour}))),
    ] {
        check(what, SeatCall::Ping, &reply(SignedObject::Lease(text)), Code::BadSignature, Kept);
    }
}

#[test]
fn verdicts() {
    for row in Code::TABLE {
        let keep = verdict(row.code, Act::Keep, |_| {});
        let drop = verdict(row.code, Act::Drop, |_| {});
        // A confirmation answers no other call than its own: `answers_and_calls`.
        let confirms = row.code == Code::Ok;
        let all = [SeatCall::Activate, SeatCall::Ping, SeatCall::Release, SeatCall::Status];
        let calls = if confirms { &[SeatCall::Status][..] } else { &all[..] };
        for call in calls {
            check(row.name, *call, &reply(verdict_by(PINNED, &keep)), row.code, Kept);
        }
        // It means a typo or a restored backup, so not even a signed drop makes it take anything away.
        let fate = if row.code == Code::TokenUnknown { Kept } else { Dropped };
        let call = if confirms { SeatCall::Release } else { SeatCall::Ping };
        check(row.name, call, &reply(verdict_by(PINNED, &drop)), row.code, fate);
    }

    type Row = (&'static str, u8, fn(&mut VerdictClaims), Code, Fate);
    let refused = Code::SeatReleased;
    let rows: &[Row] = &[
        ("drop, by a key of the key set", LISTED, |_| {}, refused, Dropped),
        ("drop with a newer epoch", PINNED, |c| c.epoch = Some(8), refused, Dropped),
        ("drop without an epoch", PINNED, |c| c.epoch = None, refused, Kept),
        ("drop without a seat", PINNED, |c| (c.sub, c.epoch) = (None, None), refused, Kept),
        ("drop with an older epoch", PINNED, |c| c.epoch = Some(6), refused, Kept),
        ("drop for another token", PINNED, |c| c.tkh = OTHER_TOKEN, Code::BadSignature, Kept),
        ("drop for another machine", PINNED, |c| c.mid = machine("other"), Code::MachineMismatch, Kept),
        ("drop for another request", PINNED, |c| c.nonce = Nonce::new([2; 16]), Code::ReplayedResponse, Kept),
        (
            "drop of another server",
            PINNED,
            |c| c.iss = "https://elsewhere".to_owned(),
            Code::BadSignature,
            Kept,
        ),
        ("drop of another product", PINNED, |c| c.aud = "other".to_owned(), Code::BadSignature, Kept),
        ("drop of another version", PINNED, |c| c.ver = 0, Code::BadSignature, Kept),
        ("drop by a stranger", STRANGER, |_| {}, Code::BadSignature, Kept),
        ("drop by the root key", ROOT, |_| {}, Code::BadSignature, Kept),
        (
            "drop after its key's period",
            LISTED,
            |c| c.iat = at(BASE + 15 * DAY + 1),
            Code::BadSignature,
            Kept,
        ),
    ];
    for (what, seed, change, code, fate) in rows {
        let claims = verdict(refused, Act::Drop, *change);
        check(what, SeatCall::Ping, &reply(verdict_by(*seed, &claims)), *code, *fate);
    }
    let lease_text = signed(Typ::Lease, PINNED, &lease(|_| {}));
    let unknown = serde_json::json!({"code": "from_the_future", "act": "drop"});
    for text in [String::new(), lease_text, signed(Typ::Verdict, PINNED, &unknown)] {
        check("no verdict", SeatCall::Ping, &reply(SignedObject::Verdict(text)), Code::BadSignature, Kept);
    }
}

#[test]
fn a_verdict_reports_signed_words_only() {
    let mut computer = before();
    let claims = verdict(Code::SeatLimitReached, Act::Keep, |c| c.avail = Some(at(BASE + DAY)));
    let outcome = computer.answered(SeatCall::Activate, &reply(verdict_by(PINNED, &claims)));
    assert_eq!(outcome.params, claims.params);
    assert_eq!((outcome.available_at, outcome.http_status), (claims.avail, Some(200)));
}

#[test]
fn unsigned_failures() {
    for row in Code::TABLE {
        for retry_after in [None, Some(0), Some(60), Some(u64::MAX)] {
            for call in [SeatCall::Activate, SeatCall::Ping, SeatCall::Release, SeatCall::Status] {
                check(row.name, call, &failed(row.code, retry_after), row.code, Kept);
            }
        }
    }
}

/// A token that is not the one of the held lease: a second token was pasted.
#[test]
fn answers_for_another_token_do_not_drop_the_lease() {
    let mut computer = before();
    let held = stored_lease(&computer.state);
    let mut asked = asked(SeatCall::Activate, 1);
    asked.token = OTHER_TOKEN;
    for code in [Code::TokenRevoked, Code::SeatReleased, Code::LicenseSuspended] {
        let claims = verdict(code, Act::Drop, |c| (c.tkh, c.sub) = (OTHER_TOKEN, Some(OTHER_SEAT)));
        let reply = reply(verdict_by(PINNED, &claims));
        let input = seatlock::license::Input::Answered { asked: &asked, reply: &reply, random: 0 };
        computer.apply(input);
        assert_eq!(stored_lease(&computer.state), held, "{code}");
    }
}

#[test]
fn key_sets() {
    let adopted = |offered: String, object: SignedObject| {
        let mut computer = before();
        computer.answered(SeatCall::Ping, &reply_with(object, Some(offered)));
        let again = reloaded(&computer.state, &computer.rules, &binding());
        assert_eq!(again.keys(), computer.state.keys(), "from disk");
        computer.state.keys().map(|keys| keys.seq)
    };
    let good = || lease_by(PINNED, &lease(|_| {}));
    let bad = || lease_by(STRANGER, &lease(|_| {}));
    let set = |seed, seq| signed(Typ::KeySet, seed, &key_set(seq, NEXT, |_| {}));
    let foreign = signed(Typ::KeySet, ROOT, &key_set(9, NEXT, |set| set.iss = "elsewhere".to_owned()));
    let rows = [
        ("newer", set(ROOT, 4), good(), 4),
        ("much newer", set(ROOT, u64::MAX), good(), u64::MAX),
        ("the same again", set(ROOT, 3), good(), 3),
        ("older", set(ROOT, 2), good(), 3),
        ("signed by a stranger", set(STRANGER, 4), good(), 3),
        ("signed by a lease key", set(PINNED, 4), good(), 3),
        ("of another server", foreign, good(), 3),
        ("garbage", "x".to_owned(), good(), 3),
        ("newer, along with a bad answer", set(ROOT, 4), bad(), 4),
        ("older, along with a bad answer", set(ROOT, 2), bad(), 3),
    ];
    for (what, offered, object, seq) in rows {
        assert_eq!(adopted(offered, object), Some(seq), "{what}");
    }
    // Never online before: the set that comes along is what the lease is verified with.
    let mut fresh = Computer::new();
    let object = lease_by(NEXT, &lease(|_| {}));
    assert_eq!(fresh.answered(SeatCall::Activate, &reply_with(object, Some(set(ROOT, 1)))).code, Code::Ok);
}

#[test]
fn a_revoked_key_gives_its_lease_a_day() {
    // (what, lease issued, revoked since, key set signed, learned, end), in hours after BASE
    let week = 7 * 24;
    let rows = [
        ("issued before", 0, 1, 1, 2, week),
        ("issued at that moment", 0, 0, 1, 2, 26),
        ("issued after", 0, -5, 1, 2, 26),
        ("learned long after it was signed", 0, 0, 1, 100, 124),
        ("the lease ends sooner anyway", 0, 0, 1, 160, week),
    ];
    for (what, issued, since, signed_at, learned, end) in rows {
        let mut computer = before();
        computer.now = BASE + learned * HOUR;
        let set = key_set(4, LISTED, |set| {
            set.iat = at(BASE + signed_at * HOUR);
            set.revoked = vec![revoked(LISTED, BASE + since * HOUR)];
        });
        let claims = lease(|c| {
            (c.iat, c.exp) = (at(BASE + issued * HOUR), at(BASE + week * HOUR));
        });
        let mut state = State::new(computer.state.install_id, &nobody());
        std::mem::swap(&mut state, &mut computer.state);
        computer.state.key_set = state.key_set;
        computer.answered(SeatCall::Ping, &reply(lease_by(LISTED, &claims)));
        let refused = verdict(Code::PluginTooOld, Act::Keep, |c| c.iat = at(computer.now));
        let news = Some(signed(Typ::KeySet, ROOT, &set));
        computer.answered(SeatCall::Ping, &reply_with(verdict_by(PINNED, &refused), news.clone()));
        assert_ne!(computer.lock().0, LockState::Locked, "{what}: does not die at once");
        // Hearing the same again does not prolong it, and neither does a restart.
        computer.restart_after(MINUTE);
        computer.answered(SeatCall::Ping, &reply_with(verdict_by(PINNED, &refused), news));
        assert_eq!(computer.standing().valid_until, Some(at(BASE + end * HOUR)), "{what}");
        computer.restart_after(BASE + end * HOUR - computer.now);
        assert_eq!(computer.lock(), (LockState::Locked, Code::LeaseExpired), "{what}: at its end");
    }
}

#[test]
fn a_revoked_key_answers_nothing_more() {
    // (what, signed, revoked since, key set signed, believed), in hours after BASE
    let rows = [
        ("issued at that moment", 1, 1, 1, false),
        ("issued after", 2, 1, 1, false),
        ("says that it was issued before, but answers now", 0, 1, 1, false),
        ("the revocation is announced for later", 1, 2, 1, true),
        ("announced, and now is later", 2, 2, 1, false),
    ];
    for (what, signed_at, since, set_at, believed) in rows {
        let set = key_set(4, LISTED, |set| {
            set.iat = at(BASE + set_at * HOUR);
            set.revoked = vec![revoked(LISTED, BASE + since * HOUR)];
        });
        let set = signed(Typ::KeySet, ROOT, &set);
        let issued = at(BASE + signed_at * HOUR);
        let drop = verdict_by(LISTED, &verdict(Code::TokenRevoked, Act::Drop, |c| c.iat = issued));
        let keep = verdict_by(LISTED, &verdict(Code::PluginTooOld, Act::Keep, |c| c.iat = issued));
        let renewal = lease_by(LISTED, &lease(|c| (c.iat, c.exp) = (issued, at(BASE + 7 * DAY))));
        for (object, code, fate) in [
            (drop, Code::TokenRevoked, Dropped),
            (keep, Code::PluginTooOld, Kept),
            (renewal, Code::Ok, Renewed),
        ] {
            let (code, fate) = if believed { (code, fate) } else { (Code::BadSignature, Kept) };
            check(what, SeatCall::Ping, &reply_with(object, Some(set.clone())), code, fate);
        }
    }
}

#[test]
fn a_stored_verdict_counts_if_it_was_signed_before_its_key_was_revoked() {
    for (what, since, stays) in
        [("signed before", 1, true), ("at that moment", 0, false), ("after", -1, false)]
    {
        let mut computer = before();
        let drop = verdict(Code::TokenRevoked, Act::Drop, |c| c.iat = at(BASE));
        let _ = computer.answered(SeatCall::Ping, &reply(verdict_by(LISTED, &drop)));
        let set = key_set(4, LISTED, |set| set.revoked = vec![revoked(LISTED, BASE + since * HOUR)]);
        computer.state.key_set = computer.rules.trust.key_set(&signed(Typ::KeySet, ROOT, &set)).ok();
        computer.restart_after(MINUTE);
        let tombstone = matches!(computer.state.license, LeaseState::Dropped(_));
        assert_eq!(tombstone, stays, "{what}");
    }
}

#[test]
fn the_life_of_a_lease() {
    use LockState::{Grace, Locked, Unlocked};
    // (seconds after it was issued, lock state, reason, warn)
    let rows = [
        (0, Unlocked, Code::Ok, false),
        (6 * HOUR - 1, Unlocked, Code::Ok, false),
        (6 * HOUR, Grace, Code::OkOffline, false),
        (5 * DAY - 1, Grace, Code::OkOffline, false),
        (5 * DAY, Grace, Code::OkWarn, true),
        (7 * DAY - 1, Grace, Code::OkWarn, true),
        (7 * DAY, Locked, Code::LeaseExpired, false),
        (59 * DAY, Locked, Code::LeaseExpired, false),
    ];
    for (passed, lock_state, reason, warn) in rows {
        let mut running = Computer::licensed();
        running.now += passed;
        let mut restarted = Computer::licensed();
        restarted.restart_after(passed);
        let mut rebooted = Computer::licensed();
        rebooted.reboot_after(passed.max(MINUTE));
        for (what, computer) in [("running", running), ("restarted", restarted), ("rebooted", rebooted)] {
            if what == "rebooted" && computer.now != BASE + passed {
                continue;
            }
            let standing = computer.standing();
            assert_eq!((standing.lock_state, standing.reason), (lock_state, reason), "{what}, {passed} s");
            assert_eq!(standing.warn, warn, "{what}, {passed} s");
            let end = (lock_state != Locked).then(|| at(BASE + 7 * DAY));
            assert_eq!(standing.valid_until, end, "{what}, {passed} s");
        }
    }
}

#[test]
fn failures_mean_grace_until_the_next_lease() {
    let replayed = reply(lease_by(PINNED, &lease(|c| c.nonce = Nonce::new([2; 16]))));
    let kept = reply(verdict_by(PINNED, &verdict(Code::PluginTooOld, Act::Keep, |_| {})));
    let rows = [
        ("ping unreachable", SeatCall::Ping, failed(Code::Unreachable, None), LockState::Grace),
        ("ping told to wait", SeatCall::Ping, failed(Code::RateLimited, Some(60)), LockState::Grace),
        ("ping replayed", SeatCall::Ping, replayed, LockState::Grace),
        ("ping refused, keep", SeatCall::Ping, kept.clone(), LockState::Grace),
        ("status refused", SeatCall::Status, kept, LockState::Unlocked),
        ("status unreachable", SeatCall::Status, failed(Code::Unreachable, None), LockState::Unlocked),
        (
            "typing tokens too fast",
            SeatCall::Activate,
            failed(Code::RateLimited, Some(60)),
            LockState::Unlocked,
        ),
    ];
    for (what, call, reply, lock_state) in rows {
        let mut computer = before();
        computer.answered(call, &reply);
        assert_eq!(computer.lock().0, lock_state, "{what}");
        computer.restart_after(MINUTE);
        assert_eq!(computer.lock().0, lock_state, "{what}: restarted");
        computer.answered(SeatCall::Ping, &crate::license_support::reply(lease_by(PINNED, &lease(|_| {}))));
        assert_eq!(computer.lock(), (LockState::Unlocked, Code::Ok), "{what}: then renewed");
    }
}

#[test]
fn clocks_that_are_wrong_and_then_set_right() {
    use LockState::{Grace, Locked, Unlocked};
    let ok = (Unlocked, Code::Ok);
    let wrong = (Locked, Code::ClockError);
    // (what, wall clock wrong by, while wrong, after it was set right)
    let rows = [
        ("right", 0, ok, ok),
        ("an hour back: daylight saving", -HOUR, ok, ok),
        ("26 hours back", -26 * HOUR, ok, ok),
        ("27 hours back", -27 * HOUR, wrong, ok),
        ("a year back", -365 * DAY, wrong, ok),
        ("empty clock battery: before 1970", -BASE - 1000 * DAY, wrong, ok),
        ("a day ahead", DAY, (Grace, Code::OkOffline), (Grace, Code::OkOffline)),
        ("a month ahead: past the lease's end", 31 * DAY, (Locked, Code::LeaseExpired), ok),
        ("years ahead", 3650 * DAY, wrong, ok),
    ];
    for (what, error, while_wrong, set_right) in rows {
        let mut computer = Computer::licensed();
        let held = stored_lease(&computer.state);
        computer.wall_error = error;
        computer.restart_after(HOUR);
        assert_eq!(computer.lock(), while_wrong, "{what}");
        computer.run(HOUR);
        assert_eq!(computer.lock(), while_wrong, "{what}: an hour later");
        assert_eq!(stored_lease(&computer.state), held, "{what}: the lease is never destroyed");

        let mut right = computer.clone();
        right.wall_error = 0;
        right.run(MINUTE);
        assert_eq!(right.lock(), set_right, "{what}: set right while it runs");
        right.restart_after(MINUTE);
        assert_eq!(right.lock(), set_right, "{what}: set right and restarted");

        let issued = computer.now;
        let renewed = lease(|c| (c.iat, c.exp) = (at(issued), at(issued + 7 * DAY)));
        computer.answered(SeatCall::Ping, &reply(lease_by(PINNED, &renewed)));
        computer.run(HOUR);
        assert_eq!(computer.lock(), ok, "{what}: the server was reached instead");
        let status = verdict(Code::Ok, Act::Keep, |c| c.iat = at(issued + HOUR));
        computer.answered(SeatCall::Status, &reply(verdict_by(PINNED, &status)));
        assert_eq!(
            computer.state.pacing.not_before,
            at(issued + 6 * HOUR),
            "{what}: the next ping is on time"
        );
    }
}

#[test]
fn clocks_and_policies() {
    let lock = |claims: &LeaseClaims, wait: i64, error: i64| {
        let mut computer = Computer::with(claims);
        computer.wall_error = error;
        computer.reboot_after(wait);
        computer.lock()
    };
    let freeze = lease(|c| c.clk = ClockPolicy { tol: 60, act: ClockAction::Freeze });
    assert_eq!(lock(&freeze, HOUR, -365 * DAY), (LockState::Unlocked, Code::Ok), "time stands still");
    let long = lease(|c| c.exp = at(BASE + 180 * DAY));
    assert_eq!(lock(&long, 100 * DAY, 0), (LockState::Grace, Code::OkOffline), "unused for months, offline");
    assert_eq!(
        lock(&long, 180 * DAY, 0),
        (LockState::Locked, Code::ClockError),
        "or its end: not to be known"
    );
}

/// Between restarts of the computer only the disk knows how long the lease was used.
#[test]
fn use_is_written_down_every_ten_minutes() {
    let mut computer = Computer::licensed();
    let mut saved = computer.state.clone();
    for _ in 0..5 * HOUR / MINUTE {
        computer.run(MINUTE);
        if computer.effects.contains(&Effect::Save) {
            saved = computer.state.clone();
        }
    }
    computer.state = saved;
    computer.wall_error = -5 * HOUR - MINUTE;
    computer.reboot_after(MINUTE);
    let now = computer.state.time(computer.reading()).now.seconds();
    assert!((computer.now - 600..=computer.now).contains(&now), "{} s lost", computer.now - now);
}

/// Batches, crash loops and farms start a host hundreds of times an hour, often on computers whose
/// clock is slow.
#[test]
fn many_launches_with_a_slow_clock_lose_no_time() {
    for error in [-1, -180, -20 * HOUR, -26 * HOUR] {
        let mut computer = Computer::licensed();
        computer.wall_error = error;
        for launch in 0..2000 {
            computer.restart_after(20);
            assert_ne!(computer.lock().0, LockState::Locked, "launch {launch}, wall clock {error} s off");
        }
        assert_eq!(computer.state.launches.unreported().unwrap().launches, 2000);
        assert_eq!(
            computer.state.time(computer.reading()).now.seconds(),
            computer.now.max(computer.now + error)
        );
    }
}

/// The lease is signed, the rest of the file is not.
#[test]
fn a_lease_from_the_future_of_a_clock_is_not_valid_for_ever() {
    let computer = Computer::licensed();
    let mut record = serde_json::to_value(computer.state.to_record(PRODUCT)).unwrap();
    record.as_object_mut().unwrap().remove("clock");
    let record = serde_json::from_value(record).unwrap();
    let mut computer =
        Computer { state: State::from_record(record, &computer.rules.trust, &binding()), ..computer };
    computer.wall_error = -20 * 365 * DAY;
    assert_eq!(computer.lock(), (LockState::Locked, Code::ClockError));
    computer.wall_error = -DAY;
    computer.run(7 * DAY + MINUTE);
    assert_eq!(computer.lock(), (LockState::Locked, Code::LeaseExpired));
}

/// The server's clock was ten days ahead for a while. Its leases must not lock their holders out
/// until then.
#[test]
fn a_server_whose_clock_was_ahead() {
    let ahead = BASE + 10 * DAY;
    let mut computer = Computer::with(&lease(|c| (c.iat, c.exp) = (at(ahead), at(ahead + 7 * DAY))));
    computer.restart_after(DAY);
    assert_eq!(computer.lock(), (LockState::Locked, Code::ClockError));
    let stored = computer.state.clone();
    let now = computer.now;
    let renewed = reply(lease_by(PINNED, &lease(|c| (c.iat, c.exp) = (at(now), at(now + 7 * DAY)))));
    assert_eq!(computer.answered(SeatCall::Ping, &renewed).code, Code::ReplayedResponse);
    assert_eq!(stored_lease(&computer.state), stored_lease(&stored));
    computer.state = computer.state.clone().merged_with(stored.clone(), computer.reading());
    assert!(computer.state.pacing.not_before <= at(now + 5 * MINUTE), "asks again soon");
    // Another process starts with the lease from the future, and this one's answer comes in the same
    // second.
    computer.restart_after(0);
    let stored = computer.state.clone();
    assert_eq!(computer.answered(SeatCall::Ping, &renewed).code, Code::Ok);
    computer.state = computer.state.clone().merged_with(stored, computer.reading());
    computer.restart_after(HOUR);
    assert_eq!(computer.lock(), (LockState::Unlocked, Code::Ok));
}

#[test]
fn tombstones() {
    // (code, reported while locked)
    for (code, reason) in [
        (Code::Ok, Code::NoToken),
        (Code::TokenRevoked, Code::TokenRevoked),
        (Code::SeatReleased, Code::SeatReleased),
        (Code::LicenseSuspended, Code::LicenseSuspended),
    ] {
        let mut computer = before();
        let claims = verdict(code, Act::Drop, |c| c.epoch = Some(8));
        computer.answered(SeatCall::Release, &reply(verdict_by(PINNED, &claims)));
        assert_eq!(computer.state.seats.renewal(TOKEN), None);
        computer.reboot_after(DAY);
        assert_eq!(computer.lock(), (LockState::Locked, reason), "{code}: after a restart");
        let lease_of = |epoch| reply(lease_by(PINNED, &lease(|c| c.epoch = epoch)));
        assert_eq!(computer.answered(SeatCall::Ping, &lease_of(7)).code, Code::ReplayedResponse, "{code}");
        assert_eq!(computer.lock(), (LockState::Locked, reason), "{code}: an older epoch does not revive");
        assert_eq!(computer.answered(SeatCall::Activate, &lease_of(9)).code, Code::Ok, "{code}");
        assert_ne!(computer.lock().0, LockState::Locked, "{code}: activated again");
    }
}

#[test]
fn records_from_elsewhere() {
    type Row = (&'static str, fn(&mut Rules), fn(&mut seatlock::license::Binding), Code);
    let rows: &[Row] = &[
        ("here", |_| {}, |_| {}, Code::Ok),
        ("no token remembered", |_| {}, |b| b.token = None, Code::Ok),
        ("another token remembered", |_| {}, |b| b.token = Some(OTHER_TOKEN), Code::LeaseExpired),
        ("another machine", |_| {}, |b| b.machine = machine("other"), Code::MachineMismatch),
        (
            "another machine, no token",
            |_| {},
            |b| (b.machine, b.token) = (machine("other"), None),
            Code::MachineMismatch,
        ),
        ("another server", |r| r.trust.issuer = "elsewhere".to_owned(), |_| {}, Code::BadSignature),
        ("another product", |r| r.trust.product = "other".to_owned(), |_| {}, Code::BadSignature),
        ("other keys", |r| r.trust.lease_keys.clear(), |_| {}, Code::BadSignature),
    ];
    for (what, change_rules, change_binding, reason) in rows {
        let mut computer = Computer::licensed();
        let mut binding = binding();
        change_rules(&mut computer.rules);
        change_binding(&mut binding);
        let bytes = |computer: &Computer| {
            serde_json::to_vec(&computer.state.to_record(&computer.rules.trust.product)).unwrap()
        };
        let stored = bytes(&computer);
        computer.state = reloaded(&computer.state, &computer.rules, &binding);
        assert_eq!(bytes(&computer), stored, "{what}: same bytes");
        assert_eq!(computer.lock().1, *reason, "{what}");
    }
}

#[test]
fn launches_are_counted_offline_and_cleared_by_a_lease() {
    let mut computer = Computer::licensed();
    for _ in 0..3 {
        computer.restart_after(HOUR);
        computer.answered(SeatCall::Ping, &failed(Code::Unreachable, None));
    }
    let offline = computer.state.launches.unreported().unwrap();
    assert_eq!((offline.launches, offline.last_used_at), (3, Some(at(BASE + 3 * HOUR))));
    computer.restart_after(HOUR);
    let asking = computer.state.launches.unreported().unwrap();
    assert_eq!((asking.launches, asking.last_used_at), (4, offline.last_used_at), "not the one that asks");
    let kept = verdict(Code::PluginTooOld, Act::Keep, |_| {});
    computer.answered(SeatCall::Ping, &reply(verdict_by(PINNED, &kept)));
    assert_eq!(computer.state.launches.unreported(), Some(asking), "a refusal clears nothing");
    computer.answered(SeatCall::Ping, &reply(lease_by(PINNED, &lease(|_| {}))));
    assert_eq!(computer.state.launches.unreported(), None);
}

#[test]
fn pacing() {
    // A failed ping, half of the spread below the middle.
    let mut computer = before();
    for (failures, wait) in [(1, 30), (2, 150), (3, 450), (4, 1800), (5, 1800)] {
        computer.answered(SeatCall::Ping, &failed(Code::Unreachable, None));
        let pacing = computer.state.pacing;
        assert_eq!((pacing.failures, pacing.not_before), (failures, at(computer.now + wait)));
    }
    computer.restart_after(MINUTE);
    assert_eq!(computer.state.pacing.failures, 5, "remembered, so that a crashing host does not hammer");
    let now = computer.now;
    let renewed = lease(|c| (c.iat, c.exp) = (at(now), at(now + 7 * DAY)));
    computer.answered(SeatCall::Ping, &reply(lease_by(PINNED, &renewed)));
    let pacing = computer.state.pacing;
    assert_eq!((pacing.failures, pacing.not_before), (0, at(now + 6 * HOUR)), "a lease clears it");

    // (what, hours before the end of the lease, seconds asked for, seconds waited)
    for (what, left, asked, waited) in [
        ("at least a second", 100, 0, 30),
        ("as asked", 100, 600, 600),
        ("a day at most", 100, 1_000_000, DAY),
        ("half of what is left of the lease", 10, 86_400, 5 * HOUR),
        ("an hour when nothing is left", 0, 86_400, HOUR),
    ] {
        let mut computer = Computer::licensed();
        computer.now = BASE + 7 * DAY - left * HOUR;
        let outcome = computer.answered(SeatCall::Ping, &failed(Code::Maintenance, Some(asked)));
        assert_eq!(computer.state.pacing.not_before, at(computer.now + waited), "{what}");
        assert_eq!(outcome.available_at, Some(computer.state.pacing.not_before), "{what}");
    }
    let mut new = Computer::new();
    new.answered(SeatCall::Activate, &failed(Code::Maintenance, Some(86_400)));
    assert_eq!(
        new.state.pacing.not_before,
        at(BASE + HOUR),
        "a hotel's proxy delays activation by an hour at most"
    );

    // A farm's lease of half an hour: the network is back before its end, and so is the license.
    let mut farm = Computer::with(&lease(|c| (c.exp, c.renew) = (at(BASE + 30 * MINUTE), 600)));
    while farm.now < BASE + 29 * MINUTE {
        farm.now = farm.state.pacing.not_before.seconds().max(farm.now + MINUTE);
        farm.apply(seatlock::license::Input::Answered {
            asked: &asked(SeatCall::Ping, 1),
            reply: &failed(Code::Unreachable, None),
            random: u16::MAX,
        });
        assert!(farm.state.pacing.not_before < at(BASE + 31 * MINUTE));
    }
}

/// States of one installation, as several processes may hold them.
fn siblings() -> Vec<(&'static str, State)> {
    let licensed = |epoch, hours: i64| {
        let issued = BASE + hours * HOUR;
        let claims = lease(|c| (c.epoch, c.iat, c.exp) = (epoch, at(issued), at(issued + 7 * DAY)));
        let mut computer = Computer::with(&claims);
        computer.restart_after(0);
        computer
    };
    let dropped = |mut computer: Computer, hours: i64, change: fn(&mut VerdictClaims)| {
        let claims = verdict(Code::SeatReleased, Act::Drop, |c| {
            c.iat = at(BASE + hours * HOUR);
            change(c);
        });
        computer.answered(SeatCall::Ping, &reply(verdict_by(PINNED, &claims)));
        computer
    };
    let other_seat = {
        let claims = lease(|c| (c.sub, c.epoch, c.iat) = (OTHER_SEAT, 2, at(BASE + 3 * HOUR)));
        Computer::with(&claims)
    };
    let states = vec![
        ("nothing", Computer::new()),
        ("epoch 7", licensed(7, 0)),
        ("epoch 7, renewed", licensed(7, 1)),
        ("epoch 8", licensed(8, 0)),
        ("epoch 7 dropped in the same second", dropped(licensed(7, 0), 0, |_| {})),
        ("refused, no seat said", dropped(Computer::new(), 2, |c| (c.sub, c.epoch) = (None, None))),
        ("epoch 9 dropped", dropped(licensed(7, 0), 0, |c| c.epoch = Some(9))),
        ("another seat, later", other_seat),
        ("set 5", {
            let mut computer = licensed(7, 0);
            let set = signed(Typ::KeySet, ROOT, &key_set(5, LISTED, |_| {}));
            computer.answered(SeatCall::Ping, &reply_with(SignedObject::Lease(String::new()), Some(set)));
            computer
        }),
        ("ran for a day", {
            let mut computer = licensed(7, 0);
            computer.run(DAY);
            computer
        }),
    ];
    states
        .into_iter()
        .map(|(what, computer)| (what, reloaded(&computer.state, &rules(), &binding())))
        .collect()
}

#[test]
fn merging_undoes_nothing() {
    let reading = Computer::new().reading();
    let epoch = |state: &State| match &state.license {
        LeaseState::Lease(lease) => Some((lease.claims.sub, lease.claims.epoch)),
        LeaseState::Dropped(verdict) => verdict.claims.sub.zip(verdict.claims.epoch),
        _ => None,
    };
    for (mine, a) in siblings() {
        for (theirs, b) in siblings() {
            let what = format!("{mine} / {theirs}");
            let merged = a.clone().merged_with(b.clone(), reading);
            assert_eq!(
                merged.license,
                b.clone().merged_with(a.clone(), reading).license,
                "{what}: either way round"
            );
            assert_eq!(merged.clone().merged_with(b.clone(), reading), merged, "{what}: twice is once");
            assert_eq!(merged.clock, b.clone().merged_with(a.clone(), reading).clock, "{what}");
            assert_eq!(merged.key_set, b.clone().merged_with(a.clone(), reading).key_set, "{what}");
            for side in [&a, &b] {
                if let (Some(merged), Some(side)) = (epoch(&merged), epoch(side)) {
                    assert!(merged.0 != side.0 || merged.1 >= side.1, "{what}: the epoch never falls");
                }
                assert!(merged.keys().map(|k| k.seq) >= side.keys().map(|k| k.seq), "{what}: nor does seq");
                let mended = merged.clock.signed > side.clock.signed;
                assert!(mended || merged.clock.high_water >= side.clock.high_water, "{what}: nor does time");
            }
        }
    }
}

#[test]
fn merging_takes_the_newer() {
    let reading = Computer::new().reading();
    let of = |wanted: &str| siblings().into_iter().find(|(what, _)| *what == wanted).unwrap().1;
    for (newer, older) in [
        ("epoch 7", "nothing"),
        ("epoch 7, renewed", "epoch 7"),
        ("epoch 8", "epoch 7, renewed"),
        ("epoch 7 dropped in the same second", "epoch 7"),
        ("refused, no seat said", "epoch 7, renewed"),
        ("epoch 7, renewed", "epoch 7 dropped in the same second"),
        ("epoch 9 dropped", "epoch 8"),
        ("another seat, later", "epoch 8"),
        ("another seat, later", "epoch 9 dropped"),
    ] {
        assert_eq!(of(older).merged_with(of(newer), reading).license, of(newer).license, "{newer} / {older}");
    }
    // A lease that is not valid here is stored all the same, and a process that knows of none does not
    // erase it.
    let mut elsewhere = binding();
    elsewhere.machine = machine("other");
    let unusable = reloaded(&of("epoch 7"), &rules(), &elsewhere);
    assert_eq!(of("nothing").merged_with(unusable.clone(), reading).license, unusable.license);
    assert_eq!(of("epoch 7").merged_with(unusable, reading).license, of("epoch 7").license);
}
