use crate::system::cause::of_io;
use crate::system::variable::{VariableError, variable};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::{env, fmt, fs::File};

/// What every session of ours has. A server that stops in the middle of a transaction must not hold
/// up the others, and what plug-ins are told is on disk for good.
const SESSION: [(&str, &str); 6] = [
    ("default_transaction_isolation", "read committed"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("lock_timeout", "8s"),
    // Whoever switched it off for the whole database did not think of us.
    ("synchronous_commit", "on"),
    ("tcp_keepalives_idle", "15"),
    ("client_connection_check_interval", "5s"),
];

/// The variables of PostgreSQL's own programs that are read here too, beside the password, which
/// may hold anything.
const VARIABLES: [&str; 8] =
    ["PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT"];

/// Why there is no address of a database. Repeats nothing of a URL but names of files in it.
#[derive(Debug, thiserror::Error)]
pub enum PostgresAddressError {
    /// It is no such URL.
    #[error("the address of the database must be like postgres://user@host/database")]
    Url,
    /// A variable of the environment cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A file that it names cannot be read.
    #[error("{name} {path}: {reason}")]
    File {
        /// The parameter of the URL.
        name: String,
        path: String,
        /// The end of a sentence.
        reason: String,
    },
}

/// Where a PostgreSQL database is, and who we are there.
#[derive(Clone)]
pub struct PostgresAddress(PgConnectOptions);

impl PostgresAddress {
    /// Reads a URL such as `postgres://user@host/database`. What is missing comes from the
    /// variables and the password file of PostgreSQL's own programs.
    ///
    /// # Errors
    /// When it is no such URL, or a file that it names cannot be read. The error repeats nothing
    /// else of it.
    pub fn parse(url: &str) -> Result<Self, PostgresAddressError> {
        files_are_readable(url)?;
        for name in VARIABLES {
            let value = variable(name)?;
            if let Some(raw) = env::var_os(name) {
                is_usable(
                    name,
                    raw.to_str().unwrap_or_default(),
                    value.as_ref().map(|value| value.as_str()),
                )?;
            }
        }
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = if known { url.parse().ok() } else { None };
        options.map(Self).ok_or(PostgresAddressError::Url)
    }

    /// Whether a URL has a password in it.
    #[must_use]
    pub fn has_password(url: &str) -> bool {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':')) || url.contains("password=")
    }

    /// For the sessions of a server.
    pub(crate) fn session(&self) -> PgConnectOptions {
        self.0.clone().application_name("seatlock-server").options(SESSION)
    }

    /// For bringing the structure up to date, where waiting is no fault.
    pub(crate) fn patient(&self) -> PgConnectOptions {
        self.0.clone().application_name("seatlock-server")
    }
}

/// Refuses what would be taken with its quotation marks, or passed over: then a connection without
/// TLS would be made where one with it was asked for.
fn is_usable(name: &str, raw: &str, value: Option<&str>) -> Result<(), VariableError> {
    let wrong = |reason| Err(VariableError::new(name, reason));
    let Some(value) = value else { return wrong("it is empty; unset it") };
    if raw != value {
        return wrong("there is white space or a quotation mark around it");
    }
    match name {
        "PGPORT" if value.parse::<u16>().is_err() => wrong("it is no port"),
        "PGSSLMODE" if value.parse::<PgSslMode>().is_err() => {
            wrong("write one of disable, allow, prefer, require, verify-ca, verify-full")
        }
        _ => Ok(()),
    }
}

/// What opens them later does not say which one it was.
fn files_are_readable(url: &str) -> Result<(), PostgresAddressError> {
    let Ok(url) = url::Url::parse(url) else { return Ok(()) };
    for (name, path) in url.query_pairs() {
        if ["sslrootcert", "sslcert", "sslkey"].contains(&&*name)
            && let Err(error) = File::open(&*path)
        {
            let (name, path) = (name.into_owned(), path.into_owned());
            return Err(PostgresAddressError::File { name, path, reason: of_io(&error) });
        }
    }
    Ok(())
}

/// Without the password.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.get_database().unwrap_or_else(|| self.0.get_username());
        match self.0.get_socket() {
            Some(socket) => write!(f, "PostgreSQL database {name} at {}", socket.display()),
            None => write!(f, "PostgreSQL database {name} at {}:{}", self.0.get_host(), self.0.get_port()),
        }
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatlock_protocol::setting;

    #[test]
    fn variables_of_postgresql_are_never_passed_over() {
        for (name, raw, words) in [
            ("PGSSLMODE", "verify-full", None),
            ("PGSSLMODE", "verify-full\n", Some("white space")),
            ("PGSSLMODE", "\"verify-full\"", Some("quotation mark")),
            ("PGSSLMODE", "verify_full", Some("write one of disable")),
            ("PGPORT", "5433", None),
            ("PGPORT", "5433x", Some("it is no port")),
            ("PGHOST", "", Some("it is empty")),
            ("PGHOST", "/var/run/postgresql", None),
            ("PGUSER", " ada", Some("white space")),
        ] {
            let said = is_usable(name, raw, setting(raw)).map_err(|error| error.to_string());
            match (said, words) {
                (Ok(()), None) => {}
                (Err(said), Some(words)) if said.contains(words) && said.contains(name) => {}
                (said, _) => panic!("{name} {raw:?}: {said:?}"),
            }
        }
    }
}
