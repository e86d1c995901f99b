//! What stays provable, and what does not stay: checkpoints of the audit trail, retention, a person
//! who is erased, and a database that was put back.

use crate::{
    ENGINE,
    harness::{
        DAY, ISSUER,
        database::Database,
        store::{act, another_account, caller, seat, session, user, word},
    },
};
use seatlock_protocol::{Code, SigningKey, Typ, UnixTime, claims::AuditClaims, jws};
use seatlock_server::domain::{
    CallerContext, ERASED, LostLease, Role, SeatAction, SeatAnswer, SeatOperation, SeatState,
};
use seatlock_server::service::checkpoint::{self, CheckpointError};
use seatlock_server::service::key_ring::KeyRing;
use seatlock_server::store::{
    Actor, AuditPart, AuditPoint, AuditQuery, ChangeUser, Checkpoint, EraseClosed, ErasePerson,
    FindAuditPoint, FindExpired, FindSeat, FindUser, GetRecovery, KeepCheckpoint, MarkRestored, PurgeExpired,
    RetentionPolicy, SeatCommand, UserChange, VerifyAudit,
};

/// A trail of `rows` entries.
async fn trail(rows: u64) -> Database {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    while db.store().run(FindAuditPoint(None)).await.unwrap().unwrap().row < rows {
        db.store()
            .run(ChangeUser { id: ada.id, change: UserChange::Enable, keep: None, by: Actor::Console })
            .await
            .unwrap();
    }
    db
}

async fn sign(db: &Database, cut: bool, row: Option<u64>) -> Checkpoint {
    checkpoint::make(db.store(), db.folder(), row, cut, Actor::Console).await.unwrap()
}

async fn proved(db: &Database, jws: &str) -> Result<u64, CheckpointError> {
    checkpoint::prove(db.store(), jws).await.map(|(state, _)| state.rows)
}

#[tokio::test]
async fn a_checkpoint_proves_its_entry() {
    let db = trail(8).await;
    let kept = sign(&db, false, None).await;
    assert_eq!((kept.point.row, proved(&db, &kept.jws).await.unwrap()), (8, 8));
    let (account, _) = db.first().await;
    user(&db, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(proved(&db, &kept.jws).await.unwrap(), 9);
    let tail = checkpoint::verify_newest(db.store()).await.unwrap();
    assert_eq!((tail.first, tail.rows, tail.broken_at), (9, 9, None), "only what followed was looked at");

    let ring = KeyRing::load(db.store(), db.folder()).await.unwrap();
    let claims = |rows, head: &str| {
        let (iss, iat) = (ISSUER.to_owned(), UnixTime::MIN);
        AuditClaims { iss, iat, rows, head: head.to_owned(), cut: false }
    };
    let signed = |claims: &AuditClaims| ring.sign(Typ::Audit, claims).unwrap();
    let short = proved(&db, &signed(&claims(12, "00"))).await;
    assert!(matches!(short, Err(CheckpointError::Short { last: 9, stated: 12 })), "{short:?}");
    let rewritten = proved(&db, &signed(&claims(8, "00"))).await;
    assert!(matches!(rewritten, Err(CheckpointError::Rewritten(8))), "{rewritten:?}");
    let other = proved(&db, &signed(&AuditClaims { iss: "other".to_owned(), ..claims(8, "00") })).await;
    assert!(matches!(other, Err(CheckpointError::Other(..))), "{other:?}");
    let thief = SigningKey::from_seed(&[9; 32]).unwrap();
    let forged = proved(&db, &jws::sign(Typ::Audit, &thief, &claims(8, "00")).unwrap()).await;
    assert!(matches!(forged, Err(CheckpointError::Unsigned(..))), "{forged:?}");
    // What the database keeps is not believed for being there.
    db.run("UPDATE audit_checkpoint SET last_id = 3").await;
    assert_eq!(checkpoint::verify_newest(db.store()).await.unwrap().broken_at, Some(3));
}

#[tokio::test]
async fn old_entries_go_and_the_rest_stays_provable() {
    let db = trail(20).await;
    let early = sign(&db, false, Some(5)).await;
    let late = sign(&db, false, Some(15)).await;
    sign(&db, true, Some(10)).await;
    assert_eq!(db.rows("audit").await, 11, "and the entry that says so");
    let state = checkpoint::verify(db.store()).await.unwrap();
    assert_eq!((state.first, state.rows, state.broken_at), (11, 21, None));
    let newest = &db.store().run(AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap().rows[0];
    assert_eq!(
        (newest.event.as_str(), newest.detail.as_ref().unwrap()["rows"].as_u64()),
        ("audit_cut", Some(10))
    );
    assert_eq!(proved(&db, &late.jws).await.unwrap(), 21);
    let removed = proved(&db, &early.jws).await;
    assert!(matches!(removed, Err(CheckpointError::Removed { stated: 5, cut: 10 })), "{removed:?}");
    // The kept one goes with its entry.
    assert_eq!(checkpoint::verify_newest(db.store()).await.unwrap().first, 16);
    sign(&db, true, Some(20)).await;
    let state = checkpoint::verify_newest(db.store()).await.unwrap();
    assert_eq!((state.first, state.rows, state.broken_at), (21, 22, None));
    let gone = Checkpoint { point: AuditPoint { row: 22, head: [0; 32] }, cut: true, jws: String::new() };
    assert_eq!(word(&db.store().run(KeepCheckpoint(gone, Actor::Console)).await), "conflict");
}

#[tokio::test]
async fn a_checkpoint_is_no_license_to_cut() {
    let db = trail(9).await;
    sign(&db, false, Some(6)).await;
    db
        .run(
            "INSERT INTO audit_checkpoint (cut, last_id, head, jws) SELECT true, last_id, head, jws FROM audit_checkpoint; \
             DELETE FROM audit WHERE id <= 6",
        )
        .await;
    let verified = checkpoint::verify(db.store()).await;
    assert!(matches!(verified, Err(CheckpointError::Other(_, _, 6))), "{verified:?}");
    db.run("DELETE FROM audit_checkpoint").await;
    let state = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!(state.broken_at, Some(7));
}

#[tokio::test]
async fn what_is_old_goes_and_nothing_else() {
    let db = trail(12).await;
    let now = db.store().ready().await.unwrap();
    let (_, license) = db.first().await;
    let (closed, _) = seat(&db, &license, "old@example.com").await;
    let (fresh, _) = seat(&db, &license, "fresh@example.com").await;
    let (open, _) = seat(&db, &license, "open@example.com").await;
    act(&db, closed, SeatAction::Revoke).await;
    act(&db, fresh, SeatAction::Revoke).await;
    db.run(&format!("UPDATE token SET revoked_at = revoked_at - {} WHERE seat_id = '{closed}'", 2 * DAY))
        .await;
    let keep = RetentionPolicy { audit_before: now.minus(DAY), closed_before: now.minus(DAY) };
    let due = db.store().run(FindExpired(keep)).await.unwrap();
    assert_eq!((due.entries, due.closed_seats), (0, 1));
    assert_eq!(db.store().run(EraseClosed(keep)).await.unwrap(), 1);
    assert_eq!(db.store().run(EraseClosed(keep)).await.unwrap(), 0);
    for (id, email) in [(closed, ERASED), (fresh, "fresh@example.com"), (open, "open@example.com")] {
        assert_eq!(db.store().run(FindSeat(id)).await.unwrap().unwrap().0.seat.shared_with, email);
    }
    // The last entry stays, so that a trail has an end.
    let all = RetentionPolicy { audit_before: now.plus(DAY), ..keep };
    let rows = db.rows("audit").await as u64;
    let due = db.store().run(FindExpired(all)).await.unwrap();
    assert_eq!((due.entries, due.last_entry), (rows - 1, rows - 1));
    sign(&db, true, Some(due.last_entry)).await;
    assert_eq!(checkpoint::verify(db.store()).await.unwrap().broken_at, None);
}

#[tokio::test]
async fn a_person_is_erased() {
    let db = Database::new(ENGINE).await;
    let (account, license) = db.first().await;
    let eve = user(&db, &account, "Eve@example.com", Role::Owner).await;
    session(&db, &eve).await.unwrap();
    let (id, _) = seat(&db, &license, "eve@Example.com").await;
    let erase = async |dry_run| {
        db.store().run(ErasePerson { email: "eve@example.com".to_owned(), dry_run }).await.unwrap()
    };
    let found = erase(false).await;
    assert_eq!((found.user, &found.open_seats), (Some(eve.id), &vec![id]));
    assert!(
        db.store().run(FindUser("eve@example.com".to_owned())).await.unwrap().is_some(),
        "not while a seat is open"
    );
    act(&db, id, SeatAction::Revoke).await;
    let rows = db.rows("audit").await;
    assert_eq!((erase(true).await.closed_seats, db.rows("audit").await), (vec![id], rows));
    let erased = erase(false).await;
    assert!(erased.entries >= 1, "the entry that she was added stays");
    assert_eq!(db.store().run(FindUser("eve@example.com".to_owned())).await.unwrap(), None);
    assert_eq!(db.store().run(FindSeat(id)).await.unwrap().unwrap().0.seat.shared_with, ERASED);
    assert_eq!(db.rows("session").await, 0);
    let again = erase(false).await;
    assert_eq!((again.user, again.closed_seats), (None, Vec::new()));
    assert_eq!(checkpoint::verify(db.store()).await.unwrap().broken_at, None);
    another_account(&db, "Other", 1).await;
}

#[tokio::test]
async fn a_lease_of_the_lost_time_is_believed() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (id, token) = seat(&db, &license, "ada@example.com").await;
    assert_eq!(db.store().run(GetRecovery).await.unwrap(), None);
    let marked = db.store().run(MarkRestored).await.unwrap();
    assert!(marked.is_open() && marked.restored.until == marked.restored.at.plus(7 * DAY));
    let now = marked.restored.at;
    let lost = LostLease { seat: id, epoch: 3, iat: now, exp: now.plus(DAY), marked: now };
    let ask = async |lost| {
        let caller = CallerContext { epoch: Some(3), lost, ..caller("a") };
        let question =
            SeatCommand { token: token.stored_hash(&db.pepper()), call: SeatOperation::Renew, caller };
        db.store().run(question).await.unwrap()
    };
    let SeatAnswer::Verdict(refused) = ask(None).await.answer else {
        panic!("who proves nothing has nothing")
    };
    assert_eq!(refused.code, Code::SeatReleased);
    let answered = ask(Some(lost)).await;
    assert!(matches!(answered.answer, SeatAnswer::Lease { .. }), "{:?}", answered.answer);
    let (found, license) = answered.subject.unwrap();
    assert!(matches!(found.state, SeatState::InUse(_)) && license.in_use == 1);
    let recovery = db.store().run(GetRecovery).await.unwrap().unwrap();
    assert_eq!((recovery.recovered, recovery.restored), (1, marked.restored));
    let rows = db.store().run(AuditQuery { limit: 9, ..AuditQuery::default() }).await.unwrap().rows;
    let events: Vec<&str> = rows.iter().map(|row| row.event.as_str()).collect();
    assert!(events.contains(&"restored") && events.contains(&"recovered"), "{events:?}");
    // A hold counts as renewed when the database is put back, and an open window goes on.
    db.age(5 * DAY).await;
    let again = db.store().run(MarkRestored).await.unwrap();
    assert_eq!(again.restored.known_until, marked.restored.known_until);
    let held = db.store().run(FindSeat(id)).await.unwrap().unwrap().0.seat;
    assert_eq!(held.holding().unwrap().lease_until, again.restored.at.plus(7 * DAY));
}

#[tokio::test]
async fn what_has_ended_goes_by_itself() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    session(&db, &ada).await.unwrap();
    db.store().run(PurgeExpired).await.unwrap();
    assert_eq!(db.rows("session").await, 1);
    db.age(8 * 3600).await;
    db.store().run(PurgeExpired).await.unwrap();
    assert_eq!(db.rows("session").await, 0);
}
