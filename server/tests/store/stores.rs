//! What both kinds of store must do, with real concurrency.

use crate::harness::{
    join_all,
    stores::{Fresh, Install, PEPPER, new_seat, owner, random, refused, token},
};
use seatlock_protocol::Code;
use seatlock_server::{
    rules::{Answer, Call, OwnerAct, Role},
    store::{
        Actor, AuditPart, Checkpoint, Made, NewApiToken, NewUser, OwnerOrder, PasswordHash, People as _,
        Remember, Share, Store as _, StoreError, TokenHashes,
    },
};
use uuid::Uuid;

on_every_store!(
    a_seat_from_its_first_use_to_its_end(1),
    the_last_place_goes_to_one_of_sixteen(16),
    the_last_token_goes_to_one_of_sixteen(1),
    one_key_makes_one_seat(16),
    a_fourth_api_token_is_refused_however_many_ask(1),
    a_link_is_opened_once(1),
    whatever_happens_at_once_the_books_balance(6),
    an_export_is_brought_in_as_it_was(9),
);

fn order(seat: Uuid, act: OwnerAct) -> OwnerOrder {
    let new_token = (act == OwnerAct::Refresh).then(|| TokenHashes::of(&token(), &PEPPER));
    OwnerOrder { seat, act, new_token, shared_with: None, dry_run: false, remember: None, by: Actor::Console }
}

async fn a_seat_from_its_first_use_to_its_end(fresh: Fresh) {
    let store = &fresh.store;
    let (seat, token) = fresh.seat().await;
    let (mut here, mut there) = (Install::new(&token, "a"), Install::new(&token, "b"));
    let lease = |answer| matches!(answer, Answer::Lease { .. });
    assert!(lease(here.call(store, Call::Activate).await.unwrap()));
    for _ in 0..12 {
        assert!(lease(here.call(store, Call::Renew).await.unwrap()));
    }
    let answer = there.call(store, Call::Activate).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::SeatInUseElsewhere);
    let listed = store.seat(seat).await.unwrap().unwrap().0.seat;
    assert_eq!((listed.epoch, listed.launches, listed.clone_suspected_at), (1, 13, None));
    assert_eq!(owner(store, order(seat, OwnerAct::Release)).await, Answer::Done);
    let answer = here.call(store, Call::Renew).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::SeatReleased);
    assert!(lease(there.call(store, Call::Activate).await.unwrap()));
    assert_eq!(owner(store, order(seat, OwnerAct::Revoke)).await, Answer::Done);
    let answer = there.call(store, Call::Renew).await.unwrap();
    assert_eq!(refused(&answer).unwrap().code, Code::TokenRevoked);
    let license = store.licenses(None).await.unwrap().remove(0);
    assert_eq!((license.in_use, license.tokens), (0, 0));
    let trail = store.verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!((trail.rows, trail.broken_at), (7, None));
    store.close().await;
    assert!(matches!(store.ready().await, Err(StoreError::Closed)));
}

async fn the_last_place_goes_to_one_of_sixteen(fresh: Fresh) {
    let mut installs = Vec::new();
    for _ in 0..16 {
        installs.push(Install::new(&fresh.seat().await.1, "a"));
    }
    let old = fresh.store.licenses(None).await.unwrap().remove(0);
    let mut new = old.clone();
    new.seats_max = 1;
    fresh.store.change_license(old, new, Actor::Console).await.unwrap();
    let other = fresh.place.open().await;
    for round in 0..rounds() {
        let calls = installs.iter_mut().enumerate().map(|(place, install)| {
            let store = if place % 2 == 0 { &fresh.store } else { &other };
            async move { install.call(store, Call::Activate).await.unwrap() }
        });
        let answers = join_all(calls.collect()).await;
        let winners = answers.iter().filter(|answer| matches!(answer, Answer::Lease { .. })).count();
        assert_eq!(winners, 1, "round {round}");
        let full =
            |answer: &&Answer| refused(answer).is_some_and(|verdict| verdict.code == Code::SeatLimitReached);
        assert_eq!(answers.iter().filter(full).count(), 15, "round {round}");
        assert_eq!(fresh.place.number("SELECT count(*) FROM seat WHERE state = 'in_use'").await, 1);
        assert_eq!(fresh.place.number("SELECT in_use FROM license").await, 1);
        fresh.place.run("UPDATE seat SET last_ping = 1, lease_until = 1 WHERE state = 'in_use'").await;
    }
}

async fn the_last_token_goes_to_one_of_sixteen(fresh: Fresh) {
    let other = fresh.place.open().await;
    for round in 0..rounds() {
        let tokens: Vec<_> = (0..16).map(|_| token()).collect();
        let calls = tokens.iter().enumerate().map(|(place, token)| {
            let store = if place % 2 == 0 { &fresh.store } else { &other };
            let new = new_seat(fresh.license, token);
            async move {
                let Made::New(made) = store.create_seat(new).await.unwrap() else { panic!("made before") };
                (made.answer == Answer::Done).then(|| made.subject.unwrap().0.id)
            }
        });
        let made: Vec<Uuid> = join_all(calls.collect()).await.into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "round {round}");
        assert_eq!(fresh.place.number("SELECT tokens FROM license").await, 1);
        assert_eq!(owner(&fresh.store, order(made[0], OwnerAct::Revoke)).await, Answer::Done);
    }
    assert_eq!(fresh.store.verify_audit(AuditPart::ALL).await.unwrap().broken_at, None);
}

async fn one_key_makes_one_seat(fresh: Fresh) {
    let other = fresh.place.open().await;
    let remember = Remember { key: random(), request: random(), sealed: vec![1, 2, 3] };
    let calls = (0..16).map(|place| {
        let store = if place % 2 == 0 { &fresh.store } else { &other };
        let mut new = new_seat(fresh.license, &token());
        new.remember = Some(remember.clone());
        async move { store.create_seat(new).await.unwrap() }
    });
    let made = join_all(calls.collect()).await;
    assert_eq!(made.iter().filter(|made| matches!(made, Made::New(_))).count(), 1);
    assert_eq!(fresh.place.number("SELECT count(*) FROM seat").await, 1);
    let mut reused = new_seat(fresh.license, &token());
    reused.remember = Some(Remember { request: random(), ..remember });
    assert!(matches!(fresh.store.create_seat(reused).await, Err(StoreError::KeyReused)));
}

async fn a_fourth_api_token_is_refused_however_many_ask(fresh: Fresh) {
    let other = fresh.place.open().await;
    let account = fresh.store.accounts().await.unwrap().remove(0).id;
    let new = |email: &str| NewUser {
        id: Uuid::new_v4(),
        account,
        email: email.to_owned(),
        role: Role::Owner,
        password: PasswordHash("$argon2id$".to_owned()),
    };
    let user = fresh.store.add_user(new("Ada@example.com"), Actor::Console).await.unwrap();
    let taken = fresh.store.add_user(new("ada@EXAMPLE.com"), Actor::Console).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))));
    assert!(fresh.store.user("ADA@example.com").await.unwrap().is_some());
    let calls = (0..16).map(|place| {
        let store = if place % 2 == 0 { &fresh.store } else { &other };
        let token = NewApiToken {
            id: Uuid::new_v4(),
            user: user.id,
            name: "farm".to_owned(),
            hash: random(),
            remember: None,
        };
        store.add_api_token(token, Actor::Console)
    });
    let made = join_all(calls.collect()).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
    let limit = |made: &&Result<_, StoreError>| matches!(made, Err(StoreError::ApiTokenLimit));
    assert_eq!(made.iter().filter(limit).count(), 13);
    let names: Vec<_> = (0..16).map(|_| vec![(seatlock_server::rules::AttemptBy::Email, [5; 32])]).collect();
    let tries = names.into_iter().enumerate().map(|(place, names)| {
        let store = if place % 2 == 0 { &fresh.store } else { &other };
        store.attempt(names)
    });
    let allowed =
        join_all(tries.collect()).await.into_iter().filter(|tried| tried.as_ref().unwrap().is_none()).count();
    assert_eq!(fresh.place.number("SELECT count FROM attempt").await, i64::try_from(allowed).unwrap());
}

async fn a_link_is_opened_once(fresh: Fresh) {
    let other = fresh.place.open().await;
    let (seat, token) = fresh.seat().await;
    let expires_at = fresh.store.ready().await.unwrap().plus(600);
    let share = Share { id: random(), seat, sealed: vec![7; 80], expires_at };
    let id = share.id;
    fresh.store.add_share(share, token.stored_hash(&PEPPER), Actor::Console).await.unwrap();
    let takes = (0..16).map(|place| if place % 2 == 0 { &fresh.store } else { &other }.take_share(id));
    let taken = join_all(takes.collect()).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
}

/// I1, I4, I5, I9, I10: sixteen who do whatever comes to them, on two servers.
async fn whatever_happens_at_once_the_books_balance(fresh: Fresh) {
    fresh.place.run("UPDATE license SET release_window = 0").await;
    let other = fresh.place.open().await;
    let mut seats = Vec::new();
    for _ in 0..6 {
        seats.push(fresh.seat().await);
    }
    let old = fresh.store.licenses(None).await.unwrap().remove(0);
    let mut new = old.clone();
    new.seats_max = 4;
    fresh.store.change_license(old, new, Actor::Console).await.unwrap();
    let doers = (0..16_u64).map(|doer| {
        let (store, seats) = (if doer % 2 == 0 { &fresh.store } else { &other }, &seats);
        async move {
            let mut dice = doer.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..STEPS {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let (id, token) = &seats[usize::try_from(dice % 6).unwrap()];
                let mut install = Install::new(token, &format!("{}", dice >> 8 & 3));
                install.id = Uuid::from_u128(u128::from(dice >> 8 & 3) + 1);
                match dice >> 16 & 15 {
                    0 => drop(store.owner(order(*id, OwnerAct::Release)).await.unwrap()),
                    1 if doer == 3 => drop(store.owner(order(*id, OwnerAct::Refresh)).await.unwrap()),
                    1 | 2 => assert!(store.sweep().await.is_ok()),
                    3 | 4 => drop(install.call(store, Call::Release).await.unwrap()),
                    5 | 6 => drop(install.call(store, Call::Launch).await.unwrap()),
                    7..=10 => drop(install.call(store, Call::Renew).await.unwrap()),
                    _ => drop(install.call(store, Call::Activate).await.unwrap()),
                }
            }
        }
    });
    join_all(doers.collect()).await;
    let number = async |query: &str| fresh.place.number(query).await;
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
    let trail = fresh.store.verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!(trail.broken_at, None);
    assert!(trail.rows > 50, "much happened: {}", trail.rows);
    for (_, token) in &seats {
        let revoked = format!("{:02x?}", token.stored_hash(&PEPPER));
        let mut install = Install::new(token, "0");
        let answer = install.call(&fresh.store, Call::Activate).await.unwrap();
        let state = refused(&answer).map(|verdict| verdict.code);
        assert!(state != Some(Code::TokenUnknown), "I5: {revoked}");
    }
}

async fn an_export_is_brought_in_as_it_was(fresh: Fresh) {
    const CHECK: [u8; 32] = [3; 32];
    let store = &fresh.store;
    store.know_pepper(CHECK).await.unwrap();
    for number in 0..8 {
        let (seat, token) = fresh.seat().await;
        let mut install = Install::new(&token, "Ünïcode \"quoted\"");
        if number % 2 == 0 {
            install.call(store, Call::Activate).await.unwrap();
            install.call(store, Call::Renew).await.unwrap();
        }
        if number % 3 == 0 {
            owner(store, order(seat, OwnerAct::Refresh)).await;
        } else {
            let expires_at = store.ready().await.unwrap().plus(600);
            let share = Share { id: random(), seat, sealed: vec![0, 255, 7], expires_at };
            store
                .add_share(share, token.stored_hash(&PEPPER), Actor::User("ä@example.com".to_owned()))
                .await
                .unwrap();
        }
    }
    let point = store.audit_point(Some(4)).await.unwrap().unwrap();
    let cut = Checkpoint { point, cut: true, jws: "signed".to_owned() };
    store.keep_checkpoint(cut, Actor::Console).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = async |store: &seatlock_server::store::AnyStore, name: &str| {
        let mut text = Vec::new();
        let moved = store.export(&mut text, &|_, _| {}).await.unwrap();
        std::fs::write(folder.path().join(name), &text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, rows) = text.split_once('\n').unwrap();
        let head: serde_json::Value = serde_json::from_str(head).unwrap();
        (moved, head["tables"].clone(), rows.to_owned())
    };
    let first = write(store, "first").await;
    assert_eq!(first.0.rows["seat"], 8);
    for place in [crate::harness::stores::Place::sqlite(), crate::harness::stores::Place::postgres()] {
        let other = place.open().await;
        let file = || folder.path().join("first");
        let quiet = || Box::new(|_: &str, _: u64| {});
        assert_eq!(other.import(file(), CHECK, true, quiet()).await.unwrap(), first.0);
        assert!(matches!(other.server().await, Err(StoreError::NotInitialised)), "a dry run changes nothing");
        for (name, spoil) in [
            ("a row less", &|text: &str| {
                text.lines()
                    .rev()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect::<Vec<_>>()
                    .join("\n")
            }),
            ("another name", &|text: &str| text.replacen("user@example.com", "evil@example.com", 1)),
        ] as [(&str, &dyn Fn(&str) -> String); 2]
        {
            let text = std::fs::read_to_string(file()).unwrap();
            std::fs::write(folder.path().join("spoilt"), spoil(&text)).unwrap();
            let spoilt = other.import(folder.path().join("spoilt"), CHECK, false, quiet()).await;
            assert!(matches!(spoilt, Err(StoreError::Transfer(_))), "{name}");
        }
        let foreign = other.import(file(), [4; 32], false, quiet()).await;
        assert!(matches!(foreign, Err(StoreError::OtherPepper)), "another pepper");
        assert_eq!(other.import(file(), CHECK, false, quiet()).await.unwrap(), first.0);
        assert!(write(&other, "second").await == first, "row by row");
        assert!(matches!(other.know_pepper([4; 32]).await, Err(StoreError::OtherPepper)));
        assert!(
            matches!(other.import(file(), CHECK, false, quiet()).await, Err(StoreError::Transfer(_))),
            "not empty"
        );
        let (_, token) = crate::harness::stores::seat(&other, fresh.license).await;
        let answer = Install::new(&token, "new").call(&other, Call::Activate).await.unwrap();
        assert!(!matches!(answer, Answer::Unchanged), "it goes on");
        let trail = other.verify_audit(AuditPart::Whole(point)).await.unwrap();
        assert_eq!((trail.first, trail.broken_at), (5, None));
    }
}

/// Races of each kind: enough to find most of what is wrong, or as many as the variable says.
fn rounds() -> usize {
    std::env::var("SEATLOCK_RACES").map_or(40, |number| number.parse().unwrap())
}

/// What each of sixteen does.
const STEPS: usize = 60;
