//! Plug-ins in the hosts and languages that they are written for, against a real server.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::server::Running;
use xtask::{build, c, repository, run};

/// The package for .NET, in mono.
pub mod dotnet;
/// The workbench in FreeCAD.
pub mod freecad;
/// The sound effect in LV2's own host.
pub mod lv2;
/// The effect in OpenFX's own host.
pub mod openfx;
/// The license dialog in Qt.
pub mod qt;
/// A plug-in in Rust.
pub mod rust;

/// Builds a CMake project of this repository against the shared library where it was built.
fn cmake(project: &str, built: &Path, settings: &[String]) -> Result<()> {
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(repository().join(project)).arg("-B").arg(built);
    configure.arg(format!("-Dseatlock_DIR={}", package(built)?.display())).args(settings);
    run::output(configure.arg(format!("-DCMAKE_CXX_FLAGS={}", c::CXX_WARNINGS.join(" "))))?;
    run::output(Command::new("cmake").arg("--build").arg(built).args(["--parallel", "2"]))?;
    Ok(())
}

/// What a plug-in in C++ compiles in for a server.
fn compiled_in(server: &Running) -> Vec<String> {
    vec![format!("-DEXAMPLE_SERVER={}", server.url()), format!("-DEXAMPLE_ROOT_KEY={}", server.root_key())]
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

/// A package of CMake for that library, as projects look for it where it was installed. Answers its
/// folder.
fn package(place: &Path) -> Result<PathBuf> {
    let package = folder(place.join("package"))?;
    let text = format!(
        "add_library(seatlock::seatlock SHARED IMPORTED)\n\
         set_target_properties(seatlock::seatlock PROPERTIES\n  IMPORTED_LOCATION \"{}\"\n  \
         INTERFACE_INCLUDE_DIRECTORIES \"{}\")\n",
        build::shared_library(false)?.display(),
        repository().join("include").display()
    );
    fs::write(package.join("seatlockConfig.cmake"), text)?;
    Ok(package)
}

/// Where pictures of what people saw are kept.
fn pictures() -> Result<PathBuf> {
    folder(build::target_folder().join("ci/hosts"))
}

fn folder(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(path)
}
