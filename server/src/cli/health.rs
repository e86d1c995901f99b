use super::access::http_client;
use super::output::Output;
use anyhow::{Context as _, ensure};
use clap::Args;
use reqwest::Url;
use std::time::Duration;

#[derive(Args)]
pub(super) struct Health {
    /// Where it listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    url: Url,
    /// Ask for its database as well: whether it can answer plug-ins
    #[arg(long)]
    ready: bool,
}

impl Health {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let url = self.url.join(if self.ready { "/readyz" } else { "/healthz" })?;
        let asked = http_client(&url, Duration::from_secs(4))?.get(url.clone()).send().await;
        let status = asked.with_context(|| format!("nobody answers at {url}"))?.status();
        ensure!(status.is_success(), "{url} answers with the HTTP status {}", status.as_u16());
        output.done(&serde_json::json!({ "healthy": true }), "healthy")
    }
}
