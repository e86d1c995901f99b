//! The one place in which lines of the log arise. They are made of the names, numbers, addresses
//! and paths that are listed here: no text of a network, of a file or of another crate gets into
//! one.

use super::event::{Event, EventKind, OperationId};
use super::lock;
use super::report::Report;
use crate::license::{Anomaly, Outcome, Reading};
use crate::machine::clock::Clock;
use crate::machine::{LogLevel, Logger};
use crate::net::{ProxyInUse, Route};
use crate::words::{Phrase, Values, timestamp};
use seatlock_protocol::{Code, UnixTime, plain};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;
use uuid::Uuid;

/// How many answers, and how many other lines, a report tells.
const MOST_RECENT: usize = 16;

/// Values of messages that are told: where a file is, which variable, an error of OAuth, numbers.
/// All others may name people or their computers, or say what is to be typed on a page.
const TOLD: [&str; 6] = ["path", "variable", "error", "number", "line", "column"];
/// Those that are ids of phrases, and are told if they are.
const REASONS: [&str; 3] = ["reason", "fault", "detail"];

/// What has happened, told to the host's log function as it happens, and kept in memory for a
/// support report as far as it is recent.
pub(super) struct Journal {
    clock: Clock,
    log: Option<(LogLevel, Logger)>,
    recent: Mutex<Recent>,
}

/// What a report says of the time since the client was opened.
#[derive(Clone, Default)]
pub(super) struct Recent {
    /// The last answers of server and issuer, the newest last.
    pub(super) answers: VecDeque<String>,
    /// The last of what else has happened.
    pub(super) others: VecDeque<String>,
    /// What requests go through to the server.
    pub(super) proxy: String,
    /// How many certificate authorities are trusted beside the operating system's.
    pub(super) authorities: usize,
}

/// A request to the server or the issuer, and what came of it.
pub(super) struct Exchange<'a> {
    /// The call.
    pub(super) what: &'a str,
    /// Where it went.
    pub(super) url: &'a str,
    /// When it was sent.
    pub(super) begin: Instant,
    /// What the server calls it.
    pub(super) request_id: Option<Uuid>,
    /// How it was sorted.
    pub(super) outcome: &'a Outcome,
}

impl Journal {
    /// With a log function, which is told lines of this level and those that matter more.
    pub(super) fn new(clock: Clock, log: Option<(LogLevel, Logger)>) -> Self {
        Self { clock, log, recent: Mutex::default() }
    }

    /// The client is open, licensed or locked for this reason.
    pub(super) fn opened(&self, about: &Report, reason: Code) {
        let line = about.rows().fold(Line::new("opened"), |line, (name, value)| line.with(name, value));
        self.tell(LogLevel::Info, line.with("code", reason.name()), false);
    }

    /// The worker has taken an operation up.
    pub(super) fn began(&self, operation: OperationId, what: &str) {
        let line = Line::new("begin").with("operation", &operation.number().to_string());
        self.tell(LogLevel::Debug, line.with("what", what), false);
    }

    /// An event was posted.
    pub(super) fn event(&self, event: &Event) {
        let what = match event.kind {
            EventKind::Operation => "end",
            EventKind::Status => "status",
            EventKind::Notice => "notice",
            EventKind::SignIn => "sign_in",
        };
        let number = event.operation.map(|operation| operation.number().to_string());
        let line = Line::new(what).with_some("operation", number).with("code", event.code.name());
        let line = line.because(&event.values).with_time("next_try", event.available_at);
        self.tell(level_of(event.code), line, false);
    }

    /// A request was answered, or failed.
    pub(super) fn exchanged(&self, exchange: &Exchange<'_>) {
        let Exchange { what, url, begin, request_id, outcome } = exchange;
        let line = Line::new("request")
            .with("what", what)
            .with("to", url)
            .with("code", outcome.code.name())
            .with_some("http", outcome.http_status.map(|status| status.to_string()))
            .with_some("id", request_id.map(|id| id.to_string()))
            .with("ms", &begin.elapsed().as_millis().to_string())
            .because(&outcome.params)
            .with_time("next_try", outcome.available_at);
        self.tell(level_of(outcome.code), line, true);
    }

    /// How requests reach the server; the proxy is told when it is another than before.
    pub(super) fn route(&self, route: &Route) {
        let proxy = ProxyInUse::of(route).map_or_else(
            |unusable| {
                let variable = unusable.values.get("variable").map_or("", String::as_str);
                format!("unusable ({variable})")
            },
            |proxy| proxy.to_string(),
        );
        let mut recent = lock(&self.recent);
        recent.authorities = route.way.extra_ca.len();
        if recent.proxy != proxy {
            recent.proxy.clone_from(&proxy);
            drop(recent);
            self.tell(LogLevel::Info, Line::new("proxy").with("is", &proxy), false);
        }
    }

    /// What the clock is found to be, when that has changed.
    pub(super) fn clock(&self, finding: Option<Anomaly>, reading: Reading, now: UnixTime) {
        let (level, name) = match finding {
            Some(anomaly) => (LogLevel::Warning, anomaly.name()),
            None => (LogLevel::Info, "none"),
        };
        let line = Line::new("clock").with("finding", name).with_time("computer", reading.wall);
        self.tell(level, line.with_time("believed", Some(now)), false);
    }

    /// The worker ends.
    pub(super) fn closed(&self) {
        self.tell(LogLevel::Info, Line::new("closed"), false);
    }

    pub(super) fn recent(&self) -> Recent {
        lock(&self.recent).clone()
    }

    /// Lets the host be told from now on.
    pub(super) fn begin_telling(&self) {
        self.log.iter().for_each(|(_, logger)| logger.begin());
    }

    /// Tells what could not be told because there was no thread to be had.
    pub(super) fn tell_again(&self) {
        self.log.iter().for_each(|(_, logger)| logger.tell_again());
    }

    /// Tells the rest, and nothing from then on. False when the host's function has not returned.
    pub(super) fn finish(&self, deadline: Instant) -> bool {
        self.log.as_ref().is_none_or(|(_, logger)| logger.finish(deadline))
    }

    fn tell(&self, level: LogLevel, line: Line, is_answer: bool) {
        if level <= LogLevel::Info {
            let kept = self.clock.read().wall.map_or_else(|| "-".to_owned(), timestamp) + " " + &line.0;
            let mut recent = lock(&self.recent);
            let lines = if is_answer { &mut recent.answers } else { &mut recent.others };
            if lines.len() >= MOST_RECENT {
                lines.pop_front();
            }
            lines.push_back(kept);
        }
        if let Some((_, logger)) = self.log.as_ref().filter(|(most, _)| level <= *most) {
            let missing =
                |count: usize| (LogLevel::Warning, Line::new("left_out").with("lines", &count.to_string()).0);
            logger.tell(level, line.0, missing);
        }
    }
}

/// How much it matters that something ended so.
fn level_of(code: Code) -> LogLevel {
    match code {
        Code::Internal | Code::StoreUnwritable | Code::StoreCorrupt | Code::FileUnusable => LogLevel::Error,
        Code::Ok | Code::OkOffline | Code::NotActivated | Code::Cancelled => LogLevel::Info,
        _ => LogLevel::Warning,
    }
}

/// A word for what has happened, and then names and values: `request what=ping code=ok ms=31`.
struct Line(String);

impl Line {
    fn new(what: &str) -> Self {
        Self(what.to_owned())
    }

    /// A value that does not end where it seems to is in quotes, and has none in it.
    fn with(mut self, name: &str, value: &str) -> Self {
        let value = plain(value);
        let line = &mut self.0;
        line.push(' ');
        line.extend(name.chars().map(|c| if c == ' ' { '_' } else { c }));
        line.push('=');
        if value.is_empty() || value.contains([' ', '"', '=']) {
            line.push('"');
            line.push_str(&value.replace('"', "'"));
            line.push('"');
        } else {
            line.push_str(&value);
        }
        self
    }

    fn with_some(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    fn with_time(self, name: &str, time: Option<UnixTime>) -> Self {
        self.with_some(name, time.map(timestamp))
    }

    fn because(self, values: &Values) -> Self {
        let told = |name| values.get(name).map(|value| (name, value.as_str()));
        let reasons = REASONS.into_iter().filter_map(told);
        let reasons = reasons.filter(|(_, id)| Phrase::from_id(id).is_some());
        let others = TOLD.into_iter().filter_map(told);
        reasons.chain(others).fold(self, |line, (name, value)| line.with(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: Code, values: &[(&str, &str)]) -> String {
        let journal = Journal::new(Clock::default(), None);
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let words = "Ada Lovelace, ada@example.com".to_owned();
        let event = Event { values: values.collect(), ..Event::new(EventKind::Notice, code, words) };
        journal.event(&event);
        let recent = journal.recent();
        assert_eq!((recent.others.len(), recent.answers.len()), (1, 0));
        recent.others[0].split_once("Z ").unwrap().1.to_owned()
    }

    #[test]
    fn of_a_message_only_what_is_listed_is_told() {
        let unwritable = Code::StoreUnwritable;
        for (what, code, values, expected) in [
            ("nothing", Code::NoToken, &[][..], "notice code=no_token"),
            (
                "an id of a phrase",
                unwritable,
                &[("reason", "os_full")],
                "notice code=store_unwritable reason=os_full",
            ),
            ("a text", unwritable, &[("reason", "sit_8uVq")], "notice code=store_unwritable"),
            (
                "a text in a text",
                unwritable,
                &[("detail", "ada@example.com")],
                "notice code=store_unwritable",
            ),
            (
                "a path",
                unwritable,
                &[("path", "/home/Ada L/\u{202e}a\n\"b\"=\0")],
                "notice code=store_unwritable path=\"/home/Ada L/a 'b'= \"",
            ),
            (
                "what people are called, and what they type",
                Code::SeatInUseElsewhere,
                &[
                    ("machine", "ada-laptop"),
                    ("code", "WXYZ"),
                    ("url", "https://a"),
                    ("issuer", "Ada"),
                    ("n", "3"),
                ],
                "notice code=seat_in_use_elsewhere",
            ),
        ] {
            assert_eq!(told(code, values), expected, "{what}");
        }
    }

    #[test]
    fn a_line_is_one_line_whose_values_end_where_they_seem_to() {
        for (value, expected) in [
            ("ok", "x a_name=ok"),
            ("", "x a_name=\"\""),
            ("a b", "x a_name=\"a b\""),
            ("a=b", "x a_name=\"a=b\""),
            ("\" code=ok", "x a_name=\"' code=ok\""),
            ("a\r\nopened", "x a_name=\"a  opened\""),
            ("\u{200b}\u{2028}\u{1b}[1m", "x a_name=\"  [1m\""),
        ] {
            assert_eq!(Line::new("x").with("a name", value).0, expected);
        }
    }
}
