//! Archives for people who build plug-ins and have no Rust.

use crate::build::{self, Libraries};
use crate::layout::{Layout, OWN_NAME, PackagedFile, System};
use crate::{functions, repository, run};
use anyhow::{Context, Result, bail, ensure};
use compile::Compiled;
use link::Linked;
use pack::{Member, Members};
use platform::{PLATFORMS, Platform, Target};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The static library for a target.
pub mod compile;
/// What a library is made of, and under which licenses.
mod licenses;
/// The shared library.
pub mod link;
/// Archives that come out the same every time.
mod pack;
/// What archives are made for.
pub mod platform;
/// Names in a static library.
pub mod symbols;

#[derive(Debug, Clone)]
pub struct Dist {
    pub platforms: Vec<&'static Platform>,
    /// The library's name, the project's own or a vendor's.
    pub name: String,
    /// Optimized as little as the tests of archives need.
    pub quick: bool,
    /// The checkout that is compiled.
    pub sources: PathBuf,
    /// Where archives and what they are made of lie.
    pub folder: PathBuf,
}

impl Dist {
    /// Reads what a person asks for: all platforms when none is named, and the project's own name.
    ///
    /// # Errors
    /// There is no such platform, or the name cannot be one of a library.
    pub fn new(platforms: &[String], name: Option<String>) -> Result<Self> {
        let known = || PLATFORMS.iter().map(|platform| platform.name).collect::<Vec<_>>().join(", ");
        let found = platforms.iter().map(|word| {
            let platform = PLATFORMS.iter().find(|platform| platform.name == word);
            platform.with_context(|| format!("there is no platform \"{word}\"; they are {}", known()))
        });
        let mut found: Vec<&Platform> = found.collect::<Result<_>>()?;
        if found.is_empty() {
            found.extend(PLATFORMS);
        }
        let name = name.unwrap_or_else(|| OWN_NAME.to_owned());
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fits = name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_lowercase());
        ensure!(
            fits && name.chars().all(letters),
            "\"{name}\" cannot name a library: at most 40 small letters, digits and _, a letter first"
        );
        let (sources, folder) = (repository(), build::target_folder().join("dist"));
        Ok(Self { platforms: found, name, quick: false, sources, folder })
    }

    /// The same optimized as little as tests of archives need, in a folder of its own.
    #[must_use]
    pub fn quickly(self) -> Self {
        Self { quick: true, folder: build::target_folder().join("dist-quick"), ..self }
    }

    /// Paths that would be written. Builds nothing.
    #[must_use]
    pub fn plan(&self) -> Vec<PathBuf> {
        let archives = self.platforms.iter().flat_map(|platform| {
            let has_debug = !matches!(platform.system, System::MacOs | System::Musl);
            let debug = has_debug.then(|| self.file(platform, "-debug"));
            [Some(self.file(platform, "")), debug].into_iter().flatten()
        });
        archives.chain([self.folder.join("SHA256SUMS")]).collect()
    }

    /// Builds the archives, one after another; `said` hears of each file that was written.
    ///
    /// # Errors
    /// Something is missing, or a build fails.
    pub fn run(&self, said: &mut dyn FnMut(&Path)) -> Result<()> {
        // Before the builds, which take minutes.
        let targets: Vec<&Target> = self.platforms.iter().flat_map(|platform| platform.targets).collect();
        compile::check(&targets)?;
        let date = date()?;
        for platform in &self.platforms {
            let (members, debug) = self.members(platform)?;
            for (part, members) in [("", members), ("-debug", debug)] {
                if members.is_empty() {
                    continue;
                }
                let path = self.file(platform, part);
                let folder = self.stem(platform);
                let packed = match platform.system {
                    System::Windows { .. } => pack::zip(&folder, &members),
                    System::Linux | System::Musl | System::MacOs => pack::tar_gz(&folder, &members, date),
                }?;
                fs::write(&path, packed).with_context(|| format!("{} cannot be written", path.display()))?;
                said(&path);
            }
        }
        let sums = self.folder.join("SHA256SUMS");
        fs::write(&sums, self.sums()?)?;
        said(&sums);
        Ok(())
    }

    /// Signs the checksums with a secret key of minisign, which asks for its password.
    ///
    /// # Errors
    /// The program is missing, or refuses the key.
    pub fn sign(&self, key: &Path) -> Result<PathBuf> {
        let sums = self.folder.join("SHA256SUMS");
        let mut minisign = Command::new("minisign");
        // Else there would be a time in the signature.
        let comment = format!("{} {}", self.name, env!("CARGO_PKG_VERSION"));
        minisign.arg("-S").arg("-s").arg(key).arg("-m").arg(&sums).args(["-t", &comment]);
        let ended = minisign.stdout(Stdio::null()).status();
        let ended = ended.with_context(|| format!("`{}` cannot be started", run::shown(&minisign)))?;
        ensure!(ended.success(), "`{}` ended with {ended}", run::shown(&minisign));
        Ok(self.folder.join("SHA256SUMS.minisig"))
    }

    fn stem(&self, platform: &Platform) -> String {
        format!("{}-{}-{}", self.name, env!("CARGO_PKG_VERSION"), platform.name)
    }

    /// Path of an archive; `part` is "" or "-debug".
    #[must_use]
    pub fn file(&self, platform: &Platform, part: &str) -> PathBuf {
        let kind = if matches!(platform.system, System::Windows { .. }) { "zip" } else { "tar.gz" };
        self.folder.join(format!("{}{part}.{kind}", self.stem(platform)))
    }

    /// The shared library alone.
    ///
    /// # Errors
    /// The build fails.
    pub fn shared(&self, platform: &Platform) -> Result<PathBuf> {
        compile::check(&platform.targets.iter().collect::<Vec<_>>())?;
        Ok(self.libraries(platform, &Layout::archived(&self.name, platform.system))?.libraries.shared)
    }

    /// Licenses of what is in the library.
    ///
    /// # Errors
    /// Cargo fails.
    pub fn notices(&self, platform: &Platform) -> Result<String> {
        licenses::Parts::of(&platform.targets.iter().collect::<Vec<_>>())?.notices()
    }

    /// Everything in an archive, and in that of the debug information.
    fn members(&self, platform: &Platform) -> Result<(Members, Members)> {
        let layout = Layout::archived(&self.name, platform.system);
        let made = self.libraries(platform, &layout)?;
        let version = env!("CARGO_PKG_VERSION");
        let mut members = Members::new();
        for (path, content) in layout.files(&made.libraries, version)? {
            let member = match &content {
                PackagedFile::Link(to) => Member::Link(to.clone()),
                other => Member::File(other.bytes()?),
            };
            members.insert(path.to_string_lossy().replace('\\', "/"), member);
        }
        let documents = format!("share/doc/{}", self.name);
        let parts = licenses::Parts::of(&platform.targets.iter().collect::<Vec<_>>())?;
        for (file, text) in [
            ("LICENSE-MIT", fs::read_to_string(repository().join("LICENSE-MIT"))?),
            ("LICENSE-APACHE", fs::read_to_string(repository().join("LICENSE-APACHE"))?),
            ("THIRD-PARTY", parts.notices()?),
            ("sbom.cdx.json", parts.bill(&layout, version)?),
        ] {
            members.insert(format!("{documents}/{file}"), Member::File(text.into_bytes()));
        }
        let mut debug = Members::new();
        if let (Some(path), Some(shared)) = (made.debug, &layout.shared) {
            // Where debuggers look, once both archives are unpacked in one place.
            let beside = Path::new(shared).with_file_name(".debug");
            let file = path.file_name().unwrap_or_default();
            debug.insert(beside.join(file).to_string_lossy().into_owned(), Member::File(fs::read(&path)?));
        }
        Ok((members, debug))
    }

    /// The static library with all its names, which are those of the layout.
    ///
    /// # Errors
    /// The build fails.
    pub fn compiled(&self, target: &Target, layout: &Layout) -> Result<Compiled> {
        let mut compiled = compile::compile(target, self.quick, &self.sources, &self.folder.join("build"))?;
        let work = self.folder.join("build").join(&layout.name).join(target.rust);
        fs::create_dir_all(&work)?;
        if layout.name != OWN_NAME {
            let renamed = work.join("renamed.a");
            symbols::rename(&compiled.archive, &renamed, layout, target)?;
            compiled.archive = renamed;
        }
        Ok(compiled)
    }

    fn libraries(&self, platform: &Platform, layout: &Layout) -> Result<Made> {
        let mut halves = Vec::new();
        for target in platform.targets {
            let work = self.folder.join("build").join(&self.name).join(target.rust);
            let compiled = self.compiled(target, layout)?;
            let linked = match layout.shared {
                Some(_) => link::link(layout, target, &compiled, &functions()?, &work)?,
                None => Linked::default(),
            };
            let fixed = work.join("static.a");
            let (tool, package) = symbols::objcopy(target);
            let mut strip = Command::new(tool);
            run::tool(strip.arg("--strip-debug").arg(&compiled.archive).arg(&fixed), package)?;
            halves.push((linked, fixed, compiled.system));
        }
        let Some((first, fixed, system)) = halves.first() else { bail!("{} has no target", platform.name) };
        let mut libraries = Libraries {
            shared: first.shared.clone(),
            imports: first.imports.clone(),
            fixed: fixed.clone(),
            system: system.clone(),
        };
        if halves.len() > 1 {
            let whole = |kind: &str, of: fn(&(Linked, PathBuf, Vec<String>)) -> &Path| -> Result<PathBuf> {
                let path = self.folder.join("build").join(&self.name).join(kind);
                let read = halves.iter().zip(platform.targets);
                let read = read.map(|(half, target)| Ok((target.arch, fs::read(of(half))?)));
                fs::write(&path, link::universal(&read.collect::<Result<Vec<_>>>()?)?)?;
                Ok(path)
            };
            libraries.shared = whole("universal.dylib", |(linked, _, _)| &linked.shared)?;
            libraries.fixed = whole("universal.a", |(_, fixed, _)| fixed)?;
        }
        Ok(Made { libraries, debug: first.debug.clone() })
    }

    /// A line for each archive in the folder, those of earlier runs and other names too.
    fn sums(&self) -> Result<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".tar.gz") || name.ends_with(".zip") {
                names.push(name);
            }
        }
        names.sort();
        let mut sums = String::new();
        for name in names {
            let digest = ring::digest::digest(&ring::digest::SHA256, &fs::read(self.folder.join(&name))?);
            for byte in digest.as_ref() {
                write!(sums, "{byte:02x}")?;
            }
            writeln!(sums, "  {name}")?;
        }
        Ok(sums)
    }
}

#[derive(Debug)]
struct Made {
    libraries: Libraries,
    debug: Option<PathBuf>,
}

/// Date of everything in an archive: `SOURCE_DATE_EPOCH`, or when the last change was committed.
fn date() -> Result<u64> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given.parse().context("SOURCE_DATE_EPOCH is not a number of seconds");
    }
    let mut log = Command::new("git");
    log.args(["log", "-1", "--format=%ct"]).current_dir(repository());
    let said = run::output(&mut log).context("without git, set SOURCE_DATE_EPOCH")?;
    said.trim().parse().context("git tells no date; set SOURCE_DATE_EPOCH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_and_names_are_checked() {
        let known = "linux-x86_64, linux-aarch64, linux-musl-x86_64, windows-x86_64, macos-universal";
        let unknown = Dist::new(&["windows".to_owned()], None).unwrap_err().to_string();
        assert_eq!(unknown, format!("there is no platform \"windows\"; they are {known}"));
        for bad in ["", "Acme", "acme-license", "9acme", "ac me", "ä", &"a".repeat(41), "../acme"] {
            let refused = Dist::new(&[], Some(bad.to_owned())).unwrap_err().to_string();
            assert!(refused.contains("cannot name a library"), "{bad}: {refused}");
        }
        let all = Dist::new(&[], Some("acme_license".to_owned())).unwrap();
        let plan = all.plan();
        assert_eq!(plan.len(), 9, "five archives, three of debug information, and the checksums");
        assert!(plan.iter().any(|path| path.ends_with("acme_license-0.1.0-windows-x86_64-debug.zip")));
    }
}
