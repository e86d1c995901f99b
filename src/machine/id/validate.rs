use crate::scarcity::{reason, scarce};
use crate::words::Phrase;
use seatlock_protocol::is_invisible;
use std::error::Error;
use std::io;

/// Why an identifier cannot stand for one computer. Never holds the identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The source could not be read, and why.
    #[error("cannot be read ({0})")]
    Unreadable(String),
    /// There were no means to read the source: what was short.
    #[error("cannot be read ({0})")]
    Scarce(Phrase),
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// systemd's word in an image that has not been booted yet, machine-id(5).
    #[error("says \"uninitialized\"")]
    Uninitialized,
    /// Not the 128-bit number that every supported system keeps.
    #[error("is not 32 hexadecimal digits")]
    NotHexadecimal,
    /// A supplied text of fewer than 8 or more than 256 characters.
    #[error("is not 8 to 256 characters long")]
    Length,
    /// A supplied text with control or invisible characters.
    #[error("holds a character that cannot be printed")]
    Unprintable,
    /// A value that firmware, images and templates leave on many computers.
    #[error("is a placeholder that many computers share")]
    Placeholder,
}

impl Refusal {
    /// Why a source could not be read.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let Some(error) = error.downcast_ref::<io::Error>() else {
            return Self::Unreadable("the operating system does not tell it".to_owned());
        };
        scarce(error).map_or_else(|| Self::Unreadable(reason(error).to_string()), Self::Scarce)
    }
}

/// Numbers that firmware makers left in series of boards. systemd derives the machine-id of many
/// virtual machines from the firmware's number, and macOS the host UUID, so they turn up as
/// identifiers of installations.
const SHARED_NUMBERS: [&str; 11] = [
    "000102030405060708090a0b0c0d0e0f",
    "00020003000400050006000700080009",
    "03000200040005000006000700080009",
    "07090201010303010807060504030201",
    "12345678123412341234123456789012",
    "12345678123412341234123456789abc",
    "123456781234567890abcddeefaabbcc",
    "4c4c454400002010802080c04f202020",
    "890e2d14cacd45d1ae66bc80e8bfeb0f",
    "8e275844178f44a8aceba7d7e5178c63",
    "dc698397fa544cf282c8b1b5307a6a7f",
];

/// Texts that templates, firmware tables and containers put where an identifier should be.
const SHARED_WORDS: [&str; 17] = [
    "changeme",
    "change-me",
    "default string",
    "localhost",
    "localhost.localdomain",
    "machine-id",
    "machine_id",
    "machineid",
    "not applicable",
    "not available",
    "not specified",
    "placeholder",
    "system serial number",
    "to be filled by o.e.m.",
    "undefined",
    "uninitialised",
    "uninitialized",
];

/// The canonical form of an operating system's identifier: 32 lower-case hexadecimal digits.
///
/// Braces and dashes are spelling (registry, gethostuuid), not content: a system or library that
/// changes its spelling must not change the machine id.
pub fn canonical(answer: &str) -> Result<String, Refusal> {
    let text = answer.trim();
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    if text.eq_ignore_ascii_case("uninitialized") {
        return Err(Refusal::Uninitialized);
    }
    let digits = digits(text).ok_or(Refusal::NotHexadecimal)?;
    if is_shared_number(&digits) { Err(Refusal::Placeholder) } else { Ok(digits) }
}

/// A text supplied by the host in place of the operating system's identifier, already trimmed.
pub fn supplied(text: &str) -> Result<&str, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    if !(8..=256).contains(&text.chars().count()) {
        return Err(Refusal::Length);
    }
    if text.chars().any(is_unprintable) {
        return Err(Refusal::Unprintable);
    }
    let shared = SHARED_WORDS.contains(&text.to_lowercase().as_str())
        || is_unexpanded(text)
        || is_monotonous(text)
        || digits(text).is_some_and(|digits| is_shared_number(&digits));
    if shared { Err(Refusal::Placeholder) } else { Ok(text) }
}

fn digits(text: &str) -> Option<String> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let digits: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

fn is_shared_number(digits: &str) -> bool {
    SHARED_NUMBERS.contains(&digits) || is_one_byte_repeated(digits) || has_long_run(digits)
}

/// Firmware that fills a field with one byte: zeros, `ff`, `fe`, the letter X.
fn is_one_byte_repeated(digits: &str) -> bool {
    let (first, rest) = digits.as_bytes().split_at(2);
    rest.chunks(2).all(|pair| pair == first)
}

/// Half of the digits alike, as in boards numbered `xxxxxxxx-ffff-ffff-ffff-ffffffffffff`. Chance
/// for a random number: below 2^-55.
fn has_long_run(digits: &str) -> bool {
    let mut run = 0;
    let mut last = None;
    digits.bytes().any(|byte| {
        run = if last == Some(byte) { run + 1 } else { 1 };
        last = Some(byte);
        run >= 16
    })
}

/// One character over and over, punctuation aside.
fn is_monotonous(text: &str) -> bool {
    let mut kinds = text.chars().filter(|c| c.is_alphanumeric());
    match kinds.next() {
        Some(first) => kinds.all(|c| c == first),
        None => true,
    }
}

/// `${NODE}`, `%COMPUTERNAME%`, `{{ node }}`: a variable that nobody filled in is the same text on
/// every node.
fn is_unexpanded(text: &str) -> bool {
    text.starts_with('$') || text.contains("${") || text.contains("{{") || text.matches('%').count() >= 2
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_the_operating_system() {
        let cases: &[(&str, Result<&str, Refusal>)] = &[
            ("3d1219c7c4c5404aaa1f6d2a48adfda4\n", Ok("3d1219c7c4c5404aaa1f6d2a48adfda4")),
            ("  3D1219C7-C4C5-404A-AA1F-6D2A48ADFDA4\r\n", Ok("3d1219c7c4c5404aaa1f6d2a48adfda4")),
            ("{3d1219c7-c4c5-404a-aa1f-6d2a48adfda4}", Ok("3d1219c7c4c5404aaa1f6d2a48adfda4")),
            ("", Err(Refusal::Empty)),
            (" \t\r\n", Err(Refusal::Empty)),
            ("uninitialized", Err(Refusal::Uninitialized)),
            ("Uninitialized\n", Err(Refusal::Uninitialized)),
            ("3d1219c7c4c5404aaa1f6d2a48adfda", Err(Refusal::NotHexadecimal)),
            ("3d1219c7c4c5404aaa1f6d2a48adfda41", Err(Refusal::NotHexadecimal)),
            ("3d1219c7c4c5404aaa1f6d2a48adfdag", Err(Refusal::NotHexadecimal)),
            ("3d1219c7 c4c5404aaa1f6d2a48adfda4", Err(Refusal::NotHexadecimal)),
            ("3d1219c7c4c5404aaa1f6d2a48adfda4\n0", Err(Refusal::NotHexadecimal)),
            ("éééééééééééééééé", Err(Refusal::NotHexadecimal)),
            ("0", Err(Refusal::NotHexadecimal)),
            ("00000000000000000000000000000000", Err(Refusal::Placeholder)),
            ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", Err(Refusal::Placeholder)),
            ("77777777777777777777777777777777", Err(Refusal::Placeholder)),
            ("FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE", Err(Refusal::Placeholder)),
            ("58585858-5858-5858-5858-585858585858", Err(Refusal::Placeholder)),
            ("56F49712-FFFF-FFFF-FFFF-FFFFFFFFFFFF", Err(Refusal::Placeholder)),
            ("00000000-0000-0000-0000-000000000001", Err(Refusal::Placeholder)),
            ("03000200-0400-0500-0006-000700080009", Err(Refusal::Placeholder)),
            ("4C4C4544-0000-2010-8020-80C04F202020", Err(Refusal::Placeholder)),
        ];
        for (answer, expected) in cases {
            assert_eq!(canonical(answer).as_deref(), expected.as_ref().copied(), "{answer:?}");
        }
        for number in SHARED_NUMBERS {
            assert_eq!(canonical(number), Err(Refusal::Placeholder), "{number}");
        }
    }

    #[test]
    fn identifiers_supplied_by_the_host() {
        let longest = "Ab".repeat(128);
        let cases: &[(&str, Result<(), Refusal>)] = &[
            ("farm-node-0017", Ok(())),
            ("render 17", Ok(())),
            ("Knoten Köln 4", Ok(())),
            ("i-0abcd1234", Ok(())),
            (&longest, Ok(())),
            ("", Err(Refusal::Empty)),
            ("node-17", Err(Refusal::Length)),
            (&format!("{longest}x"), Err(Refusal::Length)),
            ("farm\nnode-17", Err(Refusal::Unprintable)),
            ("farm-node\0-17", Err(Refusal::Unprintable)),
            ("farm\u{200b}node-17", Err(Refusal::Unprintable)),
            ("00000000", Err(Refusal::Placeholder)),
            ("xxxx-xxxx-xxxx", Err(Refusal::Placeholder)),
            ("----------", Err(Refusal::Placeholder)),
            ("Localhost", Err(Refusal::Placeholder)),
            ("To Be Filled By O.E.M.", Err(Refusal::Placeholder)),
            ("uninitialized", Err(Refusal::Placeholder)),
            ("${NODE_NAME}", Err(Refusal::Placeholder)),
            ("$HOSTNAME", Err(Refusal::Placeholder)),
            ("node-${INDEX}", Err(Refusal::Placeholder)),
            ("%COMPUTERNAME%", Err(Refusal::Placeholder)),
            ("{{ node }}", Err(Refusal::Placeholder)),
            ("03000200-0400-0500-0006-000700080009", Err(Refusal::Placeholder)),
        ];
        for (text, expected) in cases {
            assert_eq!(supplied(text).map(|_| ()), *expected, "{text:?}");
        }
    }
}
