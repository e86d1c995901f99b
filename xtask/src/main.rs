//! The project's own commands: `cargo xtask VERB`, and `cargo demo`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person is what these tools are for"
)]

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xtask::dist::Dist;
use xtask::dist::platform::PLATFORMS;
use xtask::install::Install;
use xtask::wheel::{self, Inside};
use xtask::{build, fault_proxy, peers, run};

/// Everything that must pass before a change is accepted.
mod ci;
/// A life of a seat, played before your eyes.
mod demo;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Plays a life of a seat: activation, offline, back online, release. Needs Rust and a C
    /// compiler
    Demo,
    /// Builds and installs library, headers, pkg-config file and CMake package
    Install {
        /// Folder such as /usr/local; what is installed can be moved later
        #[arg(long)]
        prefix: PathBuf,
        /// Folder that stands for the root of the target system, for makers of packages
        #[arg(long)]
        destdir: Option<PathBuf>,
        /// Not optimized, for people who debug the library itself
        #[arg(long)]
        debug: bool,
        /// Only lists what would be written
        #[arg(long)]
        dry_run: bool,
    },
    /// Packs the library for people who have no Rust: an archive for each platform, with headers,
    /// CMake package, licenses and checksums
    ///
    /// Archives go to target/dist, together with SHA256SUMS. They come out the same from the same
    /// sources, however often they are made.
    #[command(after_help = "Example:\n  cargo xtask dist linux-x86_64 windows-x86_64 --name acme_license")]
    Dist {
        /// Platforms; all without one
        #[arg(value_name = "PLATFORM")]
        platforms: Vec<String>,
        /// Your name for the library: in the names of its files, functions, and packages
        #[arg(long)]
        name: Option<String>,
        /// Signs the checksums with this secret key of minisign
        #[arg(long, value_name = "KEY")]
        sign: Option<PathBuf>,
        /// Optimized little, for those who try what archives are like; goes to target/dist-quick
        #[arg(long)]
        quick: bool,
        /// Lists every platform
        #[arg(long)]
        list: bool,
        /// Only lists what would be written
        #[arg(long)]
        dry_run: bool,
    },
    /// Measures the library of an archive beside what others sell; needs Linux, Python and strace
    ///
    /// Fetches the others from PyPI and crates.io into the target folder, and builds what it
    /// measures first. Let nothing else run meanwhile.
    Peers {
        /// Fresh processes for each figure
        #[arg(long, default_value_t = 40)]
        samples: usize,
        /// Writes the tables into docs/performance.md, with a picture
        #[arg(long)]
        keep: bool,
    },
    /// Packs the Python package with the library inside: a wheel for each platform, to target/dist
    #[command(after_help = "Example:\n  cargo xtask wheel linux-x86_64 windows-x86_64")]
    Wheel {
        /// Platforms, as `cargo xtask dist --list` has them; all without one
        #[arg(value_name = "PLATFORM", conflicts_with = "library")]
        platforms: Vec<String>,
        /// Takes this library instead of building one
        #[arg(long, value_name = "FILE", requires = "tag")]
        library: Option<PathBuf>,
        /// For what that library was built, such as manylinux_2_28_x86_64
        #[arg(long, requires = "library")]
        tag: Option<String>,
    },
    /// Writes include/seatlock.h again after a change of src/ffi
    Header,
    /// Puts your plug-in before a network that lies, hangs or breaks, with a real server behind it
    ///
    /// It starts a licensing server and one bad way to it, prints what a plug-in would have
    /// compiled in, and lasts until you press Ctrl-C. Activate at the honest address first;
    /// then start the plug-in with the bad one, and compare what it shows with what is printed
    /// here. Everything stays on this computer.
    #[command(after_help = "Example:\n  cargo xtask fault-proxy --list\n  cargo xtask fault-proxy portal")]
    FaultProxy {
        /// Name of the case
        #[arg(required_unless_present = "list")]
        case: Option<String>,
        /// Lists every case, and the code that a client answers it with
        #[arg(long)]
        list: bool,
    },
    /// The part of the check "proxies" that runs in a network of its own
    #[command(hide = true)]
    ProxiesInside {
        /// The program `mitmdump`
        mitmproxy: PathBuf,
    },
    /// Runs every fuzz target, two at a time, and prints how often; needs Linux on x86-64
    ///
    /// What crashes is left in fuzz/artifacts: run it again with `cargo fuzz run TARGET FILE`, or
    /// by the program itself.
    Fuzz {
        /// For how long each
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Leaves a picture of every page of seat management, light and dark, wide and narrow
    Screenshots {
        /// Folder for the pictures
        folder: PathBuf,
    },
    /// Everything that must pass before a change is accepted, in rings; names the programs that are
    /// missing
    #[command(after_help = "Example:\n  cargo xtask ci lint library\n  cargo xtask ci faults/clock")]
    Ci {
        /// Rings, or steps as RING/STEP; all without one
        #[arg(value_name = "RING")]
        rings: Vec<String>,
        /// Rings or steps that are left out
        #[arg(long, value_name = "RING", value_delimiter = ',')]
        except: Vec<String>,
        /// Lists every ring: its steps, what they need, and how long it took last
        #[arg(long)]
        list: bool,
    },
    /// Installs the programs that rings need, on Debian and its relatives
    Setup {
        /// Rings, or steps as RING/STEP; all without one
        #[arg(value_name = "RING")]
        rings: Vec<String>,
        /// Rings or steps that are left out
        #[arg(long, value_name = "RING", value_delimiter = ',')]
        except: Vec<String>,
        /// Only prints the commands
        #[arg(long)]
        dry_run: bool,
    },
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(verb: Verb) -> Result<()> {
    match verb {
        Verb::Demo => demo::run(),
        Verb::Install { prefix, destdir, debug, dry_run } => {
            let install = Install { prefix, destdir, debug };
            let (said, files) =
                if dry_run { ("would write", install.plan()?) } else { ("wrote", install.run()?) };
            files.iter().for_each(|file| println!("{said} {}", file.display()));
            println!("{}", install.advice());
            Ok(())
        }
        Verb::Dist { list: true, .. } => {
            PLATFORMS.iter().for_each(|platform| println!("{:18} {}", platform.name, platform.about));
            Ok(())
        }
        Verb::Dist { platforms, name, sign, quick, list: false, dry_run } => {
            let dist = Dist::new(&platforms, name)?;
            let dist = if quick { dist.quickly() } else { dist };
            if dry_run {
                dist.plan().iter().for_each(|file| println!("would write {}", file.display()));
                return Ok(());
            }
            if sign.is_some() {
                // Before the builds.
                run::require("minisign", "the package `minisign`")?;
            }
            dist.run(&mut |file| println!("wrote {}", file.display()))?;
            if let Some(key) = sign {
                println!("wrote {}", dist.sign(&key)?.display());
            }
            Ok(())
        }
        Verb::Peers { samples, keep } => {
            print!("{}", peers::run(samples, keep)?);
            Ok(())
        }
        Verb::Wheel { library: Some(library), tag: Some(tag), .. } => {
            let name = library.file_name().map(Path::new).context("a library is a file")?;
            let inside = Inside { library: &library, name, tag: &tag };
            let notices = "The vendor of the library says what is in it.\n";
            println!("wrote {}", inside.pack(notices, &build::target_folder().join("dist"))?.display());
            Ok(())
        }
        Verb::Wheel { platforms, .. } => {
            let dist = Dist::new(&platforms, None)?;
            wheel::of_archives(&dist, &mut |file| println!("wrote {}", file.display()))
        }
        Verb::Header => header(),
        Verb::FaultProxy { case: Some(case), list: false } => fault_proxy::interactive::run(&case),
        Verb::FaultProxy { .. } => {
            fault_proxy::interactive::list();
            Ok(())
        }
        Verb::ProxiesInside { mitmproxy } => ci::proxies::inside(&mitmproxy),
        Verb::Fuzz { minutes } => {
            println!("{}", ci::fuzz::fuzz(minutes.saturating_mul(60))?);
            Ok(())
        }
        Verb::Screenshots { folder } => {
            println!("{}", ci::browser::walk(Some(&folder))?);
            Ok(())
        }
        Verb::Ci { list: true, .. } => ci::list(),
        Verb::Ci { rings, except, list: false } => ci::run(&ci::Chosen::new(&rings, &except)?),
        Verb::Setup { rings, except, dry_run } => ci::setup(&ci::Chosen::new(&rings, &except)?, dry_run),
    }
}

/// The tests of header and ledger write them, so that there is one way to make it.
fn header() -> Result<()> {
    let mut test = build::cargo();
    test.args(["test", "--quiet", "--test", "library", "the_committed_"]);
    print!("{}", run::output(test.env("SEATLOCK_UPDATE", "1"))?);
    Ok(())
}
