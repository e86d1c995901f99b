//! What others sell, measured beside the library on this computer: `cargo xtask peers`.

use crate::dist::Dist;
use crate::server::Running;
use crate::{build, c, functions, python, repository, run};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use object::read::elf::{Dyn as _, FileHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _, elf};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where the page and its picture lie.
const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";
/// Between these lines of the page stands what this command prints.
const MARKS: (&str, &str) = ("<!-- measured -->\n", "<!-- end of what was measured -->\n");

/// A library, and how a host asks it.
struct Peer {
    name: &'static str,
    library: PathBuf,
    /// The words behind the library, for its first answer.
    answer: Vec<String>,
    /// And for what identifies the computer.
    machine: Vec<String>,
    /// How the functions begin that are its interface.
    interface: fn(&str) -> bool,
}

/// Every figure by peer and name, a sample for each process.
type Samples = BTreeMap<(&'static str, String), Vec<f64>>;

/// A figure: its name, in words, and what its numbers are divided by to be in this unit.
const ROWS: [(&str, &str, f64, &str); 11] = [
    ("warm load", "`dlopen`, C host", 1e3, "µs"),
    ("cxx load", "`dlopen`, C++ host", 1e3, "µs"),
    ("cold load", "`dlopen`, C host, file not in memory", 1e3, "µs"),
    ("warm resident", "resident memory that loading adds", 1.0, "KiB"),
    ("warm dirty", "private memory that loading changes", 1.0, "KiB"),
    ("warm threads", "threads that loading starts", 1.0, ""),
    ("warm descriptors", "descriptors that it opens", 1.0, ""),
    ("answer answer", "fresh process: `dlopen` to the first answer", 1e3, "µs"),
    ("answer status", "asked again", 1.0, "ns"),
    ("answer check", "a signature verified again", 1e3, "µs"),
    ("machine machine", "the computer's identity, for the first time", 1e3, "µs"),
];

/// Fetches, builds, measures, and answers the tables; `keep` writes the page and its picture.
///
/// # Errors
/// A program is missing, a build fails, or a library does not do what its host asks.
pub fn run(samples: usize, keep: bool) -> Result<String> {
    ensure!(cfg!(target_os = "linux"), "the hosts that are measured know Linux only");
    let folder = tempfile::tempdir_in(build::target_folder())?;
    let hosts = hosts(&folder)?;
    let python = python::program("peers", "benches/peers/requirements.txt", "python")?;
    let server = Running::start()?;
    let peers = [seatlock(&server, &folder, &hosts)?, lexactivator(&python, &folder)?, keygen()?];
    drop(server);

    let mut found = Samples::new();
    for _ in 0..samples {
        for peer in &peers {
            peer.sample(&hosts, &mut found)?;
        }
        licensespring(&python, &mut found)?;
    }
    let mut text = format!(
        "{}, {samples} samples of each figure, a fresh process for each, in turns: medians, and quartiles \
         in brackets.\n\n",
        computer()?
    );
    text += &sizes(&peers)?;
    text += &figures(&peers, &found)?;
    text += &processes(&peers, &hosts.c)?;
    if keep {
        fs::write(repository().join(PICTURE), picture(&peers, &found)?)?;
        let path = repository().join(PAGE);
        let page = fs::read_to_string(&path)?;
        let text = format!("![Loading, memory, first answer, identity](performance.svg)\n\n{text}");
        let (before, rest) = page.split_once(MARKS.0).context("the page has lost its first mark")?;
        let (_, after) = rest.split_once(MARKS.1).context("the page has lost its last mark")?;
        fs::write(path, format!("{before}{}{text}{}{after}", MARKS.0, MARKS.1))?;
    }
    Ok(text)
}

/// The same host, in C and with the C++ library already there.
struct Hosts {
    c: PathBuf,
    cxx: PathBuf,
}

fn hosts(folder: &TempDir) -> Result<Hosts> {
    let source = repository().join("benches/peers/host.c");
    let host = |name: &str, more: &[&str]| -> Result<PathBuf> {
        let program = folder.path().join(name);
        let flags: Vec<&str> = ["-std=gnu11", "-O2", "-ldl"].iter().chain(more).copied().collect();
        c::compile(&[&source], &[&repository().join("include")], &program, &flags)?;
        Ok(program)
    };
    Ok(Hosts { c: host("host", &[])?, cxx: host("host-cxx", &["-Wl,--no-as-needed", "-lstdc++"])? })
}

/// The library of the archive, and the lease that a computer has after its activation.
fn seatlock(server: &Running, folder: &TempDir, hosts: &Hosts) -> Result<Peer> {
    let platform = "linux-x86_64".to_owned();
    let dist = Dist::new(&[platform], None)?;
    let library = dist.shared(dist.platforms.first().context("no platform")?)?;
    let state = folder.path().join("seatlock");
    let state = state.to_string_lossy();
    let answer = ["seatlock", &server.url(), server.root_key(), "a-computer-of-ours", &state];
    let answer = answer.map(str::to_owned).to_vec();
    let token = server.create_seat("peers@example.com")?.token;
    run::output(host(&hosts.c, "warm", &library, &answer).arg(token))?;
    let interface = |name: &str| name.starts_with("seatlock_");
    Ok(Peer { name: "seatlock", library, answer, machine: vec!["seatlock-machine".to_owned()], interface })
}

fn lexactivator(python: &Path, folder: &TempDir) -> Result<Peer> {
    let find = "import cryptlex.lexactivator as it, os; print(os.path.dirname(it.__file__))";
    let package = run::output(Command::new(python).args(["-c", find]))?;
    let original = Path::new(package.trim()).join("libs/linux/gcc/x86_64/libLexActivator.so");
    let library = stripped(&original, folder)?;
    let state = folder.path().join("lexactivator");
    fs::create_dir(&state)?;
    let words = |kind: &str| vec![kind.to_owned(), state.to_string_lossy().into_owned()];
    let interface = |name: &str| {
        let begins = ["Activate", "Get", "Set", "Is", "Deactivate", "Reset", "Sync", "Generate"];
        let others = ["Authenticate", "Check", "Extend", "Increment", "Decrement", "Migrate"];
        !name.starts_with('_') && begins.iter().chain(&others).any(|begin| name.starts_with(begin))
    };
    let (answer, machine) = (words("lexactivator"), words("lexactivator-machine"));
    Ok(Peer { name: "LexActivator", library, answer, machine, interface })
}

/// Vendors who ship it would strip it.
fn stripped(library: &Path, folder: &TempDir) -> Result<PathBuf> {
    let copy = folder.path().join(library.file_name().context("no file")?);
    run::tool(Command::new("strip").arg("-o").arg(&copy).arg(library), "the package `binutils`")?;
    Ok(copy)
}

fn keygen() -> Result<Peer> {
    let target = build::target_folder().join("peers-keygen");
    let mut cargo = build::cargo();
    cargo.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]);
    cargo.arg(repository().join("benches/peers/keygen/Cargo.toml")).arg("--target-dir").arg(&target);
    run::output(&mut cargo)?;
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok().context("no random bytes")?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).ok().context("no key")?;
    let public =
        pair.public_key().as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let signed = format!("key/{}", URL_SAFE.encode("a license for this computer"));
    let key = format!("{signed}.{}", URL_SAFE.encode(pair.sign(signed.as_bytes())));
    let answer = vec!["keygen".to_owned(), public, key];
    let library = target.join("release/libkeygen_peer.so");
    let interface = |name: &str| name.starts_with("keygen_");
    Ok(Peer { name: "keygen-rs", library, answer, machine: Vec::new(), interface })
}

/// A command that runs a host of `benches/peers/host.c`.
fn host(program: &Path, heat: &str, library: &Path, words: &[String]) -> Command {
    let mut command = Command::new(program);
    command.arg(heat).arg(library).args(words);
    for name in ["SEATLOCK_MACHINE_ID", "SEATLOCK_STATE_DIR", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

impl Peer {
    /// One sample of each figure.
    fn sample(&self, hosts: &Hosts, found: &mut Samples) -> Result<()> {
        let load = ["load".to_owned()];
        for (name, program, heat, words) in [
            ("warm", &hosts.c, "warm", load.as_slice()),
            ("cxx", &hosts.cxx, "warm", &load),
            ("cold", &hosts.c, "cold", &load),
            ("answer", &hosts.c, "warm", &self.answer),
            ("machine", &hosts.c, "warm", &self.machine),
        ] {
            if words.is_empty() {
                continue;
            }
            let printed = run::output(&mut host(program, heat, &self.library, words))?;
            for line in printed.lines() {
                let (figure, number) = line.split_once(' ').context("a line without a number")?;
                found.entry((self.name, format!("{name} {figure}"))).or_default().push(number.parse()?);
            }
        }
        Ok(())
    }
}

/// It has no interface in C: what a Python host waits for, and what identifies the computer.
fn licensespring(python: &Path, found: &mut Samples) -> Result<()> {
    let ask = "import time\nbegin = time.perf_counter_ns()\n\
               import licensespring.licensefile.license_manager as it\n\
               print('import', time.perf_counter_ns() - begin)\n\
               from licensespring.hardware import HardwareIdProviderSource as Source\n\
               begin = time.perf_counter_ns()\nSource().get_id()\n\
               print('machine', time.perf_counter_ns() - begin)\n";
    let printed = run::output(Command::new(python).args(["-c", ask]))?;
    for line in printed.lines() {
        let (figure, number) = line.split_once(' ').context("a line without a number")?;
        found.entry(("LicenseSpring", format!("python {figure}"))).or_default().push(number.parse()?);
    }
    Ok(())
}

/// What can be read from the files.
fn sizes(peers: &[Peer]) -> Result<String> {
    let own = functions()?.len();
    let mut rows = [
        "| file, stripped |",
        "| exported names |",
        "| of them not its interface |",
        "| oldest glibc |",
        "| libraries that it needs |",
    ]
    .map(str::to_owned);
    for peer in peers {
        let bytes = fs::read(&peer.library)?;
        let facts = Facts::read(&bytes)?;
        let strange = facts.exports.iter().filter(|name| !(peer.interface)(name)).count();
        ensure!(peer.name != "seatlock" || facts.exports.len() == own, "{:?}", facts.exports);
        let cells = [
            format!("{} bytes", grouped(bytes.len())),
            facts.exports.len().to_string(),
            strange.to_string(),
            facts.glibc,
            facts.needed.join(", "),
        ];
        for (row, cell) in rows.iter_mut().zip(cells) {
            write!(row, " {cell} |")?;
        }
    }
    Ok(format!("{}{}\n", head(peers), rows.join("\n")))
}

fn head(peers: &[Peer]) -> String {
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    format!("| | {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len() + 1))
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a shared library says of itself.
struct Facts {
    exports: Vec<String>,
    needed: Vec<String>,
    glibc: String,
}

impl Facts {
    fn read(bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && !symbol.is_local());
        let exports = defined.map(|symbol| symbol.name().map(str::to_owned)).collect::<Result<_, _>>()?;
        let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let (entries, strings) = sections.dynamic(endian, bytes)?.context("it is not dynamic")?;
        let strings = sections.strings(endian, bytes, strings)?;
        let mut needed = Vec::new();
        for entry in entries.iter().filter(|entry| entry.d_tag(endian) == elf::DT_NEEDED) {
            needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
        let mut newest = (0, 0);
        let (mut versions, names) = sections.gnu_verneed(endian, bytes)?.context("it names no version")?;
        let names = sections.strings(endian, bytes, names)?;
        while let Some((_, mut entries)) = versions.next()? {
            while let Some(entry) = entries.next()? {
                let name = String::from_utf8_lossy(entry.name(endian, names)?).into_owned();
                let numbers = name.strip_prefix("GLIBC_").and_then(|version| version.split_once('.'));
                if let Some((major, minor)) = numbers {
                    let minor = minor.split('.').next().unwrap_or(minor);
                    newest = newest.max((major.parse().unwrap_or(0), minor.parse().unwrap_or(0)));
                }
            }
        }
        Ok(Self { exports, needed, glibc: format!("{}.{}", newest.0, newest.1) })
    }
}

/// The table of what was measured.
fn figures(peers: &[Peer], found: &Samples) -> Result<String> {
    let mut text = format!("\n{}", head(peers));
    for (key, words, divisor, unit) in ROWS {
        write!(text, "| {words} |")?;
        for peer in peers {
            match found.get(&(peer.name, key.to_owned())) {
                Some(samples) => write!(text, " {} |", Spread::of(samples).shown(divisor, unit))?,
                None => text.push_str(" - |"),
            }
        }
        text.push('\n');
    }
    let spring = |figure: &str| {
        let samples = found.get(&("LicenseSpring", format!("python {figure}")));
        samples.map_or_else(String::new, |samples| Spread::of(samples).shown(1e6, "ms"))
    };
    writeln!(
        text,
        "\nLicenseSpring has no library for C hosts: `import` in a fresh Python takes {}, and the computer's \
         identity {}.",
        spring("import"),
        spring("machine")
    )?;
    Ok(text)
}

/// The middle of some samples, and the quarters beside it.
struct Spread {
    low: f64,
    middle: f64,
    high: f64,
}

impl Spread {
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at =
            |part: usize| sorted.get(sorted.len() * part / 4).or(sorted.last()).copied().unwrap_or_default();
        Self { low: at(1), middle: at(2), high: at(3) }
    }

    fn shown(&self, divisor: f64, unit: &str) -> String {
        let number = |value: f64| {
            let value = value / divisor;
            if value < 10.0 && value.fract() != 0.0 { format!("{value:.1}") } else { format!("{value:.0}") }
        };
        let (low, middle, high) = (number(self.low), number(self.middle), number(self.high));
        let spread = if low == high { String::new() } else { format!(" ({low} to {high})") };
        format!("{middle} {unit}").trim_end().to_owned() + &spread
    }
}

/// Programs that are started to identify the computer, as strace counts them.
fn processes(peers: &[Peer], program: &Path) -> Result<String> {
    run::require("strace", "the package `strace`")?;
    let mut counts = Vec::new();
    for peer in peers.iter().filter(|peer| !peer.machine.is_empty()) {
        let list = tempfile::NamedTempFile::new()?;
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=execve", "-o"]).arg(list.path());
        let asked = host(program, "warm", &peer.library, &peer.machine);
        run::output(
            traced.arg(asked.get_program()).args(asked.get_args()).env_remove("SEATLOCK_MACHINE_ID"),
        )?;
        let listed = fs::read_to_string(list.path())?;
        let started = listed.lines().filter(|line| line.ends_with(" = 0")).count().saturating_sub(1);
        counts.push(format!("{} starts {started}", peer.name));
    }
    Ok(format!("\nPrograms that are started to identify the computer: {}.\n", counts.join(", ")))
}

/// Which computer this is, and the day.
fn computer() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("one unknown");
    let processors = std::thread::available_parallelism()?.get();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let day = run::output(Command::new("date").args(["-u", "+%-d %B %Y"]).env("LC_ALL", "C"))?;
    Ok(format!("{}, {processors} processors of {model}, Linux {kernel}, load {load}", day.trim()))
}

/// Bars for what a host feels, each beside the library's own.
fn picture(peers: &[Peer], found: &Samples) -> Result<String> {
    /// Bars begin here, are at most so long, and lie so far apart.
    const LEFT: f64 = 130.0;
    const LONGEST: f64 = 380.0;
    const STEP: f64 = 20.0;
    /// A picture is read at a glance: what a host feels.
    const SHOWN: [&str; 4] = ["warm load", "warm dirty", "answer answer", "machine machine"];
    let (mut body, mut y) = (String::new(), 20.0);
    for (key, words, divisor, unit) in ROWS.iter().filter(|row| SHOWN.contains(&row.0)) {
        let bars: Vec<(&str, f64)> = peers
            .iter()
            .filter_map(|peer| Some((peer.name, found.get(&(peer.name, (*key).to_owned()))?)))
            .map(|(name, samples)| (name, Spread::of(samples).middle / divisor))
            .collect();
        let longest = bars.iter().map(|(_, value)| *value).fold(1e-9, f64::max);
        writeln!(body, "<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{}</text>", words.replace('`', ""))?;
        for (name, value) in bars {
            y += STEP;
            let long = (value / longest * LONGEST).max(1.0);
            let colour = if name == "seatlock" { "#2a78c2" } else { "#9a9a9a" };
            writeln!(
                body,
                "<text x=\"10\" y=\"{y}\">{name}</text><rect x=\"{LEFT}\" y=\"{}\" width=\"{long:.0}\" \
                 height=\"13\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{y}\">{value:.0} {unit}</text>",
                y - 11.0,
                LEFT + long + 6.0
            )?;
        }
        y += STEP * 1.7;
    }
    // White below: the words are black whatever the page around it is.
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"620\" height=\"{0:.0}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"620\" height=\"{0:.0}\" fill=\"white\"/>\n{body}</svg>\n",
        y - STEP * 0.7
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        assert_eq!(
            ["7", "1,234", "3,042,056"],
            [7, 1234, 3_042_056].map(grouped).each_ref().map(String::as_str)
        );
        let spread = Spread::of(&[4000.0, 1000.0, 2000.0, 3000.0]);
        assert_eq!(spread.shown(1e3, "µs"), "3 µs (2 to 4)");
        assert_eq!(Spread::of(&[2500.0]).shown(1e3, "µs"), "2.5 µs");
        assert_eq!(Spread::of(&[0.0]).shown(1.0, ""), "0");
    }
}
