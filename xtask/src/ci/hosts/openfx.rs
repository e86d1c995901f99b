use super::{compiled_in, cxx, folder};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::server::Running;
use xtask::{build, run};

/// The crate whose sources have OpenFX's headers and its host, in the version that was tried.
const SOURCES: &str = "openfx-sys";
const VERSION: &str = "0.1.0";
/// Parts of its host that are a program of their own.
const PROGRAMS: [&str; 2] = ["hostDemo.cpp", "cacheDemo.cpp"];

/// A watermark while it is locked and none when it is licensed, in OpenFX's host, which unloads the
/// plug-in and loads it again; and images that are rendered while a server does not answer.
pub fn effect() -> Result<String> {
    let place = tempfile::tempdir()?;
    let openfx = sources()?;
    let includes = ["include", "HostSupport/include", "HostSupport/examples"];
    let includes = includes.map(|part| format!("-isystem{}", openfx.join(part).display()));

    let objects = folder(build::target_folder().join("ci/openfx/objects"))?;
    let mut flags: Vec<String> = includes.to_vec();
    flags.extend(host_objects(&openfx, &objects)?);
    flags.extend(["-std=c++14", "-lexpat", "-ldl", "-pthread"].map(str::to_owned));
    let host = place.path().join("host");
    cxx(&["tests/hosts/openfx.cpp"], &host, &flags)?;

    let server = Running::start()?;
    let seat = server.create_seat("openfx@example.com")?;
    let plugins = place.path().join("plugins");
    let mut settings = compiled_in(&server);
    settings.push("-DEXAMPLE_STATIC=OFF".to_owned());
    settings.push("-DCMAKE_BUILD_TYPE=Release".to_owned());
    settings.push(format!("-DOPENFX_INCLUDE={}", openfx.join("include").display()));
    super::cmake("examples/openfx", &plugins, &settings)?;

    let in_host = |what: &str, state: &str| {
        let mut command = Command::new(&host);
        command.arg(what).arg(&plugins).current_dir(place.path());
        command.env("SEATLOCK_STATE_DIR", place.path().join(state)).env("NO_PROXY", "127.0.0.1");
        command.env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours");
        command
    };
    let (code, story) = run::status(&mut in_host("story", "state"), Some(&seat.token))?;
    ensure!(code == 0, "the story ended with {code}\n{story}");
    // It takes connections and says nothing.
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    let mut command = in_host("hanging", "other");
    command.env("SEATLOCK_SERVER", format!("http://{}", hanging.local_addr()?));
    let (code, said) = run::status(&mut command, Some(&seat.token))?;
    ensure!(code == 0, "before a server that hangs it ended with {code}\n{said}");
    Ok(format!("watermark and none, loaded twice; {}", said.lines().next().unwrap_or_default()))
}

/// The sources, fetched by cargo as those of any crate.
fn sources() -> Result<PathBuf> {
    let package = folder(build::target_folder().join("ci/openfx/package"))?;
    let manifest = format!(
        "[package]\nname = \"fetches-openfx\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{SOURCES} = \"={VERSION}\"\n\n[workspace]\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::write(folder(package.join("src"))?.join("lib.rs"), "")?;
    let mut metadata = build::cargo();
    metadata.args(["metadata", "--format-version", "1", "--manifest-path"]).arg(package.join("Cargo.toml"));
    let metadata: Value = serde_json::from_str(&run::output(&mut metadata)?)?;
    let packages = metadata.pointer("/packages").and_then(Value::as_array).context("no packages")?;
    let found = packages.iter().find(|package| package.pointer("/name") == Some(&SOURCES.into()));
    let manifest = found.and_then(|package| package.pointer("/manifest_path")).and_then(Value::as_str);
    let manifest = Path::new(manifest.context("cargo did not fetch the crate")?);
    Ok(manifest.parent().context("a manifest in no folder")?.join("openfx"))
}

/// The objects of its host, compiled once.
fn host_objects(openfx: &Path, objects: &Path) -> Result<Vec<String>> {
    let marker = objects.join("compiled");
    if !marker.exists() {
        let mut compile = Command::new("g++");
        // Exceptions are specified as later standards forbid; <cstring> is not included.
        compile.args(["-std=c++14", "-w", "-O0", "-include", "cstring", "-c"]).current_dir(objects);
        for part in ["include", "HostSupport/include", "HostSupport/examples"] {
            compile.arg("-I").arg(openfx.join(part));
        }
        for part in ["HostSupport/src", "HostSupport/examples"] {
            let files = super::super::files(&openfx.join(part))?;
            compile.args(files.iter().filter(|file| {
                file.extension() == Some(OsStr::new("cpp"))
                    && !PROGRAMS.iter().any(|program| file.ends_with(program))
            }));
        }
        run::output(&mut compile)?;
        fs::write(marker, VERSION)?;
    }
    let files = super::super::files(objects)?;
    let files = files.iter().filter(|file| file.extension() == Some(OsStr::new("o")));
    Ok(files.map(|file| file.display().to_string()).collect())
}
