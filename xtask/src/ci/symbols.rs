use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use xtask::{build, run};

/// The release library, as it is shipped: everything `nm` lists is in include/ABI.txt and the other
/// way round.
pub fn exports() -> Result<String> {
    let library = build::libraries(true)?.shared;
    let listed = run::output(Command::new("nm").args(["-D", "--defined-only"]).arg(&library))?;
    let exported = listed.lines().filter_map(|line| line.split_whitespace().last());
    let exported: BTreeSet<String> = exported.map(str::to_owned).collect();
    let declared = xtask::functions()?;
    let more: Vec<_> = exported.difference(&declared).collect();
    let less: Vec<_> = declared.difference(&exported).collect();
    if !more.is_empty() || !less.is_empty() || declared.is_empty() {
        bail!("exported but not in ABI.txt: {more:?}\nin ABI.txt but not exported: {less:?}");
    }
    let kib = fs::metadata(&library)?.len() / 1024;
    Ok(format!("{} names, {kib} KiB", exported.len()))
}
