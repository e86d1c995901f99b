//! What people paste: one table, each row with what comes of it and the words that they read.

use seatlock_protocol::{Token, TokenKind, is_invisible};

const SIT: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const SAT: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
const ZEROS: &str = "sit_00000000000000000000000000000043mIkN";

const FOUND: &str = "";
const INCOMPLETE: &str = "the token looks incomplete or mistyped";
const API: &str = "this is an API token; this plug-in needs an integration token from Seat Management";

#[test]
fn pasted_tokens() {
    // ("what", what stands before, what stands after, what is read)
    for (what, before, after, words) in [
        ("as made", "", "", FOUND),
        ("white space", " \t", "\r\n", FOUND),
        ("a byte order mark", "\u{feff}", "", FOUND),
        ("U+2066 and U+2069", "\u{2066}", "\u{2069}", FOUND),
        ("U+202A and U+202C", "\u{202a}", "\u{202c}", FOUND),
        ("U+061C", "\u{61c}", "\u{61c}", FOUND),
        ("U+FE0F", "", "\u{fe0f}", FOUND),
        ("U+2063", "\u{2063}", "\u{2063}", FOUND),
        ("U+180E", "\u{180e}", "", FOUND),
        ("quotation marks", "\"", "\"", FOUND),
        ("curly quotation marks", "\u{201c}", "\u{201d}", FOUND),
        ("single angle quotation marks", "\u{2039}", "\u{203a}", FOUND),
        ("full-width quotation marks", "\u{ff02}", "\u{ff02}", FOUND),
        ("angle brackets", "<", ">", FOUND),
        ("brackets and a full stop", "(", ").", FOUND),
        ("an ellipsis", "", "\u{2026}", FOUND),
        ("a full stop", "", ".", FOUND),
        ("bold Markdown", "**", "**", FOUND),
        ("italic Markdown", "_", "_", FOUND),
        ("a Markdown quotation", "> ", "", FOUND),
        ("a Markdown code block", "```\n", "\n```", FOUND),
        ("a label", "Token: ", "", FOUND),
        ("a label without a space", "Token:", "", FOUND),
        ("a label in Chinese", "\u{4ee4}\u{724c}", "\u{3002}", FOUND),
        ("an assignment", "SEATLOCK_TOKEN=", "", FOUND),
        ("a header", "Authorization: Bearer ", "", FOUND),
        ("JSON", "{\"token\":\"", "\"}", FOUND),
        ("a letter", "Dear Ada,\n\nyour token is ", "\n\nIt works once.\n", FOUND),
        ("the beginning of another try", "sit_8uVq2Z ", "", FOUND),
        ("the same again", "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs ", "", FOUND),
        ("an API token beside it", "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r\n", "", FOUND),
        ("another token beside it", "sit_00000000000000000000000000000043mIkN\n", "", INCOMPLETE),
        ("a letter before it", "x", "", INCOMPLETE),
        ("a digit after it", "", "0", INCOMPLETE),
    ] {
        let pasted = format!("{before}{SIT}{after}");
        assert_eq!(read(&pasted), words, "{what}: {pasted:?}");
    }
    let inside = |what: &str| format!("{}{what}{}", &SIT[..20], &SIT[20..]);
    for (what, pasted, words) in [
        ("a line end", inside("\r\n"), FOUND),
        ("a soft line end of e-mail", inside("=\r\n"), FOUND),
        ("a line end in a reply", inside("\n> "), FOUND),
        ("a soft hyphen", inside("\u{ad}"), FOUND),
        ("a backslash before the underscore", SIT.replace('_', "\\_"), FOUND),
        ("a capital letter at its beginning", SIT.replace("sit", "Sit"), FOUND),
        ("a hyphen", inside("-"), INCOMPLETE),
        ("a comma", inside(","), INCOMPLETE),
        ("a NUL", inside("\0"), INCOMPLETE),
        ("a letter more", inside("x"), INCOMPLETE),
        ("one character changed", SIT.replace("8u", "9u"), INCOMPLETE),
        ("the last character lost", SIT[..39].to_owned(), INCOMPLETE),
        ("the last character lost, and a word after it", format!("{} Regards", &SIT[..39]), INCOMPLETE),
        ("nothing", String::new(), INCOMPLETE),
        ("an API token", SAT.to_owned(), API),
        ("an API token in a sentence", format!("It is <{SAT}>."), API),
        ("two others", format!("{ZEROS} {ZEROS}"), FOUND),
    ] {
        assert_eq!(read(&pasted), words, "{what}: {pasted:?}");
    }
}

/// Nobody can see what is wrong with such a text.
#[test]
fn no_invisible_character_hides_a_token() {
    for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_invisible(*c)) {
        let pasted = format!("{c}{}{c}{}{c}", &SIT[..2], &SIT[2..]);
        assert_eq!(read(&pasted), FOUND, "{c:?}");
    }
}

fn read(pasted: &str) -> String {
    match Token::parse(pasted, TokenKind::Integration) {
        Ok(token) => {
            assert!([SIT, ZEROS].contains(&token.expose_secret()));
            FOUND.to_owned()
        }
        Err(error) => error.to_string(),
    }
}
