use anyhow::{Result, ensure};
use xtask::{build, run};

/// Sixteen ask for one place or one token at once, more often than the tests have time for.
pub fn two_hundred() -> Result<String> {
    let mut tests = build::cargo();
    tests.args(["test", "--workspace", "--test", "stores", "the_last_"]);
    let said = run::output(tests.env("SEATLOCK_RACES", "200"))?;
    ensure!(said.contains("test result: ok. 4 passed"), "{said}");
    Ok("two kinds in two databases".to_owned())
}
