use seatlock_protocol::plain_lines;
use std::io::{Result, Write};

/// The standard error, with what would mean something to a terminal taken out of each line.
pub(super) struct StderrLines;

impl Write for StderrLines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        std::io::stderr().write_all(shown(bytes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        std::io::stderr().flush()
    }
}

fn shown(bytes: &[u8]) -> String {
    plain_lines(&String::from_utf8_lossy(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line_and_means_nothing_to_a_terminal() {
        for (written, line) in [
            ("INFO answered request=1\n", "INFO answered request=1\n"),
            ("issuer=\u{1b}[31mred\r\n", "issuer= [31mred \n"),
            ("name=\u{202e}moc.elpmaxe\u{2066}\u{feff}\n", "name=moc.elpmaxe\n"),
            ("one\u{2028}two\u{85}three\n", "one two three\n"),
        ] {
            assert_eq!(shown(written.as_bytes()), line, "{written:?}");
        }
        assert_eq!(shown(b"\xff\n"), "\u{fffd}\n");
    }
}
