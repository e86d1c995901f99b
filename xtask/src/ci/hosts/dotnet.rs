use super::folder;
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::server::Running;
use xtask::{build, repository, run};

/// How often a process is ended, each time a little later.
const ENDS: u32 = 100;

/// The package for .NET is compiled, packed, installed from a folder, and used by a plug-in that
/// mono runs.
pub fn package() -> Result<String> {
    let place = tempfile::tempdir()?;
    let plugin = folder(place.path().join("plugin"))?;
    let packed = pack(place.path())?;
    let mut install = Command::new("nuget");
    install.args(["install", "Seatlock", "-ExcludeVersion", "-NonInteractive", "-Source"]).arg(&packed);
    let install = with_home(&mut install, place.path());
    run::output(install.arg("-OutputDirectory").arg(place.path().join("packages")))?;
    let installed = place.path().join("packages/Seatlock");
    for (from, to) in [
        ("lib/netstandard2.0/Seatlock.dll", "Seatlock.dll"),
        ("runtimes/linux-x64/native/libseatlock.so", "libseatlock.so"),
    ] {
        fs::copy(installed.join(from), plugin.join(to)).with_context(|| format!("{from} is not in it"))?;
    }
    ensure!(installed.join("build/Seatlock.targets").exists(), "the targets are not in it");

    let program = plugin.join("Dotnet.exe");
    let mut compile = Command::new("mcs");
    compile.args(["-nologo", "-warnaserror", "-warn:4"]).arg(argument("-out:", &program));
    compile.arg(argument("-r:", &plugin.join("Seatlock.dll")));
    run::output(compile.arg(repository().join("tests/hosts/Dotnet.cs")))?;

    let server = Running::start()?;
    let seat = server.create_seat("dotnet@example.com")?;
    let mono = |words: &[&str]| {
        let mut command = Command::new("mono");
        command.arg(&program).args(words).env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
        command.env("EXAMPLE_SERVER", server.url()).env("EXAMPLE_ROOT_KEY", server.root_key());
        command.env("EXAMPLE_STATE_FOLDER", place.path().join("state"));
        command
    };
    let mut layouts = mono(&["layouts"]);
    let layouts = run::output(layouts.arg(repository().join("include/ABI.txt")))?;
    let (code, said) = run::status(&mut mono(&["story"]), Some(&format!("{}\n", seat.token)))?;
    ensure!(code == 0, "the story ended with {code}\n{said}");
    run::output(&mut mono(&["load"]))?;
    run::output(&mut mono(&["finalizer"]))?;
    for number in 0..ENDS {
        run::output(&mut mono(&["exit", &number.to_string()]))?;
    }
    Ok(format!("{}, a seat's life, closing under load, {ENDS} ends", layouts.trim()))
}

/// Compiles the assembly, puts the package's files where NuGet wants them, and packs them. Answers
/// the folder with the package.
fn pack(place: &Path) -> Result<std::path::PathBuf> {
    let from = repository().join("bindings/csharp");
    let files = place.join("files");
    let lib = folder(files.join("lib/netstandard2.0"))?;
    let mut compile = Command::new("mcs");
    compile.args(["-nologo", "-warnaserror", "-warn:4", "-target:library"]);
    compile
        .arg(argument("-out:", &lib.join("Seatlock.dll")))
        .arg(argument("-doc:", &lib.join("Seatlock.xml")));
    let mut sources = super::super::files(&from.join("Seatlock"))?;
    sources.sort();
    run::output(compile.args(sources))?;
    let native = folder(files.join("runtimes/linux-x64/native"))?;
    fs::copy(build::shared_library(false)?, native.join("libseatlock.so"))?;
    fs::copy(from.join("build/Seatlock.targets"), folder(files.join("build"))?.join("Seatlock.targets"))?;
    for name in ["README.md", "Seatlock.nuspec"] {
        fs::copy(from.join(name), files.join(name))?;
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(repository().join(name), files.join(name))?;
    }
    let packed = folder(place.join("packed"))?;
    let mut pack = Command::new("nuget");
    pack.args(["pack", "Seatlock.nuspec", "-NonInteractive", "-OutputDirectory"]).arg(&packed);
    run::output(with_home(&mut pack, place).current_dir(&files))?;
    Ok(packed)
}

/// NuGet keeps settings and packages there, and none of the user's are meant.
fn with_home<'a>(command: &'a mut Command, place: &Path) -> &'a mut Command {
    command.env("HOME", place).env("XDG_CONFIG_HOME", place.join("config"))
}

fn argument(name: &str, path: &Path) -> std::ffi::OsString {
    let mut made = std::ffi::OsString::from(name);
    made.push(path);
    made
}
