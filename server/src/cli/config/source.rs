use super::super::database::VARIABLE as DATABASE_URL;
use super::super::serve::Serve;
use super::file::{ConfigFile, Problem};
use clap::{Arg, ArgMatches, Args as _, Command, parser::ValueSource};
use seatlock_server::{mail::URL_VARIABLE, store::postgres::PostgresAddress};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The file that is looked for in the data folder.
const FILE: &str = "seatlock.toml";
/// The settings that commands share: which database.
const SHARED: [&str; 2] = ["database", "database_file"];
/// The commands that take all of them.
const SERVING: [&[&str]; 3] = [&["serve"], &["config", "check"], &["config", "show"]];
/// The settings by which "health" finds the server.
const LISTENING: [&str; 2] = ["listen", "tls_certificate"];
/// Why a password is refused where others may read.
pub(super) const HAS_PASSWORD: &str =
    "database is no place for a password. Put the URL into a file and name it as database_file";

/// Settings of which one is enough, and the variable with a secret that means the same.
const RIVALS: [(&[&str], &str); 2] = [(&SHARED, DATABASE_URL), (&["smtp_url_file"], URL_VARIABLE)];

/// A setting as it will be used, and where it comes from.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Effective {
    pub(super) setting: String,
    /// `None` when nothing is set.
    pub(super) value: Option<String>,
    pub(super) source: String,
}

/// Every setting that may stand in the file.
pub(in crate::cli) fn known(command: &Command) -> Vec<Arg> {
    let shared = command.get_arguments().filter(|arg| SHARED.contains(&arg.get_id().as_str()));
    let serve = Serve::augment_args(Command::new("serve"));
    shared.chain(serve.get_arguments()).cloned().collect()
}

/// The file that is named, or that lies in the data folder; `None` when there is none.
pub(in crate::cli) fn file(command: &Command, matches: &ArgMatches) -> Result<Option<ConfigFile>, String> {
    let named = matches.get_one::<PathBuf>("config");
    let folder = matches.get_one::<PathBuf>("data").map_or(Path::new("seatlock-data"), PathBuf::as_path);
    let usual = folder.join(FILE);
    if matches.subcommand_name() == Some("dev") || named.is_none() && !usual.exists() {
        return Ok(None);
    }
    let path = named.unwrap_or(&usual);
    let read = ConfigFile::read(path, &known(command));
    read.map(Some).map_err(|error| format!("{}: {error}", path.display()))
}

/// The command with what the file says in the place of its defaults, so that options and variables come first.
pub(in crate::cli) fn with_file(mut command: Command, matches: &ArgMatches, file: &ConfigFile) -> Command {
    for entry in file.entries.iter().filter(|entry| !is_overruled(&entry.key, matches)) {
        let set = |arg: Arg| arg.default_values(entry.values.clone());
        if SHARED.contains(&entry.key.as_str()) {
            command = command.mut_arg(&entry.key, set);
        } else {
            for path in SERVING {
                command = at(command, path, &|found| found.mut_arg(&entry.key, set));
            }
            if LISTENING.contains(&entry.key.as_str()) {
                command = at(command, &["health"], &|found| found.mut_arg(&entry.key, set));
            }
        }
    }
    command
}

/// Changes the subcommand at `path`.
fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(name, |found| at(found, rest, change)),
    }
}

/// Whether an option or a variable says otherwise what the file says under `key`.
fn is_overruled(key: &str, matches: &ArgMatches) -> bool {
    RIVALS.iter().filter(|(keys, _)| keys.contains(&key)).any(|(keys, variable)| {
        let typed = keys.iter().filter(|key| SHARED.contains(key)).any(|key| is_typed(matches, key));
        typed || is_set(variable)
    })
}

fn is_typed(matches: &ArgMatches, key: &str) -> bool {
    matches!(matches.value_source(key), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Two settings of the file of which only one can count.
pub(super) fn rivals(file: &ConfigFile) -> Option<Problem> {
    let there = RIVALS.iter().find_map(|(keys, _)| match keys {
        [one, other] => Some((file.entry(one)?, file.entry(other)?)),
        _ => None,
    });
    there.map(|(one, other)| Problem {
        place: file.place(other),
        text: format!("{} and {} mean the same; name one of them", one.key, other.key),
    })
}

/// Every setting as it will be used, in the order of the help.
pub(in crate::cli) fn effective(
    command: &Command,
    matches: &ArgMatches,
    file: Option<&ConfigFile>,
) -> Vec<Effective> {
    let mut inner = matches;
    while let Some((_, deeper)) = inner.subcommand() {
        inner = deeper;
    }
    let one = |arg: &Arg| {
        let key = arg.get_id().as_str();
        let values = inner.try_get_raw(key).ok().flatten();
        let values: Option<Vec<_>> =
            values.map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect());
        let entry = file.and_then(|file| Some((file, file.entry(key)?)));
        let rival = RIVALS.iter().find(|(keys, variable)| keys.first() == Some(&key) && is_set(variable));
        let (value, source) = match (inner.value_source(key), rival, entry) {
            (Some(ValueSource::CommandLine), ..) => (values, format!("--{}", key.replace('_', "-"))),
            (Some(ValueSource::EnvVariable), ..) => (values, variable(key)),
            (None, Some((_, variable)), _) => (Some(vec!["(hidden)".to_owned()]), (*variable).to_owned()),
            (Some(_), _, Some((file, entry))) => (values, file.place(entry)),
            _ => (values, "default".to_owned()),
        };
        let value = value.map(|values| values.join(", "));
        let secret = |text: &String| key == "database" && PostgresAddress::has_password(text);
        let value = value.map(|text| if secret(&text) { "(hidden)".to_owned() } else { text });
        Effective { setting: key.to_owned(), value, source }
    };
    known(command).iter().map(one).collect()
}

/// The variable of a setting.
pub(in crate::cli) fn variable(key: &str) -> String {
    format!("SEATLOCK_{}", key.to_uppercase())
}
