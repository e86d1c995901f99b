use seatlock_protocol::UnixTime;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteConnection};

pub(super) type Arguments = SqliteArguments;
pub(super) type BackEnd = super::SqliteStore;
pub(super) type Db = Sqlite;
pub(super) type DbConnection = SqliteConnection;
pub(super) type DbRow = SqliteRow;

/// The database's clock.
macro_rules! now {
    () => {
        "unixepoch()"
    };
}

/// The clock of this computer, where it is another than the database's.
pub(super) fn own_clock() -> Option<UnixTime> {
    None
}

/// Locks the rows that a query finds. Here nobody else writes.
macro_rules! locked {
    ($tables:literal) => {
        ""
    };
}

/// Locks the rows that a query finds, but leaves out those that somebody else has locked.
macro_rules! skip_locked {
    () => {
        ""
    };
}

/// The end of the audit trail.
macro_rules! audit_head {
    () => {
        "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1"
    };
}

pub(super) use {audit_head, locked, now, skip_locked};

/// Where one text begins in another.
pub(super) const POSITION: &str = "instr";

/// A read of everything as it is at one moment.
pub(super) const SNAPSHOT: &str = "BEGIN";

/// Rows that are added with one statement.
pub(super) const ROWS: usize = 100;

/// Takes the seats of `seats_as_json`.
pub(super) const UPDATE_SEATS: &str = "UPDATE seat SET epoch = n.value ->> 1, counted = n.value ->> 2, \
     state = n.value ->> '$[3][0]', machine = n.value ->> '$[3][1]', since = n.value ->> '$[3][2]', \
     last_ping = n.value ->> '$[3][3]', lease_until = n.value ->> '$[3][4]', last_used_at = n.value ->> '$[4][0]', \
     launches = n.value ->> '$[4][1]', terms = n.value ->> '$[4][2]', clone_suspected_at = n.value ->> '$[4][3]', \
     last_offline_at = n.value ->> 5 \
     FROM json_each($1) n WHERE seat.id = n.value ->> 0";

/// Takes the installations of `installs_as_json`, and the time.
pub(super) const UPSERT_INSTALLS: &str = "INSERT INTO install \
     (seat_id, id, presented, first_handed_out, newest_handed_out, retired_from, retired_at, asked_at) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> '$[3][0]', value ->> '$[3][1]', value ->> 4, value ->> 5, $2 \
     FROM json_each($1) WHERE true \
     ON CONFLICT (seat_id, id) DO UPDATE SET presented = excluded.presented, \
     first_handed_out = excluded.first_handed_out, newest_handed_out = excluded.newest_handed_out, \
     retired_from = excluded.retired_from, retired_at = excluded.retired_at, asked_at = excluded.asked_at";
