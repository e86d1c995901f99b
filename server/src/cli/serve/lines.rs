use seatlock_protocol::plain_lines;
use std::io::{Result, Write};

/// The standard error, with what would mean something to a terminal taken out of each line.
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        std::io::stderr().write_all(plain_lines(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        std::io::stderr().flush()
    }
}
