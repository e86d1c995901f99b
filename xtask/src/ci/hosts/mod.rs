//! Plug-ins in the hosts and languages that they are written for, against a real server.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::server::Running;
use xtask::{build, c, repository};

/// The package for .NET, in mono.
pub mod dotnet;
/// The effect in OpenFX's own host.
pub mod openfx;

/// What a plug-in in C++ compiles in for a server, as its build's definitions.
fn compiled_in(server: &Running) -> [String; 3] {
    [
        "-DEXAMPLE_PRODUCT=\"com.example.bridge\"".to_owned(),
        format!("-DEXAMPLE_SERVER=\"{}\"", server.url()),
        format!("-DEXAMPLE_ROOT_KEY=\"{}\"", server.root_key()),
    ]
}

/// Compiles sources of this repository against the shared library.
fn cxx(sources: &[&str], output: &Path, flags: &[String]) -> Result<()> {
    let link = c::link_with(&build::shared_library(false)?)?;
    let sources: Vec<PathBuf> = sources.iter().map(|source| repository().join(source)).collect();
    let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    let flags = flags.iter().chain(&link).map(String::as_str);
    let flags: Vec<&str> = c::CXX_WARNINGS.iter().copied().chain(flags).collect();
    c::cxx(&sources, &[&repository().join("include")], output, &flags)
}

fn folder(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(path)
}
