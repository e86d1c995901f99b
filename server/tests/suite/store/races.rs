//! What two servers of one database are asked at the same moment.

use crate::{
    ENGINE,
    harness::{
        database::Database,
        join_all,
        store::{
            AT_ONCE, Dice, Install, act, api_token_by, new_seat, no_password, now, order, random_hash,
            refused, resize, seats, token, user, word,
        },
    },
};
use seatlock_protocol::Code;
use seatlock_server::domain::{AttemptBy, Role, SeatAction, SeatAnswer, SeatOperation};
use seatlock_server::store::{
    Actor, AddOneTimeLink, AddUser, AuditPart, ConsumeOneTimeLink, CountAttempt, Created, FindSeat, FindUser,
    IdempotencyRecord, ListLicenses, NewSeat, NewUser, OneTimeLink, ReleaseExpired, StoreError, VerifyAudit,
};
use uuid::Uuid;

/// What each of them does.
const STEPS: usize = 60;

/// Races of each kind: enough to find most of what is wrong, or as many as the variable says.
fn rounds() -> usize {
    std::env::var("SEATLOCK_RACES").map_or(40, |number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_from_its_first_use_to_its_end() {
    let db = Database::with_seats(ENGINE, 1).await;
    let store = db.store();
    let (seat, token) = seats(&db, 1).await.remove(0);
    let install = |computer| Install::new(&token, &db.pepper(), computer);
    let (mut here, mut there) = (install("a"), install("b"));
    let lease = |answer| matches!(answer, SeatAnswer::Lease { .. });
    assert!(lease(here.call(store, SeatOperation::Activate).await.unwrap()));
    for _ in 0..12 {
        assert!(lease(here.call(store, SeatOperation::Renew).await.unwrap()));
    }
    let answer = there.call(store, SeatOperation::Activate).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::SeatInUseElsewhere);
    let listed = store.run(FindSeat(seat)).await.unwrap().unwrap().0.seat;
    assert_eq!((listed.epoch, listed.launches, listed.clone_suspected_at), (1, 13, None));
    assert_eq!(act(&db, seat, SeatAction::Release).await, SeatAnswer::Done);
    let answer = here.call(store, SeatOperation::Renew).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::SeatReleased);
    assert!(lease(there.call(store, SeatOperation::Activate).await.unwrap()));
    assert_eq!(act(&db, seat, SeatAction::Revoke).await, SeatAnswer::Done);
    let answer = there.call(store, SeatOperation::Renew).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::TokenRevoked);
    let license = store.run(ListLicenses(None)).await.unwrap().remove(0);
    assert_eq!((license.in_use, license.tokens), (0, 0));
    let trail = store.run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!((trail.rows, trail.broken_at), (7, None));
    store.close().await;
    assert!(matches!(store.ready().await, Err(StoreError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_place_goes_to_one_of_sixteen() {
    let db = Database::with_seats(ENGINE, 16).await;
    let seats = seats(&db, AT_ONCE).await;
    let pepper = db.pepper();
    let mut installs: Vec<_> = seats.iter().map(|(_, token)| Install::new(token, &pepper, "a")).collect();
    resize(&db, 1).await;
    let other = db.another_store().await;
    let servers = [db.store(), &other];
    for round in 0..rounds() {
        let calls = installs
            .iter_mut()
            .enumerate()
            .map(async |(at, install)| install.call(servers[at % 2], SeatOperation::Activate).await.unwrap());
        let answers = join_all(calls).await;
        let winners = answers.iter().filter(|answer| matches!(answer, SeatAnswer::Lease { .. })).count();
        assert_eq!(winners, 1, "round {round}");
        let full = |answer: &&SeatAnswer| {
            refused(answer).is_some_and(|verdict| verdict.code == Code::SeatLimitReached)
        };
        assert_eq!(answers.iter().filter(full).count(), 15, "round {round}");
        assert_eq!(db.number("SELECT count(*) FROM seat WHERE state = 'in_use'").await, 1);
        assert_eq!(db.number("SELECT in_use FROM license").await, 1);
        db.run("UPDATE seat SET last_ping = 1, lease_until = 1 WHERE state = 'in_use'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_token_goes_to_one_of_sixteen() {
    let db = Database::with_seats(ENGINE, 1).await;
    let (_, license) = db.first().await;
    let (pepper, other) = (db.pepper(), db.another_store().await);
    let servers = [db.store(), &other];
    for round in 0..rounds() {
        let calls = (0..AT_ONCE).map(async |at| {
            let new = new_seat(license.id, "user@example.com", &token(), &pepper);
            let made = now(servers[at % 2].run(new).await.unwrap());
            (made.answer == SeatAnswer::Done).then(|| made.subject.unwrap().0.id)
        });
        let made: Vec<Uuid> = join_all(calls).await.into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "round {round}");
        assert_eq!(db.number("SELECT tokens FROM license").await, 1);
        assert_eq!(act(&db, made[0], SeatAction::Revoke).await, SeatAnswer::Done);
    }
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().broken_at, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_makes_one_seat() {
    let db = Database::with_seats(ENGINE, 16).await;
    let (_, license) = db.first().await;
    let (pepper, other) = (db.pepper(), db.another_store().await);
    let servers = [db.store(), &other];
    let new = |remember: IdempotencyRecord| NewSeat {
        remember: Some(remember),
        ..new_seat(license.id, "user@example.com", &token(), &pepper)
    };
    let remember = IdempotencyRecord { key: random_hash(), request: random_hash(), sealed: vec![1, 2, 3] };
    let calls = (0..AT_ONCE).map(|at| servers[at % 2].run(new(remember.clone())));
    let made: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| matches!(made, Created::New(_))).count(), 1);
    assert_eq!(db.number("SELECT count(*) FROM seat").await, 1);
    let reused = new(IdempotencyRecord { request: random_hash(), ..remember });
    assert!(matches!(db.store().run(reused).await, Err(StoreError::KeyReused)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fourth_api_token_is_refused_however_many_ask() {
    let db = Database::with_seats(ENGINE, 1).await;
    let (account, _) = db.first().await;
    let other = db.another_store().await;
    let servers = [db.store(), &other];
    let user = user(&db, &account, "Ada@example.com", Role::Owner).await;
    let (id, email) = (Uuid::new_v4(), "ada@EXAMPLE.com".to_owned());
    let twin = NewUser { id, account: account.id, email, role: Role::Owner, password: no_password() };
    assert_eq!(word(&db.store().run(AddUser(twin, Actor::Console)).await), "taken");
    assert!(db.store().run(FindUser("ADA@example.com".to_owned())).await.unwrap().is_some());
    let made = join_all((0..AT_ONCE).map(|at| api_token_by(servers[at % 2], &user))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
    let limit = |made: &&Result<_, StoreError>| matches!(made, Err(StoreError::ApiTokenLimit));
    assert_eq!(made.iter().filter(limit).count(), 13);
    let tries = (0..AT_ONCE).map(|at| servers[at % 2].run(CountAttempt(vec![(AttemptBy::Email, [5; 32])])));
    let allowed = join_all(tries).await.into_iter().filter(|tried| tried.as_ref().unwrap().is_none()).count();
    assert_eq!(db.number("SELECT count FROM attempt").await, i64::try_from(allowed).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_opened_once() {
    let db = Database::with_seats(ENGINE, 1).await;
    let other = db.another_store().await;
    let servers = [db.store(), &other];
    let (seat, token) = seats(&db, 1).await.remove(0);
    let expires_at = db.store().ready().await.unwrap().plus(600);
    let share = OneTimeLink { id: random_hash(), seat, sealed: vec![7; 80], expires_at };
    let id = share.id;
    db.store()
        .run(AddOneTimeLink { link: share, token: token.stored_hash(&db.pepper()), by: Actor::Console })
        .await
        .unwrap();
    let takes = (0..AT_ONCE).map(|at| servers[at % 2].run(ConsumeOneTimeLink(id)));
    let taken = join_all(takes).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
}

/// I1, I4, I5, I9, I10: sixteen who do whatever comes to them, on two servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_at_once_the_books_balance() {
    let db = Database::with_seats(ENGINE, 6).await;
    db.run("UPDATE license SET release_window = 0").await;
    let other = db.another_store().await;
    let servers = [db.store(), &other];
    let (pepper, seats) = (db.pepper(), seats(&db, 6).await);
    resize(&db, 4).await;
    let doers = (0..AT_ONCE).map(async |doer| {
        let (store, mut dice) = (servers[doer % 2], Dice::new(doer));
        for _ in 0..STEPS {
            let dice = dice.roll();
            let (id, token) = &seats[usize::try_from(dice % 6).unwrap()];
            let mut install = Install::new(token, &pepper, &format!("{}", dice >> 8 & 3));
            install.id = Uuid::from_u128(u128::from(dice >> 8 & 3) + 1);
            match dice >> 16 & 15 {
                0 => drop(store.run(order(&db, *id, SeatAction::Release)).await.unwrap()),
                1 if doer == 3 => drop(store.run(order(&db, *id, SeatAction::Refresh)).await.unwrap()),
                1 | 2 => assert!(store.run(ReleaseExpired).await.is_ok()),
                3 | 4 => drop(install.call(store, SeatOperation::Release).await.unwrap()),
                5 | 6 => drop(install.call(store, SeatOperation::Launch).await.unwrap()),
                7..=10 => drop(install.call(store, SeatOperation::Renew).await.unwrap()),
                _ => drop(install.call(store, SeatOperation::Activate).await.unwrap()),
            }
        }
    });
    join_all(doers).await;
    let number = async |query: &str| db.number(query).await;
    let in_use = number("SELECT in_use FROM license").await;
    assert_eq!(in_use, number("SELECT count(*) FROM seat WHERE counted").await, "I1");
    assert!(in_use <= 4, "I1: {in_use}");
    assert_eq!(number("SELECT count(*) FROM token WHERE revoked_at IS NULL").await, 6);
    // I4 and I10: each seat's epoch is the number of its entries that raise it.
    let odd = number(
        "SELECT count(*) FROM seat s WHERE s.epoch <> (SELECT count(*) FROM audit a WHERE a.seat_id = s.id AND a.event \
         IN ('activated', 'rebound', 'released_by_owner', 'released_by_machine', 'auto_released', 'refreshed'))",
    );
    assert_eq!(odd.await, 0, "I4, I10");
    let twice = number(
        "SELECT count(*) FROM (SELECT seat_id, epoch, event FROM audit WHERE seat_id IS NOT NULL AND event <> \
         'clone_suspected' GROUP BY seat_id, epoch, event HAVING count(*) > 1) AS twice",
    );
    assert_eq!(twice.await, 0, "every change has one entry");
    let trail = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!(trail.broken_at, None);
    assert!(trail.rows > 50, "much happened: {}", trail.rows);
    for (_, token) in &seats {
        let revoked = format!("{:02x?}", token.stored_hash(&pepper));
        let mut install = Install::new(token, &pepper, "0");
        let answer = install.call(db.store(), SeatOperation::Activate).await.unwrap();
        let state = refused(&answer).map(|verdict| verdict.code);
        assert!(state != Some(Code::TokenUnknown), "I5: {revoked}");
    }
}
