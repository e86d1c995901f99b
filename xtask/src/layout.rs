//! What an installed or archived library consists of: file names, and the files that build tools
//! read.

use crate::archive::hide_names;
use crate::build::Libraries;
use crate::{functions, repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;

/// Binary interface number, part of the shared library's name; a test compares it with the
/// header's.
pub const ABI: u32 = 1;

/// The project's own name for the library.
pub const OWN_NAME: &str = "seatlock";

/// A kind of operating system, as far as libraries look different on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// ELF, with a SONAME.
    Linux,
    /// Linux with musl: the static library alone, for programs that bring their C library along.
    Musl,
    /// Mach-O, with an install name.
    MacOs,
    /// A DLL with the import library of GNU, and that of Microsoft where both are made.
    Windows {
        /// Built for Microsoft's linker alone.
        msvc: bool,
    },
}

impl System {
    /// The one that this program runs on.
    #[must_use]
    pub fn of_this_computer() -> Self {
        match () {
            () if cfg!(target_os = "windows") => Self::Windows { msvc: cfg!(target_env = "msvc") },
            () if cfg!(target_os = "macos") => Self::MacOs,
            () => Self::Linux,
        }
    }
}

/// Names of the library below its prefix.
///
/// The shared library's file is named like its SONAME and nothing more: the version is in
/// `seatlock_version()`, and a chain of links would get lost in the zip archives that plug-ins
/// travel in. Linkers look for the short name, a link.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The library's name, [`OWN_NAME`] or a vendor's.
    pub name: String,
    /// Which system it is for.
    pub system: System,
    /// The shared library, a path, where there is one.
    pub shared: Option<String>,
    /// The name that programs remember, where it is another than the file's.
    pub soname: String,
    /// What linkers look for, a path.
    pub link: Option<String>,
    /// Import libraries: the first is the one of the compiler that built the library.
    pub imports: Vec<String>,
    /// The static library, a path.
    pub fixed: String,
}

/// One file to write.
#[derive(Debug)]
pub enum PackagedFile {
    /// A file as it is.
    Copy(PathBuf),
    /// A static library, without names that a plug-in would export.
    Hidden(PathBuf),
    Text(String),
    /// A symbolic link to a file in the same folder.
    Link(String),
}

impl PackagedFile {
    /// The bytes; none for a link.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let read =
            |path: &PathBuf| fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        Ok(match self {
            Self::Copy(from) => read(from)?,
            Self::Hidden(from) => {
                let mut archive = read(from)?;
                hide_names(&mut archive)?;
                archive
            }
            Self::Text(text) => text.clone().into_bytes(),
            Self::Link(_) => Vec::new(),
        })
    }
}

impl Layout {
    /// As cargo names it on this computer.
    #[must_use]
    pub fn installed() -> Self {
        let system = System::of_this_computer();
        let mut layout = Self::archived(OWN_NAME, system);
        match system {
            System::Windows { msvc } => {
                // Here the DLL is called what cargo calls it, and has one import library.
                layout.shared = Some("bin/seatlock.dll".to_owned());
                layout.imports.truncate(1);
                if msvc {
                    layout.imports = vec!["lib/seatlock.dll.lib".to_owned()];
                    layout.fixed = "lib/seatlock.lib".to_owned();
                }
            }
            System::Linux | System::Musl | System::MacOs => {}
        }
        layout
    }

    /// As archives name it.
    #[must_use]
    pub fn archived(name: &str, system: System) -> Self {
        let (soname, link) = match system {
            System::Linux => (format!("lib{name}.so.{ABI}"), Some(format!("lib/lib{name}.so"))),
            System::MacOs => (format!("lib{name}.{ABI}.dylib"), Some(format!("lib/lib{name}.dylib"))),
            System::Musl | System::Windows { .. } => (String::new(), None),
        };
        let (shared, imports) = match system {
            System::Linux | System::MacOs => (Some(format!("lib/{soname}")), Vec::new()),
            System::Musl => (None, Vec::new()),
            System::Windows { .. } => {
                let imports = vec![format!("lib/lib{name}.dll.a"), format!("lib/{name}.lib")];
                (Some(format!("bin/{name}-{ABI}.dll")), imports)
            }
        };
        let fixed = format!("lib/lib{name}.a");
        Self { name: name.to_owned(), system, shared, soname, link, imports, fixed }
    }

    /// Folder of the headers. A vendor's own ones stand apart, so that two packages share a prefix.
    #[must_use]
    pub fn include(&self) -> String {
        if self.name == OWN_NAME { "include".to_owned() } else { format!("include/{}", self.name) }
    }

    /// Every file below the prefix, in order.
    ///
    /// # Errors
    /// A file of the repository cannot be read.
    pub fn files(&self, from: &Libraries, version: &str) -> Result<Vec<(PathBuf, PackagedFile)>> {
        let root = repository();
        let name = &self.name;
        let shared = self.shared.iter().map(|path| (path.clone(), PackagedFile::Copy(from.shared.clone())));
        let mut files: Vec<(String, PackagedFile)> = shared.collect();
        if let Some(link) = &self.link {
            files.push((link.clone(), PackagedFile::Link(self.soname.clone())));
        }
        for (number, import) in self.imports.iter().enumerate() {
            files.push((
                import.clone(),
                PackagedFile::Copy(from.imports.get(number).cloned().unwrap_or_default()),
            ));
        }
        files.push((self.fixed.clone(), PackagedFile::Hidden(from.fixed.clone())));
        for header in ["seatlock.h", "seatlock.hpp"] {
            files.push((format!("{}/{header}", self.include()), self.header(header)?));
        }
        for language in ["de", "en", "es", "fr", "ja", "ko", "pt", "zh-Hans"] {
            let file = format!("catalogues/{language}.json");
            files.push((format!("share/{name}/{file}"), PackagedFile::Copy(root.join(file))));
        }
        let own = if self.shared.is_some() { "seatlock.pc.in" } else { "seatlock-static.pc.in" };
        let shared = self
            .shared
            .as_ref()
            .map(|_| ("seatlock-shared.pc.in", format!("lib/pkgconfig/{name}-shared.pc")));
        for (template, to) in shared.into_iter().chain([
            (own, format!("lib/pkgconfig/{name}.pc")),
            ("seatlockConfig.cmake.in", format!("lib/cmake/{name}/{name}Config.cmake")),
            ("seatlockConfigVersion.cmake.in", format!("lib/cmake/{name}/{name}ConfigVersion.cmake")),
        ]) {
            let path = root.join("packaging").join(template);
            let text =
                fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            files.push((to, PackagedFile::Text(self.fill(&text, &from.system, version))));
        }
        Ok(files.into_iter().map(|(path, content)| (PathBuf::from(path), content)).collect())
    }

    /// A header; under a vendor's name one that maps every function to its own.
    fn header(&self, file: &str) -> Result<PackagedFile> {
        let path = repository().join("include").join(file);
        if self.name == OWN_NAME {
            return Ok(PackagedFile::Copy(path));
        }
        let text = fs::read_to_string(&path)?;
        let (before, after) = if file == "seatlock.hpp" {
            // Inline functions have names of their own, too, which plug-ins may export.
            let namespace = "inline namespace v1 {";
            (namespace, format!("inline namespace {}_v1 {{", self.name))
        } else {
            let guard = "#define SEATLOCK_H\n";
            let mut names = format!("{guard}\n/* The functions' names in the library of {}. */\n", self.name);
            for function in functions()? {
                names += &format!("#define {function} {}\n", self.renamed(&function));
            }
            (guard, names)
        };
        ensure!(text.contains(before), "include/{file} has no line {before:?}");
        Ok(PackagedFile::Text(text.replacen(before, &after, 1)))
    }

    /// A function's name in the library, or that of anything else in it.
    #[must_use]
    pub fn renamed(&self, symbol: &str) -> String {
        match symbol.strip_prefix(OWN_NAME) {
            _ if self.name == OWN_NAME => symbol.to_owned(),
            Some(rest) if rest.starts_with('_') => format!("{}{rest}", self.name),
            _ => format!("{}_{symbol}", self.name),
        }
    }

    fn fill(&self, template: &str, system: &[String], version: &str) -> String {
        // Between the two, GNU's linker and its relatives take a shared library only if something in it
        // is still needed.
        let (if_needed, as_before) = match self.system {
            System::Linux => ("-Wl,--push-state,--as-needed", "-Wl,--pop-state"),
            System::MacOs => ("-Wl,-dead_strip_dylibs", ""),
            System::Musl | System::Windows { .. } => ("", ""),
        };
        let import = |number| self.imports.get(number).map_or("", String::as_str);
        let (gnu, msvc) = match self.system {
            System::Windows { msvc: true } => (import(0), import(0)),
            _ => (import(0), if import(1).is_empty() { import(0) } else { import(1) }),
        };
        template
            .replace("@IF_NEEDED@", if_needed)
            .replace("@AS_BEFORE@", as_before)
            .replace("@NAME@", &self.name)
            .replace("@INCLUDE@", &self.include())
            .replace("@VERSION@", version)
            .replace("@SHARED@", self.shared.as_deref().unwrap_or_default())
            .replace("@SONAME@", &self.soname)
            .replace("@IMPORT@", gnu)
            .replace("@IMPORT_MSVC@", msvc)
            .replace("@STATIC@", &self.fixed)
            .replace("@STATIC_FILE@", self.fixed.trim_start_matches("lib/"))
            .replace("@SYSTEM_LIBRARIES_LIST@", &listed(system))
            .replace("@SYSTEM_LIBRARIES@", &system.join(" "))
            .replace("@POINTER_SIZE@", &size_of::<usize>().to_string())
    }
}

/// A list of CMake's. `-framework X` is one of its members.
fn listed(flags: &[String]) -> String {
    flags.join(";").replace("-framework;", "-framework ")
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
    fn templates_have_no_blanks_left() {
        let system = ["-lgcc_s".to_owned(), "-framework".to_owned(), "Security".to_owned()];
        let nothing = Libraries { system: system.to_vec(), ..Libraries::default() };
        for name in [OWN_NAME, "acme_license"] {
            for system in [System::Linux, System::Musl, System::MacOs, System::Windows { msvc: false }] {
                for (path, content) in Layout::archived(name, system).files(&nothing, "1.2.3").unwrap() {
                    let PackagedFile::Text(text) = content else { continue };
                    let text = text.replace("@rpath", "").replace("@loader_path", "");
                    let path = path.display().to_string();
                    assert!(path.contains(name), "{path}");
                    assert!(!path.contains("/lib/") || text.contains("1.2.3"), "{path}");
                    assert!(path.ends_with(".h") || path.ends_with(".hpp") || !text.contains('@'), "{path}");
                    let other = text.contains("seatlock::") && !path.ends_with(".hpp");
                    assert!(name == OWN_NAME || !other, "{path} still names another package: {text}");
                }
            }
        }
    }

    #[test]
    fn names_of_files_and_symbols() {
        let table = [
            (System::Linux, Some("lib/libacme_license.so.1"), "libacme_license.so.1", 0),
            (System::Musl, None, "", 0),
            (System::MacOs, Some("lib/libacme_license.1.dylib"), "libacme_license.1.dylib", 0),
            (System::Windows { msvc: false }, Some("bin/acme_license-1.dll"), "", 2),
        ];
        for (system, shared, soname, imports) in table {
            let layout = Layout::archived("acme_license", system);
            assert_eq!((layout.shared.as_deref(), layout.soname.as_str()), (shared, soname));
            assert_eq!(layout.imports.len(), imports);
        }
        let layout = Layout::archived("acme_license", System::Linux);
        for (symbol, renamed) in [
            ("seatlock_client_open", "acme_license_client_open"),
            ("rust_eh_personality", "acme_license_rust_eh_personality"),
            ("seatlockish", "acme_license_seatlockish"),
        ] {
            assert_eq!(layout.renamed(symbol), renamed);
            assert_eq!(Layout::archived(OWN_NAME, System::Linux).renamed(symbol), symbol);
        }
    }

    #[test]
    fn a_vendors_header_maps_every_function_and_has_its_own_inline_namespace() {
        let layout = Layout::archived("acme_license", System::Linux);
        let header = String::from_utf8(layout.header("seatlock.h").unwrap().bytes().unwrap()).unwrap();
        for function in functions().unwrap() {
            let line = format!("#define {function} {}\n", layout.renamed(&function));
            assert!(header.contains(&line), "{line}");
        }
        let layer = String::from_utf8(layout.header("seatlock.hpp").unwrap().bytes().unwrap()).unwrap();
        assert!(layer.contains("inline namespace acme_license_v1 {"));
    }
}
