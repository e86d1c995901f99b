//! The audit trail: one row for each change, and a chain that tells where it was touched.

use crate::store_support::{
    DAY, Place, Postgres, Sqlite, act, another_account, api_token, call, license, machine, no_password, now,
    seat, session, token, user, word,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use seatlock_protocol::Token;
use seatlock_server::{
    rules::{Answer, AttemptBy, Call, License, OwnerAct, Plan, Role},
    store::{
        Actor, AuditPart, AuditQuery, AuditRow, AuditState, Ending, NewUser, OwnerOrder, Page, People as _,
        SeatQuery, Share, Store as _, StoredKeySet, UserChange,
    },
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection, ValueRef as _};
use std::collections::BTreeMap;
use uuid::Uuid;

on_each!(
    every_change_is_written_down_once,
    a_row_says_who_did_what_to_what,
    rows_are_read_page_by_page_the_newest_first,
);

async fn rows<P: Place>(place: &P, query: AuditQuery) -> Page<AuditRow> {
    place.store().audit(query).await.unwrap()
}

async fn newest<P: Place>(place: &P) -> AuditRow {
    rows(place, AuditQuery { limit: 1, ..AuditQuery::default() }).await.rows.remove(0)
}

/// Carries something out, which must leave exactly these events behind, in this order.
async fn writes<P: Place, T>(place: &P, events: &[&str], what: &str, work: impl Future<Output = T>) -> T {
    let before = newest(place).await.id;
    let done = work.await;
    let all = rows(place, AuditQuery { limit: 9, ..AuditQuery::default() }).await.rows;
    let new = all.iter().filter(|row| row.id > before).map(|row| row.event.as_str());
    assert_eq!(new.rev().collect::<Vec<_>>(), events, "{what}");
    done
}

async fn every_change_is_written_down_once<P: Place>() {
    const NOTHING: &[&str] = &[];
    let (place, console) = (P::new().await, || Actor::Console);
    let (account, first) = place.first().await;
    let store = place.store();
    assert_eq!(place.rows("audit").await, 2, "the first account and its license");
    let keys = StoredKeySet { seq: 2, ..store.key_set().await.unwrap() };

    // What there is: the work, and what it leaves behind.
    writes(&place, NOTHING, "publish", store.publish(keys)).await.unwrap();
    let made = store.add_account(Uuid::new_v4(), "Other".to_owned(), console());
    writes(&place, &["account_created"], "add_account", made).await.unwrap();
    let plan = Plan { name: "gold".to_owned(), carries_seats: true, entitlements: Vec::new() };
    writes(&place, &["plan_set"], "set_plan", store.set_plan(plan, console())).await.unwrap();
    let made = store.add_license(license(account.id, 1), console());
    writes(&place, &["license_created"], "add_license", made).await.unwrap();
    let unknown = License { plan: crate::store_support::plan("lead"), ..license(account.id, 1) };
    let made = writes(&place, NOTHING, "of no plan", store.add_license(unknown, console())).await;
    assert_eq!(word(&made), "not found");
    let cheaper = License { release_window: 1, ..first.clone() };
    let change = |old: &License, new: &License| store.change_license(old.clone(), new.clone(), console());
    let changed = writes(&place, &["license_changed"], "change_license", change(&first, &cheaper)).await;
    assert_eq!(changed.unwrap(), cheaper);
    let late = writes(&place, NOTHING, "of what was", change(&first, &cheaper)).await;
    assert_eq!(word(&late), "conflict");

    let added = user(&place, &account, "ada@example.com", Role::Owner);
    let ada = writes(&place, &["user_added"], "add_user", added).await;
    let (id, email) = (Uuid::new_v4(), ada.email.clone());
    let twin = NewUser { id, account: account.id, email, role: Role::Owner, password: no_password() };
    let added = writes(&place, NOTHING, "add_user, taken", store.add_user(twin, console())).await;
    assert_eq!(word(&added), "taken");
    for (change, event) in [
        (UserChange::Password(no_password()), "password_changed"),
        (UserChange::Role(Role::Owner), "role_changed"),
        (UserChange::Disable, "user_disabled"),
        (UserChange::Enable, "user_enabled"),
    ] {
        let changed = store.change_user(ada.id, change, None, console());
        writes(&place, &[event], "change_user", changed).await.unwrap();
    }
    let (cookie, _) = writes(&place, &["signed_in"], "sign_in", session(&place, &ada)).await.unwrap();
    let names = vec![(AttemptBy::Person, [1; 32])];
    writes(&place, NOTHING, "attempt", store.attempt(names)).await.unwrap();
    place.age(120).await;
    writes(&place, NOTHING, "session", store.session(cookie)).await.unwrap().unwrap();
    writes(&place, NOTHING, "end_sessions", store.end_sessions(Ending::All(ada.id))).await.unwrap();
    let made = writes(&place, &["api_token_created"], "add_api_token", api_token(&place, &ada)).await;
    let (bearer, made) = made.unwrap();
    writes(&place, NOTHING, "bearer", store.bearer(bearer)).await.unwrap().unwrap();
    let remove = |id| store.remove_api_token(ada.id, id, console());
    writes(&place, &["api_token_deleted"], "remove_api_token", remove(made.id)).await.unwrap();
    let gone = writes(&place, NOTHING, "remove_api_token again", remove(made.id)).await;
    assert_eq!(word(&gone), "not found");

    let made = seat(&place, &first, "bob@example.com");
    let (id, token) = writes(&place, &["created"], "create_seat", made).await;
    let sealed = vec![1];
    let expires_at = store.ready().await.unwrap().plus(DAY);
    let share = || Share { id: [7; 32], seat: id, sealed: sealed.clone(), expires_at };
    let shared = store.add_share(share(), token.stored_hash(&place.pepper()), console());
    writes(&place, &["shared"], "add_share", shared).await.unwrap();
    let shared = writes(&place, NOTHING, "no token", store.add_share(share(), [0; 32], console())).await;
    assert_eq!(word(&shared), "conflict");
    writes(&place, NOTHING, "share", store.share([7; 32])).await.unwrap().unwrap();
    writes(&place, &["share_opened"], "take_share", store.take_share([7; 32])).await.unwrap().unwrap();
    writes(&place, NOTHING, "take_share again", store.take_share([7; 32])).await.unwrap();

    let call = |what, computer| call(&place, what, &token, computer);
    let act = |what| act(&place, id, what);
    let dry_run = OwnerOrder {
        seat: id,
        act: OwnerAct::Revoke,
        new_token: None,
        shared_with: None,
        dry_run: true,
        remember: None,
        by: console(),
    };
    writes(&place, NOTHING, "release of nobody", act(OwnerAct::Release)).await;
    writes(&place, NOTHING, "status", call(Call::Status, "a")).await;
    writes(&place, &["activated"], "T2", call(Call::Activate, "a")).await;
    writes(&place, NOTHING, "T4", call(Call::Activate, "a")).await;
    writes(&place, NOTHING, "T4", call(Call::Renew, "a")).await;
    writes(&place, NOTHING, "T6", call(Call::Activate, "b")).await;
    writes(&place, NOTHING, "dry run", store.owner(dry_run)).await.unwrap();
    writes(&place, &["released_by_owner"], "T8", act(OwnerAct::Release)).await;
    writes(&place, NOTHING, "T7", call(Call::Renew, "a")).await;
    writes(&place, &["rebound"], "T3", call(Call::Launch, "a")).await;
    place.age(2).await;
    writes(&place, &["released_by_machine"], "T9", call(Call::Release, "a")).await;
    writes(&place, &["activated"], "T2", call(Call::Activate, "b")).await;
    place.age(15 * DAY).await;
    writes(&place, NOTHING, "status", call(Call::Status, "b")).await;
    let swept = writes(&place, &["auto_released"], "T10", store.sweep()).await.unwrap();
    assert_eq!((swept, writes(&place, NOTHING, "sweep", store.sweep()).await.unwrap()), (1, 0));
    writes(&place, &["activated"], "T2", call(Call::Activate, "b")).await;
    place.age(15 * DAY).await;
    writes(&place, &["auto_released", "refreshed"], "T10 and T11", act(OwnerAct::Refresh)).await;
    writes(&place, NOTHING, "a token of the past", call(Call::Activate, "b")).await;
    writes(&place, &["revoked"], "T12", act(OwnerAct::Revoke)).await;
    writes(&place, NOTHING, "revoked before", act(OwnerAct::Revoke)).await;

    let state = store.verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!((state.broken_at, state.rows), (None, newest(&place).await.id));
}

async fn a_row_says_who_did_what_to_what<P: Place>() {
    let place = P::new().await;
    let (account, license) = place.first().await;
    let (other, _) = another_account(&place, "Other", 1).await;
    let last = async || {
        let row = newest(&place).await;
        let whom = row.actor_name.unwrap_or_default();
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
    let eve = user(&place, &other, "eve@example.com", Role::Owner).await;
    assert_eq!(last().await, row("user_added", "console", other.id, None, None, None));
    session(&place, &eve).await.unwrap();
    assert_eq!(last().await, row("signed_in", "user eve@example.com", other.id, None, None, None));
    let plan = Plan { name: "gold".to_owned(), carries_seats: true, entitlements: vec!["cad".to_owned()] };
    place.store().set_plan(plan, Actor::User("root (API token x)".to_owned())).await.unwrap();
    assert_eq!(last().await, row("plan_set", "user root (API token x)", Uuid::nil(), None, None, None));
    assert_eq!(newest(&place).await.detail.unwrap()["entitlements"], json!(["cad"]));

    let (id, token) = seat(&place, &license, "bob@example.com").await;
    let row = |event, actor, epoch, machine| row(event, actor, account.id, Some(id), Some(epoch), machine);
    assert_eq!(last().await, row("created", "console", 0, None));
    call(&place, Call::Activate, &token, "a").await;
    assert_eq!(last().await, row("activated", "plugin", 1, Some(machine("a"))));
    act(&place, id, OwnerAct::Release).await;
    assert_eq!(last().await, row("released_by_owner", "user ada@example.com", 2, Some(machine("a"))));
    call(&place, Call::Launch, &token, "a").await;
    place.age(15 * DAY).await;
    act(&place, id, OwnerAct::Refresh).await;
    assert_eq!(last().await, row("refreshed", "user ada@example.com", 5, None));
    let query = AuditQuery { seat: Some(id), limit: 2, ..AuditQuery::default() };
    let released = rows(&place, query).await.rows.remove(1);
    assert_eq!((released.event.as_str(), released.epoch), ("auto_released", Some(4)));
    assert_eq!(released.actor, "system", "nobody did that but time, whoever came next");
    assert_eq!(released.license, Some(license.id));
}

async fn rows_are_read_page_by_page_the_newest_first<P: Place>() {
    let place = P::new().await;
    let (account, license) = place.first().await;
    let (other, theirs) = another_account(&place, "Other", 9).await;
    let (mine, _) = seat(&place, &license, "ada@example.com").await;
    for _ in 0..4 {
        seat(&place, &theirs, "eve@example.com").await;
        act(&place, mine, OwnerAct::Refresh).await;
    }
    let total = newest(&place).await.id;
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
        let whole = rows(&place, query.clone()).await;
        assert_eq!((whole.rows.len(), whole.more), (count, false), "{query:?}");
        assert!(whole.rows.is_sorted_by(|a, b| a.id > b.id));
        for limit in [1, 2, 3, 5, 13] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = rows(&place, AuditQuery { before, limit, ..query.clone() }).await;
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
    Call(Call, Index, u8),
    Act(OwnerAct, Index),
    Sweep,
    Days(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let calls = [Call::Activate, Call::Launch, Call::Renew, Call::Release, Call::Status];
    let acts = [OwnerAct::Release, OwnerAct::Refresh, OwnerAct::Revoke];
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
async fn held(place: &Sqlite) -> BTreeMap<Uuid, u64> {
    let all = place.store().seats(SeatQuery { limit: 100, ..SeatQuery::default() }).await.unwrap();
    all.rows.into_iter().map(|listed| (listed.seat.id, listed.seat.epoch)).collect()
}

async fn live(happenings: &[Happening]) {
    let place = Sqlite::new().await;
    let (_, license) = place.first().await;
    let mut seats: Vec<(Uuid, Token)> = vec![seat(&place, &license, "ada@example.com").await];
    for happening in happenings {
        let (before, rows) = (held(&place).await, place.rows("audit").await);
        match happening {
            Happening::Create => {
                let token = token();
                let new = crate::store_support::new_seat(&place, &license, "ada@example.com", &token);
                let id = new.id;
                if now(place.store().create_seat(new).await.unwrap()).answer == Answer::Done {
                    seats.push((id, token));
                }
            }
            Happening::Call(what, which, computer) => {
                let (_, token) = which.get(&seats);
                call(&place, *what, token, &computer.to_string()).await;
            }
            Happening::Act(what, which) => {
                let (id, _) = which.get(&seats);
                act(&place, *id, *what).await;
            }
            Happening::Sweep => drop(place.store().sweep().await.unwrap()),
            Happening::Days(days) => place.age(u64::from(*days) * DAY).await,
        }
        // I10 with I4: each step of an epoch, and each new seat, has one row, and nothing else has one.
        let steps: u64 = held(&place)
            .await
            .iter()
            .map(|(id, epoch)| before.get(id).map_or(1, |before| epoch - before))
            .sum();
        let written = place.rows("audit").await - rows;
        assert_eq!(written as u64, steps, "{happening:?} of {happenings:?}");
    }
    let state = place.store().verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!((state.broken_at, state.rows as i64), (None, place.rows("audit").await));
    assert_eq!(state.head, newest(&place).await.hash);
    place.store().close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_change_has_one_row_and_the_chain_is_whole(
        happenings in vec(happening(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(&happenings));
    }
}

/// A store with a trail that has something in every column, and a way into it past every guard.
struct Burglary {
    place: Sqlite,
    conn: SqliteConnection,
    whole: AuditState,
}

impl Burglary {
    async fn new() -> Self {
        let place = Sqlite::new().await;
        let (account, license) = place.first().await;
        let ada = user(&place, &account, "ada@example.com", Role::Owner).await;
        session(&place, &ada).await.unwrap();
        let (id, token) = seat(&place, &license, "bob@example.com").await;
        call(&place, Call::Activate, &token, "a").await;
        act(&place, id, OwnerAct::Release).await;
        let whole = place.store().verify_audit(AuditPart::ALL).await.unwrap();
        assert_eq!((whole.rows, whole.broken_at), (7, None));
        let mut conn = place.connect().await;
        for statement in [
            "DROP TRIGGER audit_at_the_end",
            "DROP TRIGGER audit_no_update",
            "DROP TRIGGER audit_no_delete",
            "PRAGMA ignore_check_constraints = ON",
            "PRAGMA synchronous = OFF",
        ] {
            sqlx::query(statement).execute(&mut conn).await.unwrap();
        }
        Self { place, conn, whole }
    }

    async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.conn).await.unwrap();
    }

    async fn state(&self) -> AuditState {
        self.place.store().verify_audit(AuditPart::ALL).await.unwrap()
    }
}

const COLUMNS: [(&str, bool); 10] = [
    ("actor", false),
    ("actor_name", true),
    ("event", false),
    ("account_id", false),
    ("license_id", true),
    ("seat_id", true),
    ("machine", true),
    ("detail", true),
    ("at", false),
    ("epoch", true),
];

#[tokio::test]
async fn every_byte_of_every_field_counts() {
    let mut thief = Burglary::new().await;
    let mut changes = 0;
    for id in 1..=thief.whole.rows {
        for (column, nullable) in COLUMNS {
            let query =
                format!("SELECT {column}, CAST({column} AS BLOB) AS bytes FROM audit WHERE id = {id}");
            let row = sqlx::query(AssertSqlSafe(query)).fetch_one(&mut thief.conn).await.unwrap();
            let is_null = row.try_get_raw(0).unwrap().is_null();
            let bytes: Vec<u8> = row.try_get::<Option<Vec<u8>>, _>("bytes").unwrap().unwrap_or_default();
            let number = matches!(column, "at" | "epoch");
            let mut others: Vec<String> = Vec::new();
            if nullable && !is_null {
                others.push("NULL".to_owned());
            }
            match (number, is_null) {
                (true, true) => others.push("0".to_owned()),
                (false, true) => others.extend(["''".to_owned(), "'x'".to_owned(), "'null'".to_owned()]),
                (true, false) => {
                    others.extend(["+ 1", "- 1", "+ 4294967296"].map(|by| format!("{column} {by}")));
                }
                (false, false) => {
                    others.push(format!("{column} || ' '"));
                    others.push(format!("{column} || x'00'"));
                    for place in 0..bytes.len() {
                        // Another letter, the other case of the same one, and what is no text at all.
                        for mask in [0x01, 0x20, 0x80] {
                            let mut bent = bytes.clone();
                            bent[place] ^= mask;
                            let hex: String = bent.iter().map(|byte| format!("{byte:02x}")).collect();
                            others.push(format!("CAST(x'{hex}' AS TEXT)"));
                        }
                    }
                }
            }
            thief
                .run(&format!(
                    "CREATE TEMP TABLE kept AS SELECT {column} AS value FROM audit WHERE id = {id}"
                ))
                .await;
            for other in others {
                thief.run(&format!("UPDATE audit SET {column} = {other} WHERE id = {id}")).await;
                let state = thief.state().await;
                assert_eq!((state.broken_at, state.rows), (Some(id), id - 1), "{column} of {id} is {other}");
                thief
                    .run(&format!("UPDATE audit SET {column} = (SELECT value FROM kept) WHERE id = {id}"))
                    .await;
                changes += 1;
            }
            thief.run("DROP TABLE kept").await;
        }
        for place in 0..32 {
            let bend = |mask: &str| {
                format!(
                    "UPDATE audit SET hash = unhex(substr(hex(hash), 1, {0}) || {mask} || substr(hex(hash), {0} + 3)) \
                     WHERE id = {id}",
                    2 * place
                )
            };
            let query = format!("SELECT hash FROM audit WHERE id = {id}");
            let hash: Vec<u8> =
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut thief.conn).await.unwrap();
            let (bent, right) = (format!("'{:02x}'", hash[place] ^ 1), format!("'{:02x}'", hash[place]));
            thief.run(&bend(&bent)).await;
            assert_eq!(thief.state().await.broken_at, Some(id), "byte {place} of the hash of {id}");
            thief.run(&bend(&right)).await;
        }
    }
    assert!(changes > 3000, "{changes}");
    assert_eq!(thief.state().await, thief.whole, "everything was put back");
}

/// Columns of a row, all but its number and its hash.
const REST: &str = "at, actor, actor_name, event, account_id, license_id, seat_id, epoch, machine, detail";

#[tokio::test]
async fn rows_that_were_taken_added_or_moved_are_found() {
    let copy = |from: i64, to: i64| {
        format!("INSERT INTO audit (id, hash, {REST}) SELECT {to}, hash, {REST} FROM audit WHERE id = {from}")
    };
    let swap = |a: u64, b: u64, columns: &str| {
        format!(
            "CREATE TEMP TABLE moved AS SELECT * FROM audit WHERE id IN ({a}, {b}); \
             UPDATE audit SET ({columns}) = (SELECT {columns} FROM moved WHERE moved.id = {a} + {b} - audit.id) \
             WHERE id IN ({a}, {b}); DROP TABLE moved"
        )
    };
    let closed_gap = "DELETE FROM audit WHERE id = 3; UPDATE audit SET id = -id WHERE id > 3; \
                      UPDATE audit SET id = -id - 1 WHERE id < 0";
    for (what, sql, broken_at) in [
        ("the first is gone", "DELETE FROM audit WHERE id = 1".to_owned(), Some(2)),
        ("one is gone", "DELETE FROM audit WHERE id = 4".to_owned(), Some(5)),
        ("all but the last are gone", "DELETE FROM audit WHERE id < 7".to_owned(), Some(7)),
        ("one is gone and the gap is closed", closed_gap.to_owned(), Some(3)),
        ("one comes twice", copy(7, 8), Some(8)),
        ("one comes from nowhere", copy(2, 8).replace("8, hash", "8, randomblob(32)"), Some(8)),
        ("one comes after a gap", copy(7, 1000), Some(1000)),
        ("one comes before the first", copy(1, 0), Some(0)),
        ("one comes long before the first", copy(1, i64::MIN), Some(0)),
        ("two neighbours are swapped", swap(4, 5, &format!("hash, {REST}")), Some(4)),
        ("two are swapped but for their hashes", swap(2, 6, REST), Some(2)),
        ("two hashes are swapped", swap(3, 6, "hash"), Some(3)),
        ("what happened has another number", "UPDATE audit SET id = 8 WHERE id = 7".to_owned(), Some(8)),
    ] {
        let mut thief = Burglary::new().await;
        thief.run(&sql).await;
        let state = thief.state().await;
        assert_eq!(state.broken_at, broken_at, "{what}");
        assert!(state.rows < thief.whole.rows || state.head == thief.whole.head, "{what}");
    }
}

/// What the chain can not tell by itself, and what tells it: the head that was noted elsewhere.
#[tokio::test]
async fn a_head_that_was_noted_shows_what_happened_to_the_end() {
    let mut thief = Burglary::new().await;
    thief.run("DELETE FROM audit WHERE id = 7").await;
    let state = thief.state().await;
    assert_eq!((state.broken_at, state.rows), (None, 6));
    assert_ne!(state.head, thief.whole.head);
    thief.run("DELETE FROM audit").await;
    let state = thief.state().await;
    assert_eq!((state.broken_at, state.rows, state.head), (None, 0, [0; 32]));
}

/// The format, written once more: a row with a hash that is right for itself gives its successor away.
#[tokio::test]
async fn a_row_that_is_hashed_again_breaks_the_next_one() {
    let mut thief = Burglary::new().await;
    let all = rows(&thief.place, AuditQuery { limit: 9, ..AuditQuery::default() }).await.rows;
    let mut before = [0u8; 32];
    for row in all.iter().rev() {
        assert_eq!(row.hash, hashed(&before, row), "{}", row.event);
        before = row.hash;
    }
    let (mut changed, earlier) = (all[3].clone(), all[4].hash);
    assert_eq!(changed.id, 4);
    changed.event = "nothing".to_owned();
    let hex: String = hashed(&earlier, &changed).iter().map(|byte| format!("{byte:02x}")).collect();
    thief.run(&format!("UPDATE audit SET event = 'nothing', hash = x'{hex}' WHERE id = 4")).await;
    let state = thief.state().await;
    assert_eq!((state.broken_at, state.rows), (Some(5), 4));
}

fn hashed(before: &[u8; 32], row: &AuditRow) -> [u8; 32] {
    let text = json!([
        row.id,
        row.at,
        row.actor,
        row.actor_name,
        row.event,
        row.account,
        row.license,
        row.seat,
        row.epoch,
        row.machine,
        row.detail.as_ref().map(ToString::to_string),
    ]);
    let prefix = b"seatlock-audit-v1\0";
    Sha256::new().chain_update(prefix).chain_update(before).chain_update(text.to_string()).finalize().into()
}

#[tokio::test]
async fn the_trail_can_only_be_added_to() {
    let place = Sqlite::new().await;
    let (account, _) = place.first().await;
    user(&place, &account, "ada@example.com", Role::Owner).await;
    let whole = place.store().verify_audit(AuditPart::ALL).await.unwrap();
    let mut conn = place.connect().await;
    let copied = format!("INTO audit (id, hash, {REST}) SELECT");
    let from = format!(", hash, {REST} FROM audit WHERE id = 2");
    for statement in [
        "UPDATE audit SET event = 'nothing'".to_owned(),
        "UPDATE audit SET detail = NULL WHERE id = 3".to_owned(),
        "UPDATE OR REPLACE audit SET id = 2 WHERE id = 3".to_owned(),
        "DELETE FROM audit".to_owned(),
        "DELETE FROM audit WHERE id = 3".to_owned(),
        format!("REPLACE {copied} 3{from}"),
        format!("INSERT OR REPLACE {copied} 2{from}"),
        format!("INSERT {copied} 0{from}"),
        format!("INSERT {copied} 9{from}"),
        format!("INSERT {copied} -1{from}"),
    ] {
        let refused = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut conn).await;
        let said = refused.expect_err(&statement).to_string();
        assert!(said.contains("append-only"), "{statement}: {said}");
    }
    conn.close().await.unwrap();
    assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap(), whole);
    user(&place, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap().rows, whole.rows + 1);
}

/// The same of the other database, whose guards are its own.
#[tokio::test]
async fn the_trail_on_postgres_can_only_be_added_to() {
    let place = Postgres::new().await;
    let (account, license) = place.first().await;
    user(&place, &account, "ada@example.com", Role::Owner).await;
    seat(&place, &license, "bob@example.com").await;
    let whole = place.store().verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!((whole.rows, whole.broken_at), (4, None));
    let mut conn = place.connect().await;
    let copy =
        |to: &str| format!("INSERT INTO audit (id, hash, {REST}) SELECT {to}, hash, {REST} FROM audit");
    for statement in [
        "UPDATE audit SET event = 'nothing'".to_owned(),
        "UPDATE audit SET detail = NULL WHERE id = 3".to_owned(),
        "DELETE FROM audit WHERE id = 3".to_owned(),
        "TRUNCATE audit".to_owned(),
        format!("{} WHERE id = 2 ON CONFLICT (id) DO UPDATE SET event = 'nothing'", copy("2")),
        format!("{} WHERE id = 2", copy("0")),
        format!("{} WHERE id = 2", copy("-1")),
        format!("{} WHERE id = 2", copy("6")),
        format!("{} WHERE id > 1", copy("2 * id + 1")),
    ] {
        let refused = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut conn).await;
        let said = refused.expect_err(&statement).to_string();
        assert!(said.contains("append-only"), "{statement}: {said}");
    }
    assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap(), whole);
    user(&place, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap().rows, whole.rows + 1);
}

/// Whoever owns the database gets past its guards, but not past the chain.
#[tokio::test]
async fn what_was_changed_on_postgres_is_found() {
    let place = Postgres::new().await;
    let (_, license) = place.first().await;
    let (id, token) = seat(&place, &license, "bob@example.com").await;
    call(&place, Call::Activate, &token, "a").await;
    act(&place, id, OwnerAct::Release).await;
    let whole = place.store().verify_audit(AuditPart::ALL).await.unwrap();
    assert_eq!((whole.rows, whole.broken_at), (5, None));
    place.run("ALTER TABLE audit DISABLE TRIGGER USER; CREATE TABLE kept AS SELECT * FROM audit").await;
    let copy = |to: i64| {
        format!("INSERT INTO audit (id, hash, {REST}) SELECT {to}, hash, {REST} FROM audit WHERE id = 1")
    };
    for (sql, broken_at) in [
        ("UPDATE audit SET event = 'nothing' WHERE id = 4".to_owned(), Some(4)),
        ("UPDATE audit SET at = at + 1 WHERE id = 2".to_owned(), Some(2)),
        ("UPDATE audit SET machine = NULL WHERE id = 4".to_owned(), Some(4)),
        ("UPDATE audit SET detail = detail || ' ' WHERE id = 1".to_owned(), Some(1)),
        ("UPDATE audit SET account_id = upper(account_id) WHERE id = 3".to_owned(), Some(3)),
        ("UPDATE audit SET seat_id = replace(seat_id, '-', '') WHERE id = 5".to_owned(), Some(5)),
        ("UPDATE audit SET hash = sha256(hash) WHERE id = 5".to_owned(), Some(5)),
        ("DELETE FROM audit WHERE id = 1".to_owned(), Some(2)),
        ("DELETE FROM audit WHERE id = 3".to_owned(), Some(4)),
        (copy(6), Some(6)),
        (copy(0), Some(0)),
        (copy(i64::MIN), Some(0)),
    ] {
        place.run(&sql).await;
        assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap().broken_at, broken_at, "{sql}");
        place.run("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
        assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap(), whole);
    }
}

/// More rows than are checked at a time, with others that come meanwhile.
#[tokio::test]
async fn a_long_trail_is_checked_while_it_grows() {
    let place = Sqlite::new().await;
    let (account, _) = place.first().await;
    let ada = user(&place, &account, "ada@example.com", Role::Owner).await;
    let change = |_| place.store().change_user(ada.id, UserChange::Enable, None, Actor::Console);
    crate::store_support::at_once((0..1500).map(change))
        .await
        .into_iter()
        .for_each(|done| drop(done.unwrap()));
    let grow = crate::store_support::at_once((0..1000).map(change));
    let (_, state) = tokio::join!(grow, place.store().verify_audit(AuditPart::ALL));
    let state = state.unwrap();
    assert_eq!(state.broken_at, None);
    assert!((1503..=2503).contains(&state.rows), "{}", state.rows);
    assert_eq!(place.store().verify_audit(AuditPart::ALL).await.unwrap().rows, 2503);
}
