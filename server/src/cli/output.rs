use anyhow::{Context as _, bail};
use comfy_table::{Table, presets::NOTHING};
use seatlock_protocol::{plain, plain_lines};
use seatlock_server::domain::entitlement_text;
use seatlock_server::http::api::schema::{EntitlementJson, EntitlementsJson};
use serde::Serialize;
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};

/// How results are written to standard output.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// One result: `value` for scripts, `text` for people.
    pub(super) fn done<T: Serialize>(self, value: &T, text: &str) -> anyhow::Result<()> {
        if self.json { line(&serde_json::to_string(value)?) } else { line(&plain_lines(text)) }
    }

    /// Many results: an array for scripts, a table for people.
    pub(super) fn table<T: Serialize, const N: usize>(
        self,
        values: &[T],
        head: [&str; N],
        row: impl Fn(&T) -> [String; N],
    ) -> anyhow::Result<()> {
        if self.json {
            return line(&serde_json::to_string(values)?);
        }
        line(&columns(head, values.iter().map(row)))
    }
}

/// A table without lines, whose columns stand below each other also where characters are wide.
fn columns<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head).add_rows(rows.map(shown));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Asks the person at the terminal. `refused` says what was not done when there is none.
pub(super) fn agreed(question: &str, refused: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{refused}: somebody must agree. Say --yes to go ahead.");
    }
    write!(std::io::stderr().lock(), "{} Type yes: ", plain_lines(question))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Names of others hold what they like, and a terminal takes some of it for commands.
fn shown<const N: usize>(row: [String; N]) -> [String; N] {
    row.map(|cell| plain(&cell).into_owned())
}

/// A member of a JSON object as a table shows it.
pub(super) fn cell(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        _ => "-".to_owned(),
    }
}

/// Entitlements as people write them, with blanks between them.
pub(super) fn entitlements(view: &EntitlementsJson) -> String {
    let text = |(name, granted): (&String, &EntitlementJson)| entitlement_text(name, &(*granted).into());
    view.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// What somebody should know beside the result, on standard error.
pub(super) fn note(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr().lock(), "{}", plain_lines(text)).context("standard error is closed")
}

fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("standard output is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["1", "ada", ""], ["22", "\u{6d77}\u{5357}", "x"], ["3", "a\u{1b}[2J\nb", "y"]];
        let rows = rows.iter().map(|row| row.map(str::to_owned));
        let wanted = "ID  NAME     NOTE\n1   ada\n22  \u{6d77}\u{5357}     x\n3   a [2J b  y";
        assert_eq!(columns(["ID", "NAME", "NOTE"], rows), wanted);
        assert_eq!(columns(["ID", "NAME"], std::iter::empty()), "ID  NAME");
    }
}
