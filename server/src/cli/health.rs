use super::client::http_client;
use super::output::Output;
use super::units::socket;
use anyhow::{Context as _, ensure};
use clap::Args;
use reqwest::{Client, Url, redirect};
use rustls::crypto::ring;
use seatlock_protocol::address::public_address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Args)]
pub(super) struct Health {
    /// Another server than the one that the settings of "serve" describe
    #[arg(long, value_name = "URL", value_parser = public_address)]
    url: Option<Url>,
    /// Ask for its database as well: whether it can answer plug-ins
    #[arg(long)]
    ready: bool,
    /// Address that the server listens on, as for "serve"
    #[arg(long, value_name = "ADDR", env = "SEATLOCK_LISTEN", default_value = "127.0.0.1:8787", value_parser = socket)]
    listen: SocketAddr,
    /// TLS certificate of the server, as for "serve"; with one it is asked by https
    #[arg(long, value_name = "FILE", env = "SEATLOCK_TLS_CERTIFICATE")]
    tls_certificate: Option<PathBuf>,
}

impl Health {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let (url, client) = match &self.url {
            Some(url) => (url.clone(), http_client(url, TIMEOUT)?),
            None => (self.own()?, own_client()?),
        };
        let url = url.join(if self.ready { "/readyz" } else { "/healthz" })?;
        let asked = client.get(url.clone()).send().await;
        let status = asked.with_context(|| format!("nobody answers at {url}"))?.status();
        ensure!(status.is_success(), "{url} answers with the HTTP status {}", status.as_u16());
        output.done(&serde_json::json!({ "healthy": true }), "healthy")
    }

    /// Where the server is, seen from its own computer.
    fn own(&self) -> anyhow::Result<Url> {
        ensure!(self.listen.port() != 0, "the server takes any free port; say with --url where it listens");
        let ip = match self.listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let scheme = if self.tls_certificate.is_some() { "https" } else { "http" };
        Ok(Url::parse(&format!("{scheme}://{}", SocketAddr::new(ip, self.listen.port())))?)
    }
}

/// What asks the server on this computer. Its certificate is for the name by which others know it,
/// and may have ended; both say nothing of whether it is alive, and nothing secret is sent.
fn own_client() -> anyhow::Result<Client> {
    // Another part of the program may have done it already.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder().tls_danger_accept_invalid_certs(true).no_proxy();
    Ok(builder.redirect(redirect::Policy::none()).timeout(TIMEOUT).build()?)
}
