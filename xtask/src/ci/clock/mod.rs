use anyhow::{Context, Result, ensure};
use cases::{CASES, ClockStep, Policy};
use stage::Stage;
use xtask::plugin::Plugin;

/// What happens to clocks, and what a user is told then.
mod cases;
/// A computer on which a case is played.
mod stage;

/// Effective time end to end: the C example, a real server, Debian's faketime for the wall clock,
/// and a time namespace for the clock that cannot be set.
pub fn end_to_end() -> Result<String> {
    let plugin = Plugin::build()?;
    let faketime = stage::faketime()?;
    let mut stages =
        [Stage::new(&plugin, &faketime, Policy::Lock)?, Stage::new(&plugin, &faketime, Policy::Freeze)?];
    let mut failures = Vec::new();
    for (what, policy, steps) in CASES {
        let stage = stages.iter_mut().find(|stage| stage.policy == *policy).context("no such stage")?;
        if let Err(error) = stage.play(steps) {
            failures.push(format!("{what} ({policy:?}): {error:#}"));
        }
    }
    ensure!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), CASES.len(), failures.join("\n"));
    let runs = CASES.iter().flat_map(|(_, _, steps)| *steps);
    let runs = runs.filter(|step| !matches!(step, ClockStep::Files(_) | ClockStep::Server(_))).count();
    Ok(format!("{} cases, {runs} runs", CASES.len()))
}
