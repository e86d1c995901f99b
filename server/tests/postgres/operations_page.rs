//! docs/operations.md on SQLite, and then on PostgreSQL.

use crate::support::operations::play;
use xtask::postgres::Postgres;

#[test]
fn nobody_is_locked_out_by_what_the_page_says() {
    let postgres = Postgres::start().unwrap();
    play(Some(postgres.database().unwrap()));
}
