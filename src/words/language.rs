use super::{Message, Phrase, Values};
use chrono::DateTime;
use seatlock_protocol::{Code, UnixTime, edited, edited::EditedError, filled, is_plain};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How often a blank may stand in the text of a blank.
const DEEPEST: usize = 3;

/// How people are spoken to.
#[derive(Debug, Clone, Default)]
pub struct Language {
    /// By id; a code's remedy has `.remedy` after its name. What is missing is said in English.
    texts: BTreeMap<String, String>,
    tag: Option<String>,
    /// Minutes.
    utc_offset: i16,
}

/// Why a catalogue cannot be used. Repeats nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It has too many bytes.
    #[error("it is larger than 256 KiB")]
    TooLarge,
    /// It is no text, or no JSON.
    #[error("{0}")]
    Unreadable(EditedError),
    /// It is other JSON.
    #[error("it is no JSON object in which no member stands twice")]
    NoObject,
    /// A member is no text.
    #[error("its member {0} is no text")]
    NoText(&'static str),
    /// A text has a blank that its English one has not, or one of them twice, or a brace that is
    /// none of a blank.
    #[error("its text {0} has a blank that the English text has not, or one twice")]
    Blank(&'static str),
    /// A text has a character that nobody sees.
    #[error("its text {0} has a control or invisible character in it")]
    Invisible(&'static str),
}

impl Language {
    /// Largest catalogue, in bytes.
    pub const LARGEST_CATALOGUE: usize = 256 * 1024;

    /// Takes the texts of a catalogue: a JSON object of ids and texts. Unknown members and empty
    /// texts do not count.
    ///
    /// # Errors
    /// See [`CatalogueError`]. Nothing has changed then.
    pub fn set_catalogue(&mut self, json: &[u8]) -> Result<(), CatalogueError> {
        if json.len() > Self::LARGEST_CATALOGUE {
            return Err(CatalogueError::TooLarge);
        }
        let mut members: BTreeMap<String, Value> = edited::object(json).map_err(|error| match error {
            EditedError::OtherShape { .. } => CatalogueError::NoObject,
            other => CatalogueError::Unreadable(other),
        })?;
        let mut text = |name: &str, id: &'static str| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !is_plain(&text) => Err(CatalogueError::Invisible(id)),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(CatalogueError::NoText(id)),
        };
        let is_tag = |tag: &String| tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let tag = text("language", "language")?.filter(is_tag);
        let mut texts = BTreeMap::new();
        for phrase in phrases() {
            if let Some(text) = text(phrase.id, phrase.id)? {
                let known = |blank: &str| {
                    let blank = format!("{{{blank}}}");
                    phrase.english.contains(&blank) && text.matches(&blank).count() == 1
                };
                if !blanks(&text).is_some_and(|blanks| blanks.into_iter().all(known)) {
                    return Err(CatalogueError::Blank(phrase.id));
                }
                texts.insert(phrase.id.to_owned(), text);
            }
        }
        for row in Code::TABLE {
            let name = remedy_id(row.code);
            if let Some(text) = text(&name, row.name)? {
                texts.insert(name, text);
            }
        }
        (self.texts, self.tag) = (texts, tag);
        Ok(())
    }

    /// Says times so many minutes ahead of UTC, of which there are at most 14 hours.
    pub fn set_utc_offset(&mut self, minutes: i16) {
        self.utc_offset = minutes;
    }

    /// Whether there are other texts than the English ones.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.texts.is_empty()
    }

    /// The language's tag (BCP 47), such as `de`.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("en")
    }

    /// The text of a phrase, with its blanks.
    #[must_use]
    pub fn text(&self, phrase: Phrase) -> &str {
        self.texts.get(phrase.id).map_or(phrase.english, String::as_str)
    }

    /// What a person can do about a code.
    #[must_use]
    pub fn remedy(&self, code: Code) -> &str {
        self.texts.get(&remedy_id(code)).map_or(code.row().remedy, String::as_str)
    }

    /// A message in words.
    #[must_use]
    pub fn say(&self, message: &Message) -> String {
        let said = self.filled(message.phrase, &message.values, 0);
        match Code::from_name(message.phrase.id) {
            Some(code) if said.is_empty() && !self.is_english() => self.remedy(code).to_owned(),
            _ if said.is_empty() => message.phrase.id.replace('_', " "),
            _ => said,
        }
    }

    fn filled(&self, phrase: Phrase, values: &Values, depth: usize) -> String {
        filled(self.text(phrase), |name| self.value(name, values, depth))
    }

    fn value<'a>(&self, name: &str, values: &'a Values, depth: usize) -> Option<Cow<'a, str>> {
        let value = values.get(name)?;
        let said = match name {
            "reason" | "fault" | "detail" | "date" if depth < DEEPEST => {
                Phrase::from_id(value).map(|phrase| self.filled(phrase, values, depth + 1))
            }
            _ => None,
        };
        let said = said.or_else(|| match name {
            "date" => moment(value, 0).map(|time| self.time(time)),
            // What becomes possible must be possible then.
            "time" => moment(value, 59).map(|time| self.time(time)),
            "window" => self.span(value),
            _ => None,
        });
        said.map_or(Some(value.into()), |said| {
            Some(said.into()).filter(|said: &Cow<'_, str>| !said.is_empty())
        })
    }

    /// `7 days`, as servers write it.
    fn span(&self, text: &str) -> Option<String> {
        let (number, unit) = text.split_once(' ')?;
        let unit = Phrase::from_id(unit).filter(|_| !self.is_english())?;
        Some(self.say(&Message::from(unit).with("number", number)))
    }

    /// A moment to the minute. The zone is said, too: the computer's may be what is wrong.
    fn time(&self, time: UnixTime) -> String {
        let seconds = time.seconds().saturating_add(i64::from(self.utc_offset) * 60);
        let offset = self.utc_offset;
        let sign = if offset < 0 { '-' } else { '+' };
        let zone = match (offset.unsigned_abs() / 60, offset.unsigned_abs() % 60) {
            (0, 0) => String::new(),
            (hours, 0) => format!("{sign}{hours}"),
            (hours, minutes) => format!("{sign}{hours}:{minutes:02}"),
        };
        DateTime::from_timestamp(seconds, 0).map_or_else(
            || time.seconds().to_string(),
            |date| format!("{} UTC{zone}", date.format("%Y-%m-%d %H:%M")),
        )
    }
}

fn remedy_id(code: Code) -> String {
    format!("{}.remedy", code.name())
}

/// Every text but the remedies.
fn phrases() -> impl Iterator<Item = Phrase> {
    Code::TABLE.iter().map(|row| row.code.into()).chain(Phrase::TABLE.iter().copied())
}

/// The names of a text's blanks; `None` when a brace is none of a blank.
fn blanks(text: &str) -> Option<Vec<&str>> {
    let mut parts = text.split('{');
    if parts.next()?.contains('}') {
        return None;
    }
    let mut blanks = Vec::new();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        if rest.contains('}') {
            return None;
        }
        blanks.push(name);
    }
    Some(blanks)
}

/// The moment so many Unix seconds from the epoch, in the minute in which it and `later` seconds
/// have gone by.
fn moment(text: &str, later: i64) -> Option<UnixTime> {
    let seconds: i64 = text.parse().ok()?;
    UnixTime::new(seconds.saturating_add(later))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_catalogue() {
        let long = format!("{{\"x\":\"{}\"}}", "a".repeat(Language::LARGEST_CATALOGUE));
        // (what, catalogue, what is said of it)
        let rows: &[(&str, &[u8], &str)] = &[
            ("nothing", b"", "it is empty"),
            ("no JSON", b"de", "it is not JSON at line 1, column 1"),
            ("an array", b"[]", "it is no JSON object"),
            ("a member twice", br#"{"ok":"a","ok":"b"}"#, "no member stands twice"),
            ("UTF-16", b"\xff\xfe{\0", "it is UTF-16"),
            ("other bytes", b"{\"ok\":\"\xff\"}", "it is not text in UTF-8 at line 1"),
            ("too large", long.as_bytes(), "it is larger than 256 KiB"),
            ("a number", br#"{"ok":8}"#, "its member ok is no text"),
            ("a remedy that is a list", br#"{"no_token.remedy":[]}"#, "its member no_token is no text"),
            ("a blank of its own", br#"{"busy":"{secret}"}"#, "its text busy has a blank"),
            ("a blank twice", br#"{"rate_limited":"{time} {time}"}"#, "its text rate_limited has a blank"),
            ("half a blank", br#"{"rate_limited":"x {time"}"#, "its text rate_limited has a blank"),
            ("a brace", br#"{"rate_limited":"x}"}"#, "its text rate_limited has a blank"),
            ("a control character", br#"{"ok":"a\u001b[1m"}"#, "its text ok has a control"),
            ("another direction", br#"{"net_late":"a\u202eb"}"#, "its text net_late has a control"),
        ];
        for (what, json, words) in rows {
            let mut language = Language::default();
            let said = language.set_catalogue(json).unwrap_err().to_string();
            assert!(said.contains(words) && !said.contains("secret"), "{what}: {said}");
            assert!(language.is_english(), "{what}");
        }
    }

    #[test]
    fn what_a_catalogue_has_not_is_said_in_english() {
        let mut language = Language::default();
        language.set_catalogue(br#"{"ok":"Ja.","busy":"","of_another_version":7,"language":"x y"}"#).unwrap();
        assert_eq!(language.text(Code::Ok.into()), "Ja.");
        assert_eq!(language.text(Code::Busy.into()), Code::Busy.row().text);
        assert_eq!(language.remedy(Code::Ok), Code::Ok.row().remedy);
        assert_eq!(language.tag(), "en");
        language.set_catalogue(b"{}").unwrap();
        assert!(language.is_english(), "the last one counts");
    }

    #[test]
    fn times_in_their_zone() {
        let message = Message::from(Code::OkOffline).with("date", 1_795_338_059);
        for (minutes, words) in [
            (0, "2026-11-22 09:00 UTC"),
            (60, "2026-11-22 10:00 UTC+1"),
            (-210, "2026-11-22 05:30 UTC-3:30"),
            (840, "2026-11-22 23:00 UTC+14"),
            (-840, "2026-11-21 19:00 UTC-14"),
        ] {
            let mut language = Language::default();
            language.set_utc_offset(minutes);
            assert_eq!(language.say(&message), format!("Working offline. Connect before {words}."));
        }
        let next = Message::from(Code::RateLimited).with("time", 1_795_338_001);
        assert_eq!(next.to_string(), "Too many tries. Next at 2026-11-22 09:01 UTC.", "never early");
        let said = Message::from(Code::RateLimited).with("time", "2026-11-22 09:00 UTC");
        assert_eq!(said.to_string(), "Too many tries. Next at 2026-11-22 09:00 UTC.");
    }

    #[test]
    fn what_stands_in_a_blank() {
        let unreachable = |reason: &str| Message::from(Code::Unreachable).with("reason", reason);
        let untrusted = Message::from(Phrase::CERT_BY).with("issuer", "Proxy {x}");
        let untrusted = untrusted.because("fault", Phrase::CERT_EXPIRED.into());
        let untrusted = Message::from(Phrase::OIDC_UNTRUSTED).because("detail", untrusted);
        // A server that signs ids of phrases gets them said, once.
        for (message, words) in [
            (unreachable("net_none"), "The license server is not reachable. There is no network."),
            (unreachable("a word"), "The license server is not reachable. a word."),
            (unreachable("net_moved"), "The license server is not reachable."),
            (unreachable("store_no_write").with("path", "/x"), "cannot be written"),
            (
                Message::from(Code::IdentityProviderUnavailable).because("reason", untrusted),
                "Its certificate is not trusted (expired; the certificate is by \"Proxy {x}\").",
            ),
            (Code::LicenseExpired.into(), "license expired"),
        ] {
            assert!(message.to_string().contains(words), "{message}");
        }
    }
}
