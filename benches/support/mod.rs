//! What the benches share: the library as it is shipped, hosts in C that use it, and a table of
//! what they took.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

/// The same requests without the library.
pub mod bare;
/// A C program that takes orders, and the seat that it holds.
pub mod host;
/// The one signature that every offline answer has to verify.
pub mod lease;

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use tempfile::TempDir;
use xtask::{build, c, repository, run};

/// Rows of figures. Each stands beside its limit or beside something that was measured in the same
/// run.
pub struct Table {
    missed: bool,
}

impl Table {
    /// Prints the head of the table.
    pub fn new(title: &str) -> Self {
        println!("\n{title}\n");
        println!("  {:<46} {:>12}  {:>22} {:>7}", "medians", "", "beside", "ratio");
        Self { missed: false }
    }

    /// A figure that others are compared with, or that only explains.
    pub fn row(&mut self, name: &str, value: f64, unit: &str) {
        println!("  {name:<46} {value:>9.1} {unit}");
    }

    /// A name that belongs to the row above.
    pub fn note(&self, text: &str) {
        println!("    {text}");
    }

    /// A figure beside a peer, without a limit.
    pub fn beside(&mut self, name: &str, value: f64, unit: &str, peer: f64) {
        let beside = format!("{peer:.1} {unit}");
        println!("  {name:<46} {value:>9.1} {unit}  {beside:>22} {:>7.2}", value / peer);
    }

    /// A figure that must stay below `most` times `peer`; a plain limit is a peer of its own, with
    /// a `most` of 1.
    pub fn limit(&mut self, name: &str, value: f64, unit: &str, peer: f64, most: f64) {
        let kept = value <= peer * most;
        self.missed |= !kept;
        let beside = if (most - 1.0).abs() < f64::EPSILON {
            format!("limit {peer:.0} {unit}")
        } else {
            format!("{most:.1} x {peer:.1} {unit}")
        };
        let verdict = if kept { "kept" } else { "MISSED" };
        println!("  {name:<46} {value:>9.1} {unit}  {beside:>22} {:>7.2}  {verdict}", value / peer);
    }

    /// A statement that must hold.
    pub fn holds(&mut self, what: &str, kept: bool) {
        self.missed |= !kept;
        println!("  {what:<78} {:>12}", if kept { "kept" } else { "MISSED" });
    }

    /// Failure when a limit was missed and the command line says `--check`.
    pub fn end(self) -> ExitCode {
        let check = std::env::args().any(|argument| argument == "--check");
        if check && self.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The figure in the middle.
pub fn median(mut figures: Vec<f64>) -> Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("nothing was measured")
}

/// Microseconds that one of `calls` calls takes.
pub fn micros<T>(calls: u32, mut call: impl FnMut() -> Result<T>) -> Result<f64> {
    let begin = Instant::now();
    for _ in 0..calls {
        std::hint::black_box(call()?);
    }
    Ok(begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

/// The medians of a program's output, lines of a name and a number.
pub fn medians(printed: &str) -> Result<BTreeMap<&str, f64>> {
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for line in printed.lines() {
        let (name, number) = line.split_once(' ').context("a line without a number")?;
        figures.entry(name).or_default().push(number.parse()?);
    }
    figures.into_iter().map(|(name, figures)| Ok((name, median(figures)?))).collect()
}

/// The shared library, built alone as it is shipped.
pub fn library() -> Result<PathBuf> {
    ensure!(cfg!(target_os = "linux"), "the benches that run C hosts know Linux only");
    build::shared_library(true)
}

/// Compiles a program of `benches/c`; a `library` is linked, one that is loaded at run time is not.
pub fn program(folder: &TempDir, name: &str, library: Option<&Path>) -> Result<PathBuf> {
    let source = repository().join("benches/c").join(format!("{name}.c"));
    let program = folder.path().join(name);
    let link = library.map(c::link_with).transpose()?.unwrap_or_default();
    let flags = c::C_WARNINGS.iter().copied().chain(["-O2", "-pthread", "-ldl"]);
    let flags: Vec<&str> = flags.chain(link.iter().map(String::as_str)).collect();
    c::compile(&[&source], &[&repository().join("include")], &program, &flags)?;
    Ok(program)
}

/// Compiles the shared library that does nothing.
pub fn empty_library(folder: &TempDir) -> Result<PathBuf> {
    let library = folder.path().join("libempty.so");
    let source = repository().join("benches/c/empty.c");
    c::compile(&[&source], &[], &library, &["-O2", "-shared", "-fPIC"])?;
    Ok(library)
}

/// Runs a program with `input` on its standard input, and answers what it printed.
pub fn output(command: &mut Command, input: &str) -> Result<String> {
    let (code, said) = run::status(command, Some(input))?;
    ensure!(code == 0, "it ended with {code}\n{said}");
    Ok(said)
}

/// Microseconds that replacing a small file for good takes: the least that remembering anything
/// costs.
pub fn durable_write(folder: &TempDir) -> Result<f64> {
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    micros(1, || {
        let mut file = File::create(&new)?;
        file.write_all(&[b'x'; 1600])?;
        file.sync_all()?;
        fs::rename(&new, &old)?;
        Ok(File::open(folder.path())?.sync_all()?)
    })
}

/// A folder on a disk: the system's folder for temporary files is often memory, where fsync costs
/// nothing.
pub fn folder() -> Result<TempDir> {
    Ok(tempfile::tempdir_in(build::target_folder())?)
}
