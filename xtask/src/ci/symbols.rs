use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use xtask::{build, repository, run};

/// The release library, as it is shipped: everything `nm` lists is in the header and the other way round.
pub fn exports() -> Result<String> {
    let library = build::libraries(true)?.shared;
    let listed = run::output(Command::new("nm").args(["-D", "--defined-only"]).arg(&library))?;
    let exported: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let header = fs::read_to_string(repository().join("include/seatlock.h"))?;
    let declared = functions(&header);
    let more: Vec<_> = exported.difference(&declared).collect();
    let less: Vec<_> = declared.difference(&exported).collect();
    if !more.is_empty() || !less.is_empty() || declared.is_empty() {
        bail!("exported but not in the header: {more:?}\nin the header but not exported: {less:?}");
    }
    let kib = fs::metadata(&library)?.len() / 1024;
    Ok(format!("{} names, {kib} KiB", exported.len()))
}

/// Names that are followed by a parameter list, in the lines that are no comment.
fn functions(header: &str) -> BTreeSet<&str> {
    let code = header
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()) && !line.starts_with("typedef"));
    code.filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.split([' ', '*']).next_back())
        .collect()
}
