use anyhow::{Context as _, bail};
use seatlock_server::system::files;
use seatlock_server::system::postgres_address::PostgresAddress;
use seatlock_server::system::variable::variable;
use std::path::Path;
use zeroize::Zeroizing;

/// Not declared to the parser of arguments, which shows in its help what a variable holds.
pub(super) const VARIABLE: &str = "SEATLOCK_DATABASE_URL";

/// The PostgreSQL database that was named, by an option before the environment. No error repeats
/// the URL.
pub(super) fn address(url: Option<String>, file: Option<&Path>) -> anyhow::Result<Option<PostgresAddress>> {
    let (url, place) = if let Some(file) = file {
        (files::read_line(file)?, file.display().to_string())
    } else if let Some(url) = url {
        if PostgresAddress::has_password(&url) {
            bail!(
                "everybody on this computer can read the arguments of a command, so --database takes no password. \
                 Put the URL into a file and name it with --database-file, or into {VARIABLE}"
            );
        }
        (Zeroizing::new(url), "--database".to_owned())
    } else if let Some(url) = variable(VARIABLE)? {
        (url, VARIABLE.to_owned())
    } else {
        return Ok(None);
    };
    PostgresAddress::parse(url.trim()).map(Some).context(place)
}
