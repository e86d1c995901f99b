use askama::filters::{Escaper, Html};
use seatlock_protocol::plain_lines;
use std::fmt;

/// How a text gets onto a page: as text whatever it holds, and in the order in which it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown;

impl Escaper for Shown {
    fn write_escaped_str<W: fmt::Write>(&self, to: W, text: &str) -> fmt::Result {
        Html.write_escaped_str(to, &plain_lines(text))
    }
}
