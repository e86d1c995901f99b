//! The audit trail: one row for each change, and what is read of it.

use crate::{
    ENGINE,
    harness::{
        DAY,
        database::Database,
        machine,
        store::{
            act, another_account, api_token, call, granted, license, new_seat, no_password, now, plan, seat,
            session, token, user, word,
        },
    },
};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::FileFailurePersistence};
use seatlock_protocol::Token;
use seatlock_server::domain::{AttemptBy, License, Plan, Role, SeatAction, SeatAnswer, SeatOperation};
use seatlock_server::store::{
    Actor, AddAccount, AddLicense, AddOneTimeLink, AddUser, AuditPart, AuditQuery, AuditRow, ChangeLicense,
    ChangeUser, ConsumeOneTimeLink, CountAttempt, EndSessions, FindBearer, FindOneTimeLink, FindSession,
    GetKeySet, NewUser, OneTimeLink, Page, PublishKeySet, ReleaseExpired, RemoveApiToken, SeatActionRequest,
    SeatQuery, SessionScope, SetPlan, StoredKeySet, UserChange, VerifyAudit,
};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

async fn rows(db: &Database, query: AuditQuery) -> Page<AuditRow> {
    db.store().run(query).await.unwrap()
}

async fn newest(db: &Database) -> AuditRow {
    rows(db, AuditQuery { limit: 1, ..AuditQuery::default() }).await.rows.remove(0)
}

/// Carries something out, which must leave exactly these events behind, in this order.
async fn writes<T>(db: &Database, events: &[&str], what: &str, work: impl Future<Output = T>) -> T {
    let before = newest(db).await.id;
    let done = work.await;
    let all = rows(db, AuditQuery { limit: 9, ..AuditQuery::default() }).await.rows;
    let new = all.iter().filter(|row| row.id > before).map(|row| row.event.as_str());
    assert_eq!(new.rev().collect::<Vec<_>>(), events, "{what}");
    done
}

#[tokio::test]
async fn every_change_is_written_down_once() {
    const NOTHING: &[&str] = &[];
    let (db, console) = (Database::new(ENGINE).await, || Actor::Console);
    let (account, first) = db.first().await;
    let store = db.store();
    assert_eq!(db.rows("audit").await, 2, "the first account and its license");
    let keys = StoredKeySet { seq: 2, ..store.run(GetKeySet).await.unwrap() };

    // What there is: the work, and what it leaves behind.
    writes(&db, NOTHING, "publish", store.run(PublishKeySet(keys))).await.unwrap();
    let made = store.run(AddAccount { id: Uuid::new_v4(), name: "Other".to_owned(), by: console() });
    writes(&db, &["account_created"], "add_account", made).await.unwrap();
    writes(&db, &["plan_set"], "set_plan", store.run(SetPlan(plan("gold"), console()))).await.unwrap();
    let made = store.run(AddLicense(license(account.id, 1), console()));
    writes(&db, &["license_created"], "add_license", made).await.unwrap();
    let unknown = License { plan: plan("lead"), ..license(account.id, 1) };
    let made = writes(&db, NOTHING, "of no plan", store.run(AddLicense(unknown, console()))).await;
    assert_eq!(word(&made), "not found");
    let cheaper = License { release_window: 1, ..first.clone() };
    let change = |old: &License, new: &License| {
        store.run(ChangeLicense { old: old.clone(), new: new.clone(), by: console() })
    };
    let changed = writes(&db, &["license_changed"], "change_license", change(&first, &cheaper)).await;
    assert_eq!(changed.unwrap(), cheaper);
    let late = writes(&db, NOTHING, "of what was", change(&first, &cheaper)).await;
    assert_eq!(word(&late), "conflict");

    let added = user(&db, &account, "ada@example.com", Role::Owner);
    let ada = writes(&db, &["user_added"], "add_user", added).await;
    let (id, email) = (Uuid::new_v4(), ada.email.clone());
    let twin = NewUser { id, account: account.id, email, role: Role::Owner, password: no_password() };
    let added = writes(&db, NOTHING, "add_user, taken", store.run(AddUser(twin, console()))).await;
    assert_eq!(word(&added), "taken");
    for (change, event) in [
        (UserChange::Password(no_password()), "password_changed"),
        (UserChange::Role(Role::Owner), "role_changed"),
        (UserChange::Disable, "user_disabled"),
        (UserChange::Enable, "user_enabled"),
    ] {
        let changed = store.run(ChangeUser { id: ada.id, change, keep: None, by: console() });
        writes(&db, &[event], "change_user", changed).await.unwrap();
    }
    let (cookie, _) = writes(&db, &["signed_in"], "sign_in", session(&db, &ada)).await.unwrap();
    let names = vec![(AttemptBy::Person, [1; 32])];
    writes(&db, NOTHING, "attempt", store.run(CountAttempt(names))).await.unwrap();
    db.age(120).await;
    writes(&db, NOTHING, "session", store.run(FindSession(cookie))).await.unwrap().unwrap();
    writes(&db, NOTHING, "end_sessions", store.run(EndSessions(SessionScope::All(ada.id)))).await.unwrap();
    let made = writes(&db, &["api_token_created"], "add_api_token", api_token(&db, &ada)).await;
    let (bearer, made) = made.unwrap();
    writes(&db, NOTHING, "bearer", store.run(FindBearer(bearer))).await.unwrap().unwrap();
    let remove = |id| store.run(RemoveApiToken { user: ada.id, id, by: console() });
    writes(&db, &["api_token_deleted"], "remove_api_token", remove(made.id)).await.unwrap();
    let gone = writes(&db, NOTHING, "remove_api_token again", remove(made.id)).await;
    assert_eq!(word(&gone), "not found");

    let made = seat(&db, &first, "bob@example.com");
    let (id, token) = writes(&db, &["created"], "create_seat", made).await;
    let sealed = vec![1];
    let expires_at = store.ready().await.unwrap().plus(DAY);
    let share = || OneTimeLink { id: [7; 32], seat: id, sealed: sealed.clone(), expires_at };
    let shared =
        store.run(AddOneTimeLink { link: share(), token: token.stored_hash(&db.pepper()), by: console() });
    writes(&db, &["shared"], "add_share", shared).await.unwrap();
    let shared = writes(
        &db,
        NOTHING,
        "no token",
        store.run(AddOneTimeLink { link: share(), token: [0; 32], by: console() }),
    )
    .await;
    assert_eq!(word(&shared), "conflict");
    writes(&db, NOTHING, "share", store.run(FindOneTimeLink([7; 32]))).await.unwrap().unwrap();
    writes(&db, &["share_opened"], "take_share", store.run(ConsumeOneTimeLink([7; 32])))
        .await
        .unwrap()
        .unwrap();
    writes(&db, NOTHING, "take_share again", store.run(ConsumeOneTimeLink([7; 32]))).await.unwrap();

    let call = |what, computer| call(&db, what, &token, computer);
    let act = |what| act(&db, id, what);
    let dry_run = SeatActionRequest {
        seat: id,
        act: SeatAction::Revoke,
        new_token: None,
        shared_with: None,
        dry_run: true,
        remember: None,
        by: console(),
    };
    writes(&db, NOTHING, "release of nobody", act(SeatAction::Release)).await;
    writes(&db, NOTHING, "status", call(SeatOperation::Status, "a")).await;
    writes(&db, &["activated"], "T2", call(SeatOperation::Activate, "a")).await;
    writes(&db, NOTHING, "T4", call(SeatOperation::Activate, "a")).await;
    writes(&db, NOTHING, "T4", call(SeatOperation::Renew, "a")).await;
    writes(&db, NOTHING, "T6", call(SeatOperation::Activate, "b")).await;
    writes(&db, NOTHING, "dry run", store.run(dry_run)).await.unwrap();
    writes(&db, &["released_by_owner"], "T8", act(SeatAction::Release)).await;
    writes(&db, NOTHING, "T7", call(SeatOperation::Renew, "a")).await;
    writes(&db, &["rebound"], "T3", call(SeatOperation::Launch, "a")).await;
    db.age(2).await;
    writes(&db, &["released_by_machine"], "T9", call(SeatOperation::Release, "a")).await;
    writes(&db, &["activated"], "T2", call(SeatOperation::Activate, "b")).await;
    db.age(15 * DAY).await;
    writes(&db, NOTHING, "status", call(SeatOperation::Status, "b")).await;
    let swept = writes(&db, &["auto_released"], "T10", store.run(ReleaseExpired)).await.unwrap();
    assert_eq!((swept, writes(&db, NOTHING, "sweep", store.run(ReleaseExpired)).await.unwrap()), (1, 0));
    writes(&db, &["activated"], "T2", call(SeatOperation::Activate, "b")).await;
    db.age(15 * DAY).await;
    writes(&db, &["auto_released", "refreshed"], "T10 and T11", act(SeatAction::Refresh)).await;
    writes(&db, NOTHING, "a token of the past", call(SeatOperation::Activate, "b")).await;
    writes(&db, &["revoked"], "T12", act(SeatAction::Revoke)).await;
    writes(&db, NOTHING, "revoked before", act(SeatAction::Revoke)).await;

    let state = store.run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!((state.broken_at, state.rows), (None, newest(&db).await.id));
}

#[tokio::test]
async fn a_row_says_who_did_what_to_what() {
    let db = Database::new(ENGINE).await;
    let (account, license) = db.first().await;
    let (other, _) = another_account(&db, "Other", 1).await;
    let last = async || {
        let row = newest(&db).await;
        let token = row.api_token.map(|token| format!(" (API token {token})"));
        let whom = row.actor_name.unwrap_or_default() + &token.unwrap_or_default();
        (
            row.event,
            format!("{} {whom}", row.actor).trim().to_owned(),
            row.account,
            row.seat,
            row.epoch,
            row.machine,
        )
    };
    let row = |event: &str, actor: &str, account: Uuid, seat, epoch, machine| {
        (event.to_owned(), actor.to_owned(), account, seat, epoch, machine)
    };
    let eve = user(&db, &other, "eve@example.com", Role::Owner).await;
    assert_eq!(last().await, row("user_added", "console", other.id, None, None, None));
    session(&db, &eve).await.unwrap();
    assert_eq!(last().await, row("signed_in", "user eve@example.com", other.id, None, None, None));
    let plan = Plan { name: "gold".to_owned(), carries_seats: true, entitlements: granted(&["cad"]) };
    db.store()
        .run(SetPlan(plan, Actor::ApiToken { user: "root".to_owned(), token: "x".to_owned() }))
        .await
        .unwrap();
    assert_eq!(last().await, row("plan_set", "user root (API token x)", Uuid::nil(), None, None, None));
    assert_eq!(newest(&db).await.detail.unwrap()["entitlements"], json!({ "cad": {} }));

    let (id, token) = seat(&db, &license, "bob@example.com").await;
    let row = |event, actor, epoch, machine| row(event, actor, account.id, Some(id), Some(epoch), machine);
    assert_eq!(last().await, row("created", "console", 0, None));
    call(&db, SeatOperation::Activate, &token, "a").await;
    assert_eq!(last().await, row("activated", "plugin", 1, Some(machine("a"))));
    act(&db, id, SeatAction::Release).await;
    assert_eq!(last().await, row("released_by_owner", "user ada@example.com", 2, Some(machine("a"))));
    call(&db, SeatOperation::Launch, &token, "a").await;
    db.age(15 * DAY).await;
    act(&db, id, SeatAction::Refresh).await;
    assert_eq!(last().await, row("refreshed", "user ada@example.com", 5, None));
    let query = AuditQuery { seat: Some(id), limit: 2, ..AuditQuery::default() };
    let released = rows(&db, query).await.rows.remove(1);
    assert_eq!((released.event.as_str(), released.epoch), ("auto_released", Some(4)));
    assert_eq!(released.actor, "system", "nobody did that but time, whoever came next");
    assert_eq!(released.license, Some(license.id));
}

#[tokio::test]
async fn rows_are_read_page_by_page_the_newest_first() {
    let db = Database::new(ENGINE).await;
    let (account, license) = db.first().await;
    let (other, theirs) = another_account(&db, "Other", 9).await;
    let (mine, _) = seat(&db, &license, "ada@example.com").await;
    for _ in 0..4 {
        seat(&db, &theirs, "eve@example.com").await;
        act(&db, mine, SeatAction::Refresh).await;
    }
    let total = newest(&db).await.id;
    let everything = |seat, account| AuditQuery { seat, account, before: None, limit: 100 };
    let (all, nobody) = (everything(None, None), everything(None, Some(Uuid::new_v4())));
    for (query, count) in [
        (all, total as usize),
        (everything(None, Some(account.id)), 7),
        (everything(None, Some(other.id)), 6),
        (everything(Some(mine), None), 5),
        (everything(Some(mine), Some(other.id)), 0),
        (nobody, 0),
    ] {
        let whole = rows(&db, query.clone()).await;
        assert_eq!((whole.rows.len(), whole.more), (count, false), "{query:?}");
        assert!(whole.rows.is_sorted_by(|a, b| a.id > b.id));
        for limit in [1, 2, 3, 5, 13] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = rows(&db, AuditQuery { before, limit, ..query.clone() }).await;
                before = page.rows.last().map(|row| row.id);
                seen.extend(page.rows);
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, whole.rows, "{limit} at a time");
        }
    }
}

/// One thing that happens to one of some seats.
#[derive(Debug, Clone)]
enum Happening {
    Create,
    Call(SeatOperation, Index, u8),
    Act(SeatAction, Index),
    Sweep,
    Days(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let calls = [
        SeatOperation::Activate,
        SeatOperation::Launch,
        SeatOperation::Renew,
        SeatOperation::Release,
        SeatOperation::Status,
    ];
    let acts = [SeatAction::Release, SeatAction::Refresh, SeatAction::Revoke];
    let (call, act) = (proptest::sample::select(calls.to_vec()), proptest::sample::select(acts.to_vec()));
    prop_oneof![
        2 => Just(Happening::Create),
        6 => (call, any::<Index>(), 0..3u8).prop_map(|(call, seat, computer)| Happening::Call(call, seat, computer)),
        3 => (act, any::<Index>()).prop_map(|(act, seat)| Happening::Act(act, seat)),
        1 => Just(Happening::Sweep),
        2 => (1..20u8).prop_map(Happening::Days),
    ]
}

/// Epochs and machines of all seats.
async fn held(db: &Database) -> BTreeMap<Uuid, u64> {
    let all = db.store().run(SeatQuery { limit: 100, ..SeatQuery::default() }).await.unwrap();
    all.rows.into_iter().map(|listed| (listed.seat.id, listed.seat.epoch)).collect()
}

async fn live(happenings: &[Happening]) {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let mut seats: Vec<(Uuid, Token)> = vec![seat(&db, &license, "ada@example.com").await];
    for happening in happenings {
        let (before, rows) = (held(&db).await, db.rows("audit").await);
        match happening {
            Happening::Create => {
                let token = token();
                let new = new_seat(license.id, "ada@example.com", &token, &db.pepper());
                let id = new.id;
                if now(db.store().run(new).await.unwrap()).answer == SeatAnswer::Done {
                    seats.push((id, token));
                }
            }
            Happening::Call(what, which, computer) => {
                let (_, token) = which.get(&seats);
                call(&db, *what, token, &computer.to_string()).await;
            }
            Happening::Act(what, which) => {
                let (id, _) = which.get(&seats);
                act(&db, *id, *what).await;
            }
            Happening::Sweep => drop(db.store().run(ReleaseExpired).await.unwrap()),
            Happening::Days(days) => db.age(u64::from(*days) * DAY).await,
        }
        // I10 with I4: each step of an epoch, and each new seat, has one row, and nothing else has one.
        let steps: u64 =
            held(&db).await.iter().map(|(id, epoch)| before.get(id).map_or(1, |before| epoch - before)).sum();
        let written = db.rows("audit").await - rows;
        assert_eq!(written as u64, steps, "{happening:?} of {happenings:?}");
    }
    let state = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!((state.broken_at, state.rows as i64), (None, db.rows("audit").await));
    assert_eq!(state.head, newest(&db).await.hash);
    db.store().close().await;
}

/// Found by its path, whichever program includes this file.
const FAILURES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/store/audit_chain.proptest-regressions");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(FAILURES))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_each_change_has_one_row_and_the_chain_is_whole(
        happenings in vec(happening(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(&happenings));
    }
}
