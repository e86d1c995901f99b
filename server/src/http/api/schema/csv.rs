use super::SeatJson;
use std::borrow::Cow;

const HEAD: [&str; 16] = [
    "id",
    "license",
    "shared_with",
    "lock_status",
    "machine",
    "machine_short",
    "machine_source",
    "installations",
    "epoch",
    "since",
    "lease_until",
    "last_used_at",
    "last_offline_at",
    "launches",
    "clone_suspected_at",
    "created_at",
];

/// Before a table: without it Excel takes UTF-8 for another encoding.
pub const MARK: &str = "\u{feff}";

/// The mark and the first line (RFC 4180): the names of a seat's members.
///
/// # Errors
/// When there is no memory.
pub fn head() -> Result<Vec<u8>, csv::Error> {
    let mut writer = writer();
    writer.write_record(HEAD)?;
    Ok([MARK.as_bytes(), &finished(writer)?].concat())
}

/// One line for each seat.
///
/// # Errors
/// When there is no memory.
pub fn rows<'a>(seats: impl IntoIterator<Item = &'a SeatJson>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = writer();
    for seat in seats {
        let value = serde_json::to_value(seat).unwrap_or_default();
        for name in HEAD {
            let cell = match value.get(name) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            writer.write_field(harmless(&cell).as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    finished(writer)
}

/// What a spreadsheet would take for a formula becomes a text, by an apostrophe before it: somebody
/// else wrote the e-mail addresses.
#[must_use]
pub fn harmless(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

fn finished(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("ada@example.com", "ada@example.com"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), written);
        }
    }
}
