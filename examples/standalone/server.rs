//! The listener: a limit on connections, a header timeout, an orderly shutdown.

use std::sync::Arc;
use std::time::Duration;

use floret::{Floret, RunsService};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, UpgradeableConnection};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::failure::Failure;

/// Connections at the same time; others wait in the backlog of the system. 512 is half of the usual
/// limit of open files.
const CONNECTIONS_MAX: usize = 512;
/// How long a connection may take to send the headers of a request. The same as for bodies.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nodes and requests may run on after the server was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long the listener pauses after the system refused a connection: a file descriptor must be
/// freed first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until a signal arrives, then shuts down in order.
pub(crate) async fn serve(
    listener: TcpListener,
    service: RunsService,
    floret: &Floret,
    mut signals: Signals,
) -> Result<(), Failure> {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &service, &graceful, &mut connections) => {}
        () = signals.received() => {}
    }
    drop(listener);
    tracing::info!(
        "shutting down: executing nodes have {} s; a second signal stops the server at once",
        GRACE.as_secs()
    );
    tokio::select! {
        result = shut_down(floret, graceful) => result,
        () = signals.received() => Err(Failure::new("stopped at once; unfinished runs continue at the next start")),
    }
}

async fn accept(
    listener: &TcpListener,
    service: &RunsService,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((socket, _)) => {
                let connection = graceful.watch(connection(socket, service.clone()));
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                pause(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves with upgrades: a WebSocket takes the connection over after its first response.
fn connection(
    socket: TcpStream,
    service: RunsService,
) -> UpgradeableConnection<
    'static,
    TokioIo<TcpStream>,
    TowerToHyperService<RunsService>,
    TokioExecutor,
> {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    let service = TowerToHyperService::new(service);
    builder
        .serve_connection_with_upgrades(TokioIo::new(socket), service)
        .into_owned()
}

/// Shuts Floret down first: it closes its streams, which the connections wait for.
async fn shut_down(floret: &Floret, graceful: GracefulShutdown) -> Result<(), Failure> {
    let requests = async {
        tokio::select! {
            () = graceful.shutdown() => {}
            () = pause(GRACE) => tracing::warn!("some requests did not finish in time"),
        }
    };
    let (closed, ()) = tokio::join!(floret.shutdown(GRACE), requests);
    closed.map_err(|error| Failure::of("the store could not be closed properly", error))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a host's own pauses are not on Floret's clock"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits for SIGINT or SIGTERM, or for Ctrl-C on other systems.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// Registers the signal handlers. Signals that arrive from here on are received.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::of("signals cannot be received", error);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
                terminate: signal(SignalKind::terminate()).map_err(failed)?,
            })
        }
        #[cfg(windows)]
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c().map_err(failed)?,
        })
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
