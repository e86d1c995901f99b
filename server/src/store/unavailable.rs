use super::StoreError;
use sqlx::sqlite::SqliteError;

/// Why a store can do nothing at the moment. Nothing is wrong with what was asked, and the same may
/// succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Too much is waiting, or somebody else holds a lock for long.
    Busy,
    /// The database does not answer.
    Away,
    /// The database takes no changes.
    ReadOnly,
    /// The database has no room left.
    Full,
    /// The clock by which everything is decided cannot be believed.
    Clock,
}

impl Unavailable {
    /// What is wrong, for whoever asked: a sentence. What to do about it is in the log.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Busy => "The server has more to do than it can at the moment.",
            Self::Away => "The server's database does not answer at the moment.",
            Self::ReadOnly => "The server's database takes no changes at the moment.",
            Self::Full => "The server's database has no room left.",
            Self::Clock => "The server's clock is wrong, so it decides nothing until that is put right.",
        }
    }
}

impl StoreError {
    /// The trouble that passes, if it is one.
    #[must_use]
    pub fn unavailable(&self) -> Option<Unavailable> {
        match self {
            Self::Overloaded => Some(Unavailable::Busy),
            Self::Closed => Some(Unavailable::Away),
            Self::Clock(_) => Some(Unavailable::Clock),
            Self::Database(error) => of_database(error),
            _ => None,
        }
    }

    /// Whether the same may succeed later: nothing is wrong but that the database cannot do it now.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.unavailable().is_some()
    }

    /// Whether the database is none, or is damaged: only a backup helps.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        // CORRUPT, NOTADB
        let is = |code: &str| code.parse().is_ok_and(|code: u32| matches!(code & 0xff, 11 | 26));
        let Self::Database(sqlx::Error::Database(refused)) = self else { return false };
        refused.try_downcast_ref::<SqliteError>().is_some() && refused.code().is_some_and(|code| is(&code))
    }

    /// Whether the database may take no changes, although it may answer all the same. A disk that
    /// fails, or that a quota keeps from growing, is [`Unavailable::Away`] to SQLite.
    pub(super) fn speaks_against_writing(&self) -> bool {
        matches!(self.unavailable(), Some(Unavailable::Away | Unavailable::ReadOnly | Unavailable::Full))
    }

    /// Whether it is worth while to wait for it: a restart or a lock is over in seconds.
    pub(super) fn passes_soon(&self) -> bool {
        matches!(self.unavailable(), Some(Unavailable::Busy | Unavailable::Away))
    }
}

fn of_database(error: &sqlx::Error) -> Option<Unavailable> {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Some(Unavailable::Away),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Some(Unavailable::Away)
        }
        sqlx::Error::Database(refused) => {
            let code = refused.code()?;
            match refused.try_downcast_ref::<SqliteError>() {
                Some(_) => of_sqlite(code.parse().ok()?),
                None => of_postgres(&code),
            }
        }
        _ => None,
    }
}

/// SQLite's result codes; the lower byte of an extended one says what it extends
/// (sqlite.org/rescode.html).
fn of_sqlite(code: u32) -> Option<Unavailable> {
    match code & 0xff {
        // BUSY, LOCKED, PROTOCOL
        5 | 6 | 15 => Some(Unavailable::Busy),
        // READONLY
        8 => Some(Unavailable::ReadOnly),
        // IOERR, CANTOPEN
        10 | 14 => Some(Unavailable::Away),
        // FULL
        13 => Some(Unavailable::Full),
        _ => None,
    }
}

/// PostgreSQL's error codes (its documentation, appendix A).
fn of_postgres(code: &str) -> Option<Unavailable> {
    match code {
        // Locks that others hold, and time that is over.
        "55P03" | "57014" | "25P03" => return Some(Unavailable::Busy),
        // A replica, or default_transaction_read_only.
        "25006" => return Some(Unavailable::ReadOnly),
        "53100" => return Some(Unavailable::Full),
        // It accepts no connections.
        "55000" => return Some(Unavailable::Away),
        _ => {}
    }
    match code.get(..2)? {
        // Deadlocks and other failures to serialize.
        "40" => Some(Unavailable::Busy),
        // Connections, credentials, a database that is being replaced, resources, an operator, the operating
        // system.
        "08" | "28" | "3D" | "53" | "57" | "58" => Some(Unavailable::Away),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes() {
        for (code, wanted) in [
            (5, Some(Unavailable::Busy)),
            (517, Some(Unavailable::Busy)),
            (1032, Some(Unavailable::ReadOnly)),
            (4874, Some(Unavailable::Away)),
            (13, Some(Unavailable::Full)),
            // CONSTRAINT_UNIQUE, CORRUPT, ERROR
            (2067, None),
            (11, None),
            (1, None),
        ] {
            assert_eq!(of_sqlite(code), wanted, "{code}");
        }
        for (code, wanted) in [
            ("25006", Some(Unavailable::ReadOnly)),
            ("53100", Some(Unavailable::Full)),
            ("53300", Some(Unavailable::Away)),
            ("57P01", Some(Unavailable::Away)),
            ("55000", Some(Unavailable::Away)),
            ("57014", Some(Unavailable::Busy)),
            ("40P01", Some(Unavailable::Busy)),
            ("3D000", Some(Unavailable::Away)),
            ("23505", None),
            ("42P01", None),
            ("XX001", None),
            ("", None),
        ] {
            assert_eq!(of_postgres(code), wanted, "{code}");
        }
    }
}
