use super::super::database::VARIABLE as DATABASE_URL;
use super::super::serve::Serve;
use super::file::{ConfigFile, ConfigProblem, taken_by_option};
use clap::{Arg, ArgMatches, Args as _, Command, builder::Resettable, parser::ValueSource};
use seatlock_server::mail::URL_VARIABLE;
use seatlock_server::system::postgres_address::PostgresAddress;
use seatlock_server::system::variable::{self, VariableError};
use serde::Serialize;
use std::{collections::BTreeMap, ffi::OsStr, path::PathBuf};

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
    "it is no place for a password. Put the URL into a file and name it as database_file";

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

/// What variables say of the options of one command, by the option's name.
#[derive(Debug, Default)]
pub(in crate::cli) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads those of the command that was typed.
    pub(in crate::cli) fn read(command: &Command, matches: &ArgMatches) -> Result<Self, VariableError> {
        let (mut command, mut matches) = (command, matches);
        let mut args: Vec<&Arg> = command.get_arguments().collect();
        while let Some((name, deeper)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, deeper);
            args.extend(command.get_arguments());
        }
        let mut set = Self::default();
        for arg in args {
            let Some(name) = arg.get_env().and_then(OsStr::to_str) else { continue };
            if let Some(value) = variable::variable(name)? {
                let values =
                    arg.get_value_delimiter().map_or_else(|| vec![&**value], |by| value.split(by).collect());
                for one in values {
                    taken_by_option(arg, one).map_err(|reason| VariableError::new(name, reason))?;
                }
                set.0.insert(arg.get_id().to_string(), value.to_string());
            }
        }
        Ok(set)
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.0.get(key).map(PathBuf::from)
    }
}

/// The command without variables for the parser of arguments, which reads them in another way, and
/// shows what they hold. Its help only names them.
pub(in crate::cli) fn without_variables(command: Command) -> Command {
    let named = |arg: Arg| match arg.get_env().and_then(OsStr::to_str) {
        Some(name) => {
            let help = format!("{} [env: {name}]", arg.get_help().cloned().unwrap_or_default());
            arg.env(Resettable::Reset).help(help)
        }
        None => arg,
    };
    command.mut_args(named).mut_subcommands(without_variables)
}

/// The file that is named, or that lies in the data folder; `None` when there is none.
pub(in crate::cli) fn file(
    command: &Command,
    matches: &ArgMatches,
    variables: &Variables,
) -> Result<Option<ConfigFile>, String> {
    let named = |key| matches.get_one::<PathBuf>(key).cloned().or_else(|| variables.path(key));
    let usual = named("data").unwrap_or_else(|| PathBuf::from("seatlock-data")).join(FILE);
    let config = named("config");
    if matches.subcommand_name() == Some("dev") || config.is_none() && !usual.exists() {
        return Ok(None);
    }
    let read = ConfigFile::read(&config.unwrap_or(usual), &known(command));
    read.map(Some).map_err(|error| error.to_string())
}

/// The command with what variables and the file say in the place of its defaults, so that options
/// come first, and then variables.
pub(in crate::cli) fn with_settings(
    command: Command,
    matches: &ArgMatches,
    variables: &Variables,
    file: Option<&ConfigFile>,
) -> Command {
    let command = match file {
        Some(file) => with_file(command, matches, variables, file),
        None => command,
    };
    with_variables(command, variables)
}

pub(in crate::cli) fn with_variables(command: Command, variables: &Variables) -> Command {
    let set = |arg: Arg| match variables.0.get(arg.get_id().as_str()) {
        Some(value) if arg.get_env().is_some() => arg.env(Resettable::Reset).default_value(value.clone()),
        _ => arg.env(Resettable::Reset),
    };
    command.mut_args(set).mut_subcommands(|command| with_variables(command, variables))
}

fn with_file(
    mut command: Command,
    matches: &ArgMatches,
    variables: &Variables,
    file: &ConfigFile,
) -> Command {
    for entry in file.entries.iter().filter(|entry| !is_overruled(&entry.key, matches, variables)) {
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
fn is_overruled(key: &str, matches: &ArgMatches, variables: &Variables) -> bool {
    let said = |key: &&str| is_typed(matches, key) || variables.0.contains_key(*key);
    RIVALS.iter().filter(|(keys, _)| keys.contains(&key)).any(|(keys, variable)| {
        keys.iter().filter(|key| SHARED.contains(key)).any(said) || variable::is_set(variable)
    })
}

fn is_typed(matches: &ArgMatches, key: &str) -> bool {
    matches.value_source(key) == Some(ValueSource::CommandLine)
}

/// Two settings of the file of which only one can count.
pub(super) fn rivals(file: &ConfigFile) -> Option<ConfigProblem> {
    let there = RIVALS.iter().find_map(|(keys, _)| match keys {
        [one, other] => Some((file.entry(one)?, file.entry(other)?)),
        _ => None,
    });
    there.map(|(one, other)| ConfigProblem {
        place: file.place(other),
        text: format!("{} and {} mean the same; name one of them", one.key, other.key),
    })
}

/// Every setting as it will be used, in the order of the help.
pub(in crate::cli) fn effective(
    command: &Command,
    matches: &ArgMatches,
    variables: &Variables,
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
        let rival =
            RIVALS.iter().find(|(keys, variable)| keys.first() == Some(&key) && variable::is_set(variable));
        let (value, source) = match (inner.value_source(key), rival, entry) {
            (Some(ValueSource::CommandLine), ..) => (values, format!("--{}", key.replace('_', "-"))),
            _ if variables.0.contains_key(key) => (values, variable_of(key)),
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
pub(in crate::cli) fn variable_of(key: &str) -> String {
    format!("SEATLOCK_{}", key.to_uppercase())
}
