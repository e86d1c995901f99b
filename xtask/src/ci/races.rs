use super::programs;
use anyhow::Result;

/// Sixteen ask for one place or one token at once, more often than the tests have time for.
pub fn two_hundred() -> Result<String> {
    let many = [("SEATLOCK_RACES", "200")];
    let sqlite = programs::run("store", &["the_last_"], &many)?;
    let postgres = programs::run("postgres", &["the_last_"], &many)?;
    Ok(format!("SQLite: {sqlite}; PostgreSQL: {postgres}"))
}

/// The measurement of both databases still works.
pub fn bench() -> Result<String> {
    programs::run_bench("pings")
}
