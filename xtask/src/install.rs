use crate::archive::hide_names;
use crate::build::{self, Libraries};
use crate::repository;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Binary interface number, part of the shared library's name; a test compares it with the
/// header's.
pub const ABI: u32 = 1;

/// Where to install, and how.
#[derive(Debug, Clone)]
pub struct Install {
    /// Folder such as `/usr/local`. What is installed can be moved afterwards: nothing remembers
    /// it.
    pub prefix: PathBuf,
    /// Folder that stands for the root of the target system, for makers of packages.
    pub destdir: Option<PathBuf>,
    /// Not optimized, for people who debug the library itself.
    pub debug: bool,
}

/// Names of the libraries below the prefix.
///
/// The shared library's file is named like its SONAME and nothing more: the version is in
/// `seatlock_version()`, and a chain of links would get lost in the zip archives that plug-ins
/// travel in. Linkers look for the short name, a link.
#[derive(Debug, Clone)]
struct Names {
    shared: String,
    soname: String,
    link: Option<String>,
    import: Option<String>,
    fixed: String,
}

/// One file to write.
#[derive(Debug)]
enum Content {
    Copy(PathBuf),
    /// A static library, without names that a plug-in would export.
    Hidden(PathBuf),
    Text(String),
    Link(String),
}

impl Install {
    /// Paths that would be written, in order. Builds nothing.
    ///
    /// # Errors
    /// A template of the repository cannot be read.
    pub fn plan(&self) -> Result<Vec<PathBuf>> {
        let nothing =
            Libraries { shared: PathBuf::new(), import: None, fixed: PathBuf::new(), system: Vec::new() };
        let files = files(&nothing, "")?;
        Ok(files.into_iter().map(|(path, _)| self.root().join(path)).collect())
    }

    /// Builds the libraries and writes everything. Answers what was written.
    ///
    /// # Errors
    /// The prefix cannot be written, or the build fails.
    pub fn run(&self) -> Result<Vec<PathBuf>> {
        // Before the build, which takes minutes.
        check_writable(&self.root())?;
        let libraries = build::libraries(!self.debug)?;
        let version = env!("CARGO_PKG_VERSION");
        let mut written = Vec::new();
        for (path, content) in files(&libraries, version)? {
            let to = self.root().join(path);
            write(&to, &content).with_context(|| format!("{} cannot be written", to.display()))?;
            written.push(to);
        }
        Ok(written)
    }

    /// What else programs need that use the shared library, in words for who installs it.
    #[must_use]
    pub fn advice(&self) -> String {
        let folder = self.prefix.join("lib");
        let folder = folder.display();
        if cfg!(target_os = "linux") && ["/usr", "/usr/local"].map(Path::new).contains(&self.prefix.as_path())
        {
            "Programs find the shared library after `ldconfig`, as root.".to_owned()
        } else if cfg!(unix) {
            format!(
                "Programs find the shared library with `-Wl,-rpath,{folder}` among their linker flags, and plug-ins \
                 that bring it along with `-Wl,-rpath,'$ORIGIN'`; CMake adds the first by itself."
            )
        } else {
            "Programs find the shared library in their own folder.".to_owned()
        }
    }

    fn root(&self) -> PathBuf {
        match &self.destdir {
            // An absolute path would replace the folder that it is joined to.
            Some(folder) => folder.join(self.prefix.components().filter(is_name).collect::<PathBuf>()),
            None => self.prefix.clone(),
        }
    }
}

fn is_name(component: &std::path::Component<'_>) -> bool {
    matches!(component, std::path::Component::Normal(_))
}

fn names() -> Names {
    let text = str::to_owned;
    if cfg!(target_os = "windows") {
        let (import, fixed) = if cfg!(target_env = "msvc") {
            ("lib/seatlock.dll.lib", "lib/seatlock.lib")
        } else {
            ("lib/libseatlock.dll.a", "lib/libseatlock.a")
        };
        let shared = text("bin/seatlock.dll");
        Names { shared, soname: String::new(), link: None, import: Some(text(import)), fixed: text(fixed) }
    } else {
        let (soname, link) = if cfg!(target_os = "macos") {
            (format!("libseatlock.{ABI}.dylib"), "lib/libseatlock.dylib")
        } else {
            (format!("libseatlock.so.{ABI}"), "lib/libseatlock.so")
        };
        let shared = format!("lib/{soname}");
        Names { shared, soname, link: Some(text(link)), import: None, fixed: text("lib/libseatlock.a") }
    }
}

fn files(from: &Libraries, version: &str) -> Result<Vec<(PathBuf, Content)>> {
    let names = names();
    let root = repository();
    let mut files: Vec<(String, Content)> = vec![(names.shared.clone(), Content::Copy(from.shared.clone()))];
    if let Some(link) = &names.link {
        files.push((link.clone(), Content::Link(names.soname.clone())));
    }
    if let Some(import) = &names.import {
        files.push((import.clone(), Content::Copy(from.import.clone().unwrap_or_default())));
    }
    files.push((names.fixed.clone(), Content::Hidden(from.fixed.clone())));
    for header in ["seatlock.h", "seatlock.hpp"] {
        files.push((format!("include/{header}"), Content::Copy(root.join("include").join(header))));
    }
    for language in ["de", "en", "es", "fr", "ja", "ko", "pt", "zh-Hans"] {
        let name = format!("catalogues/{language}.json");
        files.push((format!("share/seatlock/{name}"), Content::Copy(root.join(name))));
    }
    for (template, folder) in [
        ("seatlock.pc.in", "lib/pkgconfig"),
        ("seatlock-shared.pc.in", "lib/pkgconfig"),
        ("seatlockConfig.cmake.in", "lib/cmake/seatlock"),
        ("seatlockConfigVersion.cmake.in", "lib/cmake/seatlock"),
    ] {
        let path = root.join("packaging").join(template);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = fill(&text, &names, &from.system, version);
        files.push((format!("{folder}/{}", template.trim_end_matches(".in")), Content::Text(text)));
    }
    Ok(files.into_iter().map(|(path, content)| (PathBuf::from(path), content)).collect())
}

fn fill(template: &str, names: &Names, system: &[String], version: &str) -> String {
    // Between the two, GNU's linker and its relatives take a shared library only if something in it is
    // still needed.
    let (if_needed, as_before) = match () {
        () if cfg!(target_os = "linux") => ("-Wl,--push-state,--as-needed", "-Wl,--pop-state"),
        () if cfg!(target_os = "macos") => ("-Wl,-dead_strip_dylibs", ""),
        () => ("", ""),
    };
    template
        .replace("@IF_NEEDED@", if_needed)
        .replace("@AS_BEFORE@", as_before)
        .replace("@VERSION@", version)
        .replace("@SHARED@", &names.shared)
        .replace("@SONAME@", &names.soname)
        .replace("@IMPORT@", names.import.as_deref().unwrap_or_default())
        .replace("@STATIC@", &names.fixed)
        .replace("@STATIC_FILE@", names.fixed.trim_start_matches("lib/"))
        .replace("@SYSTEM_LIBRARIES_LIST@", &system.join(";"))
        .replace("@SYSTEM_LIBRARIES@", &system.join(" "))
        .replace("@POINTER_SIZE@", &size_of::<usize>().to_string())
}

fn write(to: &Path, content: &Content) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    // A running program may have the old file mapped: it keeps it, because the new one is another file.
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to)?;
    }
    match content {
        Content::Copy(from) => drop(fs::copy(from, to)?),
        Content::Hidden(from) => {
            let mut archive = fs::read(from)?;
            hide_names(&mut archive)?;
            fs::write(to, archive)?;
        }
        Content::Text(text) => fs::write(to, text)?,
        Content::Link(target) => link(target, to)?,
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, to: &Path) -> Result<()> {
    Ok(std::os::unix::fs::symlink(target, to)?)
}

#[cfg(not(unix))]
fn link(target: &str, to: &Path) -> Result<()> {
    fs::copy(to.with_file_name(target), to)?;
    Ok(())
}

/// Tries the nearest folder that exists, so that a refusal leaves nothing behind.
fn check_writable(folder: &Path) -> Result<()> {
    let absolute = std::path::absolute(folder)?;
    let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    tempfile::tempfile_in(there).map(drop).with_context(|| {
        format!("{} cannot be written: choose another --prefix, or ask who may", there.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_interface_is_the_headers() {
        let header = fs::read_to_string(repository().join("include/seatlock.h")).unwrap();
        assert!(header.contains(&format!("#define SEATLOCK_ABI_VERSION {ABI}\n")));
    }

    #[test]
    fn a_destination_folder_stands_for_the_root() {
        let install =
            Install { prefix: "/usr/local".into(), destdir: Some("/tmp/image".into()), debug: false };
        let plan = install.plan().unwrap();
        assert!(plan.contains(&PathBuf::from("/tmp/image/usr/local/include/seatlock.h")), "{plan:?}");
    }

    #[test]
    fn templates_have_no_blanks_left() {
        let system = ["-lgcc_s".to_owned(), "-lc".to_owned()];
        for template in [
            "seatlock.pc.in",
            "seatlock-shared.pc.in",
            "seatlockConfig.cmake.in",
            "seatlockConfigVersion.cmake.in",
        ] {
            let text = fs::read_to_string(repository().join("packaging").join(template)).unwrap();
            let filled = fill(&text, &names(), &system, "1.2.3");
            assert!(filled.contains("1.2.3") && !filled.contains('@'), "{template}: {filled}");
        }
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_refused_before_the_build() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let install = Install { prefix: file.path().join("below"), destdir: None, debug: true };
        let said = format!("{:#}", install.run().unwrap_err());
        assert!(said.contains("choose another --prefix"), "{said}");
    }
}
