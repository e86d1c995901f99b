use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Output, Stdio};

/// Runs a command and answers its standard output. A failure carries the command and both outputs.
///
/// # Errors
/// The command cannot be started, or does not exit with 0.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = start(command.stdin(Stdio::null()))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}\n{}", output.status, both(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command whatever it exits with, and answers exit code and both outputs in the order in
/// which they came. `input` goes to its standard input.
///
/// # Errors
/// The command cannot be started, or was ended by a signal.
pub fn status(command: &mut Command, input: Option<&str>) -> Result<(i32, String)> {
    let shown = shown(command);
    let (mut reader, writer) = std::io::pipe()?;
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn();
    // The command keeps the pipe's other end open, and reading it would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.with_context(|| format!("`{shown}` cannot be started"))?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that does not read its input is judged by what it says, not by the broken pipe.
        let _ = pipe.write_all(input.as_bytes());
    }
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let ended = child.wait()?;
    ended
        .code()
        .map(|code| (code, said.clone()))
        .with_context(|| format!("`{shown}` ended with {ended}\n{said}"))
}

/// Runs a tool that may not be installed.
///
/// # Errors
/// As [`output`]; a missing tool is named together with `package`, which has it.
pub fn tool(command: &mut Command, package: &str) -> Result<String> {
    require(&command.get_program().to_string_lossy(), package)?;
    output(command)
}

/// Checks that a program can be started.
///
/// # Errors
/// It cannot; the message names `package`, which has it.
pub fn require(program: &str, package: &str) -> Result<()> {
    let probe = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match probe {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`{program}` is missing: install {package}")
        }
        Err(error) => Err(error).with_context(|| format!("`{program}` cannot be started")),
        Ok(_) => Ok(()),
    }
}

/// The command as a person would type it.
#[must_use]
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn start(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("`{}` cannot be started", shown(command)))
}

fn both(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_package() {
        let said = require("no-such-tool-as-this", "the package `nothing`").unwrap_err().to_string();
        assert_eq!(said, "`no-such-tool-as-this` is missing: install the package `nothing`");
    }

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("cc");
        command.args(["-o", "a b", "x.c", ""]);
        assert_eq!(shown(&command), "cc -o 'a b' x.c ''");
    }

    #[cfg(unix)]
    #[test]
    fn exit_codes_and_both_outputs_come_back() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; echo err >&2; echo out $line; exit 3"]);
        let (code, said) = status(&mut shell, Some("in\n")).unwrap();
        assert_eq!((code, said.as_str()), (3, "err\nout in\n"));
    }
}
