use super::consumers::Place;
use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::{build, c, repository, run};

/// How often a host in Python is ended. Its moments are spread over this many milliseconds.
const ENDS: u32 = 200;
const MOMENTS: u32 = 40;

/// Plug-ins with the static library inside, linked in each documented way, in one host that shows
/// all names to all of them and exports some of the library's itself. None exports a name that is
/// not its own, and each calls its own copy.
pub fn static_plugins() -> Result<String> {
    let place = Place::new()?;
    let source = repository().join("tests/c/plugin.c");
    let at = |name: &str| place.folder.path().join(name);
    let shared = ["-std=c11", "-shared", "-fPIC", "-o"];

    let by_pkg_config = at("by-pkg-config.so");
    let mut link = place.without_rust("cc");
    link.args(shared).arg(&by_pkg_config).arg(&source);
    run::output(link.args(place.pkg_config(&["--cflags", "--libs", "--static"])?))?;

    let bare = at("bare.so");
    let mut link = place.without_rust("cc");
    link.args(shared).arg(&bare).arg("-I").arg(place.prefix.join("include")).arg(&source);
    link.arg(place.prefix.join("lib/libseatlock.a"));
    run::output(link.args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]))?;

    let project = at("project");
    fs::create_dir(&project)?;
    let text = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(plugin C)\nfind_package(seatlock REQUIRED)\n\
         add_library(plugin MODULE \"{}\")\ntarget_link_libraries(plugin PRIVATE seatlock::seatlock_static)\n",
        source.display()
    );
    fs::write(project.join("CMakeLists.txt"), text)?;
    let mut configure = place.without_rust("cmake");
    configure.arg("-S").arg(&project).arg("-B").arg(project.join("build"));
    run::output(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", place.prefix.display())))?;
    run::output(place.without_rust("cmake").arg("--build").arg(project.join("build")))?;
    let by_cmake = project.join("build/libplugin.so");

    let plugins = [by_pkg_config, bare, by_cmake];
    for plugin in &plugins {
        exports_its_own_only(plugin)?;
        needs_no_library_of_ours(plugin)?;
    }
    let host = at("plugin_host");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-rdynamic", "-ldl"]).collect();
    c::compile(&[&repository().join("tests/c/plugin_host.c")], &[], &host, &flags)?;
    let said = run::output(place.without_rust(&host).arg(at("state")).args(&plugins))?;
    place.no_rust_was_used()?;
    Ok(said.trim().to_owned())
}

fn exports_its_own_only(plugin: &Path) -> Result<()> {
    let listed = run::output(Command::new("nm").args(["-D", "--defined-only"]).arg(plugin))?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().last());
    let others: Vec<_> = names.filter(|name| !name.starts_with("plugin_")).collect();
    ensure!(others.is_empty(), "{} exports {others:?}", plugin.display());
    Ok(())
}

fn needs_no_library_of_ours(plugin: &Path) -> Result<()> {
    let dynamic = run::output(Command::new("readelf").arg("-d").arg(plugin))?;
    ensure!(!dynamic.contains("libseatlock"), "{} needs the shared library\n{dynamic}", plugin.display());
    Ok(())
}

/// A host in C++ that is forked while it takes events.
pub fn forked_loop() -> Result<String> {
    cxx_program("forked_loop", &[])?;
    Ok("the child's loop ended".to_owned())
}

/// What the C++ layer adds to C, in a host without exceptions and type information too.
pub fn cxx_layer() -> Result<String> {
    let said = cxx_program("layer", &[])?;
    cxx_program("layer", &["-fno-exceptions", "-fno-rtti"])?;
    Ok(format!("{} checks, twice", said.lines().count()))
}

fn cxx_program(name: &str, more: &[&str]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join(name);
    let link = c::link_with(&build::shared_library(false)?)?;
    let flags = c::CXX_WARNINGS.iter().chain(more).copied().chain(link.iter().map(String::as_str));
    let source = repository().join(format!("tests/c/{name}.cpp"));
    let include = repository().join("include");
    c::cxx(&[&source], &[&include], &program, &flags.collect::<Vec<_>>())?;
    run::output(without_settings(&program).arg(folder.path().join("state")))
}

/// Hosts in Python that end at any moment after a ping and never close their client.
pub fn python_exit() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let library = build::shared_library(false)?;
    let script = repository().join("tests/python/exit.py");
    for number in 0..ENDS {
        let moment = (number % MOMENTS).to_string();
        let mut host = without_settings(Path::new("python3"));
        host.args([&script, &library, &folder.path().join("state"), &PathBuf::from(&moment)]);
        if let Err(error) = run::output(&mut host) {
            bail!("the host that was ended after {moment} ms, the {number}th: {error:#}");
        }
    }
    Ok(format!("{ENDS} hosts ended by themselves"))
}

/// How often a client is closed under 32 threads, by itself and with the compiler's checks for
/// memory.
const CLOSINGS: &str = "1000";

/// 32 threads in every call while one closes the client.
pub fn closing() -> Result<String> {
    let mut said = String::new();
    for checked in [None, Some("-fsanitize=address,undefined")] {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("closing");
        let link = c::link_with(&build::shared_library(false)?)?;
        let flags = c::C_WARNINGS.iter().copied().chain(["-g", "-pthread"]).chain(checked);
        let flags: Vec<&str> = flags.chain(link.iter().map(String::as_str)).collect();
        let source = repository().join("tests/c/closing.c");
        c::compile(&[&source], &[&repository().join("include")], &program, &flags)?;
        said = run::output(without_settings(&program).arg(CLOSINGS).arg(folder.path().join("state")))?;
    }
    Ok(said.trim().to_owned())
}

/// The settings of whoever runs this would come before what the program sets.
fn without_settings(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    command
}
