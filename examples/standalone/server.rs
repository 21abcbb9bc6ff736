//! Serves until a signal arrives, and then shuts down in order.

use std::time::Duration;

use floret::Floret;
use tokio::net::TcpListener;

use crate::access::Keys;
use crate::failure::Failure;
use crate::listener::Connections;
use crate::metrics::WithMetrics;
use crate::signals::Signals;

/// How long nodes may run on after the server was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long responses may take after the nodes have stopped.
const RESPONSE_GRACE: Duration = Duration::from_secs(5);

/// Serves until a signal arrives, then shuts down in order.
pub(crate) async fn serve(
    listener: TcpListener,
    service: WithMetrics,
    floret: &Floret,
    mut signals: Signals,
    keys: Option<Keys>,
) -> Result<(), Failure> {
    let mut connections = Connections::new();
    loop {
        tokio::select! {
            () = connections.accept(&listener, service.clone()) => {}
            _ = signals.stop.received() => break,
            () = signals.reload.received() => {
                if let Some(keys) = &keys {
                    reload(keys, &connections).await;
                }
            }
        }
    }
    tracing::info!(
        "shutting down: executing nodes have {} s; a second signal stops the server at once",
        GRACE.as_secs()
    );
    tokio::select! {
        result = shut_down(floret, connections, listener, service) => result,
        _ = signals.stop.received() => Err(Failure::new("stopped at once; unfinished runs continue at the next start")),
    }
}

/// Shuts Floret down first: it closes its streams, which the connections wait for. New connections
/// are accepted meanwhile, so that a load balancer sees in the health that it has to send its
/// requests elsewhere.
async fn shut_down(
    floret: &Floret,
    mut connections: Connections,
    listener: TcpListener,
    service: WithMetrics,
) -> Result<(), Failure> {
    let mut closed = Ok(());
    let closing = async { closed = floret.shutdown(GRACE).await };
    tokio::select! {
        () = closing => {}
        () = connections.accept(&listener, service) => {}
    }
    drop(listener);
    connections.finish(RESPONSE_GRACE).await;
    closed.map_err(|error| Failure::of("the store could not be closed properly", error))
}

/// Reads the keys again. Then closes the streams if a key lost anything: a stream is not checked
/// again while it lives. Clients whose keys are still good connect again, and miss nothing.
async fn reload(keys: &Keys, connections: &Connections) {
    let keys = keys.clone();
    let read = tokio::task::spawn_blocking(move || keys.reload());
    match read.await {
        Ok(Ok(true)) => {
            connections.close_streams();
            tracing::info!("a key was removed or changed, so every stream was closed");
        }
        Ok(Ok(false)) => {}
        Ok(Err(failure)) => {
            tracing::error!(%failure, "the keys could not be read again; the earlier ones are in force");
        }
        Err(error) => tracing::error!(%error, "the keys could not be read again"),
    }
}
