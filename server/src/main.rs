//! The program `seatlock-server`: the server itself, and the operator's commands.

/// The command line: one file per noun.
mod cli;

use seatlock_protocol::plain_lines;
use seatlock_server::system::cause::of_command;
use std::{io::Write as _, process::ExitCode};

fn main() -> ExitCode {
    let done = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(cli::Cli::read().run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when even this fails.
            let _ =
                writeln!(std::io::stderr().lock(), "seatlock-server: {}", plain_lines(&of_command(&error)));
            ExitCode::FAILURE
        }
    }
}
