use crate::run;
use anyhow::{Result, bail};
use std::env;
use std::path::Path;
use std::process::Command;

/// The strictest warnings that the project's C code is held to.
pub const C_WARNINGS: &[&str] =
    &["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Wconversion", "-Werror"];

/// The strictest warnings that the project's C++ code is held to.
pub const CXX_WARNINGS: &[&str] =
    &["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

/// Compiles and links C sources with `$CC`, or `cc`. Flags come last, where linker flags belong.
///
/// # Errors
/// The compiler is missing, or refuses the sources.
pub fn compile(sources: &[&Path], includes: &[&Path], output: &Path, flags: &[&str]) -> Result<()> {
    call(
        "CC",
        "cc",
        "a C compiler: on Debian and Ubuntu `apt-get install gcc libc6-dev`",
        sources,
        includes,
        output,
        flags,
    )
}

/// Compiles and links C++ sources with `$CXX`, or `c++`.
///
/// # Errors
/// The compiler is missing, or refuses the sources.
pub fn cxx(sources: &[&Path], includes: &[&Path], output: &Path, flags: &[&str]) -> Result<()> {
    call(
        "CXX",
        "c++",
        "a C++ compiler: on Debian and Ubuntu `apt-get install g++`",
        sources,
        includes,
        output,
        flags,
    )
}

/// Linker flags for a program that uses a shared library where it was built.
///
/// # Errors
/// The path has no folder or is not UTF-8.
pub fn link_with(library: &Path) -> Result<Vec<String>> {
    let (Some(folder), Some(file)) = (library.parent().and_then(Path::to_str), library.to_str()) else {
        bail!("{} cannot be given to a linker", library.display());
    };
    let mut flags = vec![file.to_owned(), format!("-Wl,-rpath,{folder}")];
    if cfg!(target_os = "linux") {
        // Else LD_LIBRARY_PATH comes first, in which cargo names folders that may hold an older build.
        flags.push("-Wl,--disable-new-dtags".to_owned());
    }
    Ok(flags)
}

fn call(
    variable: &str,
    usual: &str,
    package: &str,
    sources: &[&Path],
    includes: &[&Path],
    output: &Path,
    flags: &[&str],
) -> Result<()> {
    // People write wrappers such as "ccache gcc" into $CC.
    let named =
        env::var(variable).ok().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| usual.to_owned());
    let mut words = named.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(usual));
    command.args(words);
    for folder in includes {
        command.arg("-I").arg(folder);
    }
    command.arg("-o").arg(output).args(sources).args(flags);
    run::tool(&mut command, package).map(drop)
}
