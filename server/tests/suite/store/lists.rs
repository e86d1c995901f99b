//! Lists of seats, as every store must give them: page by page, searched, and each account its own.

use crate::{
    ENGINE,
    harness::{
        DAY,
        database::Database,
        join_all, machine,
        store::{act, another_account, call, license as new_license, new_seat, seat, token, word},
    },
};
use proptest::{collection::vec, prelude::*};
use seatlock_protocol::api::LockStatus;
use seatlock_server::domain::{License, SeatAction, SeatAnswer, SeatOperation};
use seatlock_server::store::{
    Actor, AddLicense, ChangeLicense, CountBoundSeats, CountSeats, ErasePerson, FindSeat, GetKeySet,
    GetServer, ListedSeat, ReplaceIssuer, SeatQuery, StoredKeySet, Used,
};
use std::collections::BTreeSet;
use uuid::Uuid;

const ADA: &str = "Ada.Lovelace@example.com";
const BOB: &str = "bob_100%@example.org";
const CAROL: &str = "carol@example.com";

fn everything() -> SeatQuery {
    SeatQuery { limit: 1000, ..SeatQuery::default() }
}

async fn emails(db: &Database, query: SeatQuery) -> Vec<String> {
    let page = db.store().run(query).await.unwrap();
    assert!(!page.more);
    let mut found: Vec<_> = page.rows.into_iter().map(|listed| listed.seat.shared_with).collect();
    found.sort();
    found
}

/// Computers have pinned the issuer: it changes only while none of them has a seat.
#[tokio::test]
async fn the_issuer_changes_only_while_no_seat_counts() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (_, token) = seat(&db, &license, ADA).await;
    let store = db.store();
    let newest = store.run(GetKeySet).await.unwrap();
    let change = || {
        let keys = StoredKeySet { seq: newest.seq + 1, ..newest.clone() };
        let issuer = "https://new.example.com".to_owned();
        store.run(ReplaceIssuer { issuer, keys, by: Actor::Console })
    };
    call(&db, SeatOperation::Activate, &token, "a").await;
    assert_eq!(store.run(CountBoundSeats).await.unwrap(), 1);
    assert_eq!(word(&change().await), "conflict");
    call(&db, SeatOperation::Release, &token, "a").await;
    assert_eq!(store.run(CountBoundSeats).await.unwrap(), 0);
    assert_eq!(word(&change().await), "ok");
    assert_eq!(store.run(GetServer).await.unwrap().issuer, "https://new.example.com");
}

/// Neither SQLite nor every locale of PostgreSQL knows capitals beyond ASCII.
#[tokio::test]
async fn accents_are_found_in_either_case() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    for name in ["RÉNÉ@example.com", "éva@example.com", "Ольга", "plain@example.com"] {
        seat(&db, &license, name).await;
    }
    for (search, found) in [
        ("réné", &["RÉNÉ@example.com"][..]),
        ("RÉNÉ", &["RÉNÉ@example.com"]),
        ("rÉnÉ@EXAMPLE", &["RÉNÉ@example.com"]),
        ("ÉVA", &["éva@example.com"]),
        ("é", &["RÉNÉ@example.com", "éva@example.com"]),
        ("ОЛЬГА", &["Ольга"]),
        ("ольга", &["Ольга"]),
        ("e\u{301}va", &[]),
        (&"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ".repeat(4), &[]),
        (&('А'..'п').chain('Α'..'ω').collect::<String>(), &[]),
    ] {
        let query = SeatQuery { search: Some(search.to_owned()), ..everything() };
        assert_eq!(emails(&db, query).await, found, "{search:?}");
    }
    let erased =
        db.store().run(ErasePerson { email: "ÉVA@example.com".to_owned(), dry_run: true }).await.unwrap();
    assert_eq!(erased.open_seats.len(), 1);
}

#[tokio::test]
async fn seats_are_found_by_what_a_person_knows_of_them() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (id, token) = seat(&db, &license, ADA).await;
    let (_, other) = seat(&db, &license, BOB).await;
    seat(&db, &license, CAROL).await;
    // A machine whose short form has a digit that is easily taken for a letter.
    let computer =
        (0..).map(|n| format!("workstation {n}")).find(|name| machine(name).short().contains('0')).unwrap();
    let machine_id = machine(&computer);
    let (full, short) = (machine_id.to_string(), machine_id.short());
    call(&db, SeatOperation::Activate, &token, &computer).await;
    call(&db, SeatOperation::Activate, &other, "another").await;

    let id = id.to_string();
    let no_dash = short.replace('-', "");
    let table: Vec<(String, &[&str])> = vec![
        (String::new(), &[ADA, BOB, CAROL]),
        ("   ".to_owned(), &[ADA, BOB, CAROL]),
        ("lovelace".to_owned(), &[ADA]),
        ("LOVELACE".to_owned(), &[ADA]),
        ("  lovelace ".to_owned(), &[ADA]),
        ("example.com".to_owned(), &[ADA, CAROL]),
        ("@".to_owned(), &[ADA, BOB, CAROL]),
        // No wildcards, no way into the statement.
        ("%".to_owned(), &[BOB]),
        ("_".to_owned(), &[BOB]),
        ("b%b".to_owned(), &[]),
        ("a' OR '1'='1".to_owned(), &[]),
        (id.clone(), &[ADA]),
        (id[..9].to_owned(), &[ADA]),
        (id[..9].to_uppercase(), &[ADA]),
        (id[1..12].to_owned(), &[]),
        (full.clone(), &[ADA]),
        (full[..12].to_owned(), &[ADA]),
        (full.to_lowercase(), &[]),
        (short.clone(), &[ADA]),
        (short.to_lowercase(), &[ADA]),
        (no_dash.clone(), &[ADA]),
        (short.replace('0', "O"), &[ADA]),
        (short.to_lowercase().replace('0', "o"), &[ADA]),
        (machine("another").short(), &[BOB]),
        (machine("nobody's").short(), &[]),
        ("nobody".to_owned(), &[]),
    ];
    for (search, wanted) in table {
        let query = SeatQuery { search: Some(search.clone()), ..everything() };
        assert_eq!(emails(&db, query).await, wanted, "{search:?}");
    }
}

#[tokio::test]
async fn a_status_and_a_license_narrow_the_list() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    for name in ["never", "used", "given-back", "closed", "refreshed"] {
        let (id, token) = seat(&db, &license, &format!("{name}@example.com")).await;
        if name != "never" {
            call(&db, SeatOperation::Activate, &token, name).await;
        }
        let order = match name {
            "given-back" => SeatAction::Release,
            "closed" => SeatAction::Revoke,
            "refreshed" => SeatAction::Refresh,
            _ => continue,
        };
        assert_eq!(act(&db, id, order).await, SeatAnswer::Done, "{name}");
    }
    let (_, beside) = another_account(&db, "Other", 1).await;
    seat(&db, &beside, "beside@example.com").await;
    for (of, status, wanted) in [
        (None, None, &["beside", "closed", "given-back", "never", "refreshed", "used"][..]),
        (None, Some(LockStatus::NeverUsed), &["beside", "never", "refreshed"]),
        (None, Some(LockStatus::InUse), &["used"]),
        (None, Some(LockStatus::Released), &["given-back"]),
        (None, Some(LockStatus::Closed), &["closed"]),
        (Some(license.id), Some(LockStatus::NeverUsed), &["never", "refreshed"]),
        (Some(beside.id), None, &["beside"]),
        (Some(beside.id), Some(LockStatus::InUse), &[]),
        (Some(Uuid::new_v4()), None, &[]),
    ] {
        let query = SeatQuery { license: of, status, ..everything() };
        let wanted: Vec<_> = wanted.iter().map(|name| format!("{name}@example.com")).collect();
        assert_eq!(emails(&db, query).await, wanted, "{of:?} {status:?}");
    }
    let query = SeatQuery {
        status: Some(LockStatus::NeverUsed),
        search: Some("refresh".to_owned()),
        license: Some(license.id),
        ..everything()
    };
    assert_eq!(emails(&db, query).await, ["refreshed@example.com"], "all of it at once");
}

#[tokio::test]
async fn each_account_has_its_own_seats() {
    let db = Database::new(ENGINE).await;
    let (mine, license) = db.first().await;
    let (other, theirs) = another_account(&db, "Other", 2).await;
    let second = db.store().run(AddLicense(new_license(mine.id, 1), Actor::Console)).await.unwrap();
    for (license, email) in
        [(&license, "ada@example.com"), (&second, "bob@example.com"), (&theirs, "ada@other.org")]
    {
        seat(&db, license, email).await;
    }
    for (account, of, search, wanted) in [
        (Some(mine.id), None, None, &["ada@example.com", "bob@example.com"][..]),
        (Some(other.id), None, None, &["ada@other.org"]),
        (Some(mine.id), None, Some("ada"), &["ada@example.com"]),
        (Some(mine.id), Some(second.id), None, &["bob@example.com"]),
        (Some(mine.id), Some(theirs.id), None, &[]),
        (Some(Uuid::new_v4()), None, None, &[]),
        (None, None, Some("ADA"), &["ada@example.com", "ada@other.org"]),
    ] {
        let query = SeatQuery { account, license: of, search: search.map(str::to_owned), ..everything() };
        assert_eq!(emails(&db, query).await, wanted, "{account:?} {of:?} {search:?}");
    }
}

#[tokio::test]
async fn seats_that_were_used_lately_are_found_and_counted() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (_, token) = seat(&db, &license, "once@example.com").await;
    call(&db, SeatOperation::Activate, &token, "a").await;
    db.age(2 * DAY).await;
    let (_, token) = seat(&db, &license, "now@example.com").await;
    call(&db, SeatOperation::Activate, &token, "b").await;
    seat(&db, &license, "never@example.com").await;
    let yesterday = db.store().ready().await.unwrap().minus(DAY);
    for (used, wanted) in [
        (None, &["never@example.com", "now@example.com", "once@example.com"][..]),
        (Some(Used::Since(yesterday)), &["now@example.com"]),
        (Some(Used::NotSince(yesterday)), &["never@example.com", "once@example.com"]),
    ] {
        let query = SeatQuery { used, ..everything() };
        let counted = CountSeats(SeatQuery { limit: 1, ..query.clone() });
        assert_eq!(db.store().run(counted).await.unwrap(), wanted.len() as u64, "{used:?}");
        assert_eq!(emails(&db, query).await, wanted, "{used:?}");
    }
}

#[tokio::test]
async fn a_seat_is_listed_as_it_is() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let before = db.store().ready().await.unwrap();
    let (id, token) = seat(&db, &license, "ada@example.com").await;
    call(&db, SeatOperation::Activate, &token, "a").await;
    db.age(DAY).await;
    let listed = db.store().run(everything()).await.unwrap().rows.remove(0);
    let (alone, of) = db.store().run(FindSeat(id)).await.unwrap().unwrap();
    assert_eq!((&listed, of.id, of.in_use), (&alone, license.id, 1));
    assert_eq!(listed.seat.holding().unwrap().machine, machine("a"));
    assert!(listed.created_at >= before && listed.seat.last_used_at.unwrap() < before);
    assert_eq!(db.store().run(FindSeat(Uuid::new_v4())).await.unwrap(), None);
}

/// What happens while somebody walks through the list.
#[derive(Debug, Clone)]
enum Meanwhile {
    Nothing,
    /// So many new seats at once.
    New(usize),
    /// Somebody begins to use a seat that is there.
    Use,
    /// One is closed.
    Close,
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        Just(Meanwhile::Nothing),
        (1..8usize).prop_map(Meanwhile::New),
        Just(Meanwhile::Use),
        Just(Meanwhile::Close),
    ]
}

/// Walks through all seats. Those that were there at the beginning are met once each, in order;
/// those that came meanwhile once or not at all.
async fn walk(moments: &[u8], limit: u32, meanwhile: &[Meanwhile]) {
    let db = Database::new(ENGINE).await;
    let (account, first) = db.first().await;
    let larger = License { seats_max: 1000, ..first.clone() };
    let license =
        db.store().run(ChangeLicense { old: first, new: larger, by: Actor::Console }).await.unwrap();
    let mut there = Vec::new();
    // Some of one second, some of others, a few of the future of a clock that was wrong.
    for moment in moments {
        let (id, token) = seat(&db, &license, "ada@example.com").await;
        let shift = i64::from(*moment) - 2;
        db.run(&format!("UPDATE seat SET created_at = created_at - {shift} WHERE id = '{id}'")).await;
        there.push((id, token));
    }
    let (mut seen, mut after, mut events) = (Vec::<ListedSeat>::new(), None, meanwhile.iter().cycle());
    loop {
        let query = SeatQuery { account: Some(account.id), limit, after, ..SeatQuery::default() };
        let page = db.store().run(query).await.unwrap();
        assert!(page.rows.len() == limit as usize || page.rows.len() < limit as usize && !page.more);
        seen.extend(page.rows);
        if !page.more {
            break;
        }
        after = seen.last().map(ListedSeat::cursor);
        let (id, held) = &there[seen.len() % there.len()];
        match events.next().unwrap() {
            Meanwhile::Nothing => {}
            Meanwhile::New(count) => {
                let new = || new_seat(license.id, "new@example.com", &token(), &db.pepper());
                let made = join_all((0..*count).map(|_| db.store().run(new()))).await;
                made.into_iter().for_each(|made| drop(made.unwrap()));
            }
            Meanwhile::Use => drop(call(&db, SeatOperation::Activate, held, "a").await),
            Meanwhile::Close => drop(act(&db, *id, SeatAction::Revoke).await),
        }
    }
    let once: BTreeSet<Uuid> = seen.iter().map(|listed| listed.seat.id).collect();
    assert_eq!(seen.len(), once.len(), "nobody is met twice");
    assert!(there.iter().all(|(id, _)| once.contains(id)), "everybody who was there is met");
    assert!(seen.is_sorted_by(|a, b| (a.created_at, a.seat.id) > (b.created_at, b.seat.id)));
    db.store().close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_meets_every_seat_once_whatever_comes_meanwhile(
        moments in vec(0..5u8, 1..25), limit in 1..8u32, meanwhile in vec(meanwhile(), 1..6)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(walk(&moments, limit, &meanwhile));
    }
}
