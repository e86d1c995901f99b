//! Seats of people who sign in.

use crate::{
    ENGINE,
    harness::{
        database::Database,
        join_all,
        store::{AT_ONCE, now},
    },
};
use seatlock_protocol::Identity;
use seatlock_server::domain::SeatAnswer;
use seatlock_server::store::{Actor, AuditPart, NewSeat, TokenHashes, VerifyAudit};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_identity_has_one_seat() {
    let db = Database::with_seats(ENGINE, 3).await;
    let (_, license) = db.first().await;
    let (pepper, other) = (db.pepper(), db.another_store().await);
    let servers = [db.store(), &other];
    let make = async |at: usize, subject: String| {
        let identity = Identity { issuer: "https://login.example".to_owned(), subject };
        let new = NewSeat {
            id: Uuid::new_v4(),
            license: Some(license.id),
            shared_with: identity.subject.clone(),
            token: TokenHashes::of_identity(&identity, license.id, &pepper),
            identity: Some(identity),
            remember: None,
            by: Actor::Console,
        };
        let made = now(servers[at % 2].run(new).await.unwrap());
        (made.answer, made.subject.map(|(seat, _)| seat.id))
    };
    let same = join_all((0..AT_ONCE).map(|at| make(at, "alice".to_owned()))).await;
    let new = same.iter().filter(|(answer, _)| *answer == SeatAnswer::Done).count();
    assert_eq!((new, db.rows("seat").await), (1, 1));
    assert!(
        same.iter().all(|(_, seat)| seat.is_some() && *seat == same[0].1),
        "all are told of the same seat"
    );

    let many = join_all((0..AT_ONCE).map(|at| make(at, format!("user {at}")))).await;
    assert_eq!(many.iter().filter(|(answer, _)| *answer == SeatAnswer::Done).count(), 2, "three places");
    assert_eq!(db.number("SELECT tokens FROM license").await, 3);
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().broken_at, None);
}
