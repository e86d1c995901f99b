use super::units::duration;
use anyhow::{Context as _, bail};
use clap::Args;
use ipnet::IpNet;
use seatlock_server::{
    AppState, Settings,
    keys::DataFolder,
    mail::{self, Mailer, URL_VARIABLE, read_url},
    store::{AnyStore, Store as _},
};
use std::{io::Write as _, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Seconds that are left of a request after its e-mail was given up.
const PAGE_REST: u64 = 2;

#[derive(Args)]
pub(super) struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// What is logged on standard error: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: tracing::Level,
    /// Longest time that a request may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    request_timeout: u64,
    /// Address under which people reach the server; it stands in links that are sent [default: the issuer if it is an
    /// address, else where the server listens]
    #[arg(long, value_name = "URL", env = "SEATLOCK_PUBLIC_URL")]
    public_url: Option<String>,
    /// Network of the proxies in front of the server, such as 127.0.0.1/32, whose X-Forwarded-For is believed; may be
    /// repeated
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    trusted_proxies: Vec<IpNet>,
    /// Sender of e-mail, such as "Example Licenses <licenses@example.com>". The mail server's URL, which holds a
    /// password, is read from the variable SEATLOCK_SMTP_URL or a file; without one no e-mail is sent
    #[arg(long, value_name = "ADDRESS", env = "SEATLOCK_MAIL_FROM")]
    mail_from: Option<String>,
    /// File with the mail server's URL, such as smtps://USER:PASSWORD@HOST
    #[arg(long, value_name = "FILE")]
    smtp_url_file: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self, folder: DataFolder) -> anyhow::Result<()> {
        tracing_subscriber::fmt()
            .with_max_level(self.log)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init();
        let store = super::open(&folder).await?;
        warn_of_root_key(&store, &folder).await?;
        // Before anybody can know that the server is there, so that a signal is never lost.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("{} can not be listened on. Name another with --listen", self.listen))?;
        let address = listener.local_addr()?;
        let mailer = self.mailer()?;
        let settings = self.settings(&store.server().await?.issuer, address);
        let state = AppState { mailer, ..AppState::load(store, folder, settings).await? };
        writeln!(std::io::stdout().lock(), "listening on http://{address}")?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        seatlock_server::run(listener, state, shutdown).await.context("the server failed")
    }

    /// What sends e-mail; `None` when no mail server is named.
    fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let url = read_url(self.smtp_url_file.as_deref())?;
        match (url, &self.mail_from) {
            (None, None) => Ok(None),
            (Some(url), Some(from)) => {
                let mut settings = mail::Settings::new(url, from.clone());
                // The page that shows the token waits for it, and must be there before its own time is over.
                let rest = self.request_timeout.saturating_sub(PAGE_REST).max(1);
                settings.deadline = settings.deadline.min(Duration::from_secs(rest));
                Ok(Some(Mailer::new(&settings)?))
            }
            (Some(_), None) => bail!("a mail server is named, but no sender. Name it with --mail-from"),
            (None, Some(_)) => {
                bail!(
                    "--mail-from names a sender, but no mail server is named. Set {URL_VARIABLE}, or --smtp-url-file"
                )
            }
        }
    }

    fn settings(self, issuer: &str, address: SocketAddr) -> Settings {
        let is_url = ["https://", "http://"].iter().any(|scheme| issuer.starts_with(scheme));
        let usual = if is_url { issuer.to_owned() } else { format!("http://{address}") };
        Settings {
            timeout: Duration::from_secs(self.request_timeout),
            public_url: self.public_url.unwrap_or(usual).trim_end_matches('/').to_owned(),
            trusted_proxies: self.trusted_proxies,
        }
    }
}

/// Whoever breaks into a server must not find the key that could replace all others.
async fn warn_of_root_key(store: &AnyStore, folder: &DataFolder) -> anyhow::Result<()> {
    let kid = store.server().await?.root_key.thumbprint();
    if let Some(file) = folder.holds_key(&kid) {
        tracing::warn!(file = %file.display(), "the root key lies in the data folder; move it off this computer");
    }
    Ok(())
}
