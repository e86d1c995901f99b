//! The rules of leases that a person carries: asked for by a file, taken from a file, given back by
//! a file.

use crate::license_support::*;
use seatlock::license::{
    AirgapRequest, Effect, Input, LeaseState, LockState, Signed, SignedObject, Submission,
};
use seatlock::protocol::{Code, Nonce, Typ, claims::LeaseClaims};

const REQUESTED: AirgapRequest = AirgapRequest { nonce: Nonce::new([1; 16]), token: TOKEN, sealed: None };

fn file(object: SignedObject, key_set: Option<String>) -> Signed {
    Signed { object, key_set, renewal: Some(RENEWAL.to_owned()), http_status: 0 }
}

fn report(computer: &Computer) -> Code {
    let reported = computer.effects.iter().find_map(|effect| match effect {
        Effect::Report(outcome) => Some(outcome.code),
        _ => None,
    });
    reported.unwrap()
}

fn import(computer: &mut Computer, signed: &Signed) -> Code {
    computer.apply(Input::Imported { signed, waiting: Some(true) });
    report(computer)
}

/// A computer whose last request is the first one.
fn waiting() -> Computer {
    let mut computer = Computer::new();
    computer.apply(Input::Requested(REQUESTED));
    assert_eq!(computer.lock(), (LockState::Locked, Code::NoToken), "asking changes no right");
    computer
}

#[test]
fn which_files_are_taken() {
    let listed = || Some(signed(Typ::KeySet, ROOT, &key_set(1, LISTED, |_| {})));
    let stranger = || Some(signed(Typ::KeySet, STRANGER, &key_set(9, STRANGER, |_| {})));
    type Row = (&'static str, u8, Option<String>, fn(&mut LeaseClaims), Code);
    let rows: Vec<Row> = vec![
        ("good", PINNED, None, |_| {}, Code::Ok),
        ("by a key of the key set that came along", LISTED, listed(), |_| {}, Code::Ok),
        ("by a listed key, without its key set", LISTED, None, |_| {}, Code::BadSignature),
        ("by a stranger", STRANGER, None, |_| {}, Code::BadSignature),
        ("by a stranger who brings his own key set", STRANGER, stranger(), |_| {}, Code::BadSignature),
        ("answer to another request", PINNED, None, |c| c.nonce = Nonce::new([2; 16]), Code::FileUnusable),
        ("another machine's", PINNED, None, |c| c.mid = machine("other"), Code::MachineMismatch),
        ("another token's", PINNED, None, |c| c.tkh = OTHER_TOKEN, Code::BadSignature),
        ("another product's", PINNED, None, |c| c.aud = "other".to_owned(), Code::BadSignature),
        ("another server's", PINNED, None, |c| c.iss = "other".to_owned(), Code::BadSignature),
        (
            "ended on the way",
            PINNED,
            None,
            |c| (c.iat, c.exp) = (at(BASE - 9 * DAY), at(BASE)),
            Code::LeaseExpired,
        ),
        ("weeks on the way", PINNED, None, |c| c.iat = at(BASE - 30 * DAY), Code::Ok),
    ];
    for (what, seed, keys, change, code) in rows {
        let mut computer = waiting();
        let before = computer.state.to_record(PRODUCT);
        let signed = file(lease_by(seed, &lease(change)), keys);
        assert_eq!(import(&mut computer, &signed), code, "{what}");
        if code == Code::Ok {
            assert_ne!(computer.lock().0, LockState::Locked, "{what}");
            assert_eq!(computer.state.requested, None);
            assert_eq!(computer.state.seats.renewal(TOKEN), Some(RENEWAL));
            let adopted = Effect::Adopt(Submission::Person { remember: true });
            assert_eq!(computer.effects[..2], [adopted, Effect::Save], "{what}: in this order");
            assert_eq!(import(&mut computer, &signed), Code::Ok, "{what}: again");
            assert!(!computer.effects.contains(&Effect::Save), "{what}: again, without a change");
        } else {
            assert_eq!(
                computer.state.to_record(PRODUCT),
                before,
                "{what}: nothing stored changes, no key set either"
            );
        }
    }
    let verdict =
        signed(Typ::Verdict, PINNED, &verdict(Code::SeatReleased, seatlock::protocol::Act::Drop, |_| {}));
    let mut computer = Computer::licensed();
    computer.apply(Input::Requested(REQUESTED));
    assert_eq!(import(&mut computer, &file(SignedObject::Verdict(verdict), None)), Code::BadSignature);
    assert_eq!(computer.lock().0, LockState::Unlocked, "a file takes nothing away");
}

#[test]
fn without_its_token_a_lease_is_not_taken() {
    let mut computer = waiting();
    let before = computer.state.to_record(PRODUCT);
    let signed = file(lease_by(PINNED, &lease(|_| {})), None);
    computer.apply(Input::Imported { signed: &signed, waiting: None });
    assert_eq!((report(&computer), computer.effects.len()), (Code::NoToken, 1));
    assert_eq!(computer.state.to_record(PRODUCT), before);
}

#[test]
fn nobody_asked() {
    let mut computer = Computer::new();
    assert_eq!(import(&mut computer, &file(lease_by(PINNED, &lease(|_| {})), None)), Code::FileUnusable);
}

#[test]
fn a_file_is_not_fresh_so_it_does_not_set_the_time() {
    // The clock is a year slow, which nobody can know until a signed time says so.
    let mut computer = Computer::new();
    computer.wall_error = -365 * DAY;
    computer.apply(Input::Requested(REQUESTED));
    assert_eq!(import(&mut computer, &file(lease_by(PINNED, &lease(|_| {})), None)), Code::Ok);
    assert_eq!(computer.lock(), (LockState::Locked, Code::ClockError), "setting the date right is enough");
    computer.wall_error = 0;
    computer.restart_after(HOUR);
    assert_eq!(computer.lock().0, LockState::Unlocked);
    // Nor does an old file turn time back.
    let mut computer = Computer::licensed();
    computer.run(5 * DAY);
    computer.apply(Input::Requested(REQUESTED));
    let before = computer.state.clock;
    let older = lease(|claims| (claims.iat, claims.exp, claims.epoch) = (at(BASE), at(BASE + 90 * DAY), 8));
    assert_eq!(import(&mut computer, &file(lease_by(PINNED, &older), None)), Code::Ok);
    assert_eq!(computer.state.clock, before);
}

#[test]
fn giving_back_is_final_and_can_be_confirmed_again() {
    let mut computer = Computer::licensed();
    for again in [false, true] {
        computer.apply(Input::HandedBack);
        assert_eq!(report(&computer), Code::Ok);
        assert_eq!(computer.effects.contains(&Effect::HandBack), !again);
        assert!(!computer.effects.contains(&Effect::Save), "which saves by itself");
        assert_eq!(computer.lock(), (LockState::Locked, Code::NoToken));
    }
    let LeaseState::HandedBack(given) = &computer.state.license else {
        panic!("{:?}", computer.state.license)
    };
    assert_eq!((given.seat, given.epoch, given.renewal.as_deref()), (SEAT, 7, Some(RENEWAL)));
    assert_eq!(stored_lease(&computer.state), None);
    let again = reloaded(&computer.state, &computer.rules, &nobody());
    assert_eq!(again.license, computer.state.license, "from disk");

    // Another process of the installation still holds the lease that was given up; a later one counts
    // again.
    for (what, iat, jti, back) in [
        ("the same lease", BASE, 100, false),
        ("asked for again at once", BASE, 101, true),
        ("later", BASE + 1, 101, true),
    ] {
        let other = Computer::with(&lease(|claims| {
            (claims.iat, claims.jti) = (at(iat), uuid::Uuid::from_u128(jti));
        }));
        let merged = other.state.clone().merged_with(computer.state.clone(), other.reading());
        assert_eq!(matches!(merged.license, LeaseState::Lease(_)), back, "{what}");
    }
    let mut nobody = Computer::new();
    nobody.apply(Input::HandedBack);
    assert_eq!(report(&nobody), Code::NoToken);
}
