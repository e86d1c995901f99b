use super::tls::Tls;
use crate::service::metrics::Metrics;
use crate::system::cause::of_connection;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request, serve::Listener};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What a connection may cost.
#[derive(Debug, Clone)]
pub struct Connections {
    /// How many may be open at a time; others wait to be accepted.
    pub most: usize,
    /// How long a client may take to send the head of its next request, the wait for it included.
    pub head: Duration,
    /// The certificate; without one connections are plain.
    pub tls: Option<Arc<Tls>>,
}

/// Serves whoever connects until `stopped` is ready, and then until all requests in flight are
/// answered.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    limits: &Connections,
    metrics: &Metrics,
    stopped: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.most));
    let open = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stopped => break,
            accepted = accepted => accepted,
        };
        // Answers are small; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let connected = metrics.connected();
        let served = connection(stream, peer, router.clone(), limits.clone(), open.watcher());
        tokio::spawn(async move {
            served.await;
            drop((place, connected));
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Connections,
    watcher: Watcher,
) {
    let Some(tls) = &limits.tls else {
        return requests(stream, peer, router, limits.head, watcher).await;
    };
    match time::timeout(HANDSHAKE, TlsAcceptor::from(tls.config()).accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, peer, router, limits.head, watcher).await,
        Ok(Err(error)) => tracing::debug!(reason = of_connection(&error, "it ended"), "no TLS connection"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    router: Router,
    head: Duration,
    watcher: Watcher,
) {
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if watcher.watch(served).await.is_err() {
        tracing::debug!("a connection broke off");
    }
}
