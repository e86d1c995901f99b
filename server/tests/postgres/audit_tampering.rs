//! The audit trail in PostgreSQL, whose guards are its own.

use crate::{
    ENGINE,
    harness::{
        database::Database,
        store::{AUDIT_COLUMNS as REST, act, call, seat, user},
    },
};
use seatlock_server::domain::{Role, SeatAction, SeatOperation};
use seatlock_server::store::{AuditPart, VerifyAudit};
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn the_trail_can_only_be_added_to() {
    let db = Database::new(ENGINE).await;
    let (account, license) = db.first().await;
    user(&db, &account, "ada@example.com", Role::Owner).await;
    seat(&db, &license, "bob@example.com").await;
    let whole = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!((whole.rows, whole.broken_at), (4, None));
    let mut conn = db.place.postgres().await;
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
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap(), whole);
    user(&db, &account, "bob@example.com", Role::Owner).await;
    assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().rows, whole.rows + 1);
}

/// Whoever owns the database gets past its guards, but not past the chain.
#[tokio::test]
async fn what_was_changed_is_found() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (id, token) = seat(&db, &license, "bob@example.com").await;
    call(&db, SeatOperation::Activate, &token, "a").await;
    act(&db, id, SeatAction::Release).await;
    let whole = db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap();
    assert_eq!((whole.rows, whole.broken_at), (5, None));
    db.run("ALTER TABLE audit DISABLE TRIGGER USER; CREATE TABLE kept AS SELECT * FROM audit").await;
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
        db.run(&sql).await;
        assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().broken_at, broken_at, "{sql}");
        db.run("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
        assert_eq!(db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap(), whole);
    }
}
