//! Any text as a catalogue: it is refused as a whole, or every message can be said with it, on one
//! line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::words::{Language, Message, Phrase};
use seatlock::{Code, protocol::is_plain};

/// Every blank there is for a text of its own, and some others.
const BLANKS: [&str; 10] =
    ["reason", "fault", "detail", "date", "time", "window", "n", "path", "machine", "status"];
/// The id of a text that has a blank for a text, and what is no id.
const VALUES: [&str; 4] = ["store_no_write", "7 days", "1795338000", "x\u{202e}\n{path}"];

fuzz_target!(|json: &[u8]| {
    let mut language = Language::default();
    if language.set_catalogue(json).is_err() {
        assert!(language.is_english(), "half of a catalogue");
        return;
    }
    let codes = Code::TABLE.iter().map(|row| Phrase::from(row.code));
    for phrase in codes.chain(Phrase::TABLE.iter().copied()) {
        for value in VALUES {
            let message = Message::from(phrase);
            let message = BLANKS.into_iter().fold(message, |message, name| message.with(name, value));
            let said = language.say(&message);
            assert!(is_plain(&said) && !said.is_empty(), "{}: {said:?}", phrase.id);
            assert!(said.len() <= 4 * (json.len() + 4096), "{}", phrase.id);
        }
    }
});
