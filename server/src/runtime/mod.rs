//! Runs: from the first connection to an orderly end.

/// Who connects: how many, how slowly, with or without TLS.
mod connections;
/// For Prometheus, at an address of its own.
mod metrics;
/// Certificates, and new ones while the server runs.
mod tls;

use crate::http::{AppState, router};
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, time};

pub use connections::Connections;
pub use tls::{Tls, TlsError};

/// How long requests in flight may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(60);
/// Time between two looks at the files of the certificate.
const LOOK: Duration = Duration::from_secs(5);
/// Time between two warnings of a certificate that ends.
const REMIND: Duration = Duration::from_secs(86_400);

/// Serves, and tells `metrics` where they are asked for, until `shutdown` is ready: then no
/// connection is accepted any more, requests in flight are answered, and everything that was
/// acknowledged is on disk when this returns.
///
/// # Errors
/// When what is to be served cannot be.
pub async fn run(
    listener: TcpListener,
    metrics: Option<TcpListener>,
    connections: Connections,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let state = Arc::new(state);
    let (stop, mut stopped) = watch::channel(());
    let mut helpers = vec![tokio::spawn(release_and_purge_often(state.clone()))];
    let tls = connections.tls.clone();
    helpers
        .extend(metrics.map(|listener| tokio::spawn(metrics::serve(listener, state.clone(), tls.clone()))));
    if let Some(tls) = tls {
        helpers.push(tokio::spawn(look_at_certificate(tls.clone(), state.clone())));
        helpers.push(tokio::spawn(remind_of_certificate(tls)));
    }
    let mut graceful = stop.subscribe();
    let router = router(state.clone());
    let serving = connections::serve(listener, router, &connections, &state.metrics, async move {
        graceful.changed().await.unwrap_or_default();
    });
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("stopping");
        let _ = stop.send(());
    });
    let out_of_time = async {
        let _ = stopped.changed().await;
        time::sleep(GRACE).await;
    };
    tokio::select! {
        () = serving => {}
        () = out_of_time => tracing::warn!("some requests did not end in time"),
    }
    helpers.iter().for_each(tokio::task::JoinHandle::abort);
    state.services.close().await;
    Ok(())
}

async fn release_and_purge_often(state: Arc<AppState>) {
    let mut due = time::interval(SWEEP);
    due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let swept = state.services.release_expired().await;
        match &swept {
            Ok(0) => {}
            Ok(seats) => tracing::info!(seats, "released for inactivity"),
            Err(error) => tracing::warn!(%error, "the sweep failed; it is tried again"),
        }
        state.metrics.swept(swept.ok());
        if let Err(error) = state.services.purge_expired().await {
            tracing::warn!(%error, "what has ended was not taken away; it is tried again");
        }
    }
}

/// Takes a new certificate as soon as its files are there. Whoever renews it need not tell the
/// server.
async fn look_at_certificate(tls: Arc<Tls>, state: Arc<AppState>) {
    loop {
        tokio::select! {
            () = time::sleep(LOOK) => if !tls.is_changed() { continue },
            () = tls.wanted() => {}
        }
        match tls.reload() {
            Ok(()) => {
                state.metrics.certificate_taken();
                tracing::info!(ends = %crate::domain::date(tls.not_after()), "TLS certificate read again");
            }
            Err(error) => tracing::error!(%error, "the new TLS certificate is refused; the old one is kept"),
        }
    }
}

async fn remind_of_certificate(tls: Arc<Tls>) {
    let mut due = time::interval(REMIND);
    loop {
        due.tick().await;
        if let Some(end) = tls.ends_soon() {
            tracing::warn!(ends = %crate::domain::date(end), "the TLS certificate ends; renew it");
        }
    }
}
