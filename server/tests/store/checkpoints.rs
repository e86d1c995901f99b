//! What stays provable, and what does not stay: checkpoints of the audit trail, retention, a person who is erased, and a
//! database that was put back.

use crate::store_support::{DAY, ISSUER, Place, act, another_account, caller, seat, session, user, word};
use seatlock_protocol::{Code, SigningKey, Typ, UnixTime, claims::AuditClaims, jws};
use seatlock_server::{
    checkpoint::{self, CheckpointError},
    keys::KeyRing,
    rules::{Answer, Call, Caller, ERASED, LostLease, OwnerAct, Role, SeatState},
    store::{
        Actor, AuditPart, AuditPoint, AuditQuery, Checkpoint, Keep, People as _, Question, Store as _,
        UserChange,
    },
};

on_each!(
    a_checkpoint_proves_its_entry,
    old_entries_go_and_the_rest_stays_provable,
    a_checkpoint_is_no_license_to_cut,
    what_is_old_goes_and_nothing_else,
    a_person_is_erased,
    a_lease_of_the_lost_time_is_believed,
    what_has_ended_goes_by_itself,
);

/// A trail of `rows` entries.
async fn trail<P: Place>(rows: u64) -> P {
    let place = P::new().await;
    let (account, _) = place.first().await;
    let ada = user(&place, &account, "ada@example.com", Role::Owner).await;
    while place.store().audit_point(None).await.unwrap().unwrap().row < rows {
        place.store().change_user(ada.id, UserChange::Enable, None, Actor::Console).await.unwrap();
    }
    place
}

async fn sign<P: Place>(place: &P, cut: bool, row: Option<u64>) -> Checkpoint {
    checkpoint::make(place.store(), place.folder(), row, cut, Actor::Console).await.unwrap()
}

async fn proved<P: Place>(place: &P, jws: &str) -> Result<u64, CheckpointError> {
    checkpoint::prove(place.store(), jws).await.map(|(state, _)| state.rows)
}

async fn a_checkpoint_proves_its_entry<P: Place>() {
    let place: P = trail(8).await;
    let kept = sign(&place, false, None).await;
    assert_eq!((kept.point.row, proved(&place, &kept.jws).await.unwrap()), (8, 8));
    let (account, _) = place.first().await;
    user(&place, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(proved(&place, &kept.jws).await.unwrap(), 9);
    let tail = checkpoint::verify_newest(place.store()).await.unwrap();
    assert_eq!((tail.first, tail.rows, tail.broken_at), (9, 9, None), "only what followed was looked at");

    let ring = KeyRing::load(place.store(), place.folder()).await.unwrap();
    let claims = |rows, head: &str| {
        let (iss, iat) = (ISSUER.to_owned(), UnixTime::MIN);
        AuditClaims { iss, iat, rows, head: head.to_owned(), cut: false }
    };
    let signed = |claims: &AuditClaims| ring.sign(Typ::Audit, claims).unwrap();
    let short = proved(&place, &signed(&claims(12, "00"))).await;
    assert!(matches!(short, Err(CheckpointError::Short { last: 9, stated: 12 })), "{short:?}");
    let rewritten = proved(&place, &signed(&claims(8, "00"))).await;
    assert!(matches!(rewritten, Err(CheckpointError::Rewritten(8))), "{rewritten:?}");
    let other = proved(&place, &signed(&AuditClaims { iss: "other".to_owned(), ..claims(8, "00") })).await;
    assert!(matches!(other, Err(CheckpointError::Other(..))), "{other:?}");
    let thief = SigningKey::from_seed(&[9; 32]).unwrap();
    let forged = proved(&place, &jws::sign(Typ::Audit, &thief, &claims(8, "00")).unwrap()).await;
    assert!(matches!(forged, Err(CheckpointError::Unsigned(..))), "{forged:?}");
    // What the database keeps is not believed for being there.
    place.run("UPDATE audit_checkpoint SET last_id = 3").await;
    assert_eq!(checkpoint::verify_newest(place.store()).await.unwrap().broken_at, Some(3));
}

async fn old_entries_go_and_the_rest_stays_provable<P: Place>() {
    let place: P = trail(20).await;
    let early = sign(&place, false, Some(5)).await;
    let late = sign(&place, false, Some(15)).await;
    sign(&place, true, Some(10)).await;
    assert_eq!(place.rows("audit").await, 11, "and the entry that says so");
    let state = checkpoint::verify(place.store()).await.unwrap();
    assert_eq!((state.first, state.rows, state.broken_at), (11, 21, None));
    let newest =
        &place.store().audit(AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap().rows[0];
    assert_eq!(
        (newest.event.as_str(), newest.detail.as_ref().unwrap()["rows"].as_u64()),
        ("audit_cut", Some(10))
    );
    assert_eq!(proved(&place, &late.jws).await.unwrap(), 21);
    let removed = proved(&place, &early.jws).await;
    assert!(matches!(removed, Err(CheckpointError::Removed { stated: 5, cut: 10 })), "{removed:?}");
    // The kept one goes with its entry.
    assert_eq!(checkpoint::verify_newest(place.store()).await.unwrap().first, 16);
    sign(&place, true, Some(20)).await;
    let state = checkpoint::verify_newest(place.store()).await.unwrap();
    assert_eq!((state.first, state.rows, state.broken_at), (21, 22, None));
    let gone = Checkpoint { point: AuditPoint { row: 22, head: [0; 32] }, cut: true, jws: String::new() };
    assert_eq!(word(&place.store().keep_checkpoint(gone, Actor::Console).await), "conflict");
}

async fn a_checkpoint_is_no_license_to_cut<P: Place>() {
    let place: P = trail(9).await;
    sign(&place, false, Some(6)).await;
    place
        .run(
            "INSERT INTO audit_checkpoint (cut, last_id, head, jws) SELECT true, last_id, head, jws FROM audit_checkpoint; \
             DELETE FROM audit WHERE id <= 6",
        )
        .await;
    let verified = checkpoint::verify(place.store()).await;
    assert!(matches!(verified, Err(CheckpointError::Other(_, _, 6))), "{verified:?}");
    place.run("DELETE FROM audit_checkpoint").await;
    let state = place.store().verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!(state.broken_at, Some(7));
}

async fn what_is_old_goes_and_nothing_else<P: Place>() {
    let place: P = trail(12).await;
    let now = place.store().ready().await.unwrap();
    let (_, license) = place.first().await;
    let (closed, _) = seat(&place, &license, "old@example.com").await;
    let (fresh, _) = seat(&place, &license, "fresh@example.com").await;
    let (open, _) = seat(&place, &license, "open@example.com").await;
    act(&place, closed, OwnerAct::Revoke).await;
    act(&place, fresh, OwnerAct::Revoke).await;
    place
        .run(&format!("UPDATE token SET revoked_at = revoked_at - {} WHERE seat_id = '{closed}'", 2 * DAY))
        .await;
    let keep = Keep { audit_before: now.minus(DAY), closed_before: now.minus(DAY) };
    let due = place.store().due(keep).await.unwrap();
    assert_eq!((due.entries, due.closed_seats), (0, 1));
    assert_eq!(place.store().erase_closed(keep).await.unwrap(), 1);
    assert_eq!(place.store().erase_closed(keep).await.unwrap(), 0);
    for (id, email) in [(closed, ERASED), (fresh, "fresh@example.com"), (open, "open@example.com")] {
        assert_eq!(place.store().seat(id).await.unwrap().unwrap().0.seat.shared_with, email);
    }
    // The last entry stays, so that a trail has an end.
    let all = Keep { audit_before: now.plus(DAY), ..keep };
    let rows = place.rows("audit").await as u64;
    let due = place.store().due(all).await.unwrap();
    assert_eq!((due.entries, due.last_entry), (rows - 1, rows - 1));
    sign(&place, true, Some(due.last_entry)).await;
    assert_eq!(checkpoint::verify(place.store()).await.unwrap().broken_at, None);
}

async fn a_person_is_erased<P: Place>() {
    let place = P::new().await;
    let (account, license) = place.first().await;
    let eve = user(&place, &account, "Eve@example.com", Role::Owner).await;
    session(&place, &eve).await.unwrap();
    let (id, _) = seat(&place, &license, "eve@Example.com").await;
    let erase = async |dry_run| place.store().erase_person("eve@example.com", dry_run).await.unwrap();
    let found = erase(false).await;
    assert_eq!((found.user, &found.open_seats), (Some(eve.id), &vec![id]));
    assert!(place.store().user("eve@example.com").await.unwrap().is_some(), "not while a seat is open");
    act(&place, id, OwnerAct::Revoke).await;
    let rows = place.rows("audit").await;
    assert_eq!((erase(true).await.closed_seats, place.rows("audit").await), (vec![id], rows));
    let erased = erase(false).await;
    assert!(erased.entries >= 1, "the entry that she was added stays");
    assert_eq!(place.store().user("eve@example.com").await.unwrap(), None);
    assert_eq!(place.store().seat(id).await.unwrap().unwrap().0.seat.shared_with, ERASED);
    assert_eq!(place.rows("session").await, 0);
    let again = erase(false).await;
    assert_eq!((again.user, again.closed_seats), (None, Vec::new()));
    assert_eq!(checkpoint::verify(place.store()).await.unwrap().broken_at, None);
    another_account(&place, "Other", 1).await;
}

async fn a_lease_of_the_lost_time_is_believed<P: Place>() {
    let place = P::new().await;
    let (_, license) = place.first().await;
    let (id, token) = seat(&place, &license, "ada@example.com").await;
    assert_eq!(place.store().recovery().await.unwrap(), None);
    let marked = place.store().mark_restored().await.unwrap();
    assert!(marked.is_open() && marked.restored.until == marked.restored.at.plus(7 * DAY));
    let now = marked.restored.at;
    let lost = LostLease { seat: id, epoch: 3, iat: now, exp: now.plus(DAY), marked: now };
    let ask = async |lost| {
        let caller = Caller { epoch: Some(3), lost, ..caller("a") };
        let question = Question { token: token.stored_hash(&place.pepper()), call: Call::Renew, caller };
        place.store().call(question).await.unwrap()
    };
    let Answer::Verdict(refused) = ask(None).await.answer else { panic!("who proves nothing has nothing") };
    assert_eq!(refused.code, Code::SeatReleased);
    let answered = ask(Some(lost)).await;
    assert!(matches!(answered.answer, Answer::Lease { .. }), "{:?}", answered.answer);
    let (found, license) = answered.subject.unwrap();
    assert!(matches!(found.state, SeatState::InUse(_)) && license.in_use == 1);
    let recovery = place.store().recovery().await.unwrap().unwrap();
    assert_eq!((recovery.recovered, recovery.restored), (1, marked.restored));
    let rows = place.store().audit(AuditQuery { limit: 9, ..AuditQuery::default() }).await.unwrap().rows;
    let events: Vec<&str> = rows.iter().map(|row| row.event.as_str()).collect();
    assert!(events.contains(&"restored") && events.contains(&"recovered"), "{events:?}");
    // A hold counts as renewed when the database is put back, and an open window goes on.
    place.age(5 * DAY).await;
    let again = place.store().mark_restored().await.unwrap();
    assert_eq!(again.restored.known_until, marked.restored.known_until);
    let held = place.store().seat(id).await.unwrap().unwrap().0.seat;
    assert_eq!(held.holding().unwrap().lease_until, again.restored.at.plus(7 * DAY));
}

async fn what_has_ended_goes_by_itself<P: Place>() {
    let place = P::new().await;
    let (account, _) = place.first().await;
    let ada = user(&place, &account, "ada@example.com", Role::Owner).await;
    session(&place, &ada).await.unwrap();
    place.store().tidy().await.unwrap();
    assert_eq!(place.rows("session").await, 1);
    place.age(8 * 3600).await;
    place.store().tidy().await.unwrap();
    assert_eq!(place.rows("session").await, 0);
}
