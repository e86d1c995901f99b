//! What becomes of the audit trail in a file that somebody changes past every guard.

use crate::harness::{
    database::{Database, Engine},
    join_all,
    store::{AUDIT_COLUMNS as REST, act, call, seat, session, user},
};
use seatlock_server::domain::{Role, SeatAction, SeatOperation};
use seatlock_server::store::{
    Actor, AuditPart, AuditQuery, AuditRow, AuditState, ChangeUser, UserChange, VerifyAudit,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection, ValueRef as _};

/// A store with a trail that has something in every column, and a way into it past every guard.
struct Burglary {
    db: Database,
    conn: SqliteConnection,
    whole: AuditState,
}

impl Burglary {
    async fn new() -> Self {
        let db = Database::new(Engine::Sqlite).await;
        let (account, license) = db.first().await;
        let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
        session(&db, &ada).await.unwrap();
        let (id, token) = seat(&db, &license, "bob@example.com").await;
        call(&db, SeatOperation::Activate, &token, "a").await;
        act(&db, id, SeatAction::Release).await;
        let whole = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
        assert_eq!((whole.rows, whole.broken_at), (7, None));
        let mut conn = db.place.sqlite().await;
        for statement in [
            "DROP TRIGGER audit_at_the_end",
            "DROP TRIGGER audit_no_update",
            "DROP TRIGGER audit_no_delete",
            "PRAGMA ignore_check_constraints = ON",
            "PRAGMA synchronous = OFF",
        ] {
            sqlx::query(statement).execute(&mut conn).await.unwrap();
        }
        Self { db, conn, whole }
    }

    async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.conn).await.unwrap();
    }

    async fn state(&self) -> AuditState {
        self.db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap()
    }
}

const COLUMNS: [(&str, bool); 11] = [
    ("actor", false),
    ("actor_name", true),
    ("api_token", true),
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
                    for at in 0..bytes.len() {
                        // Another letter, the other case of the same one, and what is no text at all.
                        for mask in [0x01, 0x20, 0x80] {
                            let mut bent = bytes.clone();
                            bent[at] ^= mask;
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
        for at in 0..32 {
            let bend = |mask: &str| {
                format!(
                    "UPDATE audit SET hash = unhex(substr(hex(hash), 1, {0}) || {mask} || substr(hex(hash), {0} + 3)) \
                     WHERE id = {id}",
                    2 * at
                )
            };
            let query = format!("SELECT hash FROM audit WHERE id = {id}");
            let hash: Vec<u8> =
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut thief.conn).await.unwrap();
            let (bent, right) = (format!("'{:02x}'", hash[at] ^ 1), format!("'{:02x}'", hash[at]));
            thief.run(&bend(&bent)).await;
            assert_eq!(thief.state().await.broken_at, Some(id), "byte {at} of the hash of {id}");
            thief.run(&bend(&right)).await;
        }
    }
    assert!(changes > 3000, "{changes}");
    assert_eq!(thief.state().await, thief.whole, "everything was put back");
}

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

/// What the chain cannot tell by itself, and what tells it: the head that was noted elsewhere.
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

/// The format, written once more: a row with a hash that is right for itself gives its successor
/// away.
#[tokio::test]
async fn a_row_that_is_hashed_again_breaks_the_next_one() {
    let mut thief = Burglary::new().await;
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    let all = thief.db.store().run(query).await.unwrap().rows;
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
        row.api_token,
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
    let db = Database::new(Engine::Sqlite).await;
    let (account, _) = db.first().await;
    user(&db, &account, "ada@example.com", Role::Owner).await;
    let whole = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    let mut conn = db.place.sqlite().await;
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
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap(), whole);
    user(&db, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().rows, whole.rows + 1);
}

/// More rows than are checked at a time, with others that come meanwhile.
#[tokio::test]
async fn a_long_trail_is_checked_while_it_grows() {
    let db = Database::new(Engine::Sqlite).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let change = |_| {
        db.store().run(ChangeUser { id: ada.id, change: UserChange::Enable, keep: None, by: Actor::Console })
    };
    join_all((0..1500).map(change)).await.into_iter().for_each(|done| drop(done.unwrap()));
    let grow = join_all((0..1000).map(change));
    let (_, state) = tokio::join!(grow, db.store().run(VerifyAudit(AuditPart::ALL)));
    let state = state.unwrap();
    assert_eq!(state.broken_at, None);
    assert!((1503..=2503).contains(&state.rows), "{}", state.rows);
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().rows, 2503);
}
