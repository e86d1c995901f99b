use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};
use tempfile::TempDir;
use xtask::install::Install;
use xtask::server::Running;
use xtask::{build, c, repository, run};

/// The examples as CMake projects, once with each form of the library, against a real server.
pub fn cmake() -> Result<String> {
    let place = Place::new()?;
    let server = Running::start()?;
    let seat = server.create_seat("cmake@example.com")?;
    for (name, fixed) in [("shared", "OFF"), ("static", "ON")] {
        let built = place.folder.path().join(name);
        let mut configure = place.without_rust("cmake");
        configure.arg("-S").arg(repository().join("examples/cpp")).arg("-B").arg(&built);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", place.prefix.display()));
        configure.args([format!("-DEXAMPLE_STATIC={fixed}"), format!("-DEXAMPLE_SERVER={}", server.url())]);
        run::output(configure.arg(format!("-DEXAMPLE_ROOT_KEY={}", server.root_key())))?;
        run::output(place.without_rust("cmake").arg("--build").arg(&built))?;
        let mut quickstart = place.without_rust(built.join("quickstart"));
        quickstart.env("SEATLOCK_STATE_DIR", place.folder.path().join("state")).env("NO_PROXY", "127.0.0.1");
        // The second finds what the first has kept, and must not ask for a token.
        let input = if name == "shared" { seat.token.as_str() } else { "" };
        let (code, said) = run::status(&mut quickstart, Some(&format!("{input}\n")))?;
        ensure!(code == 0, "the {name} quickstart ended with {code}\n{said}");

        let built = place.folder.path().join(format!("{name}-c"));
        let mut configure = place.without_rust("cmake");
        configure.arg("-S").arg(repository().join("examples/c")).arg("-B").arg(&built);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", place.prefix.display()));
        run::output(configure.arg(format!("-DEXAMPLE_STATIC={fixed}")))?;
        run::output(place.without_rust("cmake").arg("--build").arg(&built))?;
        let mut show = place.without_rust(built.join("seatlock_plugin"));
        show.arg("machine-id").env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours");
        let id = run::output(&mut show)?;
        ensure!(id.starts_with("m1_"), "the {name} C example: {id}");
    }
    place.no_rust_was_used()?;
    Ok("activated by the shared one, found again by the static one".to_owned())
}

/// The C example with the flags that pkg-config tells, once with each form of the library.
pub fn pkg_config() -> Result<String> {
    let place = Place::new()?;
    let version = place.pkg_config(&["--modversion"])?.join(" ");
    for name in ["shared", "static"] {
        let program = place.folder.path().join(name);
        let mut compile = place.without_rust("cc");
        compile.arg("-std=c11").args(place.pkg_config(&["--cflags"])?);
        compile.args(sources()).arg("-o").arg(&program);
        let more: &[_] = if name == "static" { &["--static"] } else { &[] };
        compile.args(place.pkg_config(&[&["--libs"], more].concat())?);
        run::output(&mut compile)?;
        let mut show = place.without_rust(&program);
        if name == "shared" {
            show.env("LD_LIBRARY_PATH", place.prefix.join("lib"));
        }
        let id = run::output(show.arg("machine-id").env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours"))?;
        ensure!(id.starts_with("m1_") && id.trim().len() == 46, "{name}: {id}");
    }
    place.no_rust_was_used()?;
    Ok(format!("version {version}"))
}

/// The C example's life of a seat, and every bad argument, with the compiler's checks for memory
/// and arithmetic.
pub fn sanitizers() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let link = c::link_with(&build::shared_library(false)?)?;
    let checked = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let flags: Vec<&str> =
        c::C_WARNINGS.iter().copied().chain(checked).chain(link.iter().map(String::as_str)).collect();
    let include = repository().join("include");
    let bad_input = folder.path().join("bad_input");
    c::compile(&[&repository().join("tests/c/bad_input.c")], &[&include], &bad_input, &flags)?;
    let said = run::output(Command::new(&bad_input).arg(folder.path().join("bad")))?;
    let calls = said.lines().count();

    let plugin = folder.path().join("plugin");
    let sources = sources();
    c::compile(&sources.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[&include], &plugin, &flags)?;
    let server = Running::start()?;
    let seat = server.create_seat("asan@example.com")?;
    let verbs = story(&server, &seat.token, &folder.path().join("state"), || Command::new(&plugin))?;
    Ok(format!("{calls} bad calls and {verbs} verbs"))
}

/// The C example's life of a seat, by a program that `plugin` starts. Answers how many verbs it
/// has.
pub(super) fn story(
    server: &Running,
    token: &str,
    state: &Path,
    plugin: impl Fn() -> Command,
) -> Result<usize> {
    let steps = [
        ("activate -", 0),
        ("preflight", 0),
        ("ping", 0),
        ("watch 1", 0),
        ("status", 0),
        ("release", 0),
        ("forget", 0),
        ("status", 3),
    ];
    for (step, wanted) in steps {
        let mut command = plugin();
        command.args(step.split(' ')).env("EXAMPLE_SERVER", server.url()).env("EXAMPLE_PROXY", "");
        command.env("EXAMPLE_ROOT_KEY", server.root_key()).env("EXAMPLE_STATE_FOLDER", state);
        let (code, said) = run::status(&mut command, Some(token))?;
        ensure!(code == wanted, "{step}: ended with {code} instead of {wanted}\n{said}");
    }
    Ok(steps.len())
}

pub(super) fn sources() -> [PathBuf; 2] {
    ["seatlock_plugin.c", "settings.c"].map(|name| repository().join("examples/c").join(name))
}

/// A prefix with everything installed, moved after the installation, and a search path on which
/// Rust is a trap.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) prefix: PathBuf,
}

impl Place {
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let first = folder.path().join("installed");
        Install { prefix: first.clone(), destdir: None, debug: false }.run()?;
        let prefix = folder.path().join("moved");
        fs::rename(first, &prefix)?;
        Self::around(folder, prefix)
    }

    pub(super) fn around(folder: TempDir, prefix: PathBuf) -> Result<Self> {
        let place = Self { folder, prefix };
        place.set_traps()?;
        Ok(place)
    }

    fn set_traps(&self) -> Result<()> {
        fs::create_dir(self.traps())?;
        for tool in ["cargo", "rustc", "rustup"] {
            let trap = self.traps().join(tool);
            fs::write(&trap, format!("#!/bin/sh\necho {tool} >> '{}'\nexit 1\n", self.sprung().display()))?;
            run::output(Command::new("chmod").arg("+x").arg(&trap))?;
        }
        Ok(())
    }

    fn traps(&self) -> PathBuf {
        self.folder.path().join("traps")
    }

    fn sprung(&self) -> PathBuf {
        self.folder.path().join("sprung")
    }

    pub(super) fn without_rust(&self, program: impl AsRef<Path>) -> Command {
        static PATH: OnceLock<String> = OnceLock::new();
        let rest = PATH.get_or_init(|| env::var("PATH").unwrap_or_default());
        let mut command = Command::new(program.as_ref());
        command.env("PATH", format!("{}:{rest}", self.traps().display()));
        for name in ["CARGO", "RUSTC", "CARGO_HOME", "RUSTUP_HOME", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        command
    }

    pub(super) fn no_rust_was_used(&self) -> Result<()> {
        let used = fs::read_to_string(self.sprung()).unwrap_or_default();
        ensure!(used.is_empty(), "a consumer's build called {used}");
        Ok(())
    }

    pub(super) fn pkg_config(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let mut command = self.without_rust("pkg-config");
        command.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig")).args(arguments).arg("seatlock");
        let said = run::output(&mut command).context("pkg-config does not find the installed file")?;
        Ok(said.split_whitespace().map(str::to_owned).collect())
    }
}
