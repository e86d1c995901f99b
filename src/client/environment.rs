use super::failure::Failure;
use super::options::Options;
use reqwest::Url;
use seatlock_protocol::{Code, Token, TokenKind};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::{fs, io};
use zeroize::Zeroizing;

/// More than either file needs.
const LIMIT: u64 = 64 * 1024;

/// What the person who runs the host decides comes before what the plug-in says. Empty variables count as not set.
pub(super) fn variable(name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    match std::env::var_os(name).map(std::ffi::OsString::into_string) {
        Some(Ok(text)) => Ok(Some(Zeroizing::new(text)).filter(|text| !text.is_empty())),
        Some(Err(_)) => Err(Failure::new(Code::InvalidUtf8, format!("{name} is not UTF-8"))),
        None => Ok(None),
    }
}

/// `SEATLOCK_MACHINE_ID`.
pub(super) fn machine_id(option: Option<&str>) -> Option<String> {
    let set = std::env::var("SEATLOCK_MACHINE_ID").ok().filter(|id| !id.is_empty());
    set.or_else(|| option.map(str::to_owned))
}

/// `SEATLOCK_STATE_DIR`, an absolute path. A relative one would depend on where the host was started, and is ignored.
pub(super) fn state_folder(option: Option<PathBuf>) -> Option<PathBuf> {
    std::env::var_os("SEATLOCK_STATE_DIR").map(PathBuf::from).filter(|path| path.is_absolute()).or(option)
}

/// `SEATLOCK_OFFLINE`: anything but nothing and `0` keeps networking off.
pub(super) fn is_offline() -> bool {
    std::env::var_os("SEATLOCK_OFFLINE").is_some_and(|set| !set.is_empty() && set != "0")
}

/// A token and a server that were set up beside the plug-in, for machines at which nobody pastes a token.
#[derive(Default)]
pub(super) struct Provision {
    pub(super) token: Option<Token>,
    pub(super) server: Option<Url>,
}

impl Provision {
    /// `SEATLOCK_TOKEN` and `SEATLOCK_SERVER`; for what they do not say, `rpd_account.json` and then
    /// `credentials.json` in `folder`.
    ///
    /// # Errors
    /// One that names the variable or file that is there and can not be used, so that nobody works with another token
    /// than the one that was meant. It never holds what was found there.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self, Failure> {
        let mut found = Self::default();
        let token = variable("SEATLOCK_TOKEN")?;
        let server = variable("SEATLOCK_SERVER")?;
        found.add(token, server, "SEATLOCK_TOKEN", "SEATLOCK_SERVER")?;
        for name in ["rpd_account.json", "credentials.json"] {
            let Some(path) = folder.map(|folder| folder.join(name)) else { continue };
            let Some(account) = read_account(&path)? else { continue };
            let source = path.display().to_string();
            found.add(account.token, account.host.map(address), &source, &source)?;
        }
        Ok(found)
    }

    /// Takes over what is not known yet.
    fn add(
        &mut self,
        token: Option<Zeroizing<String>>,
        server: Option<Zeroizing<String>>,
        token_source: &str,
        server_source: &str,
    ) -> Result<(), Failure> {
        let named = |source: &str, failure: Failure| Failure {
            message: format!("{source}: {}", failure.message).into(),
            ..failure
        };
        if let (None, Some(text)) = (&self.token, token.filter(|text| !text.is_empty())) {
            let token = Token::parse(&text, TokenKind::Integration).map_err(Failure::from);
            self.token = Some(token.map_err(|failure| named(token_source, failure))?);
        }
        if let (None, Some(text)) = (&self.server, server.filter(|text| !text.is_empty())) {
            let url = Options::server_address(&text).map_err(|failure| named(server_source, failure))?;
            self.server = Some(url);
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
        Failure::new(Code::InvalidArgument, format!("{path} {why}; correct it or take it away"))
    };
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(metadata) if metadata.is_file() && metadata.len() <= LIMIT => fs::read(path).map(Zeroizing::new),
        Ok(_) => return Err(unusable("is no file of a token")),
        Err(error) => Err(error),
    };
    let bytes = bytes.map_err(|error| unusable(&format!("can not be read ({})", error.kind())))?;
    // The parser's message could repeat what it found.
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|_| unusable("is not JSON with the texts \"host\" and \"token\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    const API: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";

    /// The environment is not set here: that would reach every other test of the process.
    #[test]
    fn the_files_that_a_host_names() {
        let token = format!(r#"{{"token":"{TOKEN}"}}"#);
        let both = format!(r#"{{"host":"license.example.com","token":"{TOKEN}","user":"ada"}}"#);
        let local = r#"{"host":"http://127.0.0.1:8787"}"#;
        let api = format!(r#"{{"token":"{API}"}}"#);
        let server = Some("https://license.example.com/");
        // (what, rpd_account.json, credentials.json, whether a token is found, server or a part of the complaint)
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
            ("no JSON", Some(TOKEN), None, Err("rpd_account.json is not JSON")),
            ("a number", Some(r#"{"token":8}"#), None, Err("rpd_account.json is not JSON")),
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
                    assert!(failure.message.contains(part), "{what}: {failure}");
                    assert!(!failure.message.contains("8uVq"), "{what}: {failure}");
                }
                (found, _) => panic!("{what}: {:?}", found.err()),
            }
        }
    }
}
