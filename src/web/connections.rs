//! Connections: few at once, and none that stays without saying what it wants.

use crate::model::causes::with_causes;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the headers of a request may take, and the silence before it.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may last; a client that wants more connects again.
const LASTS: Duration = Duration::from_secs(300);
/// How long a request that has begun may take to its end, once its connection is to be closed.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// Pause after a connection that could not be accepted: the system may have no file left at this moment.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then ends what has begun. More than `connections_max` wait in the system's queue.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) -> std::io::Result<()> {
    // With port 0 the system chooses: whoever started it reads here where it is.
    tracing::info!(address = %listener.local_addr()?, "listening for HTTP");
    let places = Arc::new(Semaphore::new(connections_max));
    let open = TaskTracker::new();
    let next = async || {
        let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>((place, listener.accept().await?.0))
    };
    loop {
        let accepted = tokio::select! { () = stop.cancelled() => break, accepted = next() => accepted };
        let (place, stream) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "a connection could not be accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (router, stop) = (router.clone(), stop.clone());
        open.spawn(async move {
            talk(stream, router, stop).await;
            drop(place);
        });
    }
    open.close();
    open.wait().await;
    Ok(())
}

async fn talk(stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(LASTS) => {} } } => {
            connection.as_mut().graceful_shutdown();
            timeout(ENDS_WITHIN, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = with_causes(&error), "a connection ended early"),
        Err(_) => tracing::debug!("a connection did not end by itself and was closed"),
    }
}
