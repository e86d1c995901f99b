//! A server that moves from one database to another.

use crate::{
    ENGINE,
    harness::{
        database::{Database, Engine, Place},
        store::{self, Install, act, new_seat, now, random_hash, seat},
    },
};
use seatlock_server::domain::{SeatAction, SeatAnswer, SeatOperation};
use seatlock_server::store::{
    Actor, AddOneTimeLink, AuditPart, Checkpoint, FindAuditPoint, GetServer, Import, KeepCheckpoint,
    KnowPepper, OneTimeLink, Store, StoreError, VerifyAudit,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_brought_in_as_it_was() {
    goes_over(ENGINE, ENGINE).await;
}

/// What one database wrote goes into another one, whole or not at all.
pub async fn goes_over(from: Engine, to: Engine) {
    const CHECK: [u8; 32] = [3; 32];
    let db = Database::with_seats(from, 9).await;
    let (store, pepper) = (db.store(), db.pepper());
    let (_, license) = db.first().await;
    store.run(KnowPepper(CHECK)).await.unwrap();
    for number in 0..8 {
        let (seat, token) = seat(&db, &license, "user@example.com").await;
        let mut install = Install::new(&token, &pepper, "Ünïcode \"quoted\"");
        if number % 2 == 0 {
            install.call(store, SeatOperation::Activate).await.unwrap();
            install.call(store, SeatOperation::Renew).await.unwrap();
        }
        if number % 3 == 0 {
            act(&db, seat, SeatAction::Refresh).await;
        } else {
            let expires_at = store.ready().await.unwrap().plus(600);
            let share = OneTimeLink { id: random_hash(), seat, sealed: vec![0, 255, 7], expires_at };
            store
                .run(AddOneTimeLink {
                    link: share,
                    token: token.stored_hash(&pepper),
                    by: Actor::User("ä@example.com".to_owned()),
                })
                .await
                .unwrap();
        }
    }
    let point = store.run(FindAuditPoint(Some(4))).await.unwrap().unwrap();
    let cut = Checkpoint { point, cut: true, jws: "signed".to_owned() };
    store.run(KeepCheckpoint(cut, Actor::Console)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = async |store: &Store, name: &str| {
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
    let other = Place::new(to, folder.path()).open().await.unwrap();
    let file = || folder.path().join("first");
    let quiet = || Box::new(|_: &str, _: u64| {});
    assert_eq!(
        other.run(Import { file: file(), pepper_check: CHECK, dry_run: true, told: quiet() }).await.unwrap(),
        first.0
    );
    assert!(
        matches!(other.run(GetServer).await, Err(StoreError::NotInitialised)),
        "a dry run changes nothing"
    );
    for (name, spoil) in [
        ("a row less", &|text: &str| {
            text.lines().rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        }),
        ("another name", &|text: &str| text.replacen("user@example.com", "evil@example.com", 1)),
    ] as [(&str, &dyn Fn(&str) -> String); 2]
    {
        let text = std::fs::read_to_string(file()).unwrap();
        std::fs::write(folder.path().join("spoilt"), spoil(&text)).unwrap();
        let spoilt = other
            .run(Import {
                file: folder.path().join("spoilt"),
                pepper_check: CHECK,
                dry_run: false,
                told: quiet(),
            })
            .await;
        assert!(matches!(spoilt, Err(StoreError::Transfer(_))), "{name}");
    }
    let foreign =
        other.run(Import { file: file(), pepper_check: [4; 32], dry_run: false, told: quiet() }).await;
    assert!(matches!(foreign, Err(StoreError::OtherPepper)), "another pepper");
    assert_eq!(
        other.run(Import { file: file(), pepper_check: CHECK, dry_run: false, told: quiet() }).await.unwrap(),
        first.0
    );
    assert!(write(&other, "second").await == first, "row by row");
    assert!(matches!(other.run(KnowPepper([4; 32])).await, Err(StoreError::OtherPepper)));
    assert!(
        matches!(
            other.run(Import { file: file(), pepper_check: CHECK, dry_run: false, told: quiet() }).await,
            Err(StoreError::Transfer(_))
        ),
        "not empty"
    );
    let token = store::token();
    let new = new_seat(license.id, "user@example.com", &token, &pepper);
    assert_eq!(now(other.run(new).await.unwrap()).answer, SeatAnswer::Done);
    let answer = Install::new(&token, &pepper, "new").call(&other, SeatOperation::Activate).await.unwrap();
    assert!(!matches!(answer, SeatAnswer::Unchanged), "it goes on");
    let trail = other.run(VerifyAudit(AuditPart::Whole(point))).await.unwrap();
    assert_eq!((trail.first, trail.broken_at), (5, None));
}
