use crate::routes::{AppState, router};
use crate::store::Store;
use axum::serve::ListenerExt as _;
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, time};

/// How long requests in flight may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(60);

/// Serves until `shutdown` is ready: then no connection is accepted any more, requests in flight are answered, and
/// everything that was acknowledged is on disk when this returns.
///
/// # Errors
/// When the listener fails.
pub async fn run<S: Store>(
    listener: TcpListener,
    state: AppState<S>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let state = Arc::new(state);
    let (stop, mut stopped) = watch::channel(());
    let sweeper = tokio::spawn(sweep_often(state.clone()));
    let mut graceful = stop.subscribe();
    let listener = listener.tap_io(|connection| {
        // Answers are small; waiting to fill a packet would only delay them.
        let _ = connection.set_nodelay(true);
    });
    let serving =
        axum::serve(listener, router(state.clone()).into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(async move { graceful.changed().await.unwrap_or_default() });
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("stopping");
        let _ = stop.send(());
    });
    let out_of_time = async {
        let _ = stopped.changed().await;
        time::sleep(GRACE).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = out_of_time => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    };
    sweeper.abort();
    state.store.close().await;
    served
}

async fn sweep_often<S: Store>(state: Arc<AppState<S>>) {
    let mut due = time::interval(SWEEP);
    due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        match state.store.sweep().await {
            Ok(0) => {}
            Ok(seats) => tracing::info!(seats, "released for inactivity"),
            Err(error) => tracing::warn!(%error, "the sweep failed; it is tried again"),
        }
        if let Err(error) = state.store.tidy().await {
            tracing::warn!(%error, "what has ended was not taken away; it is tried again");
        }
    }
}
