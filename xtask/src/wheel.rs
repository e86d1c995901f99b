//! Wheels of the Python package: each carries the library for one platform.

use crate::dist::Dist;
use crate::layout::{Layout, OWN_NAME};
use crate::{python, repository, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the tools for the package come from.
pub const REQUIREMENTS: &str = "bindings/python/tests/requirements.txt";
/// Where they are installed, in the target folder.
pub const ENVIRONMENT: &str = "python-package";

/// Files that the package shares with the rest of the project.
const SHARED: [&str; 2] = ["panel/table.json", "panel/labels.json"];

/// Builds the library as archives have it, and packs a wheel for each platform that has a shared one.
///
/// # Errors
/// A build fails, or Python is missing.
pub fn of_archives(dist: &Dist, said: &mut dyn FnMut(&Path)) -> Result<()> {
    for platform in &dist.platforms {
        let layout = Layout::archived(OWN_NAME, platform.system);
        let (Some(tag), Some(shared)) = (platform.wheel, &layout.shared) else { continue };
        let library = dist.shared(platform)?;
        let name = Path::new(shared).file_name().unwrap_or_default();
        let inside = Inside { library: &library, name: Path::new(name), tag };
        said(&inside.pack(&dist.notices(platform)?, &dist.folder)?);
    }
    Ok(())
}

/// The library in a wheel.
#[derive(Debug)]
pub struct Inside<'a> {
    /// The file.
    pub library: &'a Path,
    /// Its name in the wheel.
    pub name: &'a Path,
    /// The platform, as PEP 425 and PEP 600 call it.
    pub tag: &'a str,
}

impl Inside<'_> {
    /// Packs a wheel into a folder; `notices` is about what is in the library.
    ///
    /// # Errors
    /// A file cannot be read or written, or Python is missing.
    pub fn pack(&self, notices: &str, folder: &Path) -> Result<PathBuf> {
        let version = env!("CARGO_PKG_VERSION");
        let staged = tempfile::tempdir()?;
        let root = staged.path().join(format!("{OWN_NAME}-{version}"));
        let (package, about) = (root.join(OWN_NAME), root.join(format!("{OWN_NAME}-{version}.dist-info")));
        fs::create_dir_all(package.join("lib"))?;
        fs::create_dir_all(about.join("licenses"))?;

        let sources = repository().join("bindings/python/src").join(OWN_NAME);
        for entry in fs::read_dir(&sources)? {
            let path = entry?.path();
            if path.is_file() {
                copy(&path, &package)?;
            }
        }
        for shared in SHARED {
            copy(&repository().join(shared), &package)?;
        }
        let inside = package.join("lib").join(self.name);
        fs::copy(self.library, &inside).with_context(|| self.library.display().to_string())?;
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            copy(&repository().join(license), &about.join("licenses"))?;
        }
        fs::write(about.join("licenses/THIRD-PARTY"), notices)?;
        fs::write(about.join("METADATA"), metadata(version))?;
        let tag = self.tag;
        fs::write(
            about.join("WHEEL"),
            format!(
                "Wheel-Version: 1.0\nGenerator: {OWN_NAME} {version}\nRoot-Is-Purelib: false\nTag: \
                 py3-none-{tag}\n"
            ),
        )?;

        fs::create_dir_all(folder)?;
        let mut pack = Command::new(python::program(ENVIRONMENT, REQUIREMENTS, "wheel")?);
        // The same files make the same wheel; no zip archive knows an earlier day.
        pack.env("SOURCE_DATE_EPOCH", "315532800");
        run::output(pack.arg("pack").arg("--dest-dir").arg(folder).arg(&root))?;
        Ok(folder.join(format!("{OWN_NAME}-{version}-py3-none-{tag}.whl")))
    }
}

fn metadata(version: &str) -> String {
    format!(
        "Metadata-Version: 2.4\nName: {OWN_NAME}\nVersion: {version}\nSummary: License activation for \
         plug-ins in Python\nLicense-Expression: MIT OR Apache-2.0\nLicense-File: \
         LICENSE-MIT\nLicense-File: LICENSE-APACHE\nLicense-File: THIRD-PARTY\nRequires-Python: \
         >=3.9\nClassifier: Typing :: Typed\n"
    )
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let to = folder.join(file.file_name().unwrap_or_default());
    fs::copy(file, to).with_context(|| format!("{} cannot be copied", file.display()))?;
    Ok(())
}

/// The wheel for this Linux computer with a library of a quick build, for tests.
///
/// # Errors
/// As [`Inside::pack`].
pub fn for_tests(library: &Path, folder: &Path) -> Result<PathBuf> {
    let name = library.file_name().map(Path::new).context("a library has a name")?;
    // What pip takes for a platform that is not declared to be any older.
    let tag = format!("linux_{}", std::env::consts::ARCH);
    Inside { library, name, tag: &tag }.pack("A build for tests.\n", folder)
}
