//! What is checked, by ring: each step stands in one of them.

use super::tools::{self, Tool};
use super::{
    api, browser, clock, consumers, dev, dist, faults, fuzz, gate, guests, headers, hosts, lint, mail,
    metrics, models, programs, python, races, resolver, secrets, sign_in, symbols, systemd, valgrind,
    windows,
};
#[cfg(unix)]
use super::{oauth_client, proxies};
use anyhow::Result;
use xtask::build;

/// Steps that need the same, or prove the same.
pub struct Ring {
    pub name: &'static str,
    /// What it is about, in a few words.
    pub about: &'static str,
    pub steps: &'static [Step],
}

#[derive(Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    pub run: fn() -> Result<String>,
    /// What it needs beside Rust and a C compiler.
    pub tools: &'static [Tool],
    /// What is built before it.
    pub builds: &'static [Build],
    /// Processors that it keeps busy; 0 when it waits most of the time.
    pub processors: usize,
    /// It builds in the target folder, where cargo lets one build at a time.
    pub locks: bool,
    /// Begins when everything else has ended.
    pub last: bool,
}

/// Something that several steps need.
#[derive(Clone, Copy)]
pub struct Build {
    pub name: &'static str,
    pub run: fn() -> Result<String>,
    /// As for a step.
    pub locks: bool,
}

const PROGRAMS: Build = Build { name: "build/programs", run: quick, locks: true };
const TESTS: Build = Build { name: "build/tests", run: || programs::build(&[]), locks: true };
const BENCH: Build =
    Build { name: "build/bench", run: || programs::build(&["--bench", "pings"]), locks: true };
const FAULTS: Build =
    Build { name: "build/faults", run: || programs::build(&["--test", "faults"]), locks: true };
const OIDC: Build = Build { name: "build/oidc", run: || programs::build(&["--test", "oidc"]), locks: true };
const POSTGRES: Build =
    Build { name: "build/postgres", run: || programs::build(&["--test", "postgres"]), locks: true };
const FUZZ: Build = Build { name: "build/fuzz", run: fuzz::build, locks: false };
const MINGW: Build = Build { name: "build/mingw", run: windows::build, locks: true };
const RELEASE: Build = Build { name: "build/release", run: release, locks: false };
const LINUX: Build = Build { name: "build/linux", run: || dist::build("linux-x86_64"), locks: false };
const ARM: Build = Build { name: "build/arm", run: || dist::build("linux-aarch64"), locks: false };
const MUSL: Build = Build { name: "build/musl", run: || dist::build("linux-musl-x86_64"), locks: false };
const WINDOWS: Build = Build { name: "build/windows", run: || dist::build("windows-x86_64"), locks: false };
const MAC: Build = Build { name: "build/mac", run: || dist::build("macos-universal"), locks: false };

/// Begun in this order, each as soon as a step needs it: first what the longest steps wait for.
pub const BUILDS: [Build; 14] =
    [PROGRAMS, FUZZ, TESTS, POSTGRES, RELEASE, LINUX, ARM, MUSL, WINDOWS, MAC, FAULTS, OIDC, MINGW, BENCH];

fn quick() -> Result<String> {
    build::server()?;
    build::shared_library(false)?;
    Ok("library and server".to_owned())
}

fn release() -> Result<String> {
    super::shipped()?;
    Ok("the library as it is shipped".to_owned())
}

const fn step(name: &'static str, run: fn() -> Result<String>) -> Step {
    Step { name, run, tools: &[], builds: &[], processors: 1, locks: false, last: false }
}

impl Step {
    const fn needs(self, tools: &'static [Tool]) -> Self {
        Self { tools, ..self }
    }

    const fn after(self, builds: &'static [Build]) -> Self {
        Self { builds, ..self }
    }

    const fn processors(self, processors: usize) -> Self {
        Self { processors, ..self }
    }

    const fn locking(self) -> Self {
        Self { locks: true, ..self }
    }

    const fn last(self) -> Self {
        Self { last: true, ..self }
    }
}

const COMPILERS: &[Tool] = &[tools::GCC, tools::GXX, tools::CLANG];
const WINE: &[Tool] = &[tools::MINGW, tools::WINDOWS, tools::WINE];
const BROWSER: &[Tool] = &[tools::NODE, tools::NPM, tools::CHROMIUM];

/// Every ring. Steps begin in this order, so the long ones stand first.
pub const RINGS: &[Ring] = &[
    Ring {
        name: "lint",
        about: "format, clippy, documentation, workflow files",
        steps: &[
            step("clippy", lint::clippy).locking(),
            step("doc", lint::doc).locking(),
            step("format", lint::format),
            step("workflows", lint::workflows),
        ],
    },
    Ring {
        name: "fuzz",
        about: "what parses what somebody else wrote, each target for a minute",
        steps: &[
            step("answer", || fuzz::a_minute("answer")).after(&[FUZZ]),
            step("catalogue", || fuzz::a_minute("catalogue")).after(&[FUZZ]),
            step("jws", || fuzz::a_minute("jws")).after(&[FUZZ]),
            step("key_set", || fuzz::a_minute("key_set")).after(&[FUZZ]),
            step("request_file", || fuzz::a_minute("request_file")).after(&[FUZZ]),
            step("state_file", || fuzz::a_minute("state_file")).after(&[FUZZ]),
            step("token", || fuzz::a_minute("token")).after(&[FUZZ]),
        ],
    },
    Ring {
        name: "windows",
        about: "the library on Windows: compiled by mingw, run by wine",
        steps: &[
            step("tests", windows::tests).needs(WINE).after(&[MINGW]).processors(2),
            step("c-programs", windows::c_programs).needs(WINE).after(&[MINGW]),
            step("many", windows::many).needs(WINE).after(&[PROGRAMS, MINGW]),
            step("story", windows::story).needs(WINE).after(&[PROGRAMS, MINGW]),
            step("held", windows::held).needs(WINE).after(&[PROGRAMS, MINGW]).processors(0),
            step("proxies", windows::proxies).needs(WINE).after(&[MINGW]),
            step("python", windows::python)
                .needs(&[tools::MINGW, tools::WINDOWS, tools::WINE, tools::PYTHON])
                .after(&[PROGRAMS, MINGW]),
            step("msvc", windows::msvc)
                .needs(&[tools::MINGW, tools::WINDOWS, tools::WINE, tools::CLANG, tools::LLD])
                .after(&[MINGW]),
            step("unloading", windows::unloading)
                .needs(&[tools::MINGW, tools::MINGW_CXX, tools::WINDOWS, tools::WINE])
                .after(&[MINGW])
                .processors(2),
            step("clippy", windows::clippy).needs(&[tools::MINGW, tools::MINGW]).locking(),
        ],
    },
    Ring {
        name: "library",
        about: "tests of the library, the protocol and the project's own commands",
        steps: &[step("tests", || programs::run_packages(&["seatlock", "protocol", "xtask"]))
            .after(&[TESTS])
            .processors(2)],
    },
    Ring {
        name: "server",
        about: "tests of the server, and of library and server together",
        steps: &[step("tests", || programs::run_packages(&["server"])).after(&[TESTS]).processors(2)],
    },
    Ring {
        name: "postgres",
        about: "the server's other back end",
        steps: &[
            step("races", races::two_hundred).needs(&[tools::POSTGRESQL]).after(&[TESTS, POSTGRES]),
            step("tests", || programs::run("postgres", &[], &[]))
                .needs(&[tools::POSTGRESQL])
                .after(&[POSTGRES]),
            step("bench", races::bench).needs(&[tools::POSTGRESQL]).after(&[BENCH]),
        ],
    },
    Ring {
        name: "oidc",
        about: "signing in with a real OpenID provider",
        steps: &[step("tests", || programs::run("oidc", &[], &[]))
            .needs(&[tools::NODE, tools::NPM])
            .after(&[OIDC])],
    },
    Ring {
        name: "browser",
        about: "pages and sign-in in a real browser",
        steps: &[
            step("pages", browser::check).needs(BROWSER).after(&[PROGRAMS]),
            #[cfg(unix)]
            step("oauth-client", oauth_client::signs_in).needs(BROWSER).after(&[PROGRAMS]),
            step("sign-in", sign_in::real).needs(BROWSER).after(&[PROGRAMS]),
        ],
    },
    Ring {
        name: "faults",
        about: "disks, clocks, networks and databases that fail; needs root",
        steps: &[
            step("tests", || programs::run("faults", &[], &[]))
                .needs(&[tools::FAKETIME, tools::POSTGRESQL, tools::UNSHARE])
                .after(&[FAULTS]),
            step("disk", faults::everywhere).needs(&[tools::STRACE, tools::UNSHARE]).after(&[PROGRAMS]),
            step("mail", mail::real).needs(&[tools::PYTHON]).after(&[PROGRAMS]).processors(0),
            #[cfg(unix)]
            step("proxies", proxies::real)
                .needs(&[tools::PYTHON, tools::SQUID, tools::TINYPROXY, tools::IP, tools::UNSHARE])
                .after(&[PROGRAMS])
                .processors(0),
            step("clock", clock::end_to_end).needs(&[tools::FAKETIME, tools::UNSHARE]).after(&[PROGRAMS]),
            step("gate", gate::closed).needs(&[tools::STRACE]).after(&[PROGRAMS, RELEASE]).processors(0),
            step("resolver", resolver::hanging).needs(&[tools::GCC]).after(&[PROGRAMS]).processors(0),
        ],
    },
    Ring {
        name: "memory",
        about: "leaks, bad accesses, orders of events, and what is left after close",
        steps: &[
            step("miri", models::miri).needs(&[tools::MIRI]),
            step("loom", models::loom),
            step("valgrind", valgrind::lifecycle).needs(&[tools::VALGRIND]).after(&[PROGRAMS]),
            step("sanitizers", consumers::sanitizers).needs(&[tools::GCC]).after(&[PROGRAMS]).processors(0),
            step("closing", guests::closing).needs(&[tools::GCC]).after(&[PROGRAMS]).processors(2),
            step("core-dump", secrets::memory)
                .needs(&[tools::GCORE])
                .after(&[PROGRAMS, RELEASE])
                .processors(0),
        ],
    },
    Ring {
        name: "packages",
        about: "headers, exports, and those who build against an installed library",
        steps: &[
            step("cmake", consumers::cmake)
                .needs(&[tools::CMAKE, tools::MAKE, tools::GXX])
                .after(&[PROGRAMS, RELEASE]),
            step("pkg-config", consumers::pkg_config).needs(&[tools::PKG_CONFIG]).after(&[RELEASE]),
            step("static-plugins", guests::static_plugins)
                .needs(&[tools::CMAKE, tools::MAKE, tools::PKG_CONFIG, tools::NM])
                .after(&[RELEASE]),
            step("forked-loop", guests::forked_loop).needs(&[tools::GXX]).after(&[PROGRAMS]),
            step("cxx-layer", guests::cxx_layer).needs(&[tools::GXX]).after(&[PROGRAMS]),
            step("python-exit", guests::python_exit).needs(&[tools::PYTHON]).after(&[PROGRAMS]),
            step("headers", headers::standards).needs(COMPILERS),
            step("examples", headers::examples).needs(COMPILERS),
            step("symbols", symbols::exports).needs(&[tools::NM]).after(&[RELEASE]),
        ],
    },
    Ring {
        name: "hosts",
        about: "plug-ins in real hosts, and in other languages",
        steps: &[
            step("rust", hosts::rust::plugin).needs(&[tools::NM]).after(&[PROGRAMS]).processors(2),
            step("dotnet", hosts::dotnet::package)
                .needs(&[tools::MCS, tools::MONO, tools::NUGET])
                .after(&[PROGRAMS]),
            step("qt", hosts::qt::dialog)
                .needs(&[tools::CMAKE, tools::MAKE, tools::GXX, tools::QT])
                .after(&[PROGRAMS]),
            step("lv2", hosts::lv2::effect)
                .needs(&[tools::CMAKE, tools::MAKE, tools::GXX, tools::LV2])
                .after(&[PROGRAMS]),
            step("openfx", hosts::openfx::effect)
                .needs(&[tools::CMAKE, tools::MAKE, tools::GXX, tools::EXPAT])
                .after(&[PROGRAMS]),
        ],
    },
    Ring {
        name: "python",
        about: "the Python package: its wheel, the panel, interpreters that end",
        steps: &[
            step("package", python::package)
                .needs(&[tools::PYTHON, tools::GCC])
                .after(&[PROGRAMS])
                .processors(2),
            step("types", python::types).needs(&[tools::PYTHON]),
        ],
    },
    Ring {
        name: "blender",
        about: "the example for Blender: installed, clicked and typed into, ended at any moment",
        steps: &[step("example", python::blender)
            .needs(&[tools::PYTHON, tools::BLENDER, tools::BLENDER_MODULE, tools::XVFB, tools::XDOTOOL])
            .after(&[PROGRAMS])
            .processors(2)],
    },
    Ring {
        name: "freecad",
        about: "a workbench in FreeCAD's window",
        steps: &[step("workbench", hosts::freecad::workbench)
            .needs(&[tools::FREECAD, tools::QTTEST, tools::XVFB])
            .after(&[PROGRAMS])],
    },
    Ring {
        name: "dist",
        about: "archives for old glibc, Arm, Windows and macOS, and libraries of two vendors",
        steps: &[
            step("again", dist::again).after(&[LINUX]),
            step("old-glibc", dist::old_glibc)
                .needs(&[tools::ARM, tools::LLVM, tools::QEMU])
                .after(&[LINUX, ARM, PROGRAMS]),
            step("musl", dist::musl)
                .needs(&[tools::LLVM, tools::MUSL, tools::MUSL_GCC, tools::PKG_CONFIG])
                .after(&[MUSL, PROGRAMS]),
            step("windows", dist::windows)
                .needs(&[tools::MINGW, tools::UNZIP, tools::WINDOWS, tools::WINE, tools::CLANG, tools::LLD])
                .after(&[WINDOWS]),
            step("macos", dist::macos).needs(&[tools::MAC, tools::MAC_INTEL]).after(&[MAC]),
            step("glibc", dist::glibc).needs(&[tools::NM]).after(&[LINUX, ARM]),
            step("vendors", dist::vendors).needs(&[tools::GCC]).after(&[LINUX]),
            step("cmake", dist::fetch_content).needs(&[tools::CMAKE, tools::MAKE]).after(&[LINUX]),
            step("vcpkg", dist::vcpkg).needs(&[tools::CMAKE, tools::MAKE]).after(&[LINUX]),
            step("conan", dist::conan).needs(&[tools::CMAKE, tools::MAKE, tools::PYTHON]).after(&[LINUX]),
            step("signature", dist::signature).needs(&[tools::MINISIGN]).after(&[LINUX]),
        ],
    },
    Ring {
        name: "operations",
        about: "the admin API, metrics, the service, and the protocol by other people's programs",
        steps: &[
            step("api", api::described).needs(&[tools::PYTHON]).after(&[PROGRAMS]),
            step("python", python::cross_check).needs(&[tools::PYTHON]).locking(),
            step("systemd", systemd::unit)
                .needs(&[tools::SYSTEMD, tools::STRACE])
                .after(&[PROGRAMS])
                .processors(0),
            step("metrics", metrics::openmetrics).needs(&[tools::PYTHON]).after(&[PROGRAMS]).processors(0),
            step("dev", dev::pasted).needs(&[tools::GCC]).after(&[PROGRAMS]).processors(0),
        ],
    },
    Ring {
        name: "secrets",
        about: "tokens in outputs, logs and files",
        steps: &[
            step("example", secrets::printed).needs(&[tools::GCC]).after(&[PROGRAMS]).processors(0),
            step("tests", secrets::tests).after(&[TESTS]).last(),
        ],
    },
    Ring {
        name: "deny",
        about: "licenses, bans and sources of every crate",
        steps: &[step("deny", lint::deny).needs(&[tools::CARGO_DENY])],
    },
];

impl Ring {
    /// What its steps need, each once.
    pub fn tools(&self) -> Vec<Tool> {
        tools_of(self.steps)
    }
}

pub fn tools_of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Tool> {
    let mut found: Vec<Tool> = Vec::new();
    for tool in steps.into_iter().flat_map(|step| step.tools) {
        if found.iter().all(|other| other.name != tool.name) {
            found.push(*tool);
        }
    }
    found
}
