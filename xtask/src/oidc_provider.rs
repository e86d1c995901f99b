use crate::port::Port;
use crate::{npm, repository};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What the provider of one test is like.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `aud` of its access tokens.
    pub audience: String,
    /// Where the web client's users come back to; without one nobody does.
    pub redirect: Option<String>,
    /// Seconds that an access token lives.
    pub ttl: u64,
}

impl Default for Provider {
    fn default() -> Self {
        Self { audience: "urn:example:seatlock".to_owned(), redirect: None, ttl: 300 }
    }
}

/// An OpenID provider of its own for one test, npm's oidc-provider: a free port of the loopback
/// interface, ended when dropped. Its clients are in `xtask/oidc-provider/provider.mjs`.
#[derive(Debug)]
pub struct RunningProvider {
    url: String,
    port: Port,
    like: Provider,
    child: Child,
}

impl Provider {
    /// Installs it when it is not yet there, and starts it.
    ///
    /// # Errors
    /// Node.js or npm is missing, or it does not start.
    pub fn start(&self) -> Result<RunningProvider> {
        let port = Port::hold()?;
        let (url, child) = self.run(&port, &[])?;
        Ok(RunningProvider { url, port, like: self.clone(), child })
    }

    fn run(&self, port: &Port, more: &[(&str, &str)]) -> Result<(String, Child)> {
        let mut node = Command::new("node");
        node.arg("provider.mjs").current_dir(installed()?).env("PROVIDER_AUDIENCE", &self.audience);
        node.env("PROVIDER_TTL", self.ttl.to_string()).env("PROVIDER_PORT", port.number().to_string());
        node.envs(self.redirect.as_ref().map(|redirect| ("PROVIDER_REDIRECT", redirect)));
        node.envs(more.iter().copied());
        node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = node.spawn().context("`node` cannot be started")?;
        let mut said = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut url = String::new();
        // Its warnings that it is for tests only go the same way as its address.
        while !url.starts_with("http") {
            url.clear();
            if said.read_line(&mut url)? == 0 {
                let _ = child.kill();
                child.wait()?;
                anyhow::bail!(
                    "the OpenID provider did not start; `node provider.mjs` in target/oidc-provider says why"
                );
            }
        }
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Ok((url.trim_end().to_owned(), child))
    }
}

impl RunningProvider {
    /// Its address, which is its `iss`: without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `aud` of its access tokens.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.like.audience
    }

    /// Starts it again at the same address, without this client. It has forgotten what it granted.
    ///
    /// # Errors
    /// As [`Provider::start`].
    pub fn revoke(&mut self, client: &str) -> Result<()> {
        self.end();
        let (_, child) = self.like.run(&self.port, &[("PROVIDER_REVOKED", client)])?;
        self.child = child;
        Ok(())
    }

    fn end(&mut self) {
        // Nobody is left to be told when even this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RunningProvider {
    fn drop(&mut self) {
        self.end();
    }
}

/// The provider with its packages beside it, once per process.
fn installed() -> Result<&'static PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let install = || npm::install(&repository().join("xtask/oidc-provider"), "oidc-provider");
    let folder = FOLDER.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    folder.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}
