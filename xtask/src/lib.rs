//! What the tests, the benches and the project's own commands share: building the library and the
//! server, compiling C programs against them, running a server, and installing for people who have
//! no Rust.
//!
//! Nothing here is part of what is shipped.

#![allow(missing_docs, reason = "these are parts of a program; what is not obvious is said")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person is what these tools are for"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Static libraries.
pub mod archive;
/// Builds the libraries and the server with cargo, each once per process.
pub mod build;
/// Runs the system's C and C++ compilers.
pub mod c;
/// Archives for people who build plug-ins and have no Rust.
pub mod dist;
/// A network that lies, hangs and breaks, with a real server behind it.
pub mod fault_proxy;
/// Copies library, headers and package files below a prefix.
pub mod install;
/// What an installed or archived library consists of.
pub mod layout;
/// A license server for what is before the real one.
pub mod mock_server;
/// Packages for Node.js.
pub mod npm;
/// An OpenID provider for tests.
pub mod oidc_provider;
/// What others sell, measured beside the library.
pub mod peers;
/// The C example as a program.
pub mod plugin;
/// Ports that nobody else gets.
pub mod port;
/// A PostgreSQL of its own for one test program.
#[cfg(unix)]
pub mod postgres;
/// Programs of Python's packages.
pub mod python;
/// Runs commands and says what they printed when they fail.
pub mod run;
/// Jobs that run side by side.
pub mod schedule;
/// A licensing server of its own for one test.
pub mod server;
/// Wheels of the Python package.
pub mod wheel;

/// Root folder of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The functions of the C interface, as include/ABI.txt lists them.
///
/// # Errors
/// The file cannot be read.
pub fn functions() -> anyhow::Result<BTreeSet<String>> {
    let ledger = std::fs::read_to_string(repository().join("include/ABI.txt"))?;
    let rows = ledger.lines().filter_map(|line| line.strip_prefix("function ")?.split(' ').next());
    Ok(rows.map(str::to_owned).collect())
}
