use crate::build::{self, Libraries};
use crate::layout::{Layout, PackagedFile};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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

impl Install {
    /// Paths that would be written, in order. Builds nothing.
    ///
    /// # Errors
    /// A template of the repository cannot be read.
    pub fn plan(&self) -> Result<Vec<PathBuf>> {
        let files = Layout::installed().files(&Libraries::default(), "")?;
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
        for (path, content) in Layout::installed().files(&libraries, version)? {
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

fn write(to: &Path, content: &PackagedFile) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    // A running program may have the old file mapped: it keeps it, because the new one is another file.
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to)?;
    }
    match content {
        PackagedFile::Copy(from) => drop(fs::copy(from, to)?),
        PackagedFile::Hidden(_) | PackagedFile::Text(_) => fs::write(to, content.bytes()?)?,
        PackagedFile::Link(target) => link(target, to)?,
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
    fn a_destination_folder_stands_for_the_root() {
        let install =
            Install { prefix: "/usr/local".into(), destdir: Some("/tmp/image".into()), debug: false };
        let plan = install.plan().unwrap();
        assert!(plan.contains(&PathBuf::from("/tmp/image/usr/local/include/seatlock.h")), "{plan:?}");
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_refused_before_the_build() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let install = Install { prefix: file.path().join("below"), destdir: None, debug: true };
        let said = format!("{:#}", install.run().unwrap_err());
        assert!(said.contains("choose another --prefix"), "{said}");
    }
}
