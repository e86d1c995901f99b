use super::source::{HAS_PASSWORD, rivals};
use clap::{
    Arg, ArgAction, Command,
    builder::ValueHint,
    error::{ContextKind, ContextValue},
};
use seatlock_protocol::edited;
use seatlock_server::system::files::{self, EditedFileError};
use seatlock_server::system::postgres_address::PostgresAddress;
use std::{
    error::Error as _,
    fmt,
    path::{Path, PathBuf},
};
use toml::{Spanned, de::DeTable, de::DeValue};

/// How alike two names must be, of 0 to 1, for one to be taken for the other mistyped.
const ALIKE: f64 = 0.8;

/// Of a line that cannot be read.
const NOT_TOML: &str =
    "this is not TOML; write one setting in a line, as name = \"text\", name = 7 or name = [\"a\", \"b\"]";

/// What is wrong in the file, or with what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ConfigProblem {
    pub(in crate::cli) place: String,
    pub(in crate::cli) text: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// One setting of the file. Several values for what may be repeated.
#[derive(Debug)]
pub(in crate::cli) struct Entry {
    pub(in crate::cli) key: String,
    pub(in crate::cli) values: Vec<String>,
    line: usize,
}

/// The configuration file, read as far as it can be.
#[derive(Debug)]
pub(in crate::cli) struct ConfigFile {
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) entries: Vec<Entry>,
    pub(in crate::cli) problems: Vec<ConfigProblem>,
}

impl ConfigFile {
    /// Reads the file. `known` are the settings that there are.
    pub(in crate::cli) fn read(path: &Path, known: &[Arg]) -> Result<Self, EditedFileError> {
        files::read(path, |bytes| edited::text(bytes).map(|text| Self::parse(path, text, known)))
    }

    fn parse(path: &Path, text: &str, known: &[Arg]) -> Self {
        let mut file = Self { path: path.to_owned(), entries: Vec::new(), problems: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            // The parser's own words may repeat what stands there.
            let twice = error.message().starts_with("duplicate key");
            let text = if twice { "this setting stands twice" } else { NOT_TOML };
            file.problem(line, text);
        }
        for (key, value) in table.get_ref() {
            let line = line_of(text, key.span().start);
            let found = match known.iter().find(|arg| arg.get_id() == key.get_ref().as_ref()) {
                Some(arg) => values(arg, value, &file.folder()),
                None => Err(unknown(key.get_ref(), known)),
            };
            match found {
                Ok(values) => file.entries.push(Entry { key: key.get_ref().to_string(), values, line }),
                // What the syntax errors say already is not said again.
                Err(_) if !errors.is_empty() => {}
                Err(text) => file.problem(line, &text),
            }
        }
        file.entries.sort_by_key(|entry| entry.line);
        file.problems.extend(rivals(&file));
        file
    }

    pub(in crate::cli) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Where the file says something, for people.
    pub(in crate::cli) fn place(&self, entry: &Entry) -> String {
        format!("{}:{}", self.path.display(), entry.line)
    }

    fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }

    fn problem(&mut self, line: usize, text: &str) {
        let place = format!("{}:{line}", self.path.display());
        self.problems.push(ConfigProblem { place, text: text.to_owned() });
    }
}

/// The values of one setting, each of which the setting's option would take.
fn values(arg: &Arg, value: &Spanned<DeValue<'_>>, folder: &Path) -> Result<Vec<String>, String> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        other => Err(format!("{} is a text or a number, not a {}", arg.get_id(), other.type_str())),
    };
    let many = matches!(arg.get_action(), ArgAction::Append);
    let texts: Vec<String> = match value.get_ref() {
        DeValue::Array(list) if many => {
            list.iter().map(|value| one(value.get_ref())).collect::<Result<_, _>>()?
        }
        single => vec![one(single)?],
    };
    for text in &texts {
        taken_by_option(arg, text).map_err(|reason| format!("{}: {reason}", arg.get_id()))?;
    }
    // What stands in the file is meant from where the file is, from wherever the server is started.
    let is_file = matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath);
    let from_here = |text: String| if is_file { folder.join(text).display().to_string() } else { text };
    Ok(texts.into_iter().map(from_here).collect())
}

/// Asks the parser of options, so that there is one rule for what may be written where. The error
/// repeats nothing of `text`.
pub(super) fn taken_by_option(arg: &Arg, text: &str) -> Result<(), String> {
    if arg.get_id() == "database" && PostgresAddress::has_password(text) {
        return Err(HAS_PASSWORD.to_owned());
    }
    let alone = Arg::new("value").value_parser(arg.get_value_parser().clone()).allow_hyphen_values(true);
    let tried = Command::new("setting").no_binary_name(true).arg(alone).try_get_matches_from([text]);
    tried.map(drop).map_err(|error| match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(words)), _) => format!("write one of {}", words.join(", ")),
        // What the option's own reader says.
        (_, Some(reason)) => reason.to_string(),
        _ => "that is nothing that it takes".to_owned(),
    })
}

fn unknown(key: &str, known: &[Arg]) -> String {
    let hyphens = key.replace('-', "_");
    let alike = known
        .iter()
        .map(|arg| (strsim::jaro_winkler(arg.get_id().as_str(), &hyphens), arg.get_id()))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match alike {
        Some((_, name)) => format!("there is no setting {}; did you mean {name}?", key.escape_debug()),
        None => {
            format!("there is no setting {}; seatlock-server config show lists them", key.escape_debug())
        }
    }
}

/// The first line is 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
