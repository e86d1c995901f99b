//! Stands for the host: a token comes from standard input when there is no license yet.

use bridge::Panel;
use seatlock::Consent;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let mut panel = match Panel::open() {
        Ok(panel) => panel,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if !panel.licensed() {
        let mut token = String::new();
        let read = std::io::stdin().read_line(&mut token).map_err(|error| error.to_string());
        let consent = Consent { terms: true, remember: true }; // two check boxes
        if let Err(why) = read.and_then(|_| panel.activate(&token, consent)) {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    }
    while panel.asking() {
        if let Some(said) = panel.tick() {
            println!("{said}");
        }
        thread::sleep(Duration::from_millis(100)); // the host's timer
    }
    println!("{}", panel.state());
    ExitCode::from(if panel.licensed() { 0 } else { 3 })
}
