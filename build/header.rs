//! Part of build.rs: puts what cbindgen prints into the order and the form of a header that is
//! read.

use std::error::Error;

const WIDTH: usize = 100;

/// Calls that a host may make in passing. The result of every other one must be looked at.
const IN_PASSING: [&str; 3] = ["seatlock_client_close", "seatlock_client_cancel", "seatlock_client_ping"];

/// Orders items as the sources declare them, each section under its banner.
pub fn arrange(made: &str, sources: &[(&str, String)]) -> Result<String, Box<dyn Error>> {
    let mut sections = vec![Vec::new(); sources.len()];
    for item in made.trim().split("\n\n") {
        let (name, text) = item_in_form(item)?;
        let place = sources
            .iter()
            .enumerate()
            .find_map(|(section, (_, source))| Some((section, declared_at(source, &name)?)));
        let (section, position) = place.ok_or(format!("{name} is declared in no section"))?;
        sections.get_mut(section).ok_or("no such section")?.push((position, text));
    }
    let mut body = String::new();
    for ((title, _), mut items) in sources.iter().zip(sections) {
        items.sort();
        let rule = "-".repeat(WIDTH - 12 - title.len());
        body += &format!("\n/* ---- {title} {rule} */\n");
        items.iter().for_each(|(_, text)| body += &format!("\n{text}\n"));
    }
    Ok(body)
}

/// Where a source begins to declare a name.
fn declared_at(source: &str, name: &str) -> Option<usize> {
    let kinds = [("fn ", "("), ("type ", " "), ("struct ", " "), ("enum ", " ")];
    kinds.into_iter().find_map(|(before, after)| source.find(&format!("{before}{name}{after}")))
}

/// An item's name in the sources, and its text.
fn item_in_form(item: &str) -> Result<(String, String), Box<dyn Error>> {
    let start =
        if item.starts_with("/**") { item.find(" */\n").ok_or("a comment without end")? + 4 } else { 0 };
    let (comment, code) = item.split_at(start);
    let code = code.strip_prefix("typedef struct ").map_or_else(
        || code.replace("struct ", ""),
        |code| format!("typedef struct {}", code.replace("struct ", "")),
    );
    let (name, code) = if let Some(rest) = code.strip_prefix("typedef enum ") {
        // Numbers of fixed width travel; the type of the enumeration itself has no use.
        let (name, values) = rest.split_once(' ').ok_or("an enumeration without values")?;
        (name, format!("enum {}", values.replace(&format!("}} {name};"), "};")))
    } else if let Some(rest) = code.strip_prefix("typedef struct ") {
        let name = rest.split([' ', ';']).next().unwrap_or_default();
        (name, code.clone() + &initialiser(name, rest))
    } else if code.starts_with("typedef ") && !code.contains('(') {
        (code.trim_end_matches(';').rsplit(' ').next().unwrap_or_default(), code.clone())
    } else if code.starts_with("typedef ") {
        let name = code.split_once("(*").and_then(|(_, rest)| rest.split_once(')')).ok_or("no callback")?.0;
        let (answer, parameters) = code.split_once(")(").ok_or("a callback without parameters")?;
        (name, wrapped(answer.replace("(*", "(SEATLOCK_CALL *") + ")(", parameters))
    } else {
        let (before, parameters) = code.split_once('(').ok_or("neither a type nor a function")?;
        let name = before.split([' ', '*']).next_back().unwrap_or_default();
        (name, function(before.strip_suffix(name).unwrap_or_default().trim_end(), name, parameters))
    };
    Ok((name.to_owned(), compact_comments(&format!("{comment}{code}"))))
}

/// `SEATLOCK_..._INIT` of a struct that says its size; the rest is zero.
fn initialiser(name: &str, body: &str) -> String {
    let members = body.lines().filter(|line| line.starts_with("    ") && line.ends_with(';'));
    let zero = |line: &str| match line {
        line if line.contains('[') => "{0}",
        line if line.contains('*') => "NULL",
        _ => "0",
    };
    let zeros: Vec<&str> = members.map(zero).collect();
    match zeros.split_first() {
        None => String::new(),
        Some((_, rest)) => {
            format!("\n#define {}_INIT {{sizeof({name}), {}}}", name.to_uppercase(), rest.join(", "))
        }
    }
}

/// A declaration on one line, or with its parameters on lines of their own.
fn function(answer: &str, name: &str, parameters: &str) -> String {
    let looked_at = answer == "seatlock_result" && !IN_PASSING.contains(&name);
    let mark = if looked_at { "SEATLOCK_NODISCARD " } else { "" };
    let head = format!("{mark}SEATLOCK_API {answer} SEATLOCK_CALL {name}(").replace("* SEAT", "*SEAT");
    wrapped(head, parameters)
}

/// What begins with `head`, with its parameters on lines of their own where they do not fit.
fn wrapped(head: String, parameters: &str) -> String {
    if head.len() + parameters.len() <= WIDTH {
        return head + parameters;
    }
    let mut lines = vec![head];
    let mut line = String::from("   ");
    for parameter in parameters.split_inclusive(", ").map(str::trim_end) {
        if line.len() + 1 + parameter.len() > WIDTH {
            lines.push(std::mem::replace(&mut line, String::from("   ")));
        }
        line = format!("{line} {parameter}");
    }
    lines.push(line);
    lines.join("\n")
}

/// Comments begin and end with their words, where there is room.
fn compact_comments(text: &str) -> String {
    let mut lines = Vec::new();
    let mut comment: Option<String> = None;
    for line in text.lines() {
        let words = line.trim_start();
        let indent = line.strip_suffix(words).unwrap_or_default();
        match (comment.take(), words) {
            (None, "/**") => comment = Some(format!("{indent}/**")),
            (None, _) => lines.push(line.to_owned()),
            (Some(last), "*/") if last.len() + 3 <= WIDTH => lines.push(last + " */"),
            (Some(last), "*/") => lines.extend([last, line.to_owned()]),
            (Some(last), _) if last.ends_with("/**") => {
                comment = Some(last + words.strip_prefix('*').unwrap_or(words));
            }
            (Some(last), _) => {
                lines.push(last);
                comment = Some(format!("{indent}{}", words.replacen("* ", "*  ", 1)));
            }
        }
    }
    lines.join("\n")
}
