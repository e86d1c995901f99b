//! Says: what a person is told, in English or by a catalogue of the host, with times in the zone
//! that the host names.
//!
//! Below all rooms of the library: whoever knows why something is so makes a
//! [`Message`](crate::words::Message), and nobody writes a sentence before it is known in which
//! language.

/// Texts of another language, and times.
mod language;
/// Every sentence there is.
mod phrase;

pub use language::{CatalogueError, Language};
pub use phrase::Phrase;

use chrono::DateTime;
use seatlock_protocol::{Code, UnixTime};
use std::collections::BTreeMap;
use std::fmt;

/// A moment as logs and reports have it, in UTC: `2026-11-22T09:00:00Z`.
#[must_use]
pub fn timestamp(time: UnixTime) -> String {
    DateTime::from_timestamp(time.seconds(), 0)
        .map_or_else(|| time.seconds().to_string(), |date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Values of blanks by name. `reason`, `fault` and `detail` are ids of phrases, `date` and `time`
/// are Unix seconds, as far as they are known so; all others are what is shown.
pub type Values = BTreeMap<String, String>;

/// What a person is to be told, in no language yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The text.
    pub phrase: Phrase,
    /// The values of its blanks.
    pub values: Values,
}

impl Message {
    /// The text of a code, with values.
    #[must_use]
    pub fn of(code: Code, values: Values) -> Self {
        Self { phrase: code.into(), values }
    }

    /// With a value for a blank.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }

    /// With another message in a blank, whose values join those of this one.
    #[must_use]
    pub fn because(self, name: &str, message: Self) -> Self {
        let mut with = self.with(name, message.phrase.id);
        with.values.extend(message.values);
        with
    }
}

impl<T: Into<Phrase>> From<T> for Message {
    fn from(phrase: T) -> Self {
        Self { phrase: phrase.into(), values: Values::new() }
    }
}

/// In English.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Language::default().say(self))
    }
}
