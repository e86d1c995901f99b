use crate::server::Running;
use crate::{build, c, repository};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The C example, compiled with every warning as an error, in a folder that goes with this value.
#[derive(Debug)]
pub struct Plugin {
    folder: TempDir,
}

impl Plugin {
    /// Compiles it against the shared library.
    ///
    /// # Errors
    /// The library or the example cannot be built.
    pub fn build() -> Result<Self> {
        Self::with(&build::shared_library(false)?)
    }

    /// Compiles it against this shared library.
    ///
    /// # Errors
    /// The example cannot be built.
    pub fn with(library: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("seatlock-plugin-").tempdir()?;
        let built = Self { folder };
        let example = repository().join("examples/c");
        let sources = [example.join("seatlock_plugin.c"), example.join("settings.c")];
        let link = c::link_with(library)?;
        let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(link.iter().map(String::as_str)).collect();
        let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
        c::compile(&sources, &[&repository().join("include")], &built.program(), &flags)?;
        Ok(built)
    }

    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("seatlock_plugin")
    }

    /// The program with what a plug-in would have compiled in for `server`, keeping its license
    /// below `state`. Nothing of the caller's own settings reaches it.
    #[must_use]
    pub fn command(&self, server: &Running, state: &Path) -> Command {
        let mut command = Command::new(self.program());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("EXAMPLE_") || name.starts_with("SEATLOCK_") {
                command.env_remove(&*name);
            }
        }
        command.env("EXAMPLE_SERVER", server.url()).env("EXAMPLE_ISSUER", server.issuer());
        command.env("EXAMPLE_ROOT_KEY", server.root_key()).env("EXAMPLE_STATE_FOLDER", state);
        // This computer only, whatever proxy it usually uses.
        command.env("EXAMPLE_PROXY", "");
        command
    }
}
