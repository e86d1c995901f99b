//! Bringing a database up to date: all of it, or nothing.

use crate::{
    ENGINE,
    harness::database::{Engine, Place},
};
use seatlock_server::store::StoreError;

pub async fn applied(place: &Place) -> i64 {
    place.number("SELECT count(*) FROM _sqlx_migrations WHERE success").await
}

#[tokio::test]
async fn a_statement_that_fails_takes_back_all_of_its_migration() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(ENGINE, folder.path());
    if let Place::Sqlite(file) = &place {
        std::fs::write(file, []).unwrap();
    }
    // In the way of the last table.
    place.run("CREATE TABLE remembered (other TEXT)").await;
    assert!(matches!(place.open().await, Err(StoreError::Migration(_))));
    assert_eq!(applied(&place).await, 0);
    let tables = match ENGINE {
        Engine::Sqlite => {
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('clock', 'seat', 'person', 'share')"
        }
        Engine::Postgres => {
            "SELECT count(*) FROM pg_tables WHERE tablename IN ('clock', 'seat', 'person', 'share')"
        }
    };
    assert_eq!(place.number(tables).await, 0, "nothing of it is there");
    place.run("DROP TABLE remembered").await;
    drop(place.open().await.unwrap());
    assert_eq!((applied(&place).await, place.number(tables).await), (1, 4));
}
