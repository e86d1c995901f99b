//! Why something failed that others wrote: the operating system, a database, a library. Their own
//! words change with their version, and may repeat a password or the content of a file, so people
//! are told by kind, in words of this project.

use std::{error::Error, io};

/// What the operating system said. An error of our own says it already.
#[must_use]
pub fn of_io(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    if error.get_ref().is_some() {
        return error.to_string();
    }
    let text = match error.kind() {
        Kind::NotFound => "No such file or folder",
        Kind::PermissionDenied => "Permission denied",
        Kind::AlreadyExists => "It is there already",
        Kind::IsADirectory => "It is a folder",
        Kind::NotADirectory => "What should be a folder on the way to it is none",
        Kind::DirectoryNotEmpty => "The folder is not empty",
        Kind::ReadOnlyFilesystem => "The file system can only be read",
        Kind::StorageFull | Kind::QuotaExceeded => "The disk is full",
        Kind::FileTooLarge => "It would be too large",
        Kind::InvalidFilename => "Its name is too long",
        Kind::InvalidData => "It is not text in UTF-8",
        Kind::UnexpectedEof => "It ends too early",
        Kind::AddrInUse => "Another program uses it",
        Kind::AddrNotAvailable => "This computer has no such address",
        Kind::ConnectionRefused => "The connection was refused",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => "The connection broke off",
        Kind::TimedOut => "There was no answer in time",
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => "There is no way to it",
        Kind::OutOfMemory => "There is not enough memory",
        _ => {
            return match error.raw_os_error() {
                Some(code) => format!("The operating system refuses it, code {code}"),
                None => "The operating system refuses it".to_owned(),
            };
        }
    };
    text.to_owned()
}

/// What is wrong with a connection, by the first of an error's causes that says it; `otherwise`
/// when none does.
#[must_use]
pub fn of_connection(error: &(dyn Error + 'static), otherwise: &str) -> String {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(error).to_owned();
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            // An I/O error does not name what it carries as its source.
            match error.get_ref() {
                None => return of_io(error),
                Some(carried) => {
                    if let Some(error) = carried.downcast_ref::<rustls::Error>() {
                        return of_tls(error).to_owned();
                    }
                    if error.kind() == io::ErrorKind::TimedOut {
                        return "There was no answer in time".to_owned();
                    }
                }
            }
        }
        next = cause.source();
    }
    otherwise.to_owned()
}

/// Why there is no secure connection.
#[must_use]
pub fn of_tls(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Certificate::UnknownIssuer => "Its certificate is signed by nobody that this computer trusts",
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "Its certificate is for another name"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "Its certificate has ended, or this computer's clock is wrong"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "Its certificate is not valid yet, or this computer's clock is wrong"
            }
            Certificate::Revoked => "Its certificate was revoked",
            _ => "Its certificate cannot be used",
        },
        rustls::Error::InvalidMessage(_) => "What answers does not speak TLS",
        rustls::Error::AlertReceived(_) => "It refuses the secure connection",
        _ => "There is no secure connection with it",
    }
}

/// What a request over HTTP met.
#[must_use]
pub fn of_request(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "There was no answer in time".to_owned();
    }
    let otherwise = if error.is_connect() {
        "Its name is not known, or there is no way to it"
    } else {
        "The connection broke off"
    };
    of_connection(error, otherwise)
}

/// What a database said, with the code under which its documentation has more.
#[must_use]
pub fn of_database(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => of_connection(error, "Its name is not known, or there is no way to it"),
        sqlx::Error::Tls(error) => {
            of_connection(&**error, "There is no secure connection with it; look at sslmode and sslrootcert")
        }
        sqlx::Error::PoolTimedOut => "There was no answer in time".to_owned(),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "It is closed".to_owned(),
        sqlx::Error::Protocol(_) => "What answers is no database that is known here".to_owned(),
        sqlx::Error::Database(refused) => {
            let code = refused.code().unwrap_or_default();
            match refused.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
                Some(_) => match code.parse().ok().and_then(of_sqlite) {
                    Some(text) => format!("{text} (SQLite {code})"),
                    None => format!("It refuses what was asked (SQLite {code})"),
                },
                None => format!("{} (SQLSTATE {code})", of_postgres(&code)),
            }
        }
        _ => "It holds, or answers, what is not expected".to_owned(),
    }
}

/// SQLite's result codes (sqlite.org/rescode.html).
fn of_sqlite(code: u32) -> Option<&'static str> {
    Some(match code & 0xff {
        3 | 23 => "Permission denied",
        5 | 6 | 15 => "Another program has it locked",
        7 => "There is not enough memory",
        8 => "It can only be read",
        10 => "The disk failed",
        11 => "It is damaged",
        13 => "The disk is full",
        14 => "It cannot be opened",
        19 => "That contradicts what is in it",
        26 => "It is not a database",
        _ => return None,
    })
}

/// PostgreSQL's error codes (its documentation, appendix A).
fn of_postgres(code: &str) -> &'static str {
    match code {
        "28P01" => "The user name or the password is wrong",
        "3D000" => "There is no such database",
        "42501" => "The user has no right to that",
        "53100" => "Its disk is full",
        "53300" => "It has too many connections",
        "25006" => "It can only be read",
        "57P03" => "It is starting or stopping",
        "55P03" | "57014" | "25P03" => "It waited too long for something else",
        "42P01" | "42703" | "3F000" => "Its structure is not that of a server",
        _ => match code.get(..2).unwrap_or_default() {
            "08" => "The connection broke off",
            "28" => "The user may not sign in; look at pg_hba.conf",
            "23" => "That contradicts what is in it",
            "40" => "It could not decide between two changes",
            "53" => "It has no room or memory left",
            "57" | "58" => "It was stopped, or its computer failed",
            "XX" => "It is damaged",
            _ => "It refuses what was asked",
        },
    }
}

/// An error of a command with all its causes, on one line.
#[must_use]
pub fn of_command(error: &anyhow::Error) -> String {
    let mut said = Vec::new();
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            said.push(of_io(error));
        } else if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
            said.push(of_request(error));
            // What is below is not ours.
            break;
        } else if let Some(error) = cause.downcast_ref::<sqlx::Error>() {
            said.push(of_database(error));
            break;
        } else if cause.is::<serde_json::Error>() {
            said.push("What it holds cannot be read".to_owned());
            break;
        } else {
            said.push(cause.to_string());
        }
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn what_others_say_is_told_in_our_words() {
        let gone = || io::Error::from_raw_os_error(2);
        let untrusted = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let rows: Vec<(&str, String, &str)> = vec![
            ("no file", of_io(&gone()), "No such file or folder"),
            ("a full disk", of_io(&io::Error::from_raw_os_error(28)), "The disk is full"),
            (
                "an unknown code",
                of_io(&io::Error::from_raw_os_error(71)),
                "The operating system refuses it, code 71",
            ),
            ("an error of our own", of_io(&io::Error::other("ours")), "ours"),
            (
                "a certificate, in what it is carried by",
                of_connection(&io::Error::other(untrusted()), "otherwise"),
                "Its certificate is signed by nobody that this computer trusts",
            ),
            ("a name", of_connection(&io::Error::other("failed to lookup"), "otherwise"), "otherwise"),
            (
                "a database that is away",
                of_database(&sqlx::Error::Io(io::Error::from_raw_os_error(111))),
                "The connection was refused",
            ),
            (
                "a stranger",
                of_database(&sqlx::Error::Protocol("secret".to_owned())),
                "What answers is no database that is known here",
            ),
            ("SQLite", of_sqlite(26).unwrap_or_default().to_owned(), "It is not a database"),
            ("PostgreSQL", of_postgres("28000").to_owned(), "The user may not sign in; look at pg_hba.conf"),
            (
                "a command",
                of_command(&Err::<(), _>(gone()).context("key.pem").context("nothing was done").unwrap_err()),
                "nothing was done: key.pem: No such file or folder",
            ),
        ];
        for (what, said, wanted) in rows {
            assert_eq!(said, wanted, "{what}");
        }
    }
}
