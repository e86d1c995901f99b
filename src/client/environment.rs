use super::failure::Failure;
use super::options::{Options, invalid};
use super::out_of;
use crate::environment;
use crate::scarcity::{reason, scarce};
use crate::store::read_chosen_file;
use crate::words::Phrase;
use reqwest::Url;
use seatlock_protocol::{
    Code, Token, TokenKind,
    edited::{self, EditedError},
    yes_or_no,
};
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// More than either file needs.
const LIMIT: usize = 64 * 1024;

/// What a variable says, read by the same function that reads what the plug-in says: it comes
/// before that.
///
/// # Errors
/// One that names the variable and never holds what was found there. Nothing else is used in its
/// place.
pub(super) fn taken<T>(
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let text = environment::variable(name)
        .map_err(|error| Failure::new(Code::InvalidUtf8, format!("{error}; correct it or take it away")))?;
    text.map(|text| read(&text).map_err(|failure| from(name, failure))).transpose()
}

/// Says where it was that something cannot be used.
fn from(source: &str, failure: Failure) -> Failure {
    Failure::new(failure.code, format!("{source}: {failure}"))
}

/// `SEATLOCK_MACHINE_ID`.
pub(super) fn machine_id(option: Option<&str>) -> Result<Option<String>, Failure> {
    let set = taken("SEATLOCK_MACHINE_ID", Options::checked_machine_id)?;
    Ok(set.or_else(|| option.map(str::to_owned)))
}

/// `SEATLOCK_STATE_DIR`. A relative path would depend on where the host was started.
pub(super) fn state_folder(option: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let name = "SEATLOCK_STATE_DIR";
    let set = environment::path(name).map(Options::checked_state_folder).transpose();
    Ok(set.map_err(|failure| from(name, failure))?.or(option))
}

/// `SEATLOCK_OFFLINE`: whether it keeps networking off.
pub(super) fn is_offline() -> Result<bool, Failure> {
    let read = |text: &str| {
        yes_or_no(text).ok_or_else(|| invalid("write 1 or 0, true or false, yes or no, on or off"))
    };
    Ok(taken("SEATLOCK_OFFLINE", read)?.unwrap_or(false))
}

/// Who has switched networking off.
pub(super) fn who_is_offline() -> Phrase {
    match is_offline() {
        Ok(false) => Phrase::OFFLINE_BY_HOST,
        Ok(true) | Err(_) => Phrase::OFFLINE_BY_ENVIRONMENT,
    }
}

/// A token and a server that were set up beside the plug-in, for machines at which nobody pastes a
/// token.
#[derive(Default)]
pub(super) struct Provision {
    pub(super) token: Option<Token>,
    pub(super) server: Option<Url>,
}

impl Provision {
    /// `SEATLOCK_TOKEN` and `SEATLOCK_SERVER`; for what they do not say, `rpd_account.json` and
    /// then `credentials.json` in `folder`.
    ///
    /// # Errors
    /// One that names the variable or file that is there and cannot be used, so that nobody works
    /// with another token than the one that was meant. It never holds what was found there.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self, Failure> {
        let mut found = Self {
            token: taken("SEATLOCK_TOKEN", |text| Ok(Token::parse(text, TokenKind::Integration)?))?,
            server: taken("SEATLOCK_SERVER", Options::server_address)?,
        };
        for (name, names_host) in [("rpd_account.json", true), ("credentials.json", false)] {
            let Some(path) = folder.map(|folder| folder.join(name)) else { continue };
            let Some(account) = read_account(&path)? else { continue };
            let host = account.host.filter(|_| names_host).map(address);
            found.add(account.token, host).map_err(|failure| from(&path.display().to_string(), failure))?;
        }
        Ok(found)
    }

    /// Takes over what is not known yet.
    fn add(
        &mut self,
        token: Option<Zeroizing<String>>,
        server: Option<Zeroizing<String>>,
    ) -> Result<(), Failure> {
        if let (None, Some(text)) = (&self.token, token.filter(|text| !text.is_empty())) {
            self.token = Some(Token::parse(&text, TokenKind::Integration)?);
        }
        if let (None, Some(text)) = (&self.server, server.filter(|text| !text.is_empty())) {
            self.server = Some(Options::server_address(&text)?);
        }
        Ok(())
    }
}

/// `rpd_account.json` and `credentials.json`: the latter has no host.
#[derive(Deserialize)]
struct Account {
    host: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
}

/// A host alone means `https`.
fn address(host: Zeroizing<String>) -> Zeroizing<String> {
    if host.is_empty() || host.contains("://") { host } else { Zeroizing::new(format!("https://{}", *host)) }
}

fn read_account(path: &Path) -> Result<Option<Account>, Failure> {
    let unusable = |why: &str| {
        let path = path.display();
        Failure::new(Code::InvalidArgument, format!("{path}: {why}. Correct it or take it away"))
    };
    let bytes = match read_chosen_file(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(error) => {
            return match (error.kind(), scarce(&error)) {
                (_, Some(short)) => Err(out_of(short)),
                (ErrorKind::NotFound, _) => Ok(None),
                (ErrorKind::FileTooLarge | ErrorKind::InvalidInput, _) => {
                    Err(unusable("it is no file of a token"))
                }
                _ => Err(unusable(&format!("it cannot be read: {}", reason(&error)))),
            };
        }
    };
    edited::object(&bytes).map(Some).map_err(|error| match error {
        EditedError::OtherShape { .. } => {
            unusable("it is not an object with the texts \"host\" and \"token\"")
        }
        other => unusable(&other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    const API: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";

    /// The environment is not set here: that would reach every other test of the process.
    #[test]
    fn the_files_that_a_host_names() {
        let token = format!(r#"{{"token":"{TOKEN}"}}"#);
        let both = format!(r#"{{"host":"license.example.com","token":"{TOKEN}","user":"ada"}}"#);
        let local = r#"{"host":"http://127.0.0.1:8787"}"#;
        let api = format!(r#"{{"token":"{API}"}}"#);
        let (marked, longer) = (format!("\u{feff}{token}"), format!("{token}\nx"));
        let server = Some("https://license.example.com/");
        // (what, rpd_account.json, credentials.json, whether a token is found, server or a part of the
        // warning)
        type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Result<(bool, Option<&'a str>), &'a str>);
        let rows: &[Row<'_>] = &[
            ("none", None, None, Ok((false, None))),
            ("account", Some(&both), None, Ok((true, server))),
            ("credentials", None, Some(&token), Ok((true, None))),
            (
                "a host here, a token there",
                Some(local),
                Some(&token),
                Ok((true, Some("http://127.0.0.1:8787/"))),
            ),
            ("empty texts", Some(r#"{"host":"","token":""}"#), Some(&token), Ok((true, None))),
            ("an API token", None, Some(&api), Err("credentials.json: This is an API token")),
            ("half a token", Some(r#"{"token":"sit_8uVq"}"#), None, Err("rpd_account.json: The token looks")),
            ("no JSON", Some(TOKEN), None, Err("rpd_account.json: it is not JSON at line 1, column 1")),
            (
                "a number",
                Some(r#"{"token":8}"#),
                None,
                Err("rpd_account.json: it is not an object with the texts"),
            ),
            ("a byte order mark", None, Some(&marked), Ok((true, None))),
            (
                "something after its end",
                None,
                Some(&longer),
                Err("credentials.json: it goes on after its end, at line 2"),
            ),
            ("a host in the second file", None, Some(&both), Ok((true, None))),
            ("an unsafe address", Some(r#"{"host":"http://a.example"}"#), None, Err("https is required")),
        ];
        for (what, account, credentials, expected) in rows {
            let folder = tempfile::tempdir().unwrap();
            for (name, content) in [("rpd_account.json", account), ("credentials.json", credentials)] {
                content.iter().for_each(|content| fs::write(folder.path().join(name), content).unwrap());
            }
            match (Provision::read(Some(folder.path())), expected) {
                (Ok(found), Ok((token, server))) => {
                    assert_eq!(found.token.is_some(), *token, "{what}");
                    assert_eq!(found.server.as_ref().map(Url::as_str), *server, "{what}");
                }
                (Err(failure), Err(part)) => {
                    assert!(failure.to_string().contains(part), "{what}: {failure}");
                    assert!(!failure.to_string().contains("8uVq"), "{what}: {failure}");
                }
                (found, _) => panic!("{what}: {:?}", found.err()),
            }
        }
    }
}
