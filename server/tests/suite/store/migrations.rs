//! Bringing a database up to date: all of it, or nothing.

use crate::{
    ENGINE,
    harness::database::{Engine, Place},
};
use seatlock_server::store::StoreError;

/// Takes the third migration back.
pub async fn undo(place: &Place) {
    for statement in [
        "DROP TABLE clock",
        "ALTER TABLE server DROP COLUMN pepper_check",
        "DROP INDEX seat_newest",
        "DELETE FROM _sqlx_migrations WHERE version = 3",
    ] {
        place.run(statement).await;
    }
}

pub async fn applied(place: &Place) -> i64 {
    place.number("SELECT count(*) FROM _sqlx_migrations WHERE success").await
}

#[tokio::test]
async fn a_statement_that_fails_takes_back_all_of_its_migration() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(ENGINE, folder.path());
    drop(place.open().await.unwrap());
    undo(&place).await;
    let before = applied(&place).await;
    // In the way of the last statement.
    place.run("CREATE INDEX seat_newest ON seat (id)").await;
    assert!(matches!(place.open().await, Err(StoreError::Migration(_))));
    assert_eq!(applied(&place).await, before);
    let tables = match ENGINE {
        Engine::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = 'clock'",
        Engine::Postgres => "SELECT count(*) FROM pg_tables WHERE tablename = 'clock'",
    };
    assert_eq!(place.number(tables).await, 0, "nothing of it is there");
    place.run("DROP INDEX seat_newest").await;
    drop(place.open().await.unwrap());
    assert_eq!((applied(&place).await, place.number(tables).await), (before + 1, 1));
}
