use askama::filters::{Escaper, Html};
use seatlock_protocol::plain_lines;
use std::fmt;

/// How a text gets onto a page: as text whatever it holds, and in the order in which it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageText;

impl Escaper for PageText {
    fn write_escaped_str<W: fmt::Write>(&self, to: W, text: &str) -> fmt::Result {
        Html.write_escaped_str(to, &plain_lines(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_text_in_the_order_in_which_it_is_written() {
        for (text, html) in [
            ("Ada & Bob", "Ada &#38; Bob"),
            ("<script>\u{202e}x\u{2069}", "&#60;script&#62;x"),
            ("a\u{1b}[2Jb\u{200f}\u{feff}", "a [2Jb"),
            ("one\ntwo\r\u{2028}", "one\ntwo  "),
        ] {
            let mut written = String::new();
            PageText.write_escaped_str(&mut written, text).unwrap();
            assert_eq!(written, html, "{text:?}");
        }
    }
}
