/// The lines of the log.
mod lines;
/// What "serve" can be told.
mod options;

pub(super) use options::Serve;

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use lines::StderrLines;
use options::LogFormat;
use sd_notify::NotifyState;
use seatlock_protocol::address::{address as read_address, is_loopback};
use seatlock_server::ServerSettings;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::mail::{self, Mailer, URL_VARIABLE, read_url};
use seatlock_server::runtime::{Connections, Tls};
use seatlock_server::service::rate_limits::Rates;
use seatlock_server::store::{GetServer, Store};
use seatlock_server::system::cause::of_io;
use seatlock_server::{AppState, service::Services};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use std::{io::Write as _, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Seconds that are left of a request after its e-mail was given up.
const PAGE_REST: u64 = 2;

impl Serve {
    pub(super) async fn run(self, folder: DataFolder) -> anyhow::Result<()> {
        self.log();
        let store = super::open(&folder).await?;
        warn_of_root_key(&store, &folder).await?;
        // Before anybody can know that the server is there, so that a signal is never lost.
        let (mut end, hang_up) = (Signals::new([SIGTERM, SIGINT])?, Signals::new([SIGHUP])?);
        let listener = listen(self.listen, "--listen").await?;
        let metrics_listener = match self.metrics_listen {
            Some(address) => Some(listen(address, "--metrics-listen").await?),
            None => None,
        };
        let address = listener.local_addr()?;
        let (mailer, tls) = (self.mailer()?, self.tls()?.map(Arc::new));
        tokio::spawn(reload_at(hang_up, tls.clone()));
        let own_tls = tls.is_some();
        let scheme = if own_tls { "https" } else { "http" };
        let connections = Connections {
            most: usize::try_from(self.max_connections).unwrap_or(usize::MAX),
            head: Duration::from_secs(self.idle_timeout),
            tls,
        };
        let usual = format!("{scheme}://{address}");
        let settings = self.settings(&store.run(GetServer).await?.issuer, usual, own_tls);
        if let Some(listener) = &metrics_listener {
            tracing::info!(address = %listener.local_addr()?, "metrics are served");
        }
        let state = AppState {
            mailer,
            ..AppState::new(Services::load(store, folder, settings.timeout).await?, settings)
        };
        writeln!(std::io::stdout().lock(), "listening on {scheme}://{address}")?;
        tell_manager(&[NotifyState::Ready]);
        tokio::spawn(tell_manager_again());
        let shutdown = async move {
            end.next().await;
            tell_manager(&[NotifyState::Stopping]);
        };
        let served = seatlock_server::run(listener, metrics_listener, connections, state, shutdown);
        served.await.context("the server failed")
    }

    fn log(&self) {
        let log =
            tracing_subscriber::fmt().with_max_level(self.log).with_writer(|| StderrLines).with_ansi(false);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
    }

    /// The certificate and its key; `None` when neither is named.
    pub(super) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        match (&self.tls_certificate, &self.tls_key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Tls::load(certificate.clone(), key.clone())?)),
            (Some(_), None) => bail!("a TLS certificate is named, but no key. Name it with --tls-key"),
            (None, Some(_)) => {
                bail!("a TLS key is named, but no certificate. Name it with --tls-certificate")
            }
        }
    }

    /// Whether what is wrong about e-mail is about the mail server: all of it, once there is a
    /// sender.
    pub(in crate::cli) fn mail_server_is_named(&self) -> bool {
        let url = read_url(self.smtp_url_file.as_deref());
        self.mail_from.as_deref().is_none_or(mail::is_sender) && !matches!(url, Ok(None))
    }

    /// What sends e-mail; `None` when no mail server is named.
    pub(super) fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let url = read_url(self.smtp_url_file.as_deref())?;
        match (url, &self.mail_from) {
            (None, None) => Ok(None),
            (Some(url), Some(from)) => {
                let mut settings = mail::MailSettings::new(url, from.clone());
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

    fn settings(self, issuer: &str, here: String, own_tls: bool) -> ServerSettings {
        let elsewhere = read_address(issuer).is_ok_and(|url| !is_loopback(&url));
        let usual = if elsewhere { issuer.to_owned() } else { here };
        ServerSettings {
            timeout: Duration::from_secs(self.request_timeout),
            public_url: self.public_url.unwrap_or(usual),
            product_names: self.product_name.into_iter().collect(),
            trusted_proxies: self.trusted_proxy,
            rates: Rates {
                token: self.token_limit,
                address: self.address_limit,
                wrong_token: self.wrong_token_limit,
            },
            own_tls,
        }
    }
}

async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("{address} cannot be listened on. Name another with {option}"))
}

/// A service manager asks for it by SIGHUP, which must never end the server.
async fn reload_at(mut hang_up: Signals, tls: Option<Arc<Tls>>) {
    while hang_up.next().await.is_some() {
        match &tls {
            Some(tls) => tls.reload_soon(),
            None => tracing::info!("there is nothing to read again"),
        }
    }
}

/// Without a service manager nobody hears it.
fn tell_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(reason = of_io(&error), "the service manager cannot be told");
    }
}

/// Often enough for a service manager that restarts a server which hangs.
async fn tell_manager_again() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut due = tokio::time::interval(limit / 2);
    loop {
        due.tick().await;
        tell_manager(&[NotifyState::Watchdog]);
    }
}

/// Whoever breaks into a server must not find the key that could replace all others.
async fn warn_of_root_key(store: &Store, folder: &DataFolder) -> anyhow::Result<()> {
    let kid = store.run(GetServer).await?.root_key.thumbprint();
    if let Some(file) = folder.holds_key(&kid) {
        tracing::warn!(file = %file.display(), "the root key lies in the data folder; move it off this computer");
    }
    Ok(())
}
